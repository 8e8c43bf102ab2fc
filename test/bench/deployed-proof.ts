// compose.yaml and the manifests of Kubernetes as processes: what they start, with the commands and the environment that
// they give, places orders. Then a rolling update in the order and with the signals of Kubernetes, under load.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { until } from '../deadlines.js';
import { deleted, dumps, feeds, SECRETS, serves, stageOf, strikeAll, underLoad } from '../deployed/as-deployed.js';
import { Overlay, type SecretFiles } from '../deployed/manifests.js';
import { composeScene, overlayScene } from '../deployed/scene.js';
import type { Stage } from '../deployed/stage.js';
import { tlsSecrets } from '../deployed/tls-secrets.js';
import type { Burst } from '../faults/rig/burst.js';
import type { RealSystem } from '../faults/rig/real-system.js';

const SHARED_MS = 30_000;
/** With the moves that the rolling update left. */
const DEAD_MS = 30_000;

const test = suite('as deployed');
test.after(strikeAll);

for (const profile of ['default', 'scale'] as const) {
  test(`compose, ${profile}`, async () => {
    const stage = await stageOf(`compose, ${profile}`, composeScene(profile));
    if (stage === undefined) return;
    assert.is(stage.nodes.length, profile === 'default' ? 1 : 3);
    await serves(stage);
    await feeds(stage);
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
  await feeds(stage);
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
  await feeds(stage);
  await dumps(stage);
  const access = { PGUSER: 'holdfast_node', PGPASSWORD: SECRETS.POSTGRES_NODE_PASSWORD ?? '' };
  const environment = { PGHOST: 'postgres', ...access, PGDATABASE: 'holdfast', PGSSLMODE: 'disable' };
  const asks = (more: Record<string, string>) =>
    stage.runOnce({
      ...{ host: 'a-stranger', command: ['psql', '-c', 'select 1'], files: {} },
      environment: { ...environment, ...more },
    });
  assert.match((await asks({})).output, /no pg_hba.conf entry .* no encryption/);
  const superuser = { PGUSER: 'postgres', PGPASSWORD: SECRETS.POSTGRES_PASSWORD ?? '', PGSSLMODE: 'require' };
  assert.match((await asks(superuser)).output, /no pg_hba.conf entry .*user "postgres"/);
  await stage.strike();
});

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
