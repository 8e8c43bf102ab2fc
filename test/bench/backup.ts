// npm run bench:backup [-- ORDERS=1000000 RATE=500 SECONDS=30 KILL=0]: what a backup costs and what a restore takes. Fills a
// Postgres of its own, starts a Holdfast on it, and places RATE orders a second before, during and after `holdfast backup`.
// Then everything but the dump is lost: `holdfast restore` brings it into empty servers, and the first order is placed
// there. With KILL=1 the node is killed while the dump is taken, and started again.
//
// Law: figures count only if `verify` finds the restored system clean and old keys have their first answers again.

import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'hdr-histogram-js';
import { postgresSearchIndex } from '../../storage/lists/search-index.js';
import { migrate } from '../../storage/postgres/migrate.js';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { until } from '../deadlines.js';
import { RealSystem } from '../faults/rig/real-system.js';
import { realNats, realPostgres } from '../servers/real-servers.js';
import { fill } from './fill.js';
import { openLoop, PRODUCTS } from './load.js';

const LONG_MS = 600_000;
const STOCK = 1_000_000_000;
const WINDOW_S = 5;
const REMEMBERED = 100;
const PLACED_MS = 30_000;
const PROMISED_RTO_S = 600;

const [orders = 1_000_000, rate = 500, seconds = 30, kill = 0] = process.argv.slice(2).map(Number);
const began = performance.now();
const say = (line: string) => console.log(`${((performance.now() - began) / 1_000).toFixed(0).padStart(5)} s  ${line}`);
const load = () => (loadavg()[0] ?? 0).toFixed(1);

interface Part {
  readonly name: string;
  readonly perSecond: number;
  readonly refused: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly most: number;
  readonly load: string;
}
const parts: Part[] = [];
const facts: [string, string][] = [];

/** Places orders in windows until the end, and notes them as one part. */
async function under(name: string, system: RealSystem, isOver: (sinceS: number) => boolean): Promise<void> {
  const since = performance.now();
  const latency = build({ lowestDiscernibleValue: 1, highestTrackableValue: 60_000_000 });
  let [placed, refused] = [0, 0];
  while (!isOver((performance.now() - since) / 1_000)) {
    const window = await openLoop(system.port, 'keyed', rate, WINDOW_S);
    latency.add(window.latency);
    placed += window.byStatus.get(201) ?? 0;
    refused += window.latency.totalCount - (window.byStatus.get(201) ?? 0);
  }
  const took = (performance.now() - since) / 1_000;
  const at = (percentile: number) => latency.getValueAtPercentile(percentile) / 1_000;
  const part = { name, perSecond: placed / took, refused, p50: at(50), p99: at(99), most: latency.maxValue / 1_000 };
  parts.push({ ...part, load: load() });
  say(`${name}: ${part.perSecond.toFixed(0)} orders/s, p99 ${part.p99.toFixed(1)} ms, load ${load()}`);
}

/** A command of the system, with the time of each line that it said. */
function command(system: RealSystem, ...words: readonly string[]) {
  const since = performance.now();
  const lines: { atS: number; line: string }[] = [];
  const child = system.begin(...words);
  let isOver = false;
  for (const input of [child.stdout, child.stderr]) {
    createInterface({ input }).on('line', (line) => {
      lines.push({ atS: (performance.now() - since) / 1_000, line });
      say(`  ${words[0]}: ${line.slice(0, 160)}`);
    });
  }
  const ended = new Promise<{ code: number | null; tookS: number }>((resolve) => {
    child.once('close', (code) => {
      isOver = true;
      resolve({ code, tookS: (performance.now() - since) / 1_000 });
    });
  });
  const atLine = (pattern: RegExp) => lines.find(({ line }) => pattern.test(line))?.atS;
  return { ended, lines, atLine, isOver: () => isOver };
}

const words = (lines: readonly { readonly line: string }[]) => lines.map(({ line }) => line).join('\n');
const s = (value: number | undefined) => (value === undefined ? '?' : `${value.toFixed(1)} s`);

async function filled(url: string): Promise<void> {
  const client = connectPostgres(url, { max: 2, statementMs: LONG_MS, planAnew: true });
  await client.query('back up as the owner', 'alter role holdfast_owner createdb');
  await fill(client, orders, (done) => done % 100_000 === 0 && say(`${done.toLocaleString('en-US')} orders stored`));
  const index = postgresSearchIndex(client);
  while ((await index.work()).more);
  await client.query('gather statistics', 'vacuum analyze', [], LONG_MS);
  const [size] = await client.query<{ mb: number }>(
    'measure it',
    'select (pg_database_size(current_database()) / 1e6)::float8 as mb',
  );
  facts.push(['the database', `${size?.mb.toFixed(0)} MB`]);
  await client.end();
}

/** Repeats it until it has an outcome, as a client would. @returns the first answer that has one */
async function placed(system: RealSystem, key: string): Promise<string> {
  let answer = { status: 0, text: '' };
  const isPlaced = async () => {
    answer = await system.post('/api/orders', { user_id: 'ada', product_id: 'p1', quantity: 1 }, key);
    return answer.status === 201;
  };
  if (!(await until(isPlaced, PLACED_MS))) throw new Error(`${key} was answered ${answer.status}: ${answer.text}`);
  return answer.text;
}

