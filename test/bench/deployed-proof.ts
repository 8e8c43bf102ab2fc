// compose.yaml and the manifests of Kubernetes as processes: what they start, with the commands and the environment that
// they give, places orders. Then a rolling update in the order and with the signals of Kubernetes, under load.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { run } from '../../deploy/servers/processes.js';
import { patientMs, until } from '../deadlines.js';
import { readDockerfile } from '../deployed/dockerfile.js';
import { exampleSecret, Overlay, type SecretFiles } from '../deployed/manifests.js';
import { composeScene, overlayScene, type Scene } from '../deployed/scene.js';
import { Stage } from '../deployed/stage.js';
import { tlsSecrets } from '../deployed/tls-secrets.js';
import { Burst, orderIdIn, type Purchase } from '../faults/rig/burst.js';
import type { RealSystem } from '../faults/rig/real-system.js';

const SHARED_MS = 30_000;
/** How long an ingress may go on sending to a pod that is deleted, before it has heard of it. */
const HEARD_MS = 2_000;
const BUYERS = 6;
const PACE_MS = 60;
/** With the moves that the rolling update left. */
const DEAD_MS = 30_000;
/** The most orders of a planned change that may have to come again. */
const COME_AGAIN = 0.05;
const STOCK = 1_000_000;
const SECRETS = Object.fromEntries(
  Object.keys(exampleSecret().stringData ?? {}).map((key, i) => [key, `b${i}c3d9f07e5b1d48263f0e7`.repeat(2)]),
);

const test = suite('as deployed');
const stages: Stage[] = [];

test.after(async () => {
  const awake = setInterval(() => {}, 1_000); // A child server does not keep this process alive.
  for (const stage of stages) await stage.strike();
  clearInterval(awake);
});

async function stageOf(what: string, scene: Scene): Promise<Stage | undefined> {
  const stage = await Stage.build(scene);
  if ('skipped' in stage) {
    console.log(`SKIP ${what}: ${stage.skipped}`);
    return undefined;
  }
  stages.push(stage);
  return stage;
}

