// What must hold of a stage (stage.ts), whoever started it: every node serves, the feeds run, a dump is there, restored and verified, and
// a planned change under load is no failed check.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { run } from '../../deploy/servers/processes.js';
import { patientMs, until } from '../deadlines.js';
import { Burst, orderIdIn, type Purchase } from '../faults/rig/burst.js';
import type { RealSystem } from '../faults/rig/real-system.js';
import { readDockerfile } from './dockerfile.js';
import { exampleSecret } from './manifests.js';
import type { Scene } from './scene.js';
import { Stage } from './stage.js';

/** How long an ingress may go on sending to a pod that is deleted, before it has heard of it. */
const HEARD_MS = 2_000;
const SERVED_MS = 30_000;
/** A start of the role, a dump, its restore and its check. */
const DUMPED_MS = 90_000;
const BUYERS = 6;
const PACE_MS = 60;
/** The most orders of a planned change that may have to come again. */
const COME_AGAIN = 0.05;
const STOCK = 1_000_000;
/** For every key of the Secret. */
export const SECRETS = Object.fromEntries(
  Object.keys(exampleSecret().stringData ?? {}).map((key, i) => [key, `b${i}c3d9f07e5b1d48263f0e7`.repeat(2)]),
);

const stages: Stage[] = [];

/** @returns undefined, and says why, where a server is missing */
export async function stageOf(what: string, scene: Scene): Promise<Stage | undefined> {
  const stage = await Stage.build(scene);
  if ('skipped' in stage) {
    console.log(`SKIP ${what}: ${stage.skipped}`);
    return undefined;
  }
  stages.push(stage);
  return stage;
}

/** After the tests. */
export async function strikeAll(): Promise<void> {
  const awake = setInterval(() => {}, 1_000); // A child server does not keep this process alive.
  for (const stage of stages) await stage.strike();
  clearInterval(awake);
}

type Reply = Awaited<ReturnType<RealSystem['post']>>;

/** As a client does it: what got no outcome in time comes again under its key. */
async function sent(node: RealSystem, path: string, body: object, key: string): Promise<Reply> {
  let reply: Reply = { status: 0, text: '' };
  const isDone = async () => {
    reply = await node.post(path, body, key);
    return reply.status !== 503 && reply.status !== 202;
  };
  await until(isDone, SERVED_MS, 500);
  return reply;
}

/** Every node takes an order, and another one knows it. The image's health check is content with each. */
export async function serves(stage: Stage): Promise<void> {
  const { nodes } = stage;
  const product = { product_id: 'DEPLOYED', name: 'Deployed', unit_price: 9.99, currency: 'USD', stock: STOCK };
  const [first] = nodes;
  if (first === undefined) throw new Error('there is no node');
  const taken = await sent(first, '/api/inventory', { products: [product] }, 'the-stock');
  assert.ok(taken.status < 300, `${taken.text}\n${stage.words}`);
  for (const [i, node] of nodes.entries()) {
    const order = { user_id: `user-${i}`, product_id: 'DEPLOYED', quantity: 1 };
    const placed = await sent(node, '/api/orders', order, `of-node-${i}`);
    assert.is(placed.status, 201, `${placed.text}\n${stage.words}`);
    const other = nodes[(i + 1) % nodes.length] as RealSystem;
    assert.is((await other.ask(`/api/orders/${orderIdIn(placed.text)}`))?.status, 200);
    const [, ...health] = readDockerfile().health;
    const asked = await run(process.execPath, health, {
      deadlineMs: patientMs(10_000),
      env: { PORT: String(node.port) },
    });
    assert.is(asked.code, 0, asked.output);
  }
}

/** The feeds run in their own process, with their own account. */
export async function feeds(stage: Stage): Promise<void> {
  const feed = await stage.startOther(stage.scene.feed, 'INVENTORY_PORT');
  let told: string[] = [];
  const areRunning = async () => {
    const metrics = await feed.ask('/metrics', Number(feed.env.INVENTORY_PORT));
    told = (metrics?.text ?? '').split('\n').filter((line) => line.startsWith('holdfast_feed_running'));
    return told.length > 0 && told.every((line) => line.endsWith(' 1'));
  };
  assert.ok(await until(areRunning, SERVED_MS, 500), `${told.join()}\n${stage.words}`);
  assert.not.match(feed.output, /permission|does not let/i);
}

interface BackupStatus {
  readonly role: string;
  readonly dumps: number;
  readonly last_dump: { readonly name: string; readonly orders: number } | null;
  readonly errors: readonly { readonly message: string }[];
}

