// npm run bench:million [-- ORDERS=1000000 ROUNDS=31]: measures lists, filters, searches, histories, numbers, reads by id and
// exports with many orders. Fills a Postgres of its own, or the one of TEST_DATABASE_URL, whose existing orders are used as they are.
// Then starts a Holdfast and sends one HTTP request after the other, each with other values. Prints p50 and p95. The plans
// of the statements go into a file in the temporary folder.

import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { postgresSearchIndex } from '../../storage/lists/search-index.js';
import { migrate } from '../../storage/postgres/migrate.js';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { RealSystem } from '../faults/rig/real-system.js';
import { realPostgres } from '../servers/real-servers.js';
import { fill } from './fill.js';
import { type Case, casesOf, type Known } from './million-cases.js';
import { measureExports } from './million-export.js';
import { plansOf } from './plans.js';

const KNOWN = 500;
const LONG_MS = 600_000;
const PROMISED_MS = 50;

const [orders = 1_000_000, rounds = 31] = process.argv.slice(2).map(Number);
const since = performance.now();
const say = (line: string) => console.log(`${((performance.now() - since) / 1_000).toFixed(0).padStart(5)} s  ${line}`);

const given = process.env.TEST_DATABASE_URL;
const server = given === undefined ? await realPostgres() : { url: given, stop: async () => {} };
if ('skipped' in server) throw new Error(server.skipped);
await migrate(server.url);
const client = connectPostgres(server.url, { max: 2, statementMs: LONG_MS, planAnew: true });
await filled();
const known = await drawn();
// With the journal in Postgres, all state is in the database, so a later run can use the same one.
const system = await RealSystem.build({ DATABASE_URL: server.url, JOURNAL: 'postgres' });
if ('skipped' in system) throw new Error(system.skipped);
let late = 0;
try {
  say(`ready after ${((await system.start()) / 1_000).toFixed(1)} s`);
  const cases = casesOf(known);
  for (const each of cases) await measured(each, 3, false); // warm-up
  console.log(`\n${'what'.padEnd(44)} ${['p50 ms', 'p95 ms', 'total'].map((name) => name.padStart(9)).join('')}`);
  for (const each of cases) if ((await measured(each, rounds, true)) > PROMISED_MS) late++;
  await measureExports(system, orders);
  const file = join(tmpdir(), `holdfast-plans-${process.pid}.txt`);
  writeFileSync(file, await plansOf(client, cases));
  say(`plans: ${file}`);
} finally {
  await system.demolish();
  await client.end();
  await server.stop();
}
console.log(late === 0 ? `every median is below ${PROMISED_MS} ms` : `${late} medians are above ${PROMISED_MS} ms`);
process.exit(0);

// ---------------------------------------------------------------- machinery

async function filled(): Promise<void> {
  const [order] = await client.query('look for orders', 'select from orders limit 1');
  if (order === undefined) {
    await fill(client, orders, (done) => done % 100_000 === 0 && say(`${done.toLocaleString('en-US')} orders stored`));
  }
  const index = postgresSearchIndex(client);
  let added = 0;
  for (let more = true, batches = 1; more; batches++) {
    const done = await index.work();
    added += done.added;
    more = done.more;
    if (batches % 50 === 0) say(`${added.toLocaleString('en-US')} orders indexed`);
  }
  if (added > 0) await client.query('gather statistics', 'vacuum analyze', [], LONG_MS);
}

/** Stored orders drawn at random: the values of the requests. */
async function drawn(): Promise<readonly Known[]> {
  const text = `select o.order_id as id, o.user_id as user, o.user_email as email, i.product_id as product,
      (extract(epoch from o.created_at) * 1000)::float8 as at
    from orders o join order_items i on i.order_id = o.order_id and i.line = 1 order by random() limit ${KNOWN}`;
  return client.query<Known>('draw orders', text, [], LONG_MS);
}

async function measured({ name, path }: Case, times: number, shown: boolean): Promise<number> {
  const took: number[] = [];
  let total = '';
  for (let i = 0; i < times; i++) {
    const target = path(i);
    const { status, text, tookMs } = await answerTo(target);
    if (status !== 200) throw new Error(`${target} was answered ${status}: ${text}`);
    took.push(tookMs);
    const pagination = /"total":(\d+)(,"total_is_estimate":true)?/.exec(text);
    total = pagination === null ? '' : `${pagination[2] === undefined ? '' : '~'}${pagination[1]}`;
  }
  took.sort((a, b) => a - b);
  const at = (share: number) => took[Math.min(took.length - 1, Math.floor(took.length * share))] ?? Number.NaN;
  if (shown) {
    console.log(
      `${name.padEnd(44)} ${at(0.5).toFixed(1).padStart(8)} ${at(0.95).toFixed(1).padStart(8)} ${total.padStart(9)}`,
    );
  }
  return at(0.5);
}

async function answerTo(path: string): Promise<{ status: number; text: string; tookMs: number }> {
  if ('skipped' in system) throw new Error(system.skipped);
  const answer = await system.ask(path);
  if (answer === undefined) throw new Error(`${path} was not answered`);
  return answer;
}
