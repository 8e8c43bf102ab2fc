// Orders are archived on a real system under load, by a command that is killed in its steps and started again. State
// after each kill: an order is readable, with its history, and its repeats get the first answers byte for byte. At the end the
// archived orders take no act, lists have the others alone, and verify is clean, with every archive read.

import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { freePort } from '../../deploy/servers/free-ports.js';
import { run } from '../../deploy/servers/processes.js';
import { connectPostgres, type PostgresClient } from '../../storage/postgres/postgres.js';
import { patientMs, until } from '../deadlines.js';
import { databaseUrl } from './rig/addresses.js';
import { RealSystem } from './rig/real-system.js';

const test = suite('archive');
const ORDERS = 300;
const PRODUCTS = ['p0', 'p1', 'p2', 'scarce'];
const WITHIN_MS = 120_000;
/** Each order is repeated after each kill in its turn. */
const LOOKED_AT = 8;
/** Of each client that goes on meanwhile. */
const YOUNG = 1_500;
/** What the command says when it has done a step. */
const STEPS = [
  /begun/,
  /reading it back/,
  /read back, and whole/,
  /noted/,
  /waiting/,
  /deleting/,
  /rows of \d+ orders/,
];
/** One kill before the note, one at it, one while rows go. ARCHIVE_KILLS=all (npm run proof:archive) makes all of them. */
const isTried = (_: RegExp, i: number) => process.env.ARCHIVE_KILLS === 'all' || [1, 3, 6].includes(i);
const RIG = fileURLToPath(new URL('./rig/archive-until.js', import.meta.url));

interface Known {
  readonly id: string;
  readonly key: string;
  readonly body: object;
  readonly placed: string;
  readonly shipped: string | undefined;
  readonly order: string;
  readonly history: string;
}

const bodyOf = (i: number) => ({
  user_id: `u${i % 7}`,
  user_email: `u${i % 7}@shop.example`,
  items: [{ product_id: i % 10 === 9 ? 'scarce' : `p${i % 3}`, quantity: i % 10 === 9 ? 1_000_000 : 1 + (i % 3) }],
  shipping_address: { street: `${i} \u{1f600} "Main" \\ Street`, no: 1.5 },
});

const ship = (system: RealSystem, id: string, i: number) =>
  system.post(`/api/orders/${id}/ship`, { carrier: 'DHL', tracking_id: `T${i}` }, `ship-${i}`);

async function placed(system: RealSystem, i: number): Promise<Known> {
  const key = `key-${i}`;
  const body = bodyOf(i);
  const reply = await system.post('/api/orders', body, key);
  assert.is(reply.status, i % 10 === 9 ? 409 : 201, reply.text);
  const answer = JSON.parse(reply.text) as { readonly order_id?: string; readonly data?: { readonly id: string } };
  const id = answer.data?.id ?? answer.order_id ?? '';
  const shipped = i % 4 === 0 && reply.status === 201 ? await ship(system, id, i) : undefined;
  const order = await system.ask(`/api/orders/${id}`);
  const history = await system.ask(`/api/orders/${id}/history`);
  assert.is(order?.status, 200, order?.text);
  return {
    ...{
      id,
      key,
      body,
      placed: `${reply.status} ${reply.text}`,
      order: order?.text ?? '',
      history: history?.text ?? '',
    },
    shipped: shipped && `${shipped.status} ${shipped.text}`,
  };
}

/** As it was on the first day. */
async function mustBeThere(system: RealSystem, known: Known, i: number, when: string): Promise<void> {
  const { id, key, body } = known;
  assert.is((await system.ask(`/api/orders/${id}`))?.text, known.order, when);
  assert.is((await system.ask(`/api/orders/${id}/history`))?.text, known.history, when);
  const again = await system.post('/api/orders', body, key);
  assert.is(`${again.status} ${again.text}`, known.placed, when);
  const shipped = known.shipped && (await ship(system, id, i));
  if (shipped) assert.is(`${shipped.status} ${shipped.text}`, known.shipped, when);
}

/** Young orders all the while: new ones, and acts on some. */
function load(system: RealSystem): { readonly ids: string[]; stop(): Promise<void> } {
  const ids: string[] = [];
  let isOver = false;
  const client = async (no: number) => {
    for (let i = 0; !isOver && i < YOUNG; i++) {
      const order = { user_id: `young${no}`, items: [{ product_id: `p${i % 3}`, quantity: 1 }] };
      const reply = await system.post('/api/orders', order, `young-${no}-${i}`).catch(() => undefined);
      if (reply?.status !== 201) continue;
      const { id } = (JSON.parse(reply.text) as { readonly data: { readonly id: string } }).data;
      ids.push(id);
      if (i % 3 === 0) await system.post(`/api/orders/${id}/cancel`, {}, `c-${no}-${i}`).catch(() => undefined);
    }
  };
  const all = Promise.all([client(0), client(1)]);
  return {
    ids,
    async stop() {
      isOver = true;
      await all;
    },
  };
}

