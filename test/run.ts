// The test runner behind `npm test`: every dist/test/**/*.test.js in a process of its own.
//
// Law: a file passes only if it said so and ended by itself with 0 before its deadline; a file that says
// nothing has failed, and a run without a test has failed. What was skipped is said loudly, at the end.
// The last line is the count, plain, for whoever reads it by machine.
//
//   npm test                 everything, faults/ last and one at a time
//   npm test -- <filter>     files whose path contains the filter
//   TEST_CONCURRENCY (2), TEST_DEADLINE_S (300, per file), TEST_SLOWNESS (measured at the start)

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';

const HERE = dirname(fileURLToPath(import.meta.url));
const SOURCES = join(HERE, '..', '..', 'test');
/** The quick ones first; what is not named here comes between. */
const ORDER = ['unit', 'contract', 'simulation', 'browser', 'faults'];
const NOT_TESTS = ['bench'];
const ALONE = 'faults';
const MAX_OUTPUT = 512 * 1024;
const KILL_AFTER_MS = 5000;

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly skips: readonly string[];
}

const running = new Set<ChildProcess>();

async function findTests(filters: readonly string[]): Promise<string[]> {
  const names = await readdir(HERE, { recursive: true });
  return names
    .filter((name) => name.endsWith('.test.js') && !NOT_TESTS.includes(kindOf(name)))
    .filter(
      (name) =>
        filters.length === 0 ||
        filters.some((filter) => name.includes(filter.replace(/\.ts$/, '.js').replace(/^test\//, ''))),
    )
    .filter(hasSource)
    .sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}

const kindOf = (name: string) => name.split(sep)[0] ?? '';
const rank = (name: string) => (ORDER.includes(kindOf(name)) ? ORDER.indexOf(kindOf(name)) : ORDER.length - 1.5);
/** What a renamed test left in dist/ is none. */
const hasSource = (name: string) => !existsSync(SOURCES) || existsSync(join(SOURCES, name.replace(/\.js$/, '.ts')));

function runFile(name: string, deadlineMs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const since = performance.now();
    const child = spawn(process.execPath, ['--enable-source-maps', join(HERE, name)], {
      detached: true, // a group of its own, so that its deadline ends whatever it started
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1' },
    });
    running.add(child);
    let output = '';
    let late = false;
    const hear = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-MAX_OUTPUT);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    const timer = setTimeout(() => {
      late = true;
      endGroup(child, 'SIGTERM');
      setTimeout(() => endGroup(child, 'SIGKILL'), KILL_AFTER_MS).unref();
    }, deadlineMs);
    // 'exit' and then a moment for the rest of the output: a grandchild may hold the pipe for ever.
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      const finish = () => {
        running.delete(child);
        endGroup(child, 'SIGKILL');
        child.stdout.destroy();
        child.stderr.destroy();
        const ending = late
          ? `no end within ${deadlineMs / 1000} s`
          : (signal ?? (code === 0 ? undefined : `exit ${code}`));
        resolve(report(name, stripVTControlCharacters(output), ending, performance.now() - since));
      };
      const rest = setTimeout(finish, 1000);
      child.once('close', () => {
        clearTimeout(rest);
        finish();
      });
    });
  });
}

function endGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // nobody left in it
  }
}

