// The README's short tour and the whole one of API.md, word for word, each against a fresh Holdfast; and every
// operation of the table has its place in the tour. REFRESH_TOUR=1 writes what is not true any more into the pages.

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

test('every operation of the table is in the tour', async () => {
  const asked = stepsOf(await pageAt('API.md')).flatMap(requestsIn);
  const missing = operations.filter((operation) => {
    const paths = pathsOf(operation).map(
      (path) => new RegExp(`^${operation.method} ${path.replace(/:\w+/g, '[^/]+')}$`),
    );
    return !asked.some((request) => paths.some((path) => path.test(request)));
  });
  assert.equal(
    missing.map(({ id }) => id),
    [],
  );
});

test('the tour of the README is what a user sees', () => walk('README.md', () => true));
test('so is that of the whole API', () => walk('API.md', ({ section }) => section !== KEYS));
test('the command line can be executed: npx links it once a folder, and asks no more', () =>
  access(new URL('dist/deploy/cli.js', CHECKOUT), constants.X_OK));

test('and that with keys', () => walk('API.md', ({ section }) => section === KEYS, { AUTH: 'keys' }));

async function walk(name: string, isHere: (step: Step) => boolean, env: Record<string, string> = {}): Promise<void> {
  let page = await pageAt(name);
  const steps = stepsOf(page).filter(isHere);
  assert.ok(steps.length >= 5, `${name} has ${steps.length} steps`);
  const house = await RealSystem.build({ SEED: 'demo', ...env });
  if ('skipped' in house) return console.log(`SKIP ${house.skipped}`);
  const terminal = Terminal.open(fileURLToPath(CHECKOUT), { ...house.env, npm_config_loglevel: 'silent' });
  try {
    await house.start();
    for (const step of steps) {
      const script = step.script
        .replaceAll('http://127.0.0.1:3000', house.url)
        .replaceAll('http://127.0.0.1:3001', `http://127.0.0.1:${house.inventoryPort}`);
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
    await house.demolish();
  }
}

test.run();