const count = async (client: PostgresClient, table: string): Promise<number> =>
  (await client.query<{ count: number }>('count', `select count(*)::int as count from ${table}`))[0]?.count ?? 0;

/** Runs the command until it has said this. @returns whether it was alive then, and what it said */
async function killedAt(
  system: RealSystem,
  words: readonly string[],
  said: RegExp,
): Promise<{ readonly killed: boolean; readonly output: string }> {
  const options = { deadlineMs: patientMs(WITHIN_MS), env: { ...system.env, KILL_AT: said.source } };
  const { code, output } = await run(process.execPath, [RIG, 'archive', ...words], options);
  return { killed: code !== 0 && code !== 2 && said.test(output), output };
}

for (const journal of ['jetstream', 'postgres']) {
  test(`journal in ${journal}: killed in its steps, nothing is deleted before its successor was verified`, async () => {
    const system = await RealSystem.build({ JOURNAL: journal });
    if ('skipped' in system) return console.log(`SKIP ${system.skipped}`);
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-archives-'));
    let client: PostgresClient | undefined;
    let stop = async () => {};
    try {
      await system.start();
      await system.stock(PRODUCTS, 500_000);
      const known: Known[] = [];
      for (let i = 0; i < ORDERS; i += 10) {
        known.push(...(await Promise.all(Array.from({ length: 10 }, (_, j) => placed(system, i + j)))));
      }
      const lastAt = Date.now();
      client = connectPostgres(await databaseUrl(system, 'superuser'), { max: 2 });
      const db = client;
      const loaded = load(system);
      stop = loaded.stop;
      const to = join(folder, 'orders');
      // The age counts from the start of a command: all old orders, and no young one, are older.
      assert.ok(await until(() => Date.now() > lastAt + 2_000, 10_000));
      const youngest = Math.ceil((Date.now() - lastAt) / 1_000);
      let turn = 0;
      const look = async (when: string) => {
        for (let i = 0; i < LOOKED_AT; i++, turn++) {
          const at = (turn * 17) % ORDERS;
          await mustBeThere(system, known[at] as Known, at, `${when}, order ${at}`);
        }
      };
      const hot = () =>
        db.query<{ id: string }>('hot', `select order_id as id from orders where user_id not like 'young%'`);
      for (const said of journal === 'jetstream' ? STEPS.filter(isTried) : STEPS.slice(-1)) {
        const when = String(said);
        const words = ['--older-than', `${youngest}s`, '--to', to];
        const { killed, output } = await killedAt(system, words, said);
        assert.ok(killed, `${when}: it had ended before: ${output}`);
        const noted = await count(db, 'archived_orders');
        const rows = new Set((await hot()).map(({ id }) => id));
        const missing = known.filter(({ id }) => !rows.has(id)).length;
        const [isNoted, isDeleting] = [STEPS.indexOf(said) > 2, STEPS.indexOf(said) === STEPS.length - 1];
        assert.is(noted > 0, isNoted, `${when}: ${noted} are archived`);
        assert.is(missing > 0 && missing < noted, isDeleting, `${when}: ${missing} of ${noted} rows are gone`);
        if (!isDeleting) assert.is(missing, 0, when);
        await look(when);
        const judged = await system.verify();
        assert.is(judged.code, 0, `${when}: ${judged.output}`);
      }
      await stop();
      const done = await system.command('archive', '--older-than', `${youngest}s`, '--to', to);
      assert.is(done.code, 0, done.output);
      const rows = new Set((await hot()).map(({ id }) => id));
      const away = known.filter(({ id }) => !rows.has(id));
      assert.ok(away.length > ORDERS * 0.9, `${away.length} of ${ORDERS} are archived: ${done.output}`);
      for (const [i, each] of known.entries()) await mustBeThere(system, each, i, `at the end, order ${i}`);

      // No new act; an act without effect is refused the same.
      for (const { id } of away.slice(0, 5)) {
        const act = await system.post(`/api/orders/${id}/cancel`, {}, `late-${id}`);
        assert.is(act.status, 409, act.text);
        assert.is((JSON.parse(act.text) as { code: string }).code, 'archived');
      }
      const other = await system.post(
        '/api/orders',
        { ...away[0]?.body, user_id: 'u0', items: bodyOf(1).items },
        away[0]?.key,
      );
      assert.is(other.status, 422, other.text);
      const list = await system.ask('/api/orders?user_id=u0&page_size=100');
      assert.ok(away.every(({ id }) => !list?.text.includes(id)));
      const whole = await system.command('verify', '--archives');
      assert.is(whole.code, 0, whole.output);
      assert.match(whole.output, /archived order/);

      // What is not there any more is said by name.
      const [file = ''] = (await readdir(to)).filter((name) => name.endsWith('.ndjson.gz'));
      const bytes = await readFile(join(to, file));
      await truncate(join(to, file), bytes.length - 40);
      const cut = await system.command('verify');
      assert.is(cut.code, 1, cut.output);
      assert.match(cut.output, new RegExp(`archive ${file}: its file .* has ${bytes.length - 40} bytes`));
      await rm(join(to, file));
      await system.end('SIGKILL'); // Its blocks were in memory.
      await system.start();
      const owner = await db.query<{ id: string }>(
        'of the archive',
        'select order_id as id from archived_orders where archive = (select no from archives where name = $1)',
        [file],
      );
      const lost = known.find(({ id }) => owner.some((each) => each.id === id)) as Known;
      const gone = await system.ask(`/api/orders/${lost.id}`);
      assert.is(gone?.status, 503, gone?.text);
      assert.match(gone?.text ?? '', new RegExp(`${file}.*cannot be read now`));
      const repeat = await system.post('/api/orders', lost.body, lost.key);
      assert.is(repeat.status, 503, repeat.text);
      await writeFile(join(to, file), bytes);
      assert.is((await system.ask(`/api/orders/${lost.id}`))?.text, lost.order);
      assert.is((await system.verify()).code, 0);
    } finally {
      await stop();
      await client?.end();
      await system.demolish();
      await rm(folder, { recursive: true, force: true });
    }
  });
}