/** Says how one file went, at once; its output only if it failed. */
function report(name: string, output: string, ending: string | undefined, tookMs: number): Outcome {
  const sum = (word: string) =>
    [...output.matchAll(new RegExp(`^\\s*${word}:\\s+(\\d+)`, 'gm'))].reduce((all, found) => all + Number(found[1]), 0);
  const [total, ended, skipped] = [sum('Total'), sum('Passed'), sum('Skipped')];
  const skips = [...output.matchAll(/(?:^|\s)SKIP (.+)$/gm)].map((found) => `${name}: ${found[1]}`);
  // A test that says SKIP and returns proves nothing: it is not counted as passed.
  const unproved = Math.min(ended, skips.length);
  const passed = ended - unproved;
  // uvu's total leaves skipped tests out. A file that ended badly, or said nothing, is a failure by itself.
  const silent = total === 0 && skipped === 0 && skips.length === 0;
  const failed = Math.max(total - ended, ending !== undefined || silent ? 1 : 0);
  const tally = [
    `${passed} passed`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
  ];
  console.log(`${failed > 0 ? 'FAIL' : 'ok  '}  ${name}  ${tally.join(', ')}  ${(tookMs / 1000).toFixed(1)} s`);
  if (failed > 0) {
    console.log(
      `${output.trimEnd().replace(/^/gm, '      | ')}\n      ${ending ?? (total === 0 ? 'it ran no test' : '')}`,
    );
    console.log(`      again: npm test -- ${name.replace(/\.js$/, '')}`);
  }
  return { passed, failed, skipped: skipped + unproved, skips };
}

async function runAll(names: readonly string[], lanes: number, deadlineMs: number): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const waiting = [...names];
  const lane = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift())
      outcomes.push(await runFile(name, deadlineMs));
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return outcomes;
}

function numberFrom(name: string, fallback: number): number {
  const value = Number(process.env[name] ?? fallback);
  if (Number.isFinite(value) && value >= 1) return value;
  console.error(`${name} is "${process.env[name]}"; it must be a number from 1 on.`);
  return process.exit(78);
}

/** What CALIBRATION takes on a machine like those of BENCHMARKS.md, at rest. */
const AT_REST_MS = 220;
const CALIBRATION =
  'let x = 0; for (let i = 0; i < 3e7; i++) x = (x * 31 + i) | 0; process.exitCode = x === 1 ? 1 : 0;';

/** How many times longer than at rest a process takes here, from its start to its end. */
async function slowness(): Promise<number> {
  const since = performance.now();
  await new Promise((resolve) =>
    spawn(process.execPath, ['-e', CALIBRATION], { stdio: 'ignore' }).once('exit', resolve),
  );
  return Math.max(1, (performance.now() - since) / AT_REST_MS);
}

async function main(): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      for (const child of running) endGroup(child, 'SIGKILL');
      console.log(`stopped by ${signal}`);
      process.exit(1);
    });
  }
  const lanes = Math.floor(numberFrom('TEST_CONCURRENCY', 2));
  const slow = numberFrom('TEST_SLOWNESS', await slowness());
  process.env.TEST_SLOWNESS = slow.toFixed(2); // The files inherit it (deadlines.ts).
  const deadlineMs = numberFrom('TEST_DEADLINE_S', Math.round(300 * slow)) * 1000;
  const names = await findTests(process.argv.slice(2));
  const together = names.filter((name) => kindOf(name) !== ALONE);
  const alone = names.filter((name) => kindOf(name) === ALONE);
  console.log(
    `${names.length} test files, ${lanes} at once, the ${alone.length} of faults/ alone. The whole takes about ten minutes on two cores at rest.
Some start servers of their own on free ports: Postgres, NATS (fetched once), Redis. All are stopped at the end.
This machine is ${slow.toFixed(1)} times slower than one at rest: deadlines grow by as much.\n`,
  );
  const outcomes = [...(await runAll(together, lanes, deadlineMs)), ...(await runAll(alone, 1, deadlineMs))];

  const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((all, outcome) => all + of(outcome), 0);
  const [passed, failed, skipped] = [sum((o) => o.passed), sum((o) => o.failed), sum((o) => o.skipped)];
  for (const skip of outcomes.flatMap((outcome) => outcome.skips)) console.log(`\n!!!! SKIPPED  ${skip}`);
  if (names.length === 0)
    console.log(`No test found in ${relative(process.cwd(), HERE)} for: ${process.argv.slice(2).join(' ')}`);
  console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}

await main();
