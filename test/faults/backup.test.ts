// A dump that is taken under load, and the system that is restored from it elsewhere: what was acknowledged before the dump is
// there, keys are remembered, and EVENTS is filled again.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { until } from '../deadlines.js';
import { realPostgres } from '../servers/real-servers.js';
import { databaseUrl } from './rig/addresses.js';
import { checkEvents } from './rig/events-check.js';
import { RealSystem } from './rig/real-system.js';

const test = suite('backup and restore');
const PRODUCTS = Array.from({ length: 20 }, (_, i) => `p${i}`);
const CLIENTS = 8;
const ORDERS_FIRST = 200;
const WITHIN_MS = 60_000;

interface Placed {
  readonly key: string;
  readonly body: string;
  /** When the answer came. */
  readonly at: number;
}

/** Clients that place keyed orders until they are told to stop. */
function load(system: RealSystem): { readonly placed: Placed[]; stop(): Promise<void> } {
  const placed: Placed[] = [];
  let isOver = false;
  const client = async (no: number) => {
    for (let i = 0; !isOver; i++) {
      const [key, product] = [`k-${no}-${i}`, PRODUCTS[(no + i) % PRODUCTS.length]];
      const order = {
        user_id: `u${no}`,
        items: [
          { product_id: product, quantity: 1 },
          { product_id: 'p0', quantity: 1 },
        ],
      };
      const reply = await system.post('/api/orders', order, key).catch(() => undefined);
      if (reply?.status === 201) placed.push({ key, body: reply.text, at: Date.now() });
    }
  };
  const all = Promise.all(Array.from({ length: CLIENTS }, (_, no) => client(no)));
  return {
    placed,
    async stop() {
      isOver = true;
      await all;
    },
  };
}

const orderIn = (key: string) => {
  const [, no, i] = key.split('-').map(Number);
  const product = PRODUCTS[((no ?? 0) + (i ?? 0)) % PRODUCTS.length];
  return {
    user_id: `u${no}`,
    items: [
      { product_id: product, quantity: 1 },
      { product_id: 'p0', quantity: 1 },
    ],
  };
};

/** A busy machine may answer 503 first: the client repeats. */
async function answered(system: RealSystem, key: string): Promise<{ status: number; text: string }> {
  let reply = { status: 0, text: '' };
  await until(async () => {
    reply = await system.post('/api/orders', orderIn(key), key);
    return reply.status !== 503;
  }, WITHIN_MS);
  return reply;
}

/** The journals of the dump have all events of these young orders, so EVENTS has them all again, each once. */
async function isToldAgain(system: RealSystem): Promise<void> {
  const client = connectPostgres(await databaseUrl(system), { max: 1 });
  try {
    await checkEvents(system, client);
  } finally {
    await client.end();
  }
}