test('the role backup archives what is old enough, and lets whole archives go', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-archives-'));
  const backup = { ROLES: 'all,backup', BACKUP_PORT: String(await freePort()) };
  const system = await RealSystem.build(backup);
  if ('skipped' in system) return console.log(`SKIP ${system.skipped}`);
  const to = join(folder, 'orders');
  const files = async () => (await readdir(to).catch(() => [])).filter((name) => name.endsWith('.ndjson.gz'));
  try {
    await system.start();
    await system.stock(PRODUCTS, 1_000);
    const known = await placed(system, 1);
    await system.end('SIGTERM');
    assert.ok(await until(() => Date.now() > Date.parse(JSON.parse(known.order).data.updated_at) + 1_000, 10_000));
    const policy = { ARCHIVE_TO: to, ARCHIVE_AFTER: '1s' };
    await system.start(policy);
    assert.ok(await until(() => /older than 1s were archived/.test(system.output), WITHIN_MS), 'it is archived');
    assert.is((await files()).length, 1);
    const act = await ship(system, known.id, 1);
    assert.is((JSON.parse(act.text) as { code: string }).code, 'archived', act.text);
    await mustBeThere(system, known, 1, 'archived by the policy');
    await system.end('SIGTERM');
    await system.start({ ...policy, ARCHIVE_KEEP: '1s' });
    assert.ok(await until(async () => (await files()).length === 0, WITHIN_MS), 'it is removed');
    const gone = await system.ask(`/api/orders/${known.id}`);
    assert.is(gone?.status, 410, gone?.text);
    assert.is((await system.post('/api/orders', known.body, known.key)).status, 410);
    assert.is((await system.verify()).code, 0);
  } finally {
    await system.demolish();
    await rm(folder, { recursive: true, force: true });
  }
});

test('a place that is not ours is refused, and nothing is written there; so is nonsense', async () => {
  const system = await RealSystem.build({ JOURNAL: 'postgres' });
  if ('skipped' in system) return console.log(`SKIP ${system.skipped}`);
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-archives-'));
  try {
    await system.start();
    const used = join(folder, 'used');
    const others = join(folder, 'others');
    await mkdir(used);
    await mkdir(others);
    await writeFile(join(used, 'letter.txt'), 'dear');
    await writeFile(join(others, 'holdfast-archives.json'), '{"format":1,"system":"another"}');
    await writeFile(join(folder, 'file'), 'a file');
    for (const [to, said] of [
      [used, /is not empty \(it has letter.txt\)/],
      [others, /has the archives of another system \(another\)/],
      [join(folder, 'file'), /is no folder for archives/],
    ] as const) {
      const refused = await system.command('archive', '--older-than', '1s', '--to', to);
      assert.is(refused.code, 2, refused.output);
      assert.match(refused.output, said);
    }
    assert.equal(await readdir(used), ['letter.txt']);
    assert.equal(await readdir(others), ['holdfast-archives.json']);
    for (const age of ['', '2', 'y', '2 years', '-1d', '0d', '1.5y', '1000y', '2Y']) {
      const refused = await system.command('archive', `--older-than=${age}`, '--to', join(folder, 'new'));
      assert.is(refused.code, 2, age);
      assert.match(refused.output, /--older-than is ".*"; it must be an age such as 2y, 18mo, 90d or 12h/);
    }
    for (const words of [
      ['--older-than', '2y'],
      ['--older-than', '2y', '--to', 'x', '--vacuum', 'half'],
      ['--remove', '--to', 'x', '--older-than', '2y'],
      ['--speed'],
    ]) {
      assert.is((await system.command('archive', ...words)).code, 2, words.join(' '));
    }
    assert.equal((await readdir(folder)).sort(), ['file', 'others', 'used']);
  } finally {
    await system.demolish();
    await rm(folder, { recursive: true, force: true });
  }
});

test.run();
