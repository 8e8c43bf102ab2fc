// The manifests, checked without a cluster: against the schemas of two versions of Kubernetes, by kubeconform and kube-score
// where they are, and by rules of our own: no more rights than needed, and a stop that fits its grace.

import { X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConfigError, readConfig } from '../../../deploy/config/config.js';
import { NATS_ACCOUNTS, passwordVariable } from '../../../deploy/servers/nats-server.js';
import { run } from '../../../deploy/servers/processes.js';
import { patientMs } from '../../deadlines.js';
import {
  type Container,
  exampleSecret,
  type Manifest,
  OVERLAYS,
  Overlay,
  sampleSecrets,
} from '../../deployed/manifests.js';
import { tlsSecrets } from '../../deployed/tls-secrets.js';
import { goTool, kubernetesSchemas } from '../../servers/fetched-tools.js';
import { natsBinary } from '../../servers/real-servers.js';

const VERSIONS = ['v1.33.0', 'v1.36.0'];
const LAST_RESORT_S = 15;
const TOOL_MS = 30_000;
/** What a node takes beside its pool (OPERATING.md, DATABASE_POOL). */
const MORE_CONNECTIONS = 13;
/** While a dump is taken, and while it is checked. */
const OF_A_DUMP = 7;
/** Which of the Secret a process of ours is given, and in which variable it then is. */
const OF_NODES: Readonly<Record<string, string>> = {
  ADMIN_KEY: 'ADMIN_KEY',
  POSTGRES_NODE_PASSWORD: 'DATABASE_URL',
  POSTGRES_OWNER_PASSWORD: 'MIGRATIONS_DATABASE_URL',
  POSTGRES_BACKUP_PASSWORD: 'DATABASE_URL',
  NATS_PASSWORD: 'NATS_URL',
  NATS_FEED_PASSWORD: 'NATS_URL',
  NATS_BACKUP_PASSWORD: 'NATS_URL',
  NATS_TRIM_PASSWORD: 'NATS_TRIM_URL',
  REDIS_PASSWORD: 'REDIS_URL',
};

