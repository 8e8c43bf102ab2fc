// The test runner behind `npm test`: every dist/test/**/*.test.js in a process of its own.
//
// Law: a file passes only if it reports its tests and exits by itself with 0 before its deadline. A file that
// reports no test has failed, and so has a run without a test. Skipped tests are listed at the end.
// The last line is the plain count, for a program that reads the output.
//
//   npm test                 everything; what is about seconds comes last, two at a time, then what fills the machine
//   npm test -- <filter>     files whose path contains the filter
//   TEST_CONCURRENCY (3: most files wait more than they compute), TEST_DEADLINE_S (600, per file), TEST_SLOWNESS (measured at the start)

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';

const HERE = dirname(fileURLToPath(import.meta.url));
const SOURCES = join(HERE, '..', '..', 'test');
/** The folder of seconds first, then those of minutes, so that no lane is idle at the end. Another one comes before the last. */
const ORDER = ['unit', 'simulation', 'browser', 'faults', 'contract'];
const NOT_TESTS = ['bench'];
/** Files in which a process must do something within seconds: two at a time leave each of them a core. */
const TIMED = /^faults\W(brokers|child-killed|cluster|freeze|kill|leaving|nodes|soak|starts|stop|take-over)\./;
/** Files that load the machine themselves while they measure: nothing else runs beside them. */
const ALONE = /^faults\W(burst|deployed|load)\./;
const MAX_OUTPUT = 512 * 1024;
const KILL_AFTER_MS = 5000;

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly skips: readonly string[];
  /** The title and the first words of each failure, with the file's name. */
  readonly failures: readonly string[];
}

const running = new Set<ChildProcess>();

async function findTests(filters: readonly string[]): Promise<string[]> {
  const names = (await readdir(HERE, { recursive: true }))
    .filter((name) => name.endsWith('.test.js') && !NOT_TESTS.includes(kindOf(name)))
    .filter(
      (name) =>
        filters.length === 0 ||
        filters.some((filter) => name.includes(filter.replace(/\.ts$/, '.js').replace(/^test\//, ''))),
    )
    .filter(hasSource);
  // Within a folder a larger file takes longer, as a rule.
  const sizes = new Map(
    await Promise.all(names.map(async (name) => [name, (await stat(join(HERE, name))).size] as const)),
  );
  const sizeOf = (name: string) => sizes.get(name) ?? 0;
  return names.sort((a, b) => rank(a) - rank(b) || sizeOf(b) - sizeOf(a) || a.localeCompare(b));
}

const kindOf = (name: string) => name.split(sep)[0] ?? '';
const rank = (name: string) => (ORDER.includes(kindOf(name)) ? ORDER.indexOf(kindOf(name)) : ORDER.length - 1.5);
/** A file in dist/ without a source is left from a renamed test. */
const hasSource = (name: string) => !existsSync(SOURCES) || existsSync(join(SOURCES, name.replace(/\.js$/, '.ts')));

/** The servers that a test file starts, found by the names that it uses. */
const SERVERS: Readonly<Record<string, RegExp>> = {
  Postgres: /\b(RealSystem|testDatabase|realPostgres|findPostgres)\b/,
  NATS: /\b(RealSystem|RealCluster|realNats|natsBinary)\b/,
  Redis: /\brealRedis\b/,
  Kafka: /\b(KafkaRig|realKafka)\b/,
  Prometheus: /\bRealPrometheus\b/,
  Chromium: /\bRealChromium\b/,
};

async function serversOf(names: readonly string[]): Promise<string[]> {
  const texts = await Promise.all(names.map((name) => readFile(join(HERE, name), 'utf8')));
  return Object.keys(SERVERS).filter((server) => texts.some((text) => SERVERS[server]?.test(text)));
}

function runFile(name: string, deadlineMs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const since = performance.now();
    const child = spawn(process.execPath, ['--enable-source-maps', join(HERE, name)], {
      detached: true, // A process group of its own, so that the deadline ends its children too.
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1' },
    });
    running.add(child);
    let output = '';
    let late = false;
    const keepEnd = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-MAX_OUTPUT);
    };
    child.stdout.on('data', keepEnd);
    child.stderr.on('data', keepEnd);
    const timer = setTimeout(() => {
      late = true;
      endGroup(child, 'SIGTERM');
      setTimeout(() => endGroup(child, 'SIGKILL'), KILL_AFTER_MS).unref();
    }, deadlineMs);
    // Waits for 'exit', then 1 s for the rest of the output: a grandchild may hold the pipe for ever.
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      const took = `${seconds(performance.now() - since)} s${ofCpu(cpuSinceLastEnd())}`;
      const finish = () => {
        running.delete(child);
        endGroup(child, 'SIGKILL');
        child.stdout.destroy();
        child.stderr.destroy();
        const ending = late
          ? `no end within ${deadlineMs / 1000} s`
          : (signal ?? (code === 0 ? undefined : `exit ${code}`));
        resolve(report(name, stripVTControlCharacters(output), ending, took));
      };
      const rest = setTimeout(finish, 1000);
      child.once('close', () => {
        clearTimeout(rest);
        finish();
      });
    });
  });
}

/** The CPU seconds of all children that have ended, with theirs; undefined where the system does not tell (/proc). */
function cpuOfEnded(): number | undefined {
  if (!existsSync('/proc/self/stat')) return undefined;
  const fields = readFileSync('/proc/self/stat', 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[13]) + Number(fields[14])) / 100; // cutime and cstime, in hundredths
}

let cpuAtLastEnd = cpuOfEnded();

