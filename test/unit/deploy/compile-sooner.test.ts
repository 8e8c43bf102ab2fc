/** The setting that makes V8 compile sooner, measured in calls, in separate processes. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const run = promisify(execFile);
const MODULE = new URL('../../../deploy/compile-sooner.js', import.meta.url).href;
const MOST_CALLS = 1_000_000;
const DEADLINE_MS = 30_000;
const test = suite('compiled sooner');

/** V8's own status of a function; one bit says that the best compiler has compiled it. */
const COUNT = `
const work = (n) => { let sum = 0; for (let i = 0; i < 10; i++) sum += n * i; return sum; };
const isCompiled = () => (%GetOptimizationStatus(work) & 64) !== 0;
let calls = 0;
while (!isCompiled() && calls < ${MOST_CALLS}) work(calls++);
console.log(calls);`;

async function callsUntilCompiled(before: string): Promise<number> {
  const flags = ['--allow-natives-syntax', '--no-concurrent-recompilation', '--input-type=module'];
  const options = { timeout: DEADLINE_MS, env: { ...process.env, NODE_OPTIONS: '' } };
  const { stdout, stderr } = await run(process.execPath, [...flags, '-e', before + COUNT], options);
  assert.is(stderr, '', 'V8 knows what it is told');
  return Number(stdout);
}

test('a function is compiled after fewer calls; a V8 without that setting is left unchanged', async () => {
  const usual = await callsUntilCompiled('');
  const sooner = await callsUntilCompiled(`import ${JSON.stringify(MODULE)};`);
  assert.ok(usual < MOST_CALLS && sooner > 0, `${usual} and ${sooner} calls`);
  if (Number.parseInt(process.versions.v8, 10) < 12) assert.ok(sooner * 3 < usual, `${sooner} of ${usual} calls`);
  else assert.ok(sooner * 3 >= usual, `${sooner} of ${usual} calls`);
});

test.run();
