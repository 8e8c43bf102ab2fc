// What the network policies of both overlays allow, tried: each pod is a network namespace, the policies are rules of nft there, and
// everybody knocks at everybody's ports. The same list by reading them, also where there are no namespaces.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { run } from '../../../deploy/servers/processes.js';
import { patientMs } from '../../deadlines.js';
import { OVERLAYS, Overlay } from '../../deployed/manifests.js';
import { type End, mayReach } from '../../deployed/network-policies.js';
import { type Placed, rulesOf } from '../../deployed/policy-rules.js';
import { type Attempt, addressOf, type Found } from '../../deployed/try-connections.js';

const TRY_MS = 90_000;
const PORTS = [22, 53, 443, 3000, 3001, 3002, 4222, 5432, 6222, 6379, 8222];
const PROGRAM = fileURLToPath(new URL('../../deployed/try-connections.js', import.meta.url));
const test = suite('network policies');

/** Why they cannot be tried here; undefined: they can. */
async function obstacle(): Promise<string | undefined> {
  for (const [command, ...args] of [
    ['unshare', '--net', '--mount', 'true'],
    ['nft', '--version'],
    ['ip', '-V'],
  ] as const) {
    const { code, output } = await run(command, args, { deadlineMs: patientMs(10_000) });
    if (code !== 0) return `${command}: ${output}`;
  }
  return undefined;
}

for (const name of OVERLAYS) {
  test(name, async () => {
    const [missing, overlay] = [await obstacle(), await Overlay.build(name)];
    if (missing !== undefined || 'missing' in overlay) {
      console.log(`SKIP ${name} in network namespaces: ${missing ?? String((overlay as { missing: string }).missing)}`);
      return;
    }
    const policies = overlay.manifests.filter(({ kind }) => kind === 'NetworkPolicy');
    const pods = overlay.pods.map(({ name: pod, labels }) => [pod, { namespace: 'holdfast', labels }] as const);
    const nats = Object.fromEntries(pods).nats;
    const ends = Object.entries({
      ...Object.fromEntries(pods),
      'nats-2': nats,
      edge:
        name === 'cloud'
          ? { namespace: 'ingress-nginx', labels: {} }
          : { namespace: 'kube-system', labels: { 'app.kubernetes.io/name': 'traefik' } },
      prometheus: { namespace: 'monitoring', labels: {} },
      names: { namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' } },
      stranger: { namespace: 'default', labels: { 'app.kubernetes.io/name': 'holdfast' } },
      internet: { address: '93.184.216.34' },
      neighbour: {},
    } as Readonly<Record<string, Partial<Placed>>>).map(
      ([end, what], i) => [end, { address: addressOf(i), ...what }] as const,
    );
    const placed = ends.map(([, end]) => end);
    const attempt: Attempt = {
      ports: PORTS,
      ends: Object.fromEntries(
        ends.map(([end, { namespace, labels, address }]) => [
          end,
          namespace === undefined || labels === undefined
            ? { address }
            : { rules: rulesOf(policies, { namespace, labels }, placed) },
        ]),
      ),
    };
    const tried = spawnSync('unshare', ['--net', '--mount', process.execPath, PROGRAM], {
      input: JSON.stringify(attempt),
      encoding: 'utf8',
      timeout: patientMs(TRY_MS),
    });
    assert.is(tried.status, 0, tried.stderr);
    const { withoutRules, withRules } = JSON.parse(tried.stdout) as Found;
    assert.is(withoutRules.length, ends.length * (ends.length - 1) * PORTS.length, 'without policies all is open');
    const ours = [...pods.map(([pod]) => pod), 'nats-2'];
    const isOfOurs = (found: string) => ours.some((pod) => found.startsWith(`${pod} `) || found.includes(` ${pod}:`));
    const toNats = ['nats', 'nats-2'].flatMap((to) => [`${to}:4222`, `${to}:8222`]);
    const wanted = [
      'edge holdfast:3000',
      'prometheus holdfast:3001',
      ...[...toNats, 'postgres:5432', 'redis:6379', 'internet:443'].map((to) => `holdfast ${to}`),
      'nats nats-2:6222',
      'nats-2 nats:6222',
      'prometheus feed:3001',
      'prometheus backup:3002',
      'backup-nightly backup:3002',
      ...['feed', 'backup'].flatMap((from) =>
        [...toNats, 'postgres:5432', 'internet:443'].map((to) => `${from} ${to}`),
      ),
      ...ours.map((from) => `${from} names:53`),
    ];
    assert.equal(withRules.filter(isOfOurs).sort(), wanted.sort());
  });
}

for (const base of OVERLAYS) {
  for (const [name, isSecured] of [
    [base, false],
    [`${base} with TLS`, true],
  ] as const) {
    test(`${name}: exactly these connections are allowed, as the policies are read`, async () => {
      const overlay = await Overlay.build(base, isSecured);
      if ('missing' in overlay) return console.log(`SKIP the overlay ${name}: ${overlay.missing}`);
      const { manifests } = overlay;
      const policies = manifests.filter(({ kind }) => kind === 'NetworkPolicy');
      const ours = Object.fromEntries(
        overlay.pods.map((each) => [each.name, { namespace: 'holdfast', labels: each.labels }]),
      );
      const edge = name.startsWith('cloud')
        ? { namespace: 'ingress-nginx', labels: {} }
        : { namespace: 'kube-system', labels: { 'app.kubernetes.io/name': 'traefik' } };
      const ends: Record<string, End> = {
        ...ours,
        edge,
        prometheus: { namespace: 'monitoring', labels: {} },
        names: { namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' } },
        stranger: { namespace: 'default', labels: { 'app.kubernetes.io/name': 'holdfast' } },
        internet: { address: '93.184.216.34' },
        metadata: { address: '169.254.169.254' },
        neighbour: { address: '10.0.0.7' },
      };
      const found: string[] = [];
      for (const [from, a] of Object.entries(ends)) {
        for (const [to, b] of Object.entries(ends)) {
          if (!(from in ours) && !(to in ours)) continue;
          for (const port of [22, 53, 80, 443, 3000, 3001, 3002, 4222, 5432, 6222, 6379, 8222])
            if (mayReach(policies, a, b, port)) found.push(`${from} ${to}:${port}`);
        }
      }
      const wanted = [
        'edge holdfast:3000',
        'prometheus holdfast:3001',
        ...['nats:4222', 'nats:8222', 'postgres:5432', 'redis:6379', 'internet:443'].map((to) => `holdfast ${to}`),
        'nats nats:6222',
        'prometheus feed:3001',
        'prometheus backup:3002',
        'backup-nightly backup:3002',
        ...['feed', 'backup'].flatMap((from) =>
          ['nats:4222', 'nats:8222', 'postgres:5432', 'internet:443'].map((to) => `${from} ${to}`),
        ),
        ...Object.keys(ours).map((from) => `${from} names:53`),
      ];
      assert.equal(found.sort(), wanted.sort());
    });
  }
}

test.run();
