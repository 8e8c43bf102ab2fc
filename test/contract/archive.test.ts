// Archives on real stores: what is moved stays readable, repeats get their answers, numbers stay, verify is clean. And what
// happens when an order changes while it is archived, when a run ends in the midst, when a file is damaged, and in a bucket.

import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { nodeId, type OrderId, orderId, productId, userId, writeId } from '../../actors/ids.js';
import type { ActReply, PlaceReply } from '../../actors/ports/owners.js';
import type { Snapshots } from '../../actors/ports/snapshots.js';
import type { OrderAct } from '../../actors/protocol.js';
import type { Incarnation } from '../../bus/node/incarnation.js';
import { forgetfulPayments, instantPayments } from '../../bus/payments/mock-provider.js';
import { systemClock } from '../../bus/system-clock.js';
import { answerOf } from '../../http/orders/order-answer.js';
import {
  archiveRows,
  beginArchive,
  giveUpBegun,
  noteArchive,
  notePolicyRan,
  policyRanAt,
} from '../../storage/archive/archive-rows.js';
import { type ArchiverParts, abandonPlace, archiveOrders, removeArchives } from '../../storage/archive/archiver.js';
import { rewriteWithout } from '../../storage/archive/rewrite-archive.js';
import { postgresQueries } from '../../storage/lists/queries.js';
import { memoryCache } from '../../storage/memory/memory-cache.js';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { postgresLog } from '../../storage/postgres/postgres-log.js';
import { postgresSnapshots } from '../../storage/snapshots/snapshots.js';
import { judgeArchives } from '../../storage/verify/archive-laws.js';
import { reportOf } from '../../storage/verify/report.js';
import { Findings } from '../../storage/verify/verdict.js';
import { verify } from '../../storage/verify/verify.js';
import { until } from '../deadlines.js';
import { realS3 } from '../servers/real-s3.js';
import { startedNode } from './rig/one-node.js';
import { testDatabase } from './rig/storage-database.js';

const PARTITIONS = 4;
const WITHIN_MS = 30_000;
const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const clock = systemClock();
const signal = new AbortController().signal;