async function remembered(system: RealSystem): Promise<Map<string, string>> {
  const answers = new Map<string, string>();
  const keys = Array.from({ length: REMEMBERED }, (_, i) => `remembered-${i}`);
  for (const key of keys) answers.set(key, await placed(system, key));
  return answers;
}

async function backedUp(system: RealSystem, to: string): Promise<void> {
  const backup = command(system, 'backup', '--to', to);
  const isDumped = () => backup.isOver() || backup.atLine(/the tables are dumped/) !== undefined;
  if (kill > 0) {
    await openLoop(system.port, 'keyed', rate, 2);
    await system.end('SIGKILL');
    say(`killed; ready again after ${((await system.start()) / 1_000).toFixed(1)} s`);
  }
  await under('while the dump is taken', system, isDumped);
  await under('while it is checked', system, backup.isOver);
  const { code, tookS } = await backup.ended;
  if (code !== 0) throw new Error(`the backup ended with ${code}:\n${words(backup.lines)}`);
  const sizes = await Promise.all((await readdir(to)).map(async (name) => (await stat(join(to, name))).size));
  const dumped = backup.atLine(/the tables are dumped/);
  facts.push(['the dump', `${s(dumped)}, ${(sizes.reduce((sum, size) => sum + size, 0) / 1e6).toFixed(0)} MB`]);
  facts.push(['its check: restored', s((backup.atLine(/the tables are there/) ?? 0) - (dumped ?? 0))]);
  facts.push(['the whole backup, checked', s(tookS)]);
}

async function restored(dump: string, answers: ReadonlyMap<string, string>): Promise<number> {
  const second = await RealSystem.build();
  if ('skipped' in second) throw new Error(second.skipped);
  try {
    const since = performance.now();
    const sinceS = () => (performance.now() - since) / 1_000;
    const restore = command(second, 'restore', '--to', dump);
    const { code } = await restore.ended;
    if (code !== 0) throw new Error(`the restore ended with ${code}:\n${words(restore.lines)}`);
    facts.push(['restore: the tables are there', s(restore.atLine(/the tables are there/))]);
    facts.push(['restore: verified', s(sinceS())]);
    await second.start();
    await placed(second, 'after-all');
    const rtoS = sinceS();
    facts.push(['from nothing but the dump to the first order', s(rtoS)]);
    let same = 0;
    for (const [key, text] of answers) if ((await placed(second, key)) === text) same++;
    facts.push(['old keys with their first answer', `${same} of ${answers.size}`]);
    const verify = command(second, 'verify');
    const verdict = await verify.ended;
    facts.push(['verify beside the restored node', `${s(verdict.tookS)}, exit ${verdict.code}`]);
    if (verdict.code !== 0 || same < answers.size) throw new Error('the restored system is not what it was');
    return rtoS;
  } finally {
    await second.demolish();
  }
}

// Servers of their own: they outlive a node that is killed.
const [server, nats] = [await realPostgres(), await realNats()];
if ('skipped' in server || 'skipped' in nats) throw new Error('skipped' in server ? server.skipped : 'no nats-server');
const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-backup-'));
const dump = join(folder, 'dump');
let rtoS = Number.POSITIVE_INFINITY;
say(`${orders.toLocaleString('en-US')} orders, ${rate}/s, ${availableParallelism()} cores, load ${load()}`);
try {
  await migrate(server.ownerUrl);
  await filled(server.url);
  const env = { DATABASE_URL: server.nodeUrl, MIGRATIONS_DATABASE_URL: server.ownerUrl, NATS_URL: nats.url };
  const system = await RealSystem.build({ ...env, NATS_MONITOR_URL: nats.monitorUrl });
  if ('skipped' in system) throw new Error(system.skipped);
  try {
    say(`ready after ${((await system.start()) / 1_000).toFixed(1)} s`);
    await system.stock(
      Array.from({ length: PRODUCTS }, (_, i) => `p${i + 1}`),
      STOCK,
    );
    const answers = await remembered(system);
    await openLoop(system.port, 'keyed', rate, WINDOW_S); // warm-up
    await under('before', system, (sinceS) => sinceS >= seconds);
    await backedUp(system, dump);
    await under('after', system, (sinceS) => sinceS >= seconds);
    await system.end('SIGKILL');
    const { orders: held } = JSON.parse(await readFile(join(dump, 'manifest.json'), 'utf8')) as { orders: number };
    facts.push(['orders in the dump', held.toLocaleString('en-US')]);
    rtoS = await restored(dump, answers);
  } finally {
    await system.demolish();
  }
} finally {
  await Promise.all([server.stop(), nats.stop()]);
  await rm(folder, { recursive: true, force: true });
}
console.log(
  `\n| ${rate} orders/s offered | orders/s | p50 ms | p99 ms | most ms | not 201 | load |\n|---|---|---|---|---|---|---|`,
);
for (const { name, perSecond, p50, p99, most, refused, load: at } of parts)
  console.log(
    `| ${name} | ${perSecond.toFixed(0)} | ${[p50, p99, most].map((ms) => ms.toFixed(1)).join(' | ')} | ${refused} | ${at} |`,
  );
console.log('\n| what | figure |\n|---|---|');
for (const [what, figure] of facts) console.log(`| ${what} | ${figure} |`);
console.log(rtoS < PROMISED_RTO_S ? `\nback within ${PROMISED_RTO_S / 60} minutes` : '\nNOT back in time');
process.exit(rtoS < PROMISED_RTO_S ? 0 : 1);
