// The short tour of the README and the full tour of API.md, word for word, each against a fresh Holdfast. Every
// operation of the table occurs in a tour. REFRESH_TOUR=1 rewrites the outputs that have changed.

import { access, constants, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { operations } from '../../http/api/operations/all.js';
import { pathsOf } from '../../http/api/routes.js';
import { until } from '../deadlines.js';
import { RealSystem } from './rig/real-system.js';
import { isTrue, onlyLooks, requestsIn, rewritten, type Step, stepsOf, Terminal } from './rig/tour.js';

const CHECKOUT = new URL('../../../', import.meta.url);
const KEYS = 'With keys';
const STEP_MS = 30_000;
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

test('the tour of the README prints what the page shows', () => walk('README.md', () => true));
test('the tour of API.md prints what the page shows', () => walk('API.md', ({ section }) => section !== KEYS));
test('the command line is executable: npx links it once a folder and sets no mode later', () =>
  access(new URL('dist/deploy/cli.js', CHECKOUT), constants.X_OK));

test('the tour with keys prints what the page shows', () =>
  walk('API.md', ({ section }) => section === KEYS, { AUTH: 'keys' }));

async function walk(name: string, isHere: (step: Step) => boolean, env: Record<string, string> = {}): Promise<void> {
  let page = await pageAt(name);
  const steps = stepsOf(page).filter(isHere);
  assert.ok(steps.length >= 5, `${name} has ${steps.length} steps`);
  const system = await RealSystem.build({ SEED: 'demo', ...env });
  if ('skipped' in system) return console.log(`SKIP ${system.skipped}`);
  const terminal = Terminal.open(fileURLToPath(CHECKOUT), { ...system.env, npm_config_loglevel: 'silent' });
  try {
    await system.start();
    for (const step of steps) {
      const script = step.script
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
  } finally {
    terminal.close();
    await system.demolish();
  }
}

test.run();
