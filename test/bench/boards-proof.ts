// npm run proof:boards [-- SECONDS=20]: the four boards of deploy/pi as network namespaces, on their real files, and clients beside
// them. First, who may reach which port. Then, under load, cables are pulled out and links are cut, each for some seconds. Is all served
// again in time, is everything acknowledged there, word for word, is a dump taken, and is `verify` clean? Needs root; exit 0 where it may
// not run.

import { setTimeout as pause } from 'node:timers/promises';
import { patientMs, until } from '../deadlines.js';
import { Burst, type Purchase } from '../faults/rig/burst.js';
import { Boards, NODES } from './boards/boards.js';
import { type BoardFault, faultsOf } from './boards/faults.js';
import { entryProblems, longestGap, portProblems } from './boards/proof-checks.js';
import { isAtRest, stock } from './boards/shop.js';

const PRODUCTS = Array.from({ length: 20 }, (_, i) => `p${i}`);
/** A buyer of each product: one that is not sold holds up no other. */
const PACE_MS = 150;
/** A client goes to another board after this. */
const WITHIN_MS = 1_500;
const BEFORE_MS = 5_000;
/** Until whatever was sent before a fault is answered or lost. */
const SENT_MS = 2_000;
/** An election of the brokers, and a take-over: each product is sold again. */
const SERVED_AGAIN_MS = 15_000;
const HEALED_MS = 15_000;
/** Partitions go back in turn. */
const AT_REST_MS = 60_000;

const problems: string[] = [];

function* purchases(product: string): Generator<Purchase> {
  for (let i = 0; ; i++) yield { user: `u${i}`, key: `${product}-${i}`, items: [{ product_id: product, quantity: 1 }] };
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

async function suffer(boards: Boards, loads: readonly Burst[], fault: BoardFault, ms: number): Promise<void> {
  if (!(await until(() => isAtRest(boards), AT_REST_MS, 250)))
    problems.push(`${fault.name}: the nodes did not come to rest before`);
  await pause(BEFORE_MS);
  const began = performance.now();
  fault.begin();
  await pause(ms);
  const ended = performance.now();
  fault.end();
  const isWell = async () => (await Promise.all(NODES.map((node) => boards.isReady(node)))).every(Boolean);
  const isHealed = await until(isWell, HEALED_MS, 100);
  const healedMs = performance.now() - ended;
  const answers = loads.flatMap((load) => load.attempts(began + SENT_MS, ended));
  const confirmed = answers.filter(({ answer }) => answer?.status === 201).length;
  const gap = Math.max(...loads.map((load) => longestGap(load, began, ended)));
  console.log(
    `${fault.name.padEnd(46)} ${String(confirmed).padStart(5)} orders meanwhile, a product without any for up to ${seconds(gap)}, ` +
      `all nodes ready again after ${seconds(healedMs)}`,
  );
  if (!isHealed) problems.push(`${fault.name}: not all nodes are ready ${seconds(healedMs)} after its end`);
  if (fault.refuses && confirmed > 0)
    problems.push(`${fault.name}: ${confirmed} orders were acknowledged without a majority`);
  // A product that is not sold again while the fault lasts is not served at all.
  if (!fault.refuses && !fault.mayWait && gap > Math.min(patientMs(SERVED_AGAIN_MS), ms - 1_000))
    problems.push(`${fault.name}: a product was not sold for ${seconds(gap)}`);
}

const [wantedS = 20] = process.argv.slice(2).map(Number);
/** Shorter ones would end before a take-over. */
const forS = Math.max(20, wantedS);
const boards = await Boards.make();
if ('skipped' in boards) {
  console.log(`SKIP: ${boards.skipped}`);
  process.exit(0);
}
try {
  boards.guard();
  await boards.start();
  problems.push(...(await portProblems(boards)));
  await stock(boards, PRODUCTS);
  const urls = NODES.map((node) => boards.url(node));
  const loads = PRODUCTS.map((id) => new Burst(urls, purchases(id), 1, PACE_MS, WITHIN_MS, boards.credential));
  for (const fault of faultsOf(boards)) await suffer(boards, loads, fault, forS * 1_000);
  await Promise.all(loads.map((load) => load.stop()));
  const entries = loads.flatMap((load) => load.entries);
  problems.push(...(await entryProblems(boards, entries)).slice(0, 5));
  console.log(`backup: ${await boards.dumped()}`);
  const verdict = await boards.command(NODES[0], 'verify');
  console.log(`verify: ${verdict.output.split('\n').at(-1)}`);
  if (verdict.code !== 0) problems.push(`verify: exit ${verdict.code}\n${verdict.output}`);
} catch (error) {
  problems.push(error instanceof Error ? error.message : String(error));
}
if (problems.length > 0) console.error(boards.words);
await boards.stop();
for (const problem of problems) console.error(`WRONG: ${problem}`);
console.log(problems.length === 0 ? 'right' : `${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
