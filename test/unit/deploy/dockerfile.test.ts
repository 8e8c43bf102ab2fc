// The images, checked without an engine: pinned, not root, nothing in them that is not copied on purpose, and their health is
// asked with what they have. hadolint says the rest.

import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readConfig } from '../../../deploy/config/config.js';
import { run } from '../../../deploy/servers/processes.js';
import { patientMs } from '../../deadlines.js';
import { readCompose } from '../../deployed/compose-file.js';
import { pairsOf, readDockerfile } from '../../deployed/dockerfile.js';
import { hadolint } from '../../servers/fetched-tools.js';

const test = suite('the images');
const [image, backup] = [readDockerfile(), readDockerfile('backup')];
const valuesOf = (instructions: typeof image.own, name: string) =>
  instructions.filter((each) => each.name === name).map(({ value }) => value);
const lines = (name: string) => valuesOf(image.instructions, name);
const CODE = ['package.json', 'node_modules', 'dist', 'storage', 'http'];

test('each base is pinned to a patch, and a digest may replace it; both are of one release of Debian', () => {
  const bases = lines('ARG').filter((arg) => arg.includes(':'));
  assert.equal(
    bases.map((base) => base.split('=')[0]),
    ['NODE', 'POSTGRES'],
  );
  const releases = bases.map((base) => /^\w+=\w+:\d+\.\d+(?:\.\d+)?-([a-z]+)(?:-slim)?$/.exec(base)?.[1]);
  assert.ok(releases[0]);
  assert.is(releases[1], releases[0], 'node runs on what the other base has');
  assert.equal(lines('FROM'), [
    `--platform=$BUILDPLATFORM \${NODE} AS build`,
    `\${NODE} AS runtime`,
    `\${POSTGRES} AS backup`,
    'runtime',
  ]);
});

test('pg_dump is of the server that compose.yaml and Kubernetes start', () => {
  const [, base = ''] = /^POSTGRES=(.*)$/m.exec(lines('ARG').join('\n')) ?? [];
  assert.is(readCompose().services.postgres?.image, base);
  const deployed = readFileSync('deploy/kubernetes/base/postgres-deployment.yaml', 'utf8');
  assert.ok(deployed.includes(`image: ${base}\n`));
});

test('the node that runs this test needs no library that another image may lack: that of the image is built alike', async () => {
  if (process.platform !== 'linux') return console.log('SKIP the libraries of node: this is no Linux');
  const linked = await run('ldd', [process.execPath], { deadlineMs: patientMs(20_000) });
  if (linked.code !== 0) return console.log(`SKIP the libraries of node: ${linked.output}`);
  const names = [...linked.output.matchAll(/^\s*(\S+\.so[.\d]*) /gm)].map(([, name = '']) =>
    name.replace(/\.so.*/, ''),
  );
  assert.ok(names.length > 3, linked.output);
  const everywhere = /^(linux-vdso|libdl|libm|libpthread|libc|libstdc\+\+|libgcc_s|.*\/?ld-linux.*)$/;
  assert.equal(
    names.filter((name) => !everywhere.test(name)),
    [],
  );
});

for (const [name, { own, environment, command, health }, volumes] of [
  ['a node', image, ['/data']],
  ['the backup', backup, ['/data', '/backup']],
] as const) {
  const ofIt = (instruction: string) => valuesOf(own, instruction);

  test(`${name}: nothing runs, so that it is made for another processor without emulation`, () => {
    assert.equal(ofIt('RUN'), []);
    for (const copy of ofIt('COPY')) assert.match(copy, /^--from=(build|runtime) /);
    const code = CODE.map((part) => `--from=build /app/${part} ./${part === 'package.json' ? '' : part}`);
    for (const copy of code) assert.ok(ofIt('COPY').includes(copy), copy);
  });

  test(`${name}: it is not root, writes to its volumes and no other folder, and ends on SIGTERM`, () => {
    const user = '10001:10001';
    assert.equal(ofIt('USER'), [user]);
    assert.equal(
      ofIt('COPY').filter((copy) => copy.includes('--chown')),
      volumes.map((volume) => `--from=build --chown=${user} ${volume} ${volume}`),
    );
    const [declared = ''] = ofIt('VOLUME');
    assert.equal(declared.startsWith('[') ? JSON.parse(declared) : [declared], volumes);
    assert.equal(ofIt('STOPSIGNAL'), ['SIGTERM']);
  });

  test(`${name}: node asks for its health and is what starts; no shell and no npm stand between`, () => {
    assert.is(health[0], 'node');
    assert.match(health.join(' '), /\/livez/);
    assert.is(command[0], 'node');
    assert.is(command.at(-1), 'dist/deploy/main.js');
  });

  test(`${name}: its labels are of this version, and its environment is one that the product takes`, () => {
    const labels = pairsOf(ofIt('LABEL'));
    const { version, license } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      version: string;
      license: string;
    };
    assert.is(labels['org.opencontainers.image.version'], version);
    assert.is(labels['org.opencontainers.image.licenses'], license);
    const shared = { DATABASE_URL: 'postgres://db/holdfast', NATS_URL: 'nats://broker' };
    const config = readConfig({ ...environment, ...shared });
    assert.is(config.dataDir, '/data');
    assert.is(config.fetchServers, 'never');
    assert.equal([...config.roles], name === 'a node' ? ['edge', 'actors', 'feed'] : ['backup']);
    if (name !== 'a node') assert.is(config.backup.folder, '/backup');
    const open = name === 'a node' ? [config.port, config.inventoryPort] : [config.backup.port];
    assert.equal(ofIt('EXPOSE').join().split(' ').map(Number), open);
    assert.ok(health.join().includes(`|| ${open[0]}}`), health.join());
  });
}

test('a node starts as npm start starts it, and the backup without what a server of Postgres starts first', () => {
  const start = (JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: { start: string } }).scripts.start;
  assert.is(`exec ${image.command.join(' ')}`, start);
  assert.equal(valuesOf(backup.own, 'ENTRYPOINT'), ['[]']);
});

test('the builder gets what is copied, and nothing else', () => {
  const kept = readFileSync('.dockerignore', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1));
  const copied = lines('COPY')
    .filter((copy) => !copy.startsWith('--from'))
    .flatMap((copy) => copy.split(' ').slice(0, -1));
  assert.equal([...new Set(copied)].sort(), kept.sort());
  assert.match(readFileSync('.dockerignore', 'utf8'), /^\*$/m);
});

test('hadolint finds nothing', async () => {
  const linter = await hadolint();
  if (typeof linter !== 'string') {
    console.log(`SKIP hadolint: ${linter.missing}`);
    return;
  }
  const linted = await run(linter, ['--no-color', 'deploy/Dockerfile'], { deadlineMs: patientMs(20_000) });
  assert.is(linted.code, 0, linted.output);
  assert.is(linted.output, '');
});

test.run();