const database = await testDatabase();
if (database !== undefined) {
  const { client, lists } = database;
  const test = suite('archives');
  const logClient = connectPostgres(database.url, { max: 2 });
  const log = postgresLog(logClient);
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-archives-'));
  const s3 = await realS3();
  const said: string[] = [];
  const parts: ArchiverParts = {
    ...{ client, log, partitions: PARTITIONS, system: 'this-one', most: 20 },
    endpoint: 'skipped' in s3 ? undefined : s3.endpoint,
    scratch: join(folder, 'scratch'),
    onProgress: (line) => void said.push(line),
  };
  const running: Incarnation[] = [];

  async function start(over: Partial<Snapshots> = {}): Promise<Incarnation> {
    let incarnation: Incarnation | undefined;
    const snapshots = { ...postgresSnapshots(client), ...over };
    incarnation = await startedNode({
      ...{
        node: nodeId('archived'),
        nodeName: 'archived',
        partitions: PARTITIONS,
        log,
        snapshots,
        clock,
        logger: quiet,
      },
      ...{
        queries: postgresQueries(client, lists),
        cache: memoryCache(clock),
        events: undefined,
        eventsMayForget: false,
      },
      ...{ payments: forgetfulPayments(1), context: { instantPayment: instantPayments(1) } },
      post: {
        send: (letters) => void setImmediate(() => incarnation?.driver.letters(letters)),
        confirm: (confirmation) => void setImmediate(() => incarnation?.driver.confirmed(confirmation)),
      },
      meter: { appended() {}, flushed() {}, unanswered() {}, retried() {}, cached() {}, deadLetter() {} },
      ...{ source: 'test', orderTimeoutMs: 30_000, holdTtlMs: 30_000, recordBytes: 1_000_000 },
      ...{ byteLength: (text) => Buffer.byteLength(text), deliverAtHome: false },
    });
    running.push(incarnation);
    return incarnation;
  }

  const contentOf = (id: string) => ({
    ...{ user: userId(`user-${id.length % 3}`), userIsNumber: false, email: 'ada@shop.example' },
    ...{ notes: 'a \u0000 in it', shippingAddress: { street: 'Main \u{1f600}', no: 1.5 } },
    lines: [{ product: productId(id.endsWith('9') ? 'nobody-has' : 'P'), quantity: 2 }],
  });
  const place = async ({ owners }: Incarnation, id: OrderId): Promise<string> => {
    const reply: PlaceReply = await owners.place(
      { order: id, content: contentOf(id), correlation: 'c', fresh: false },
      10_000,
    );
    const { status, body } = answerOf(reply, id);
    return `${status} ${body}`;
  };
  const ship = ({ owners }: Incarnation, id: OrderId, ref = `${id} ship`): Promise<ActReply> => {
    const command = { type: 'ship', act: { ref: writeId(ref), fingerprint: 'f' }, tracking: 'T-77' } as OrderAct;
    return owners.act({ order: id, command, correlation: 'c' }, 10_000);
  };
  let stocked = false;
  async function ordered(node: Incarnation, name: string, count: number): Promise<Map<OrderId, string>> {
    const named = { ref: writeId('stock'), fingerprint: 'f', name: 'P', unitPrice: 250, currency: 'USD' } as const;
    if (!stocked) {
      const command = { type: 'receive', ...named, quantity: 10_000 } as const;
      await node.owners.stock({ product: productId('P'), command, correlation: 'c', fresh: true }, 10_000);
      stocked = true;
    }
    const answers = new Map<OrderId, string>();
    for (let i = 0; i < count; i++) {
      const id = orderId(`ORD-${name}-${i}`);
      answers.set(id, await place(node, id));
    }
    const isFlushed = () => node.node.flushedTo.n === node.node.appendedTo.n && node.node.world.orders.size === 0;
    assert.ok(await until(isFlushed, WITHIN_MS), 'all orders are flushed, and have left memory');
    return answers;
  }
  const hot = async (): Promise<Set<string>> =>
    new Set((await client.query<{ id: string }>('hot', 'select order_id as id from orders')).map(({ id }) => id));
  const numbers = () => lists.query('numbers', 'select * from order_stats order by 1, 2, 3, 4, 5');
  const clean = async (isWhole = true): Promise<void> => {
    const archives = { endpoint: parts.endpoint, isWhole };
    assert.equal(reportOf(await verify({ client, log, partitions: PARTITIONS, archives })).at(-1), 'clean');
  };
  const archive = (to: string, before = Date.now() + 1, within = signal) => archiveOrders(parts, to, before, within);
  let places = 0;
  const newPlace = () => join(folder, `place-${++places}`);

  test.after.each(async () => {
    said.length = 0;
    for (const node of running.splice(0)) await node.stop(5_000);
  });

  test('what is archived answers as before: by id, its history, repeats, acts; numbers and verify too', async () => {
    const node = await start();
    const answers = await ordered(node, 'a', 50);
    const ids = [...answers.keys()];
    const shipped = await ship(node, ids[0] as OrderId);
    assert.is(shipped.kind, 'done');
    assert.ok(await until(() => node.node.world.orders.size === 0, WITHIN_MS));
    const queries = postgresQueries(client, lists);
    const before = new Map<OrderId, string>();
    const told = async (id: OrderId) => JSON.stringify([await queries.order(id), await queries.history(id)]);
    for (const id of ids) before.set(id, await told(id));
    const counted = await numbers();
    const to = newPlace();
    const done = await archive(to);
    assert.equal([done.orders, done.archives], [50, 3]);
    assert.is((await hot()).size, 0);
    for (const id of ids) assert.is(await told(id), before.get(id));
    for (const [id, answer] of answers) assert.is(await place(node, id), answer);
    const again = await ship(node, ids[0] as OrderId);
    assert.equal([again.kind, again.kind === 'done' && again.repeat], ['done', true]);
    const late = await ship(node, ids[1] as OrderId);
    assert.equal([late.kind, late.kind === 'refused' && late.refusal], ['refused', 'archived']);
    assert.equal(await numbers(), counted);
    await clean();

    // Anyone reads the file.
    const file = (await readdir(to)).filter((name) => name.endsWith('.gz'));
    const duck = await DuckDBInstance.create(':memory:');
    const connection = await duck.connect();
    const all = file.map((name) => `'${join(to, name)}'`).join(', ');
    const sql = `select count(*)::int, sum(("order"->>'total')::decimal(18, 2))::varchar from (
      select to_json("order") as "order" from read_json([${all}], format = 'newline_delimited'))`;
    const [row] = await (await connection.runAndReadAll(sql)).getRows();
    assert.equal(row, [50, '225.00']);
    connection.closeSync();
  });

  test('an order that was looked up before it was archived may still change: it stays in the tables', async () => {
    let release = () => {};
    let isHeld = false;
    const real = postgresSnapshots(client);
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const node = await start({
      async lookUp(...asked) {
        const found = await real.lookUp(...asked);
        if (isHeld) await held;
        return found;
      },
    });
    const ids = [...(await ordered(node, 'b', 4)).keys()];
    isHeld = true;
    const changing = ids[1] as OrderId;
    const act = ship(node, changing);
    await until(() => node.node.inboxSize === 0, 1_000);
    const moving = archive(newPlace());
    assert.ok(await until(() => said.some((line) => /waiting/.test(line)), WITHIN_MS));
    const seen = async () =>
      (await client.query<{ seen: number }>('seen', 'select max(archives_seen)::int as seen from journals'))[0]?.seen;
    const first = await seen();
    assert.ok(
      await until(
        async () => (await client.query('b', `select no from archives where barrier > ${first}`)).length > 0,
        WITHIN_MS,
      ),
    );
    isHeld = false;
    assert.is(
      said.some((line) => /deleting/.test(line)),
      false,
    );
    assert.is((await hot()).size, 4, 'nothing goes before the node has answered');
    release();
    const reply = await act;
    assert.is(reply.kind, 'done', JSON.stringify(reply));
    await moving;
    assert.equal([...(await hot())], [changing]);
    assert.match(said.join('\n'), /1 stay, since they have changed/);
    await clean();
    const next = await ship(node, changing, 'another');
    assert.is(next.kind, 'done', 'it is archived no more');
  });

  test('an act of a node that died before its flush: the next node has it, and the order stays', async () => {
    let isHeld = false;
    const real = postgresSnapshots(client);
    const first = await start({ write: async (...args) => (isHeld ? new Promise(() => {}) : real.write(...args)) });
    const ids = [...(await ordered(first, 'c', 3)).keys()];
    const changing = ids[2] as OrderId;
    isHeld = true;
    assert.is((await ship(first, changing)).kind, 'done'); // Appended, and in no row.
    const moving = archive(newPlace());
    assert.ok(await until(() => said.some((line) => /waiting/.test(line)), WITHIN_MS));
    first.driver.finish({ kind: 'failed', error: new Error('killed') });
    const second = await start();
    await moving;
    assert.ok((await hot()).has(changing));
    const again = await ship(second, changing);
    assert.equal([again.kind, again.kind === 'done' && again.repeat], ['done', true]);
    await clean();
  });

  for (const step of [/begun/, /reading it back/, /read back, and whole/, /noted/, /waiting/, /deleting/]) {
    test(`a run that ends at "${step.source}" is gone on with by the next one`, async () => {
      const node = await start();
      const name = `d${step.source.replaceAll(' ', '-')}`;
      const answers = await ordered(node, name, 5);
      const ending = new AbortController();
      const cut = {
        ...parts,
        onProgress: (line: string) => void (step.test(line) && ending.abort(new Error('ended'))),
      };
      const to = newPlace();
      await archiveOrders(cut, to, Date.now() + 1, ending.signal).then(
        () => assert.unreachable('it was not ended'),
        (error: Error) => assert.is(error.message.replace(/^The operation was aborted.*/, 'ended'), 'ended'),
      );
      for (const [id, answer] of answers) assert.is(await place(node, id), answer);
      await clean();
      await archive(to);
      for (const [id, answer] of answers) assert.is(await place(node, id), answer);
      assert.ok((await readdir(to)).every((file) => !file.startsWith('.partial-')));
      await clean();
    });
  }

  test('a damaged file of a noted archive: nothing is deleted, and it is told by name', async () => {
    const node = await start();
    const answers = await ordered(node, 'e', 5);
    const ending = new AbortController();
    const cut = {
      ...parts,
      onProgress: (line: string) => void (/noted/.test(line) && ending.abort(new Error('ended'))),
    };
    const to = newPlace();
    await archiveOrders(cut, to, Date.now() + 1, ending.signal).catch(() => {});
    const [name = ''] = (await readdir(to)).filter((file) => file.endsWith('.gz'));
    const bytes = await readFile(join(to, name));
    const rows = (await hot()).size;
    for (const [what, broken] of [
      ['one bit', Buffer.from(bytes.map((byte, i) => (i === bytes.length - 20 ? byte ^ 1 : byte)))],
      ['cut', bytes.subarray(0, bytes.length / 2)],
      ['another file', Buffer.from('{"not":"ours"}\n')],
    ] as const) {
      await writeFile(join(to, name), broken);
      const failed = await archive(to).then(
        () => '',
        (error: Error) => error.message,
      );
      assert.match(failed, new RegExp(`the archive ${name}.* is damaged`), what);
      assert.is((await hot()).size, rows, what);
      const archives = { endpoint: undefined, isWhole: true };
      const verdict = await verify({ client, log, partitions: PARTITIONS, archives });
      assert.match(verdict.violations.map(({ sentence }) => sentence).join('\n'), new RegExp(`archive ${name}`), what);
    }
    await writeFile(join(to, name), bytes);
    await archive(to);
    for (const [id, answer] of answers) assert.is(await place(node, id), answer);
    await clean();
  });

  test('without a person’s data an archive is another one; a removed one leaves its ids', async () => {
    const node = await start();
    const ids = [...(await ordered(node, 'f', 5)).keys()];
    assert.is((await ship(node, ids[0] as OrderId)).kind, 'done');
    assert.ok(await until(() => node.node.world.orders.size === 0, WITHIN_MS));
    const to = newPlace();
    await archive(to);
    const queries = postgresQueries(client, lists);
    const user = (await queries.order(ids[0] as OrderId))?.content.user ?? '';
    const known = await readdir(to);
    const anew = await rewriteWithout(parts, new Set([user]), signal);
    assert.ok(anew.length > 0);
    const state = await postgresQueries(client, lists).order(ids[0] as OrderId);
    assert.equal(
      [state?.content.email, state?.content.notes, state?.content.shippingAddress],
      [undefined, undefined, undefined],
    );
    assert.is(state?.total, 500);
    const history = JSON.stringify(await postgresQueries(client, lists).history(ids[0] as OrderId));
    assert.not.match(history, /ada@shop|Main|in it|T-77/);
    assert.is(state?.life.fulfillments[0]?.tracking, undefined);
    const repeat = await place(node, ids[0] as OrderId);
    assert.match(repeat, /^201 /, 'a repeat is compared without what was erased');
    assert.not.match(repeat, /ada@shop|Main|in it/);
    const shipped = await ship(node, ids[0] as OrderId);
    assert.equal([shipped.kind, shipped.kind === 'done' && shipped.repeat], ['done', true]);
    assert.ok(known.filter((name) => name.endsWith('.gz')).every((name) => !anew.includes(name)));
    assert.ok((await readdir(to)).every((name) => !known.includes(name) || name === 'holdfast-archives.json'));
    const [old = ''] = known.filter((name) => name.endsWith('.gz'));
    await writeFile(join(to, old), 'as after a kill before the old file went');
    assert.equal(await rewriteWithout(parts, new Set([user]), signal), [], 'nothing is left to erase');
    assert.not.ok((await readdir(to)).includes(old), 'the next run removes what a killed one left');
    await clean();

    const counted = await numbers();
    assert.equal(await removeArchives(parts, 0, signal), []);
    assert.ok((await removeArchives(parts, Date.now() + 1, signal)).length > 0);
    assert.equal(await readdir(to), ['holdfast-archives.json']);
    assert.is(await queries.isGone(ids[0] as OrderId), true);
    assert.is(await queries.order(ids[0] as OrderId), undefined);
    assert.match(await place(node, ids[0] as OrderId), /^410 .*"code":"gone"/);
    const act = await ship(node, ids[0] as OrderId);
    assert.equal([act.kind, act.kind === 'refused' && act.refusal], ['refused', 'gone']);
    assert.equal(await numbers(), counted);
    await clean();
  });

  test('a place that is lost keeps nobody from another one; once it is abandoned, its orders are gone', async () => {
    const node = await start();
    const ids = [...(await ordered(node, 'lost', 5)).keys()];
    const [lost, other] = [newPlace(), newPlace()];
    const ends = (line: string) => {
      if (/deleting the rows/.test(line)) throw new Error('killed');
    };
    await archiveOrders({ ...parts, onProgress: ends }, lost, Date.now() + 1, signal).catch(() => {});
    await rm(lost, { recursive: true });
    const more = [...(await ordered(node, 'found', 3)).keys()];
    assert.is((await archive(other)).orders, 3);
    assert.match(said.join('\n'), /holdfast archive --abandon .*place-/);
    assert.match(String(await archive(lost).catch(String)), /cannot be read/);
    assert.equal(
      await abandonPlace(parts, lost, signal),
      { archives: 1, gone: 0, back: 5, found: undefined },
      'their rows were still there',
    );
    for (const id of ids) assert.match(await place(node, id), /^201 /);
    assert.match(
      String(await abandonPlace(parts, other, signal).catch(String)),
      /is not lost: it has orders-.*--anyway/,
    );
    await rm(other, { recursive: true });
    const dry = { archives: 1, gone: 3, back: 0, found: undefined };
    assert.equal(await abandonPlace(parts, other, signal, { isDry: true }), dry);
    assert.match(
      String(await rewriteWithout(parts, new Set(['nobody']), signal).catch(String)),
      /These cannot be read/,
    );
    assert.equal(await abandonPlace(parts, other, signal), dry);
    for (const id of more) assert.match(await place(node, id), /^410 .*"code":"gone"/);
    assert.match(String(await abandonPlace(parts, other, signal).catch(String)), /no archive is at/);
    assert.equal(await rewriteWithout(parts, new Set(['nobody']), signal), []);
    const before = said.length;
    assert.is((await archive(newPlace())).orders, 5);
    assert.not.match(said.slice(before).join('\n'), /left as it is/, 'nobody asks the lost places');
    await clean();
  });

  test('when the policy ran is remembered; another policy has not run yet', async () => {
    assert.is(await policyRanAt(client, 'a'), undefined);
    const at = Date.UTC(2026, 10, 30, 1);
    await notePolicyRan(client, 'a', at);
    assert.equal([await policyRanAt(client, 'a'), await policyRanAt(client, 'b')], [at, undefined]);
    await notePolicyRan(client, 'b', at + 1);
    assert.equal([await policyRanAt(client, 'a'), await policyRanAt(client, 'b')], [undefined, at + 1]);
  });

  test('two runs at once, of which one lost its lease: no order and no file that is named is lost', async () => {
    const node = await start();
    const answers = await ordered(node, 'two', 5);
    const to = newPlace();
    let other: Promise<unknown> | undefined;
    const first = {
      ...parts,
      onProgress: (line: string) => {
        if (/read back, and whole/.test(line)) other = archiveOrders(parts, to, 0, signal);
      },
    };
    const done = await archiveOrders(first, to, Date.now() + 1, signal).catch((error: Error) => error.message);
    await other;
    if (typeof done === 'string') assert.match(done, /another run has removed this archive meanwhile|ENOENT/);
    for (const [id, answer] of answers) assert.is(await place(node, id), answer);
    await clean();
    await archive(to);
    assert.is((await hot()).size, 0);
    for (const [id, answer] of answers) assert.is(await place(node, id), answer);
    await clean();
  });

  test('an archive that was given up is never noted, and is removed whenever its file appears', async () => {
    const { no, name } = await beginArchive(client, newPlace(), (each) => `late-${each}`);
    assert.is(await giveUpBegun(client, no), true);
    assert.is(await giveUpBegun(client, no), false);
    const file = { name, bytes: 1, sha256: 'f', blocks: [], entries: [] };
    const noted = await noteArchive(client, { no, file, firstPlacedAt: 0, lastPlacedAt: 0 }).catch(String);
    assert.match(String(noted), /another run has removed this archive/);
  });

  test('verify beside a rewrite looks again before it calls a file missing', async () => {
    const [row] = (await archiveRows(client)).filter(({ state }) => state === 'cleared');
    const before = { query: async () => [{ ...row, state: 'cleared', name: 'gone.gz', place: newPlace() }] } as never;
    const missing = async (now: object): Promise<number> => {
      const findings = new Findings();
      await judgeArchives(before, now as never, { endpoint: undefined, isWhole: false }, findings, () => {});
      return findings.total;
    };
    assert.is(await missing({ query: async () => [] }), 1, 'it is named, and is not there');
    assert.is(await missing({ query: async () => [{}] }), 0, 'it was replaced since the database snapshot');
  });

  test('an order that stays, stays when another run goes on', async () => {
    const node = await start();
    const ids = [...(await ordered(node, 'k', 5)).keys()];
    const staying = ids[0] as OrderId;
    const to = newPlace();
    const ends = (line: string) => {
      if (/deleting the rows/.test(line)) throw new Error('killed');
    };
    const killed = await archiveOrders({ ...parts, onProgress: ends }, to, Date.now() + 1, signal).catch(String);
    assert.match(String(killed), /killed/);
    // As the run leaves an order that a tail names.
    await client.query('stays', 'delete from archived_orders where order_id = $1', [staying]);
    await client.query('stays', 'update archives set left_out = 1 where cleared_at is null and removed_at is null');
    assert.is((await archiveOrders(parts, to, 0, signal)).orders, 0, 'it only ends what was begun');
    const left = await hot();
    assert.equal(
      ids.filter((id) => left.has(id)),
      [staying],
    );
    assert.match(await place(node, staying), /^201 /);
    await clean();
    assert.is((await archive(to)).orders, 1, 'it goes another time');
  });

  if ('skipped' in s3) console.log(`SKIP archives in a bucket: ${s3.skipped}`);
  else {
    test('in a bucket', async () => {
      const node = await start();
      const answers = await ordered(node, 'g', 25);
      const to = `s3://${s3.bucket}/orders/archive`;
      const left = join(parts.scratch, '.partial-of-a-killed-run');
      await mkdir(parts.scratch, { recursive: true, mode: 0o755 });
      await writeFile(left, 'ada@shop.example');
      assert.is((await archive(to)).orders, 25);
      assert.equal(await readdir(parts.scratch), [], 'what a killed run left is gone, and so is what this one made');
      assert.is((await stat(parts.scratch)).mode & 0o077, 0, 'nobody else may look there');
      const reading = { ...parts };
      const away = postgresQueries(
        client,
        lists,
        undefined,
        (await import('../../storage/archive/archive-reader.js')).archivedOrders(client, reading.endpoint),
      );
      for (const [id, answer] of answers) {
        const state = await away.order(id);
        assert.is(state?.id, id, answer);
      }
      await clean();
      assert.ok((await removeArchives(parts, Date.now() + 1, signal)).length > 0);
      assert.is(await away.isGone([...answers.keys()][0] as OrderId), true);
    });
  }

  test.after(async () => {
    for (const node of running) await node.stop(5_000);
    await rm(folder, { recursive: true, force: true });
    if (!('skipped' in s3)) await s3.stop();
    await logClient.end();
    await database.stop();
  });
  test.run();
}
