// The image, checked without an engine: pinned, not root, nothing in it that is not copied on purpose, and its health is
// asked with what it has. hadolint says the rest.

import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readConfig } from '../../../deploy/config/config.js';
import { run } from '../../../deploy/servers/processes.js';
import { patientMs } from '../../deadlines.js';
import { pairsOf, readDockerfile } from '../../deployed/dockerfile.js';
import { hadolint } from '../../servers/fetched-tools.js';

const test = suite('the image');
const image = readDockerfile();
const lines = (name: string) => image.instructions.filter((each) => each.name === name).map(({ value }) => value);
const ofLast = (name: string) => image.last.filter((each) => each.name === name).map(({ value }) => value);

test('both stages have one base, pinned to a patch, that a digest may replace', () => {
  assert.match(lines('ARG')[0] ?? '', /^NODE=node:\d+\.\d+\.\d+-[a-z]+-slim$/);
  assert.is(lines('FROM').length, 2);
  for (const from of lines('FROM')) assert.match(from, /(^| )\$\{NODE\}( |$)/);
});

test('the last stage runs nothing, so that it is made for another processor without emulation', () => {
  assert.equal(ofLast('RUN'), []);
  for (const copy of ofLast('COPY')) assert.match(copy, /^--from=build /);
});

test('it is not root, writes to /data and no other folder of its own, and ends on SIGTERM', () => {
  assert.match(ofLast('USER')[0] ?? '', /^[1-9]\d{4,}:[1-9]\d{4,}$/);
  const owned = ofLast('COPY').filter((copy) => copy.includes('--chown'));
  assert.equal(owned, [`--from=build --chown=${ofLast('USER')[0]} /data /data`]);
  assert.equal(ofLast('VOLUME'), ['/data']);
  assert.equal(ofLast('STOPSIGNAL'), ['SIGTERM']);
});

test('node asks for its health and is what starts; no shell and no npm stand between', () => {
  assert.is(image.health[0], 'node');
  assert.match(image.health.join(' '), /\/livez/);
  assert.is(image.command[0], 'node');
  const start = (JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: { start: string } }).scripts.start;
  assert.is(`exec ${image.command.join(' ')}`, start);
});

test('its labels are of this version, and its environment is one that the product takes', () => {
  const labels = pairsOf(ofLast('LABEL'));
  const { version, license } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string; license: string };
  assert.is(labels['org.opencontainers.image.version'], version);
  assert.is(labels['org.opencontainers.image.licenses'], license);
  const config = readConfig(image.environment);
  assert.is(config.dataDir, '/data');
  assert.is(config.fetchServers, 'never');
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