/** Asked at the end of each file, it is what that file took. */
function cpuSinceLastEnd(): number | undefined {
  const [before, now] = [cpuAtLastEnd, cpuOfEnded()];
  cpuAtLastEnd = now;
  return before === undefined || now === undefined ? undefined : now - before;
}

const seconds = (ms: number) => (ms / 1000).toFixed(1);
const ofCpu = (cpu: number | undefined) => (cpu === undefined ? '' : `, ${cpu.toFixed(1)} s of CPU`);

function endGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // no process is left in the group
  }
}

/** Prints the result of one file at once, and its output only if it failed. */
function report(name: string, output: string, ending: string | undefined, took: string): Outcome {
  const sum = (word: string) =>
    [...output.matchAll(new RegExp(`^\\s*${word}:\\s+(\\d+)`, 'gm'))].reduce((all, found) => all + Number(found[1]), 0);
  const [total, ended, skipped] = [sum('Total'), sum('Passed'), sum('Skipped')];
  const skips = [...output.matchAll(/(?:^|\s)SKIP (.+)$/gm)].map((found) => `${name}: ${found[1]}`);
  // A test that prints SKIP and returns has checked nothing: it does not count as passed.
  const unproved = Math.min(ended, skips.length);
  const passed = ended - unproved;
  // uvu's total leaves skipped tests out. A file that ended badly, or reported nothing, is one failure.
  const silent = total === 0 && skipped === 0 && skips.length === 0;
  const failed = Math.max(total - ended, ending !== undefined || silent ? 1 : 0);
  const tally = [
    `${passed} passed`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
  ];
  console.log(`${failed > 0 ? 'FAIL' : 'ok  '}  ${name}  ${tally.join(', ')}  ${took}`);
  if (failed > 0) {
    console.log(
      `${output.trimEnd().replace(/^/gm, '      | ')}\n      ${ending ?? (total === 0 ? 'it ran no test' : '')}`,
    );
    console.log(`      again: npm test -- ${name.replace(/\.js$/, '')}`);
  }
  const failures = failed > 0 ? failuresIn(output, ending ?? 'it ran no test').map((words) => `${name}: ${words}`) : [];
  return { passed, failed, skipped: skipped + unproved, skips, failures };
}

/** A long output is often cut in its middle: what failed is told again at the end of the run. */
function failuresIn(output: string, ending: string): string[] {
  const found = [...output.matchAll(/^\s*FAIL {2}(.+)\n((?:.*\n?){0,6})/gm)];
  if (found.length === 0) return [ending];
  return found.map(([, title, rest = '']) => {
    const lines = rest.split('\n').map((line) => line.trim());
    return [title, ...lines.filter((line) => line !== '' && !line.startsWith('at '))].join(' | ').slice(0, 600);
  });
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

/** The time of CALIBRATION on an idle machine like those of BENCHMARKS.md. */
const AT_REST_MS = 220;
const CALIBRATION =
  'let x = 0; for (let i = 0; i < 3e7; i++) x = (x * 31 + i) | 0; process.exitCode = x === 1 ? 1 : 0;';

/** How many times longer than on an idle machine a process takes here, from start to end. */
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
  const lanes = Math.floor(numberFrom('TEST_CONCURRENCY', 3));
  const slow = numberFrom('TEST_SLOWNESS', await slowness());
  process.env.TEST_SLOWNESS = slow.toFixed(2); // The tests' processes inherit it (deadlines.ts).
  const deadlineMs = numberFrom('TEST_DEADLINE_S', Math.round(600 * slow)) * 1000;
  const filters = process.argv.slice(2);
  const names = await findTests(filters);
  const alone = names.filter((name) => ALONE.test(name));
  const timed = names.filter((name) => TIMED.test(name));
  const together = names.filter((name) => !alone.includes(name) && !timed.includes(name));
  const timedLanes = Math.min(lanes, 2);
  const servers = await serversOf(names);
  const lines = [
    `${names.length} test files: ${together.length} run ${lanes} at a time, then ${timed.length} run ${timedLanes} at a time, then ${alone.length} one by one.`,
    ...(filters.length === 0 ? ['The whole run takes about 25 minutes on two cores.'] : []),
    ...(servers.length > 0
      ? [`They start ${servers.join(', ')} on free ports, and stop them at the end. A missing server is fetched once.`]
      : []),
    ...(slow > 1
      ? [`This machine is ${slow.toFixed(1)} times slower than an idle one: deadlines grow by as much.`]
      : []),
  ];
  console.log(`${lines.join('\n')}\n`);
  const since = performance.now();
  const outcomes: Outcome[] = [];
  for (const [group, width] of [
    [together, lanes],
    [timed, timedLanes],
    [alone, 1],
  ] as const)
    outcomes.push(...(await runAll(group, width, deadlineMs)));

  const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((all, outcome) => all + of(outcome), 0);
  const [passed, failed, skipped] = [sum((o) => o.passed), sum((o) => o.failed), sum((o) => o.skipped)];
  for (const skip of outcomes.flatMap((outcome) => outcome.skips)) console.log(`\n!!!! SKIPPED  ${skip}`);
  for (const failure of outcomes.flatMap((outcome) => outcome.failures)) console.log(`\n!!!! FAILED  ${failure}`);
  if (names.length === 0) console.log(`No test found in ${relative(process.cwd(), HERE)} for: ${filters.join(' ')}`);
  console.log(`\n${seconds(performance.now() - since)} s${ofCpu(cpuOfEnded())}`);
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}

await main();
