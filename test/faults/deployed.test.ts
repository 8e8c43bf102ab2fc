// What Kubernetes starts, in short: the processes of the overlay for boards, with accounts and TLS, take orders, feed, make a dump, and a
// pod is replaced under load. `npm run proof:deployed` is the whole of it: compose.yaml, a rolling update, and a machine that is lost.

import { suite } from 'uvu';
import { deleted, dumps, feeds, SECRETS, serves, stageOf, strikeAll, underLoad } from '../deployed/as-deployed.js';
import { Overlay, type SecretFiles } from '../deployed/manifests.js';
import { overlayScene } from '../deployed/scene.js';
import { tlsSecrets } from '../deployed/tls-secrets.js';

const test = suite('as deployed, in short');
test.after(strikeAll);

test('boards of Kubernetes with TLS, and a pod that is replaced', async () => {
  const [overlay, certificates] = [await Overlay.build('k3s-pi', true), await tlsSecrets()];
  if ('missing' in overlay || 'missing' in certificates) {
    console.log(`SKIP Kubernetes: ${String('missing' in overlay ? overlay.missing : certificates.missing)}`);
    return;
  }
  const stage = await stageOf('Kubernetes', overlayScene(overlay, SECRETS, certificates as SecretFiles));
  if (stage === undefined) return;
  await serves(stage);
  await feeds(stage);
  await dumps(stage);
  const graceMs = (overlay.podsOf('holdfast').spec.terminationGracePeriodSeconds ?? 0) * 1_000;
  const [old] = stage.nodes;
  const [part] = stage.scene.nodes;
  if (old === undefined || part === undefined) throw new Error('there is no node');
  await underLoad('a pod is replaced', stage, async (_, edges) => {
    const fresh = await stage.startNode({ ...part, environment: { ...part.environment, NODE_NAME: 'holdfast-new' } });
    edges.push(fresh.url);
    await deleted(old, edges, graceMs);
  });
});

test.run();
