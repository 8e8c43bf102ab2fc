// The short tour of the README and the full tour of API.md, word for word, each against a fresh Holdfast. Every
// operation of the table occurs in a tour. REFRESH_TOUR=1 rewrites the outputs that have changed.

import { access, constants, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { freePort } from '../../deploy/servers/free-ports.js';
import { operations } from '../../http/api/operations/all.js';
import { pathsOf } from '../../http/api/routes.js';
import { until } from '../deadlines.js';
import { family } from './rig/process-family.js';
import { RealSystem } from './rig/real-system.js';
import { isTrue, onlyLooks, requestsIn, rewritten, type Step, stepsOf, Terminal } from './rig/tour.js';

const CHECKOUT = new URL('../../../', import.meta.url);
const KEYS = 'With keys';
const CLUSTER = 'A cluster in five lines';
const SEVERAL = 'Several nodes';
const COMMANDS = 'The command line';
const STEP_MS = 60_000;
const END_MS = 60_000;
const LAG_MS = 15_000;
const isRefresh = process.env.REFRESH_TOUR !== undefined;

const pageAt = (name: string) => readFile(new URL(name, CHECKOUT), 'utf8');

test('every operation of the table is in a tour', async () => {
  const toured = stepsOf(await pageAt('API.md')).flatMap(requestsIn);
  const missing = operations.filter((operation) => {
    const paths = pathsOf(operation).map(
      (path) => new RegExp(`^${operation.method} ${path.replace(/:\w+/g, '[^/]+')}$`),
    );
    return !toured.some((request) => paths.some((path) => path.test(request)));
  });
  assert.equal(
    missing.map(({ id }) => id),
    [],
  );
});

test('the tour of the README prints what the page shows', () =>
  walk('README.md', ({ section }) => section !== CLUSTER));
test('the tour of API.md prints what the page shows', () => walk('API.md', ({ section }) => section !== KEYS));
test('the command line prints what OPERATING shows', () => walk('OPERATING.md', ({ section }) => section === COMMANDS));
test('the command line is executable: npx links it once a folder and sets no mode later', () =>
  access(new URL('dist/deploy/cli.js', CHECKOUT), constants.X_OK));

test('the tour with keys prints what the page shows', () =>
  walk('API.md', ({ section }) => section === KEYS, { AUTH: 'keys' }));

test('the cluster of the README prints what the page shows', async () => {
  const system = await RealSystem.build({ SEED: 'demo' });
  if ('skipped' in system) return console.log(`SKIP ${system.skipped}`);
  const ports = [await freePort(), await freePort()];
  const terminal = open(system);
  const elsewhere = (script: string) =>
    script
      .replace(/\b300[23]\b/g, (port) => String(ports[Number(port) - 3002]))
      .replace(/(?<= |=)(\.data-|\w+\.log)/g, `${dirname(system.dataDir)}/$1`);
  try {
    await follow('README.md', ({ section }) => section === CLUSTER, system, terminal, elsewhere);
    await follow('OPERATING.md', ({ section }) => section === SEVERAL, system, terminal, elsewhere);
    for (const pid of (await terminal.run('jobs -p', STEP_MS)).split('\n').map(Number)) {
      for (const one of [pid, ...family(pid)]) system.watch(one);
    }
  } finally {
    const stop = (folder: string) => `DATA_DIR=${folder} npx --no-install holdfast stop`;
    await terminal.run(elsewhere(`${stop('.data-two')}; ${stop('.data-three')}; ${stop(system.dataDir)}`), END_MS);
    terminal.close();
    await system.demolish();
  }
});

async function walk(name: string, isHere: (step: Step) => boolean, env: Record<string, string> = {}): Promise<void> {
  const system = await RealSystem.build({ SEED: 'demo', ...env });
  if ('skipped' in system) return console.log(`SKIP ${system.skipped}`);
  const terminal = open(system);
  try {
    await system.start();
    await follow(name, isHere, system, terminal);
  } finally {
    terminal.close();
    await system.demolish();
  }
}

const open = ({ env }: RealSystem) => Terminal.open(fileURLToPath(CHECKOUT), { ...env, npm_config_loglevel: 'silent' });

/** @param elsewhere changes the ports and paths that the page shows. */
async function follow(
  name: string,
  isHere: (step: Step) => boolean,
  system: RealSystem,
  terminal: Terminal,
  elsewhere = (script: string) => script,
): Promise<void> {
  let page = await pageAt(name);
  const steps = stepsOf(page).filter(isHere);
  assert.ok(steps.length > 0, `${name} has ${steps.length} steps`);
  for (const step of steps) {
    const script = elsewhere(step.script)
      .replaceAll('http://127.0.0.1:3000', system.url)
      .replaceAll('http://127.0.0.1:3001', `http://127.0.0.1:${system.inventoryPort}`);
    let printed = '';
    const shows = async () => {
      printed = await terminal.run(script, STEP_MS);
      return isTrue(step.printed, printed) || !onlyLooks(step);
    };
    await until(shows, LAG_MS);
    if (isTrue(step.printed, printed)) continue;
    if (isRefresh) page = rewritten(page, step, printed);
    else assert.is(printed, step.printed, step.script);
  }
  if (isRefresh) await writeFile(new URL(name, CHECKOUT), page);
}

test.run();