/** Every node takes an order, and another one knows it. The image's health check is content with each. */
async function serves(stage: Stage): Promise<void> {
  const { nodes } = stage;
  await nodes[0]?.stock(['DEPLOYED'], STOCK);
  for (const [i, node] of nodes.entries()) {
    const placed = await node.post('/api/orders', { user_id: `user-${i}`, product_id: 'DEPLOYED', quantity: 1 });
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

async function dumps(stage: Stage): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-dump-'));
  try {
    const { backup } = stage.scene;
    // Compose repeats its command without end: the script is what both run.
    const script = Object.keys(backup.files).find((file) => /dump/.test(file)) ?? '';
    const dumped = await stage.runOnce({ ...backup, command: ['sh', script] }, { BACKUP_DIR: folder });
    if (/pg_dump: (command )?not found/.test(dumped.output)) {
      console.log('SKIP the dump of the database: no pg_dump beside Postgres');
      return;
    }
    assert.is(dumped.code, 0, dumped.output);
    assert.match(dumped.output, /holdfast-\d{8}T\d{6}Z\.dump: \d{4,} bytes/);
    assert.is(readdirSync(folder).length, 1, 'one dump, and no part of one');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

for (const profile of ['default', 'scale'] as const) {
  test(`compose, ${profile}`, async () => {
    const stage = await stageOf(`compose, ${profile}`, composeScene(profile));
    if (stage === undefined) return;
    assert.is(stage.nodes.length, profile === 'default' ? 1 : 3);
    await serves(stage);
    await dumps(stage);
    for (const node of stage.nodes) assert.is((await node.end('SIGTERM')).code, 0, node.lastWords());
    await stage.strike();
  });
}

test('Kubernetes, and a rolling update of it under load', async () => {
  const overlay = await Overlay.build('k3s-pi');
  if ('missing' in overlay) {
    console.log(`SKIP Kubernetes: ${overlay.missing}`);
    return;
  }
  const stage = await stageOf('Kubernetes', overlayScene(overlay, SECRETS));
  if (stage === undefined) return;
  await serves(stage);
  await dumps(stage);
  await underLoad('a rolling update', stage, (load, edges) => update(stage, overlay, load, edges));
  await underLoad('a broker is replaced', stage, () => replaceBroker(stage, overlay));
  await loseMachine(stage);
  await stage.strike();
});

test('Kubernetes in a cloud, with TLS between pods', async () => {
  const [overlay, certificates] = [await Overlay.build('cloud', true), await tlsSecrets()];
  if ('missing' in overlay || 'missing' in certificates) {
    console.log(`SKIP TLS between pods: ${String('missing' in overlay ? overlay.missing : certificates.missing)}`);
    return;
  }
  const stage = await stageOf('TLS between pods', overlayScene(overlay, SECRETS, certificates as SecretFiles));
  if (stage === undefined) return;
  await serves(stage);
  await dumps(stage);
  const environment = { PGHOST: 'postgres', PGUSER: 'holdfast_node', PGDATABASE: 'holdfast', PGSSLMODE: 'disable' };
  const plain = { host: 'a-stranger', command: ['psql', '-c', 'select 1'], environment, files: {} };
  const refused = await stage.runOnce(plain, { PGPASSWORD: SECRETS.POSTGRES_NODE_PASSWORD ?? '' });
  assert.match(refused.output, /no pg_hba.conf entry .* no encryption/);
  await stage.strike();
});

function* purchases(): Generator<Purchase> {
  for (let i = 0; ; i++) yield { user: `buyer-${i}`, items: [{ product_id: 'DEPLOYED', quantity: 1 }] };
}

/**
 * Every order that is placed meanwhile is confirmed, and no connection fails. On a busy machine an append may miss its
 * deadline: such an order gets 503, comes again, and is one order. Those are few.
 */
async function underLoad(
  what: string,
  stage: Stage,
  change: (load: Burst, edges: string[]) => Promise<unknown>,
): Promise<void> {
  const stock = async () =>
    JSON.parse((await stage.nodes.at(-1)?.ask('/api/inventory/DEPLOYED'))?.text ?? '{}').data.on_hand as number;
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

/** A broker hands its streams over and its clients, before it ends; then it comes back with its volume. */
async function replaceBroker(stage: Stage, overlay: Overlay): Promise<void> {
  const { containers, terminationGracePeriodSeconds = 0 } = overlay.podsOf('nats').spec;
  const preStop = containers[0]?.lifecycle?.preStop?.exec.command ?? [];
  await stage.restartBroker('nats-0.nats', preStop, terminationGracePeriodSeconds * 1_000);
}

/**
 * As a Deployment with maxSurge 1 and maxUnavailable 0 does it: a new pod, with another name and an empty folder; once it is
 * ready, an old one is deleted, which ends while the next new one starts. A deleted pod gets SIGTERM at once, the ingress
 * hears of it later, and SIGKILL would follow after the grace.
 */
async function update(stage: Stage, overlay: Overlay, load: Burst, edges: string[]): Promise<void> {
  const graceMs = (overlay.podsOf('holdfast').spec.terminationGracePeriodSeconds ?? 0) * 1_000;
  const old = [...stage.nodes];
  const ends: Promise<unknown>[] = [];
  for (const [i, node] of old.entries()) {
    const part = stage.scene.nodes[i];
    if (part === undefined) throw new Error('there are more nodes than parts');
    const name = `holdfast-new-${i}`;
    const fresh = await stage.startNode({ ...part, environment: { ...part.environment, NODE_NAME: name } });
    edges.push(fresh.url);
    await load.reached(load.answered + 20);
    ends.push(deleted(node, edges, graceMs));
  }
  await Promise.all(ends);
  const [first] = stage.nodes.slice(old.length) as [RealSystem];
  const places = async () => (await first.ask('/internal/placement'))?.text ?? '';
  const isShared = async () => {
    const text = await places();
    return [0, 1, 2].every((i) => text.includes(`"holdfast-new-${i}"`)) && !/"state":"(?!running)/.test(text);
  };
  assert.ok(await until(isShared, SHARED_MS), `${await places()}\n${stage.words}`);
}

async function deleted(node: RealSystem, edges: string[], graceMs: number): Promise<void> {
  const ended = node.end('SIGTERM', graceMs);
  await pause(HEARD_MS);
  edges.splice(edges.indexOf(node.url), 1);
  const { code, tookMs } = await ended;
  assert.is(code, 0, node.lastWords());
  assert.ok(tookMs < patientMs(graceMs), `it took ${tookMs} ms`);
}

/** A pod dies with its machine, and its folder with it. The others take over; a new pod with an empty folder takes its part. */
async function loseMachine(stage: Stage): Promise<void> {
  const [, lost, other] = stage.nodes.slice(-3) as [RealSystem, RealSystem, RealSystem];
  await lost.end('SIGKILL');
  const isTaken = async () => {
    const text = (await other.ask('/internal/placement'))?.text ?? '';
    return text.includes('running') && !text.includes(`"${lost.env.NODE_NAME}"`) && !/"state":"(?!running)/.test(text);
  };
  assert.ok(await until(isTaken, DEAD_MS), stage.words);
  const [part] = stage.scene.nodes;
  if (part === undefined) throw new Error('there is no node');
  const environment = { ...part.environment, NODE_NAME: 'holdfast-in-its-place' };
  const replacement = await stage.startNode({ ...part, environment });
  const placed = await replacement.post('/api/orders', { user_id: 'late', product_id: 'DEPLOYED', quantity: 1 });
  assert.is(placed.status, 201, placed.text);
  const { code, output } = await replacement.verify();
  assert.is(code, 0, output);
}

test.run();
