// npm run bench:pi [-- ext4|xfs SECONDS=60 IDLE_MINUTES=10]: the four boards of deploy/pi on one core, on their real files and below their
// ceilings, each with a disk of its own. Prints orders/s and latencies, memory, bytes written to each board an order and an idle hour, and
// how long a card of 100 TBW lives with that. The load generator is on another core, where there is one. Needs root; exit 0 without.

import { readFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../deadlines.js';
import { family } from '../faults/rig/process-family.js';
import { Boards, DATABASE, NODES } from './boards/boards.js';
import { areKept } from './boards/ceilings.js';
import { isAtRest, stock } from './boards/shop.js';
import { closedLoop, type Measured, openLoop, PRODUCTS } from './load.js';

const CORE = 0;
/** As open loops, in orders/s. */
const RATES = [2, 20, 100] as const;
const CONNECTIONS = 50;
const AT_REST_MS = 60_000;
const WARM_UP_S = 10;
/** What follows an order is written by then: rows, words, numbers. */
const SETTLED_MS = 15_000;
/** Autovacuum and the brokers have come to rest after the load. */
const CALM_MS = 6 * 60_000;
const CARD_BYTES = 100e12;
const PER_DAY = [0, 1_000, 10_000, 100_000, 1_000_000] as const;
const HOUR_S = 3_600;
const DAY_S = 24 * HOUR_S;
const KIB = 1_024;

type Written = ReadonlyMap<string, number>;

interface Loaded {
  readonly name: string;
  readonly measured: Measured;
  readonly orders: number;
  /** Bytes an order, by board. */
  readonly each: Written;
}

const writtenTo = (boards: Boards): Written =>
  new Map([...boards.disks].map(([board, disk]) => [board, disk.written()]));

const between = (before: Written, after: Written, by: number): Written =>
  new Map([...after].map(([board, bytes]) => [board, (bytes - (before.get(board) ?? 0)) / by]));

async function load(boards: Boards, name: string, run: () => Promise<Measured>): Promise<Loaded> {
  const before = writtenTo(boards);
  const measured = await run();
  await pause(SETTLED_MS);
  const orders = measured.byStatus.get(201) ?? 0;
  const failed = measured.latency.totalCount - orders;
  console.error(`${name}: ${orders} orders, ${failed} failed`);
  return { name, measured, orders, each: between(before, writtenTo(boards), Math.max(1, orders)) };
}

/** Proportional set size: what processes share is counted once. */
function pssMib(pid: number): number {
  const all = [pid, ...family(pid)].map((each) => {
    try {
      return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${each}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
    } catch {
      return 0; // it has ended
    }
  });
  return all.reduce((sum, kib) => sum + kib, 0) / KIB;
}

const memoryOf = (boards: Boards): ReadonlyMap<string, number> =>
  new Map(boards.units.map(([board, unit]) => [`${board} ${unit}`, pssMib(boards.pid(board, unit))]));

/** The board of a role that writes most: it wears out first. */
const most = (written: Written, names: readonly string[]): number =>
  Math.max(...names.map((name) => written.get(name) ?? 0));

const kb = (bytes: number): string => (bytes / KIB).toFixed(1);
const ms = (us: number): string => (us / 1_000).toFixed(0);

function row(...cells: readonly (string | number)[]): void {
  console.log(`| ${cells.join(' | ')} |`);
}

function head(...cells: readonly string[]): void {
  console.log('');
  row(...cells);
  row(...cells.map(() => '---'));
}

function showLoads(loads: readonly Loaded[]): void {
  head(
    'load',
    'orders/s',
    'p50 ms',
    'p95 ms',
    'p99 ms',
    "kB an order on a broker's board",
    "kB an order on Postgres' board",
  );
  for (const { name, measured, each } of loads) {
    const at = (percentile: number) => ms(measured.latency.getValueAtPercentile(percentile));
    row(name, measured.perSecond.toFixed(1), at(50), at(95), at(99), kb(most(each, NODES)), kb(most(each, [DATABASE])));
  }
}

/** Each day's orders cost what they do at the measured rate that is nearest below: an upper bound. */
function showLives(loads: readonly Loaded[], checkpoint: Written, idleHour: Written): void {
  head(
    'orders a day',
    "a broker's board: GB a day",
    'years of its card',
    "Postgres' board: GB a day",
    'years of its card',
  );
  for (const orders of PER_DAY) {
    const near = loads.findLast((_, i) => (RATES[i] ?? Number.POSITIVE_INFINITY) <= orders / DAY_S) ?? loads[0];
    const daily = (names: readonly string[]) =>
      orders * (most(near?.each ?? new Map(), names) + most(checkpoint, names)) + 24 * most(idleHour, names);
    const cells = [NODES, [DATABASE]].flatMap((names) => {
      const bytes = daily(names);
      return [(bytes / 1e9).toFixed(2), (CARD_BYTES / bytes / 365).toFixed(0)];
    });
    row(orders.toLocaleString('en'), ...cells);
  }
}

const [system = 'ext4', ...given] = process.argv.slice(2);
const [seconds = 60, idleMinutes = 10] = given.map(Number);
const boards = await Boards.make(CORE, system === 'xfs' ? 'xfs' : 'ext4');
if ('skipped' in boards) {
  console.log(`SKIP: ${boards.skipped}`);
  process.exit(0);
}
let code = 0;
try {
  const loadNow = () => (loadavg()[0] ?? 0).toFixed(1);
  console.log(
    `${availableParallelism()} cores, load ${loadNow()} before; disks are ${system}; memory ceilings are ${areKept() ? '' : 'not '}kept by control groups`,
  );
  boards.guard();
  await boards.start();
  if (!(await until(() => isAtRest(boards), AT_REST_MS, 500))) throw new Error('the nodes do not share the partitions');
  await stock(
    boards,
    Array.from({ length: PRODUCTS }, (_, i) => `p${i + 1}`),
  );
  const headers = boards.credential;
  const edges = NODES.map((node) => ({ host: boards.net.addressOf(node), port: 3000, headers }));
  await closedLoop(edges, 'keyed', CONNECTIONS, WARM_UP_S);
  const atRest = memoryOf(boards);
  const loads: Loaded[] = [];
  for (const rate of RATES) {
    loads.push(await load(boards, `${rate}/s`, () => openLoop(edges, 'keyed', rate, seconds)));
  }
  loads.push(await load(boards, `${CONNECTIONS} clients`, () => closedLoop(edges, 'keyed', CONNECTIONS, seconds)));
  const loaded = memoryOf(boards);
  showLoads(loads);
  const orders = loads.reduce((sum, each) => sum + each.orders, 0);
  const beforeCheckpoint = writtenTo(boards);
  await boards.sql('checkpoint');
  const checkpoint = between(beforeCheckpoint, writtenTo(boards), orders);
  console.log(
    `\nPostgres' checkpoint afterwards: ${kb(most(checkpoint, [DATABASE]))} kB for each of all ${orders} orders`,
  );
  head('process', 'MB after the warm-up', 'MB after all loads');
  for (const [name, before] of atRest) row(name, before.toFixed(0), (loaded.get(name) ?? 0).toFixed(0));

  await pause(CALM_MS);
  const before = writtenTo(boards);
  await pause(idleMinutes * 60_000);
  const idleHour = between(before, writtenTo(boards), (idleMinutes * 60) / HOUR_S);
  head('board', 'MB an idle hour');
  for (const [board, bytes] of idleHour) row(board, (bytes / 1e6).toFixed(2));
  showLives(loads, checkpoint, idleHour);
  console.log(`\nload ${loadNow()} after, with our own`);
} catch (error) {
  console.error(error, boards.words);
  code = 1;
}
await boards.stop();
process.exit(code);
