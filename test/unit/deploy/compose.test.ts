// The images, checked without an engine: every version is exact, nothing is open to the network, nothing runs as
// root, and the product accepts the environment.

import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readConfig } from '../../../deploy/config/config.js';
import { NATS_ACCOUNTS, passwordVariable } from '../../../deploy/servers/nats-server.js';
import { run } from '../../../deploy/servers/processes.js';
import { patientMs } from '../../deadlines.js';
import { natsBinary } from '../../servers/real-servers.js';

const test = suite('compose');
const compose = readFileSync('compose.yaml', 'utf8');
const dockerfile = readFileSync('deploy/Dockerfile', 'utf8');
const EXACT = /:\d+\.\d+\.\d+(-[a-z0-9.-]+)?$|:\d+\.\d+-bookworm$/;

/** The lines of each service: two blanks in, up to the next service. */
function services(): Map<string, string> {
  const part = compose.slice(compose.indexOf('\nservices:\n') + 11, compose.indexOf('\nvolumes:\n'));
  const found = new Map<string, string>();
  for (const block of part.split(/^ {2}(?=[a-z]+:$)/m).slice(1)) found.set(block.slice(0, block.indexOf(':')), block);
  return found;
}

test('the four services are there, each with a pinned image, a health check, a restart and a volume', () => {
  assert.equal([...services().keys()], ['holdfast', 'nats', 'postgres', 'redis']);
  for (const [name, lines] of services()) {
    const image = /^ {4}image: (\S+)$/m.exec(lines)?.[1] ?? '';
    assert.match(image, EXACT, `${name}: ${image}`);
    for (const key of ['healthcheck', 'restart', 'volumes'])
      assert.match(lines, new RegExp(`^ {4}${key}:`, 'm'), `${name}: ${key}`);
  }
});

test('every volume in use is declared, and every declared one is in use', () => {
  const used = [...compose.matchAll(/^ {6}- ([a-z]+-data):/gm)].map((found) => found[1]);
  const declared = [...compose.slice(compose.indexOf('\nvolumes:\n')).matchAll(/^ {2}([a-z-]+):$/gm)].map(
    (found) => found[1],
  );
  assert.equal(used.sort(), declared.sort());
});

test('every port is bound to this machine alone', () => {
  const ports = [...compose.matchAll(/^ {6}- "([^"]*\d+:\d+)"$/gm)].map((found) => found[1] ?? '');
  assert.ok(ports.length >= 2);
  for (const port of ports) assert.match(port, /^127\.0\.0\.1:/);
});

test('the product accepts the environment of the service', () => {
  const block = /environment:\n((?: {6}[A-Z_]+: .*\n)+)/.exec(services().get('holdfast') ?? '')?.[1] ?? '';
  const env = Object.fromEntries([...block.matchAll(/^ {6}([A-Z_]+): (.*)$/gm)].map((found) => [found[1], found[2]]));
  const config = readConfig({ ...env, DATABASE_URL: env.DATABASE_URL?.replace(/\$\{\w+:-(\w+)\}/g, '$1') });
  assert.is(config.fetchServers, 'never');
  assert.is(config.environment, 'development');
  assert.is(config.databaseUrl, 'postgres://holdfast:holdfast@postgres:5432/holdfast');
});

test('the Dockerfile pins its base, is not root, checks its health with node and starts node itself', () => {
  const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map((found) => found[1] ?? '');
  assert.is(bases.length, 2);
  for (const base of bases) assert.match(base, EXACT);
  assert.match(dockerfile, /^USER node$/m);
  assert.match(dockerfile, /^HEALTHCHECK [\s\S]*"node", "-e", .*\/livez/m);
  assert.match(dockerfile, /^CMD \["node", /m);
  assert.not.match(dockerfile, /^FROM --platform/m);
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
    console.log('SKIP docker compose config: no docker with compose here; compose.yaml was read as text only');
    return;
  }
  const checked = await run('docker', ['compose', '-f', 'compose.yaml', 'config', '-q'], {
    deadlineMs: patientMs(20_000),
  });
  assert.is(checked.code, 0, checked.output);
});

test.run();