const test = suite('kubernetes');
const schemas = await kubernetesSchemas();
const folder = mkdtempSync(join(tmpdir(), 'holdfast-manifests-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

test('OPERATING makes a secret with every password', () => {
  const [, names = ''] = /for name in ([A-Z_ ]+); do/.exec(readFileSync('OPERATING.md', 'utf8')) ?? [];
  const made = [...names.split(' ').map((name) => `${name}_PASSWORD`), 'ADMIN_KEY'];
  assert.equal(made.sort(), Object.keys(exampleSecret().stringData ?? {}).sort());
});

test('behind TLS every role of Holdfast may connect, and the superuser by the socket alone', () => {
  const lines = readFileSync('deploy/kubernetes/components/tls/pg_hba.conf', 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(/\s+/));
  assert.equal(
    lines.filter(([type]) => type !== 'hostssl').map((line) => line.slice(0, 3)),
    [['local', 'all', 'postgres']],
  );
  const roles = lines.filter(([type]) => type === 'hostssl').flatMap(([, , users = '']) => users.split(','));
  const made = readFileSync('deploy/security/postgres-passwords.sql', 'utf8').matchAll(/^alter role (\w+)/gm);
  assert.equal(roles.sort(), [...made].map(([, role]) => role).sort());
});

test('the files have the names that people look for', () => {
  const names = readdirSync('deploy/kubernetes/base').map((file) => file.replace(/\.\w+$/, ''));
  for (const name of [
    ...['secret', 'configmap', 'postgres-pvc', 'postgres-deployment', 'redis-deployment', 'nats', 'deployment'],
    ...['service', 'hpa', 'networkpolicy', 'ingress', 'poddisruptionbudget', 'serviceaccount', 'backup-cronjob'],
    ...['backup-pvc', 'backup-deployment', 'feed-deployment'],
  ])
    assert.ok(names.includes(name), name);
});

for (const overlay of OVERLAYS) {
  for (const [name, isSecured] of [
    [overlay, false],
    [`${overlay} with TLS`, true],
  ] as const) {
    const built = await Overlay.build(overlay, isSecured);
    if ('missing' in built) console.log(`SKIP the overlay ${name}: ${built.missing}`);
    else check(name, built, isSecured);
  }
}

function check(name: string, overlay: Overlay, isSecured: boolean): void {
  const { manifests } = overlay;
  const node = overlay.podsOf('holdfast').spec;
  const [holdfast] = node.containers;
  const [migrate] = node.initContainers ?? [];
  const containerOf = (pods: string) => overlay.podsOf(pods).spec.containers[0] as Container;
  /** Of a node's container. The file of a CA is one that is here. */
  const environmentIn = (container: Container, secrets = sampleSecrets) => {
    const given = Object.entries(overlay.environmentOf(container, 'holdfast-1', secrets));
    return Object.fromEntries(given.map(([key, text]) => [key, text.replace('/etc/tls/ca.crt', 'package.json')]));
  };
  if (holdfast === undefined || migrate === undefined) throw new Error('the node lacks a container');
  const [feed, backup] = [containerOf('feed'), containerOf('backup')];

  test(`${name}: every object is one of the schema's, without a field that it does not know`, () => {
    if ('missing' in schemas) {
      console.log(`SKIP the schemas of Kubernetes: ${schemas.missing}`);
      return;
    }
    for (const version of VERSIONS) {
      const faults = faultsBy(version, schemas);
      assert.equal(manifests.flatMap(faults), [], version);
      const service = overlay.of('Service', 'holdfast');
      assert.is(faults({ ...service, spec: { ...service.spec, selectors: {} } as object }).length, 1);
    }
  });

  test(`${name}: kubeconform and kube-score find nothing`, async () => {
    const file = join(folder, `${name}.yaml`);
    writeFileSync(file, manifests.map((manifest) => `---\n${JSON.stringify(manifest)}\n`).join(''));
    const strict = ['-strict', '-schema-location', join(folder, '{{.ResourceKind}}{{.KindSuffix}}.json')];
    if (!('missing' in schemas)) {
      for (const path of ['_definitions.json', ...manifests.map(schemaOf)])
        writeFileSync(
          join(folder, path),
          JSON.stringify(withoutId(JSON.parse(schemas(`v1.36.0-local-strict/${path}`)))),
        );
    }
    const optional = ['container-seccomp-profile', 'container-ports-check'];
    for (const [tool, version, args] of [
      ['kubeconform', ['-v'], [...strict, file]],
      ['kube-score', ['version'], ['score', ...optional.flatMap((each) => ['--enable-optional-test', each]), file]],
    ] as const) {
      const command = await goTool(tool, version);
      if (typeof command !== 'string') {
        console.log(`SKIP ${tool}: ${command.missing}`);
        continue;
      }
      const judged = await run(command, args, { deadlineMs: patientMs(TOOL_MS) });
      assert.is(judged.code, 0, judged.output);
    }
  });

  test(`${name}: nobody is root, has a token, may more than it needs, or is without limits`, () => {
    assert.is(overlay.of('Namespace').metadata.labels?.['pod-security.kubernetes.io/enforce'], 'restricted');
    assert.equal(overlay.pods.map((each) => each.name).sort(), [
      ...['backup', 'backup-nightly', 'feed', 'holdfast', 'nats', 'postgres', 'redis'],
    ]);
    for (const { name: pods, spec } of overlay.pods) {
      assert.is(spec.automountServiceAccountToken, false, pods);
      assert.is(spec.securityContext?.runAsNonRoot, true, pods);
      assert.equal(spec.securityContext?.seccompProfile, { type: 'RuntimeDefault' }, pods);
      for (const { image, securityContext, resources } of [...spec.containers, ...(spec.initContainers ?? [])]) {
        assert.match(image, /:v?\d+\.\d+(\.\d+)?(-[a-z]+)?$/, pods);
        const guarded = {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        };
        assert.equal(securityContext, guarded, pods);
        for (const bounds of [resources?.requests, resources?.limits])
          assert.equal(Object.keys(bounds ?? {}).sort(), ['cpu', 'ephemeral-storage', 'memory'], pods);
      }
      for (const volume of spec.volumes ?? []) {
        const { emptyDir } = volume;
        if (emptyDir !== undefined) assert.ok(emptyDir.sizeLimit, `${pods}: ${JSON.stringify(volume)}`);
      }
    }
  });

  test(`${name}: the product accepts the environment of a node, and refuses every example of a secret`, () => {
    const config = readConfig(environmentIn(holdfast));
    assert.is(config.environment, 'production');
    assert.is(config.auth, 'keys');
    assert.is(config.nodeName, 'holdfast-1');
    assert.is(config.natsReplicas, overlay.podsOf('nats').replicas);
    const { minReplicas = 0, maxReplicas = 0 } = overlay.of('HorizontalPodAutoscaler').spec ?? {};
    assert.ok(minReplicas >= 3 && maxReplicas <= config.partitions);
    const connections = Number(
      /max_connections=(\d+)/.exec(overlay.podsOf('postgres').spec.containers[0]?.args?.join() ?? '')?.[1],
    );
    const others = [feed, backup].map((each) => readConfig(environmentIn(each)).databasePool);
    const most = [...Array<number>(maxReplicas + 1).fill(config.databasePool), ...others].reduce(
      (sum, pool) => sum + pool + MORE_CONNECTIONS,
      OF_A_DUMP,
    );
    assert.ok(most <= connections, `${most} of ${connections} connections`);

    const { stringData = {} } = exampleSecret();
    const used = JSON.stringify(overlay.pods).matchAll(/"secretKeyRef":\{"key":"(\w+)"/g);
    assert.equal([...new Set([...used].map((found) => found[1]))].sort(), Object.keys(stringData).sort());
    for (const container of [holdfast, migrate, feed, backup]) {
      for (const [key, named] of Object.entries(OF_NODES)) {
        if (!JSON.stringify(container.env).includes(`"${key}"`)) continue;
        const env = environmentIn(container, { ...sampleSecrets, [key]: stringData[key] ?? '' });
        const refuses = (error: unknown) =>
          error instanceof ConfigError && error.mistakes.join().startsWith(`${named} is`);
        assert.throws(() => readConfig(env), refuses as never, key);
      }
    }
  });

  test(`${name}: each has an account of its own, and the owner of the tables alone may change them`, () => {
    const user = (url: string | undefined) => new URL(url ?? '').username;
    const [config, before] = [holdfast, migrate].map((each) => readConfig(environmentIn(each)));
    assert.is(user(config?.databaseUrl), 'holdfast_node');
    assert.is(config?.migrationsUrl, undefined);
    assert.equal([user(before?.databaseUrl), user(before?.migrationsUrl)], ['holdfast_node', 'holdfast_owner']);
    assert.equal([...(config?.natsUrls ?? []), config?.redisUrl].map(user), Array(4).fill('holdfast'));
    assert.equal([...(config?.roles ?? [])], ['edge', 'actors']);
    for (const [container, role, database] of [
      [feed, 'feed', 'holdfast_node'],
      [backup, 'backup', 'holdfast_backup'],
    ] as const) {
      const its = readConfig(environmentIn(container));
      assert.equal([[...its.roles], user(its.databaseUrl), its.migrationsUrl], [[role], database, undefined]);
      assert.equal(its.natsUrls.map(user), Array(3).fill(`holdfast_${role}`));
      assert.equal([its.natsTrimUrls, its.redisUrl], [[], undefined]);
    }
    assert.equal((config?.natsTrimUrls ?? []).map(user), Array(3).fill('holdfast_trim'));
    const secretsOf = (pods: string) => {
      return (containerOf(pods).env ?? []).flatMap(({ name: variable, valueFrom }) =>
        valueFrom?.secretKeyRef ? [variable] : [],
      );
    };
    assert.equal(secretsOf('holdfast').sort(), [
      'ADMIN_KEY',
      'NATS_PASSWORD',
      'NATS_TRIM_PASSWORD',
      'POSTGRES_NODE_PASSWORD',
      'REDIS_PASSWORD',
    ]);
    assert.equal(secretsOf('feed').sort(), ['ADMIN_KEY', 'NATS_FEED_PASSWORD', 'POSTGRES_NODE_PASSWORD']);
    assert.equal(secretsOf('backup').sort(), ['ADMIN_KEY', 'NATS_BACKUP_PASSWORD', 'POSTGRES_BACKUP_PASSWORD']);
    assert.equal(secretsOf('backup-nightly'), ['ADMIN_KEY']);
    assert.equal(secretsOf('nats').sort(), NATS_ACCOUNTS.map(passwordVariable).sort());
    const passwords = readFileSync('deploy/security/postgres-passwords.sql', 'utf8').matchAll(/^\\getenv \w+ (\w+)$/gm);
    assert.equal(
      secretsOf('postgres').sort(),
      ['POSTGRES_PASSWORD', ...[...passwords].map(([, each = '']) => each)].sort(),
    );
  });

  test(`${name}: the servers get the files of deploy/security as they are, and the broker accepts its own`, async () => {
    const secrets = isSecured ? await tlsSecrets() : {};
    if ('missing' in secrets) {
      console.log(`SKIP certificates: ${String(secrets.missing)}`);
      return;
    }
    const files = (pods: string) => overlay.filesOf(pods, containerOf(pods), secrets);
    const shipped = (file: string) => readFileSync(`deploy/security/${file}`, 'utf8');
    const nats = files('nats');
    assert.is(nats['/etc/nats/security/nats-accounts.conf'], shipped('nats-accounts.conf'));
    if (isSecured) assert.is(nats['/etc/nats/security/tls.conf'], shipped('nats-tls.conf'));
    const first = Object.entries(files('postgres')).filter(([path]) => path.startsWith('/docker-entrypoint-initdb.d/'));
    assert.equal(
      first.sort(([a], [b]) => a.localeCompare(b)).map(([, text]) => text),
      ['postgres-roles.sql', 'postgres-passwords.sql'].map(shipped),
    );
    assert.is(files('redis')['/etc/redis/redis-users.acl'], shipped('redis-users.acl'));
    const binary = await natsBinary();
    if ('missing' in binary) {
      console.log(`SKIP nats.conf: ${binary.missing}`);
      return;
    }
    const laid = join(folder, name.replaceAll(' ', '-'));
    for (const [path, text] of Object.entries(nats)) {
      mkdirSync(dirname(join(laid, path)), { recursive: true });
      writeFileSync(join(laid, path), text);
    }
    const given = Object.entries(overlay.environmentOf(containerOf('nats'), 'nats-0', sampleSecrets));
    const env = Object.fromEntries(given.map(([key, text]) => [key, text.replace(/^\/etc/, join(laid, 'etc'))]));
    const args = ['-t', '-c', join(laid, '/etc/nats/nats.conf')];
    const checked = await run(binary.command, args, { deadlineMs: patientMs(TOOL_MS), env });
    assert.is(checked.code, 0, checked.output);
  });

  if (isSecured) {
    test(`${name}: nodes speak TLS alone, and each certificate is for the names that they use`, async () => {
      const urls = [holdfast, migrate, feed, backup]
        .map((each) => readConfig(environmentIn(each)))
        .flatMap(({ databaseUrl, migrationsUrl, redisUrl, natsUrls, natsTrimUrls }) =>
          [databaseUrl, migrationsUrl, redisUrl, ...natsUrls, ...natsTrimUrls].filter((url) => url !== undefined),
        )
        .map((url) => new URL(url));
      assert.is(urls.length, 18);
      for (const url of urls) {
        const isTls = /^(tls|rediss):$/.test(url.protocol) || url.searchParams.get('sslmode') === 'verify-full';
        assert.ok(isTls, url.href);
      }
      const secrets = await tlsSecrets();
      if ('missing' in secrets) return;
      for (const { hostname } of urls) {
        const server = hostname.replace(/^nats-\d\./, '');
        const certificate = new X509Certificate(String(secrets[`${server}-tls`]?.['tls.crt']));
        assert.is(certificate.checkHost(hostname), hostname);
      }
      for (const { name: pods } of overlay.pods) {
        const container = containerOf(pods);
        const mounted = Object.keys(overlay.filesOf(pods, container, secrets));
        const named = JSON.stringify([container.args, container.env]).matchAll(/\/etc\/(?:tls|clients)\/[\w.]+/g);
        for (const [path] of named) assert.ok(mounted.includes(path), `${pods}: ${path}`);
      }
    });
  }

  test(`${name}: probes ask the right routes, and a stop has its delay and its time`, () => {
    assert.is(holdfast.livenessProbe?.httpGet?.path, '/livez');
    assert.is(holdfast.startupProbe?.httpGet?.path, '/livez', 'a migration may take an hour');
    assert.is(holdfast.readinessProbe?.httpGet?.path, '/readyz');
    const { stopDelayMs } = readConfig(environmentIn(holdfast));
    assert.ok(stopDelayMs >= 5_000);
    assert.ok((node.terminationGracePeriodSeconds ?? 0) >= stopDelayMs / 1_000 + LAST_RESORT_S);
    const lameDuck = [...(overlay.configMap('nats')['nats.conf'] ?? '').matchAll(/^lame_duck_\w+: "(\d+)s"/gm)];
    const seconds = lameDuck.reduce((sum, found) => sum + Number(found[1]), 0);
    assert.ok(seconds >= 30 && (overlay.podsOf('nats').spec.terminationGracePeriodSeconds ?? 0) > seconds + 10);
  });

  test(`${name}: every selector finds its pods, every port is one of theirs, and disruption leaves a majority`, () => {
    for (const { kind, metadata, spec = {} } of manifests) {
      if (kind !== 'Service' && kind !== 'PodDisruptionBudget') continue;
      const wanted = kind === 'Service' ? spec.selector : spec.selector?.matchLabels;
      const pods = overlay.pods.filter(({ labels }) =>
        Object.entries(wanted ?? {}).every(([key, value]) => labels[key] === value),
      );
      assert.is(pods.length, 1, `${kind} ${metadata.name}`);
      const ports = pods[0]?.spec.containers[0]?.ports?.map((port) => port.name) ?? [];
      for (const { targetPort } of spec.ports ?? [])
        assert.ok(ports.includes(targetPort), `${metadata.name}: ${targetPort}`);
      if (kind === 'PodDisruptionBudget') assert.is(spec.maxUnavailable, 1);
    }
    const { tls = [], rules = [], ingressClassName } = overlay.of('Ingress').spec ?? {};
    assert.equal(
      tls[0]?.hosts,
      rules.map(({ host }) => host),
    );
    assert.ok(ingressClassName);
    const paths = rules[0]?.http.paths.map(({ path }) => path);
    assert.equal(paths, ['/api', '/docs', '/openapi.json']);
  });

  test(`${name}: the autoscaler's metrics are ones that a node has`, () => {
    const named = (overlay.of('HorizontalPodAutoscaler').spec?.metrics ?? []).flatMap(
      ({ pods }) => pods?.metric.name ?? [],
    );
    assert.equal(named, name.startsWith('cloud') ? ['holdfast_inbox_commands'] : []);
    const source = readFileSync('deploy/telemetry/node-metrics.ts', 'utf8');
    for (const each of named) assert.ok(source.includes(`'${each.replace('holdfast_', '')}'`), each);
  });
}

/** What a version of Kubernetes has against a manifest. */
function faultsBy(version: string, read: (path: string) => string): (manifest: Manifest) => string[] {
  const file = (path: string) => withoutId(JSON.parse(read(`${version}-local-strict/${path}`)));
  const ajv = new Ajv2020({ strict: false, validateFormats: false, validateSchema: false });
  ajv.addSchema({ ...file('_definitions.json'), $id: '_definitions.json' });
  return (manifest) => {
    const path = schemaOf(manifest);
    const validate = ajv.getSchema(path) ?? ajv.compile({ ...file(path), $id: path });
    return validate(manifest) ? [] : [`${manifest.kind} ${manifest.metadata.name}: ${ajv.errorsText(validate.errors)}`];
  };
}

/** The file of the schema, such as `deployment-apps-v1.json`. */
function schemaOf({ kind, apiVersion }: Manifest): string {
  return `${[kind, ...apiVersion.replace(/\.k8s\.io/, '').split('/')].join('-').toLowerCase()}.json`;
}

/** Refs name the definitions by their path on the site of Kubernetes: here they are a neighbour. */
function withoutId(schema: object): object {
  const text = JSON.stringify(schema).replaceAll('"/api/_definitions.json', '"_definitions.json');
  const { $id: _, ...rest } = JSON.parse(text) as { $id?: string };
  return rest;
}

test.run();