/** The role backup makes a dump, restores and verifies it, and lists it; what asks for one each night gets one. */
export async function dumps(stage: Stage): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-dump-'));
  try {
    const { backup, nightly } = stage.scene;
    const keeper = await stage.startOther(backup, 'BACKUP_PORT', { BACKUP_DIR: folder });
    const status = async (): Promise<Partial<BackupStatus>> => {
      const reply = await keeper.ask('/api/backup/status', Number(keeper.env.BACKUP_PORT));
      return (JSON.parse(reply?.text ?? '{}') as { data?: BackupStatus }).data ?? {};
    };
    let seen: Partial<BackupStatus> = {};
    const isThere = async () => {
      seen = await status();
      return seen.last_dump != null || seen.errors?.some(({ message }) => message.includes('need pg_dump')) === true;
    };
    const words = () => `${JSON.stringify(seen)}\n${stage.words}`;
    assert.ok(await until(isThere, DUMPED_MS, 500), words());
    if (seen.last_dump == null) return console.log(`SKIP the dumps: ${seen.errors?.[0]?.message}`);
    assert.is(seen.role, 'running');
    assert.ok((seen.last_dump?.orders ?? 0) >= stage.nodes.length, words());
    assert.equal(readdirSync(join(folder, 'dumps')), [seen.last_dump?.name]);
    if (nightly !== undefined) {
      const asked = await stage.runOnce(nightly);
      assert.is(asked.code, 0, `${asked.output}\n${words()}`);
      assert.is((await status()).dumps, 2, words());
    }
    assert.not.match(keeper.output, /permission denied|does not let/i);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function* purchases(): Generator<Purchase> {
  for (let i = 0; ; i++) yield { user: `buyer-${i}`, items: [{ product_id: 'DEPLOYED', quantity: 1 }] };
}

/**
 * Every order that is placed meanwhile is confirmed, and no connection fails. On a busy machine an append may miss its
 * deadline: such an order gets 503, comes again, and is one order. Those are few.
 */
export async function underLoad(
  what: string,
  stage: Stage,
  change: (load: Burst, edges: string[]) => Promise<unknown>,
): Promise<void> {
  const stock = async () => {
    let reply: Partial<Reply> | undefined;
    const isTold = async () => {
      reply = await stage.nodes.at(-1)?.ask('/api/inventory/DEPLOYED');
      return reply?.status === 200;
    };
    assert.ok(await until(isTold, SERVED_MS, 500), `${reply?.text}\n${stage.words}`);
    return (JSON.parse(reply?.text ?? '{}') as { data: { on_hand: number } }).data.on_hand;
  };
  const before = await stock();
  const nodes = stage.nodes.slice(-3);
  const edges = nodes.map(({ url }) => url);
  const load = new Burst(edges, purchases(), BUYERS, PACE_MS, undefined, nodes[0]?.credential);
  await load.reached(50);
  await change(load, edges);
  await load.reached(load.answered + 50);
  await load.stop();
  const failed = load.entries.flatMap(({ attempts, refusals }) => [
    ...attempts.filter(({ answer }) => answer?.status !== 201).map(({ answer, failure }) => answer?.status ?? failure),
    ...Array.from({ length: refusals }, () => 'refused'),
  ]);
  const slowest = Math.max(...load.attempts().map(({ sentAt, endedAt }) => endedAt - sentAt));
  console.log(
    `  ${what}: ${load.answered} orders, ${failed.length} had to come again, the slowest ${slowest.toFixed(0)} ms`,
  );
  const others = failed.filter((how) => how !== 503);
  assert.equal(others.slice(0, 5), [], `${others.length} of ${load.answered} failed\n${stage.words}`);
  assert.ok(failed.length <= load.answered * COME_AGAIN, `${failed.length} of ${load.answered}\n${stage.words}`);
  assert.is(before - (await stock()), load.answered);
}

/** A deleted pod gets SIGTERM at once, the ingress hears of it later, and SIGKILL would follow after the grace. */
export async function deleted(node: RealSystem, edges: string[], graceMs: number): Promise<void> {
  const ended = node.end('SIGTERM', graceMs);
  await pause(HEARD_MS);
  edges.splice(edges.indexOf(node.url), 1);
  const { code, tookMs } = await ended;
  assert.is(code, 0, node.lastWords());
  assert.ok(tookMs < patientMs(graceMs), `it took ${tookMs} ms`);
}