for (const journal of ['jetstream', 'postgres']) {
  test(`journal in ${journal}: what was acknowledged before a dump is there after a restore`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-dump-'));
    const env = { JOURNAL: journal };
    const [first, second] = [await RealSystem.build(env), await RealSystem.build(env)];
    if ('skipped' in first || 'skipped' in second) {
      console.log(`SKIP ${'skipped' in first ? first.skipped : ''}`);
      return;
    }
    let stop = async () => {};
    try {
      await first.start();
      await first.stock(PRODUCTS, 1_000_000);
      const loaded = load(first);
      const { placed } = loaded;
      stop = loaded.stop;
      assert.ok(await until(() => placed.length >= ORDERS_FIRST, WITHIN_MS), `${placed.length} orders were placed`);
      const dump = join(folder, 'dump');
      const taken = await first.command('backup', '--to', dump);
      if (taken.code === 2 && /Backups need pg_dump/.test(taken.output)) {
        console.log(`SKIP ${taken.output.split('\n').find((line) => line.includes('Backups need'))}`);
        return;
      }
      assert.is(taken.code, 0, taken.output);
      assert.match(taken.output, /restored and verified/);
      const { takenAt } = JSON.parse(await readFile(join(dump, 'manifest.json'), 'utf8'));
      const file = join(folder, 'a-file');
      await writeFile(file, 'kept');
      for (const taken of [file, dump]) assert.is((await first.command('backup', '--to', taken)).code, 2, taken);
      assert.is(await readFile(file, 'utf8'), 'kept');
      await first.end('SIGKILL');
      await stop();
      const before = placed.filter(({ at }) => at < takenAt);
      assert.ok(before.length >= ORDERS_FIRST, `${before.length} of ${placed.length} before the dump`);

      const came = await second.command('restore', '--to', dump);
      assert.is(came.code, 0, came.output);
      assert.match(came.output, /restored: everything/);
      await second.start();
      for (const { key, body } of before.filter((_, i) => i % 7 === 0 || i > before.length - 50)) {
        const again = await answered(second, key);
        assert.equal([again.status, again.text], [201, body], `${key}: the first answer again`);
      }
      const after = placed.filter(({ at }) => at >= takenAt);
      console.log(`  ${before.length} acknowledged before the dump, ${after.length} after it and lost with the disk`);
      const verdict = await second.verify();
      assert.is(verdict.code, 0, verdict.output);
      await isToldAgain(second);

      const twice = await second.command('restore', '--to', dump);
      assert.is(twice.code, 2, 'a system in use is not overwritten');
      await second.end('SIGTERM');
      const full = await second.command('restore', '--to', dump);
      assert.equal([full.code, /not empty|has a stream EVENTS/.test(full.output)], [2, true], full.output);

      await writeFile(join(dump, 'database.dump'), 'damaged');
      const third = await RealSystem.build(env);
      if ('skipped' in third) throw new Error(third.skipped);
      const damaged = await third.command('restore', '--to', dump);
      await third.demolish();
      assert.equal([damaged.code, /database\.dump has 7 bytes/.test(damaged.output)], [2, true], damaged.output);
    } finally {
      await stop();
      await first.demolish();
      await second.demolish();
      await rm(folder, { recursive: true, force: true });
    }
  });
}

test('with an account for each role: the owner restores, and then a node starts with its own alone', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-dump-'));
  const [first, postgres] = [await RealSystem.build(), await realPostgres()];
  const owner =
    'skipped' in postgres
      ? postgres
      : await RealSystem.build({ DATABASE_URL: postgres.nodeUrl, MIGRATIONS_DATABASE_URL: postgres.ownerUrl });
  if ('skipped' in first || 'skipped' in postgres || 'skipped' in owner) {
    const [why] = [first, postgres, owner].flatMap((each) => ('skipped' in each ? [each.skipped] : []));
    if (!('skipped' in first)) await first.demolish();
    if (!('skipped' in postgres)) await postgres.stop();
    return console.log(`SKIP ${why}`);
  }
  let node: Awaited<ReturnType<typeof RealSystem.build>> | undefined;
  try {
    await first.start();
    await first.stock(['p0'], 10);
    const order = { user_id: 'u', product_id: 'p0', quantity: 1 };
    const placed = await first.post('/api/orders', order, 'a-key');
    const dump = join(folder, 'dump');
    const taken = await first.command('backup', '--to', dump);
    if (/Backups need pg_dump/.test(taken.output)) return console.log(`SKIP ${taken.output}`);
    assert.is(taken.code, 0, taken.output);
    await first.end('SIGTERM');

    const came = await owner.command('restore', '--to', dump);
    assert.is(came.code, 0, came.output);
    node = await RealSystem.build({ DATABASE_URL: postgres.nodeUrl, DATA_DIR: owner.dataDir });
    if ('skipped' in node) throw new Error(node.skipped);
    await node.start();
    assert.is((await node.post('/api/orders', order, 'a-key')).text, placed.text, 'the first answer again');
    const backup = connectPostgres(postgres.backupUrl, { max: 1 });
    const rows = await backup.query('as a dump reads', 'select from orders').finally(() => backup.end());
    assert.is(rows.length, 1);
  } finally {
    await first.demolish();
    if (node !== undefined && !('skipped' in node)) await node.demolish();
    await owner.demolish();
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  }
});

test.run();
