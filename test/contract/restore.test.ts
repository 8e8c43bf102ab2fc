// A dump taken beside a running node, and what a restore makes of it: whole, cut short at each step, damaged, foreign, and
// into a target that is not empty.

import { appendFile, cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { nodeId, orderId, productId, userId, writeId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import { CLAIMS_LOG, SYSTEM_LOG } from '../../actors/node/record.js';
import type { Log } from '../../actors/ports/log.js';
import { memoryLog } from '../../bus/journal/memory-log.js';
import type { Incarnation } from '../../bus/node/incarnation.js';
import { forgetfulPayments, instantPayments } from '../../bus/payments/mock-provider.js';
import { systemClock } from '../../bus/system-clock.js';
import { findPostgresTools } from '../../deploy/servers/postgres-tools.js';
import { LOGS, MANIFEST, NotClean, type PostgresTools } from '../../storage/backup/dump.js';
import { dumps } from '../../storage/backup/dumps.js';
import { restoreDump } from '../../storage/backup/restore-dump.js';
import { postgresQueries } from '../../storage/lists/queries.js';
import { memoryCache } from '../../storage/memory/memory-cache.js';
import { connectPostgres, type PostgresClient } from '../../storage/postgres/postgres.js';
import { postgresSettlements } from '../../storage/postgres/postgres-settlement.js';
import { postgresSnapshots } from '../../storage/snapshots/snapshots.js';
import { reportOf } from '../../storage/verify/report.js';
import { verify } from '../../storage/verify/verify.js';
import { patientMs, until } from '../deadlines.js';
import { startedNode } from './rig/one-node.js';
import { testDatabase } from './rig/storage-database.js';

const PARTITIONS = 4;
const ORDERS = 60;
const DATABASE_MS = 60_000;
const FLUSHED_MS = 20_000;
const clock = systemClock();
const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const never = new AbortController().signal;
const CUT = new Error('the restore was killed here');

const database = await testDatabase();
const tools = database && (await toolsOf(database.client));
if (database !== undefined && tools !== undefined) await suiteOn(database, tools);
else await database?.stop();

/** Ends the tool of this name that this process has started, as soon as there is one. */
async function killChild(name: string): Promise<void> {
  const isGone = await until(async () => {
    for (const pid of (await readdir('/proc')).filter((each) => /^\d+$/.test(each))) {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      const [, comm, parent] = /^\d+ \((.*)\) \S (\d+)/.exec(stat) ?? [];
      if (comm !== name || Number(parent) !== process.pid) continue;
      process.kill(Number(pid), 'SIGKILL');
      return true;
    }
    return false;
  }, FLUSHED_MS);
  assert.ok(isGone, `${name} was found`);
}

async function toolsOf(client: PostgresClient): Promise<PostgresTools | undefined> {
  const [row] = await client.query<{ major: number }>(
    'ask for the version',
    `select current_setting('server_version_num')::int / 10000 as major`,
  );
  const found = await findPostgresTools(row?.major ?? 0);
  if ('tools' in found) return found.tools;
  console.log(`SKIP ${found.missing}`);
  return undefined;
}

async function suiteOn({ client, url, stop }: NonNullable<typeof database>, tools: PostgresTools): Promise<void> {
  const test = suite('restore');
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-restore-'));
  const dump = join(folder, 'dump');
  const log = memoryLog();
  const settlement = { id: 'SYS-1', partitions: PARTITIONS, journal: 'jetstream', seed: 'none' } as const;
  const parts = { client, url, log, settlement, version: 'test', tools, emptyLog: memoryLog };
  const { take, check } = dumps(parts);
  let node: Incarnation | undefined;
  const since = Date.now();
  const targets: { readonly client: PostgresClient; readonly name: string }[] = [];

  /** An empty database beside the first one. */
  async function target() {
    const name = `holdfast_target_${process.pid}_${targets.length}`;
    await client.query('make a target', `create database ${name}`, [], DATABASE_MS);
    const targetUrl = url.replace(/\/[^/?]*(\?|$)/, `/${name}$1`);
    const made = { client: connectPostgres(targetUrl, { max: 3, statementMs: patientMs(limits.statementMs) }), name };
    targets.push(made);
    return { client: made.client, url: targetUrl };
  }

  const into = (to: { client: PostgresClient; url: string }, targetLog: Log, given = tools, from = dump) =>
    restoreDump({ ...to, logOf: async () => targetLog, tools: given }, from, never);

  async function isWhole(to: { client: PostgresClient }, targetLog: Log): Promise<void> {
    const verdict = await verify({ client: to.client, log: targetLog, partitions: PARTITIONS });
    assert.is(verdict.total, 0, reportOf(verdict).join('\n'));
    const [{ count } = { count: 0 }] = await to.client.query<{ count: number }>(
      'count',
      'select count(*)::int as count from orders',
    );
    assert.ok(count >= ORDERS / 2 && count <= ORDERS, `${count} orders`);
  }

  const place = async ({ owners }: Incarnation, no: number) => {
    const lines = [{ product: productId(`p${no % 7}`), quantity: 1 }];
    const content = { user: userId(`u${no % 5}`), userIsNumber: false, lines };
    const ask = { order: orderId(`ORD-${clock.id()}`), content, correlation: 'c', fresh: true } as const;
    return owners.place(ask as Parameters<typeof owners.place>[0], 10_000);
  };

  test.before(async () => {
    await postgresSettlements(client).settle(settlement);
    node = await startedNode({
      ...{ node: nodeId('first'), nodeName: 'first', partitions: PARTITIONS, log },
      snapshots: postgresSnapshots(client),
      queries: postgresQueries(client, client),
      ...{ cache: memoryCache(clock), clock, logger: quiet, events: undefined, eventsMayForget: false },
      payments: forgetfulPayments(1),
      context: { instantPayment: instantPayments(1) },
      post: { send() {}, confirm() {} },
      meter: { appended() {}, flushed() {}, unanswered() {}, retried() {}, cached() {}, deadLetter() {} },
      ...{ source: 'test', orderTimeoutMs: 30_000, holdTtlMs: 30_000, recordBytes: 1_000_000 },
      byteLength: (text) => Buffer.byteLength(text),
      deliverAtHome: true,
    });
    const { owners } = node;
    for (let i = 0; i < 7; i++) {
      const command = {
        type: 'receive',
        ref: writeId(`w${i}`),
        fingerprint: 'f',
        name: 'Pen',
        unitPrice: 100,
      } as const;
      const stock = { ...command, currency: 'USD', quantity: 1_000 };
      await owners.stock({ product: productId(`p${i}`), command: stock, correlation: 'c', fresh: true }, 10_000);
    }
    for (let i = 0; i < ORDERS / 2; i++) await place(node, i);
    const { n } = node.node.appendedTo;
    const isFlushed = () => (node?.node.flushedTo.n ?? 0) >= n;
    assert.ok(await until(isFlushed, FLUSHED_MS), 'the first orders have rows');
    // The rest comes while the dump is taken: it is in the journal's tail, or in neither.
    const placing = (async () => {
      for (let i = ORDERS / 2; i < ORDERS; i++) await place(node as Incarnation, i);
    })();
    await mkdir(dump);
    await take(dump, never);
    await placing;
  });

  test.after(async () => {
    node?.driver.finish({ kind: 'stopped' });
    for (const each of targets) {
      await each.client.end();
      await client.query('drop a target', `drop database ${each.name} with (force)`, [], DATABASE_MS);
    }
    await rm(folder, { recursive: true, force: true });
    await stop();
  });

  test('a dump that was taken beside a running node is whole, and its check leaves nothing behind', async () => {
    assert.ok((await check(dump, never)).tookMs > 0);
    const left = await client.query('look', "select from pg_database where datname like 'holdfast\\_check\\_%'");
    assert.is(left.length, 0);
    const { takenAt, ends, orders } = JSON.parse(await readFile(join(dump, MANIFEST), 'utf8'));
    assert.ok(takenAt > since && Object.values(ends).every((n) => Number(n) > 0), JSON.stringify(ends));
    assert.ok(orders >= ORDERS / 2 && orders <= ORDERS, String(orders));
  });

  test('a dump is taken anew when a partition moves, or a journal is trimmed, while it is read', async () => {
    let [claimsRead, journalCopied] = [0, 0];
    const moving: Log = {
      ...log,
      async read(name, after) {
        const entries = await log.read(name, after);
        // The second reading of the claims finds one more, once.
        if (name === CLAIMS_LOG && after > 0 && ++claimsRead === 2) {
          const [{ record } = { record: '' }] = await log.read(name, after - 1);
          return [{ position: after + 1, record }];
        }
        // A record in the middle of a journal is gone, once, when everything else was read.
        if (claimsRead > 2 && name.startsWith('journal.') && after === 0 && ++journalCopied === 1)
          return entries.toSpliced(1, 1);
        return entries;
      },
    };
    const told: string[] = [];
    const again = dumps({ ...parts, log: moving, onProgress: (line) => told.push(line) });
    const anew = join(folder, 'anew');
    await mkdir(anew);
    await again.take(anew, never);
    assert.match(told.join('\n'), /a partition was claimed or released.*reading again/);
    assert.match(told.join('\n'), /was trimmed while it was copied|is missing|after/);
    await again.check(anew, never);
  });

  test('pg_dump and pg_restore that are killed in the midst: a sentence each, and nothing is left behind', async () => {
    const killed = join(folder, 'killed');
    await mkdir(killed);
    const lock = await client.session(async (session) => {
      await session.query('begin', 'begin');
      await session.query('lock', 'lock table webhooks in access exclusive mode'); // pg_dump waits for it.
      const taking = take(killed, never).catch((error: Error) => error.message);
      await killChild('pg_dump');
      const said = await taking;
      await session.query('end', 'rollback');
      return said;
    });
    assert.match(String(lock), /^pg_dump failed: it was ended by SIGKILL/);
    assert.not.ok((await readdir(killed)).includes(MANIFEST), 'a dump without its manifest is none');
    const checking = check(dump, never).catch((error: Error) => error.message);
    await killChild('pg_restore');
    assert.match(String(await checking), /^pg_restore failed: it was ended by SIGKILL/);
    const left = await client.query('look', "select from pg_database where datname like 'holdfast\\_check\\_%'");
    assert.is(left.length, 0);
    await check(dump, never);
  });

  test('a dump of an older Holdfast is restored and migrated', async () => {
    const [to, targetLog] = [await target(), memoryLog()];
    await (await into(to, targetLog)).finish();
    await to.client.query('undo', 'comment on column order_turns.events is null');
    await to.client.query('undo', 'drop table archive_policy');
    await to.client.query('undo', 'alter table archives drop column abandoned');
    await to.client.query('undo', "delete from holdfast_migrations where name >= '0024'");
    const older = join(folder, 'older');
    await mkdir(older);
    await dumps({ ...parts, ...to, log: targetLog }).take(older, never);
    const [anew, anewLog] = [await target(), memoryLog()];
    const { finish } = await into(anew, anewLog, tools, older);
    await finish();
    await isWhole(anew, anewLog);
    const [{ is } = { is: false }] = await anew.client.query<{ is: boolean }>(
      'look',
      "select col_description('order_turns'::regclass, attnum) is not null as is from pg_attribute where attrelid = 'order_turns'::regclass and attname = 'events'",
    );
    assert.ok(is, 'the last migration ran');
  });

  test('what a look finds while a dump is taken is told as a violation, once it stands', async () => {
    const unclean = join(folder, 'unclean');
    await mkdir(unclean);
    const publish = async (by: number) =>
      client.query('publish what there is not', 'update journals set published_n = published_n + $1', [by]);
    await publish(1_000_000);
    const told = await take(unclean, never).catch((error: unknown) => error);
    await publish(-1_000_000);
    assert.instance(told, NotClean);
    assert.match(String(told), /are published, but it ends at/);
    assert.is((told as NotClean).violations, 1);
    const rolledBack: Log = {
      ...log,
      read: async (name, after) => (name.startsWith('journal.') ? [] : log.read(name, after)),
    };
    const lost = await dumps({ ...parts, log: rolledBack })
      .take(unclean, never)
      .catch((error: unknown) => error);
    assert.instance(lost, NotClean);
    assert.is((lost as NotClean).violations, 1);
  });

  test('a restore that was cut short at any step goes on', async () => {
    const [to, targetLog] = [await target(), memoryLog()];
    let room = 0;
    const failing: Log = {
      ...targetLog,
      append: (...given) => (room-- > 0 ? targetLog.append(...given) : Promise.reject(CUT)),
    };
    const wasCut = async (attempt: Promise<unknown>) => assert.is(await attempt.catch((error) => error), CUT);
    for (const records of [0, 1, 3]) {
      room = records;
      await wasCut(into(to, failing));
    }
    room = Number.POSITIVE_INFINITY;
    await wasCut(into(to, failing, { ...tools, restore: () => Promise.reject(CUT) }));
    const query: PostgresClient['query'] = (what, ...rest) =>
      what === 'bring the rows of the journals' ? Promise.reject(CUT) : to.client.query(what, ...rest);
    await wasCut(into({ url: to.url, client: { ...to.client, query } }, failing));
    await into(to, failing);
    await into(to, failing); // It was killed before its end was noted.
    const { finish } = await into(to, failing);
    await isWhole(to, targetLog);
    const other = join(folder, 'other');
    await cp(dump, other, { recursive: true });
    await appendFile(join(other, MANIFEST), '\n');
    const no = await into(to, targetLog, tools, other).catch((error: Error) => error.message);
    assert.match(String(no), /the restore of another dump was begun here/);
    await finish();
  });

  test('nothing is overwritten: neither a database nor a log', async () => {
    const [to, targetLog] = [await target(), memoryLog()];
    const { finish } = await into(to, targetLog);
    await finish();
    const no = async (attempt: Promise<unknown>, words: RegExp) =>
      assert.match(String(await attempt.catch((error: Error) => error.message)), words);
    await no(into(to, targetLog), /the database is not empty/);
    const foreign = memoryLog();
    await foreign.append(SYSTEM_LOG, 0, 'of another system');
    await no(into(await target(), foreign), /the log system has other records/);
    const longer = memoryLog();
    for (const { record } of await targetLog.read(SYSTEM_LOG, 0)) await longer.append(SYSTEM_LOG, 0, record);
    await longer.append(SYSTEM_LOG, 1, 'more than the dump has');
    await no(into(await target(), longer), /the log system has other records/);
    await no(into({ client, url }, memoryLog()), /the database is not empty/);
  });

  test('a damaged, cut, newer or foreign dump is refused in one sentence', async () => {
    const cases: readonly (readonly [string, (copy: string) => Promise<void>, RegExp])[] = [
      ['damaged', (copy) => appendFile(join(copy, 'database.dump'), 'x'), /database\.dump has \d+ bytes/],
      ['cut', (copy) => truncate(join(copy, LOGS), 40), /logs\.ndjson\.gz has 40 bytes/],
      ['half', (copy) => rm(join(copy, LOGS)), /is not whole: logs\.ndjson\.gz cannot be read \(ENOENT\)/],
      [
        'newer',
        (copy) => writeFile(join(copy, MANIFEST), '{"format":2,"version":"9.9"}'),
        /format 2.*took it \(9\.9\)/,
      ],
      [
        'newer-tables',
        async (copy) => {
          const manifest = JSON.parse(await readFile(join(copy, MANIFEST), 'utf8'));
          const migrations = [...manifest.migrations, '9999_of_tomorrow'];
          await writeFile(join(copy, MANIFEST), JSON.stringify({ ...manifest, migrations, version: '9.9' }));
        },
        /is of a newer Holdfast \(9\.9\), which knows the migration 9999_of_tomorrow/,
      ],
      ['no-json', (copy) => writeFile(join(copy, MANIFEST), '{'), /its manifest\.json is no JSON/],
      ['empty', (copy) => rm(join(copy, MANIFEST)), /is no dump: its manifest\.json cannot be read/],
    ];
    const to = await target();
    for (const [name, change, words] of cases) {
      const copy = join(folder, name);
      await cp(dump, copy, { recursive: true });
      await change(copy);
      const targetLog = memoryLog();
      assert.match(String(await into(to, targetLog, tools, copy).catch((error: Error) => error.message)), words, name);
      assert.equal(
        [await targetLog.end(CLAIMS_LOG), await targetLog.end(SYSTEM_LOG)],
        [0, 0],
        `${name}: no log is touched`,
      );
    }
    await into(to, memoryLog()); // No table is touched either.
  });

  test.run();
}
