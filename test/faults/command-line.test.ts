// The command line against a real system: every example of its help, `--json` everywhere, and `place` while the system is away.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { allCommands } from '../../deploy/commands/all-commands.js';
import { type Command, isGroup } from '../../deploy/commands/command.js';
import { findPostgresTools } from '../../deploy/servers/postgres-tools.js';
import { run } from '../../deploy/servers/processes.js';
import { patientMs, until } from '../deadlines.js';
import { RealSystem } from './rig/real-system.js';

const test = suite('command line');
const CLI = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'deploy', 'cli.js');
const EXAMPLE_MS = 60_000;
const OUTCOME_MS = 30_000;
const ABREAST = 3;
const FIRST = 'ORD-4PE9TG5Y4ATA7R877CD86BWVCS';
const ADMIN_KEY = '4a1c8e5d7b2f9036a1c8e5d7b2f90364';

const built = await RealSystem.build({ SEED: 'demo' });
if ('skipped' in built) console.log(`SKIP command line: ${built.skipped}`);
const system = built as RealSystem;
const folder = await mkdtemp(join(tmpdir(), 'holdfast-command-line-'));

test.before(async () => {
  await mkdir(join(folder, 'bin'));
  await writeFile(join(folder, 'bin', 'holdfast'), `#!/bin/sh\nexec '${process.execPath}' '${CLI}' "$@"\n`, {
    mode: 0o755,
  });
  await system.start();
});
test.after(async () => {
  await system.demolish();
  await rm(folder, { recursive: true, force: true });
});

interface Ran {
  readonly code: number | undefined;
  readonly out: string;
  readonly said: string;
}

let typings = 0;

/** As a person types it, in a folder of its own. */
async function typed(line: string, changes: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const said = join(folder, `said-${++typings}`);
  const env = { ...system.env, HOME: folder, PATH: `${join(folder, 'bin')}${delimiter}${system.env.PATH}`, ...changes };
  const { code, output } = await run('bash', ['-c', `holdfast ${line} 2> '${said}'`], {
    ...{ deadlineMs: patientMs(EXAMPLE_MS), cwd: folder, env },
  });
  const { output: complaint } = await run('cat', [said], { deadlineMs: patientMs(EXAMPLE_MS) });
  return { code, out: output, said: complaint };
}

const leaves = allCommands.flatMap((one) => (isGroup(one) ? one.commands : [one]));
const examples = leaves.flatMap((command) => command.examples.map(({ line }) => line));

/** Examples that need what is not here end so. */
const WITHOUT: Readonly<Record<string, RegExp>> = {
  'feed status': /Kafka is not used/,
  'feed replay --from start --feed events': /Kafka is not used/,
  'archive --abandon /lost/orders --dry-run': /no archive is at/,
  'archive --abandon /lost/orders': /no archive is at/,
  migrate: /DATABASE_URL is not set: our own Postgres is migrated by each start/,
};
/** These end the system, run until they are ended, or are long: each has a test of its own, here or elsewhere. */
const APART = ['stop', 'offsite --dir archives', 'backup --to dumps/monday', 'restore --to dumps/monday'];

/** Each start is half a second of a processor: what does not wait for another runs beside it. */
async function abreast<T>(all: readonly T[], use: (one: T) => Promise<void>): Promise<void> {
  const left = [...all];
  const next = async (): Promise<void> => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) await use(one);
  };
  await Promise.all(Array.from({ length: ABREAST }, next));
}

async function runsAsSaid(line: string): Promise<void> {
  const { code, out, said } = await typed(line);
  const why = WITHOUT[line];
  assert.is(code, why === undefined ? 0 : 2, `${line}: ${out}${said}`);
  if (why !== undefined) assert.match(said, why);
  if (line.endsWith('--json')) for (const each of out.split('\n')) assert.ok(each === '' || JSON.parse(each), line);
}

/** One value, or one a line. */
async function hasJson(line: string): Promise<void> {
  const { code, out, said } = await typed(`${line} --json`);
  assert.is(code, 0, `${line}: ${said}`);
  const lines = out.split('\n').filter((each) => each !== '');
  if (!line.startsWith('watch')) assert.is(lines.length, 1, `${line}: ${out}`);
  for (const each of lines) assert.type(JSON.parse(each), 'object', line);
}

/** The first example that works here, of a command that has none with --json. */
function plainOf({ examples: all }: Command): string[] {
  if (all.some(({ line }) => line.endsWith('--json') || line.startsWith('completions'))) return [];
  return all
    .map(({ line }) => line)
    .filter((line) => !APART.includes(line) && WITHOUT[line] === undefined)
    .slice(0, 1);
}

test('every example of the help runs, and with --json standard output has JSON alone', async () => {
  assert.ok(examples.length > 25);
  await mkdir(join(folder, '.local/share/bash-completion/completions'), { recursive: true });
  for (const path of ['.zsh/completions', '.config/fish/completions'])
    await mkdir(join(folder, path), { recursive: true });
  // The others look at what `place` has made. The examples of one command need each other's order.
  const [placing = [], ...others] = [...allCommands]
    .sort((a, b) => Number(b.name === 'place') - Number(a.name === 'place'))
    .map((one) => (isGroup(one) ? one.commands : [one]));
  const runAll = async (commands: readonly Command[]) => {
    for (const { examples: all } of commands)
      for (const { line } of all) if (!APART.includes(line)) await runsAsSaid(line);
    for (const line of commands.flatMap(plainOf)) await hasJson(line);
  };
  await runAll(placing);
  await abreast(others, runAll);
  assert.is(
    (await run('test', ['-s', join(folder, '.config/fish/completions/holdfast.fish')], { deadlineMs: 5_000 })).code,
    0,
  );
});

test('an order is shown as it is, and its history', async () => {
  const order = JSON.parse((await typed(`order ${FIRST} --json`)).out) as { status: string; total_amount: number };
  assert.equal([order.status, order.total_amount], ['confirmed', 1149.97]);
  const { out } = await typed(`order ${FIRST}`);
  assert.match(out, new RegExp(`^${FIRST}  confirmed  paid  unfulfilled  1149\\.97 USD\\nuser ada, placed`));
  assert.match(out, /\nPROD-001 +2 +499\.99 +999\.98\n/);
  const history = JSON.parse((await typed(`order ${FIRST} --history --json`)).out) as { event: string }[];
  assert.equal(
    history.map(({ event }) => event),
    ['placed', 'held', 'paid', 'confirmed'],
  );
  const again = await typed('place --user ada --key first-order PROD-001=2 PROD-004 --json');
  assert.is((JSON.parse(again.out) as { order_id: string }).order_id, FIRST);
});

test('a refusal is exit 1: a sentence with its field, and with --json the answer', async () => {
  const many = await typed('place --user bob PROD-003=51');
  assert.is(many.code, 1);
  assert.match(
    many.said,
    /^holdfast place: Not enough in stock\. PROD-003: 51 asked, \d+ available\. It is kept as ORD-\w+\./,
  );
  assert.is(many.out, '');
  const zero = await typed('place --user bob PROD-003=0 --json');
  assert.is(zero.code, 1);
  assert.match(zero.said, /items\[0\]\.quantity must be a whole number/);
  assert.is((JSON.parse(zero.out) as { code: string }).code, 'invalid');
  const key = await typed('place --user ada --key first-order PROD-001=3');
  assert.match(key.said, /This Idempotency-Key was used for another order before.* \(field Idempotency-Key\)/);
  const none = await typed('order ORD-NONE');
  assert.equal([none.code, none.out], [1, '']);
  assert.match(none.said, /ORD-NONE/);
  assert.is((await typed('stock NONE')).code, 1);
});

test('what is not understood is exit 2, and names the nearest word', async () => {
  const wrongLines = [
    ['plac', /unknown command 'plac' \(Did you mean place\?\)\.\nSee: holdfast --help/],
    ['orders --lmit 3', /unknown option '--lmit' \(Did you mean --limit\?\)\.\nSee: holdfast orders --help/],
    ['place PROD-001', /--user says whose order it is/],
    ['place --user ada', /missing required argument/],
    ['orders --limit none', /--limit must be a whole number from 1 to 10000, not "none"/],
    ['gremlin enable --probability 2', /--probability must be a number from 0 to 1/],
  ] as const;
  await abreast(wrongLines, async ([line, why]) => {
    const { code, said } = await typed(line);
    assert.is(code, 2, line);
    assert.match(said, why, line);
  });
  const wrong = await typed('status', { HOLDFAST_URL: 'shop.example' });
  assert.is(wrong.code, 2);
  assert.match(wrong.said, /HOLDFAST_URL must be an address such as/);
});

test('at another address: HOLDFAST_URL alone decides, and the rest of the environment does not matter', async () => {
  const elsewhere = { HOLDFAST_URL: system.url, DATA_DIR: join(folder, 'none'), PORT: 'wrong', DATABASE_URL: 'wrong' };
  assert.is((await typed(`order ${FIRST}`, elsewhere)).code, 0);
  assert.match((await typed('nodes', elsewhere)).out, /16: 0-15/);
  const nowhere = { HOLDFAST_URL: 'http://127.0.0.1:1' };
  await abreast(['status', 'nodes', 'stock --timeout 1', 'watch --count 1'], async (line) => {
    const { code, said } = await typed(line, nowhere);
    assert.is(code, 3, `${line}: ${said}`);
    assert.match(said, /does not answer .* is http:\/\/127\.0\.0\.1:1 its address \(HOLDFAST_URL\)\?/, line);
  });
});

test('events --follow of another address go on after a restart, and nothing is left out', async () => {
  const following = spawn(process.execPath, [CLI, 'events', '--follow', '--type', 'order.placed', '--json'], {
    env: { ...system.env, HOLDFAST_URL: system.url },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  system.watch(following.pid);
  let [told, complaint] = ['', ''];
  following.stdout.on('data', (piece) => {
    told += piece;
  });
  following.stderr.on('data', (piece) => {
    complaint += piece;
  });
  const ordered = async () => {
    const { status, text } = await system.post('/api/orders', { user_id: 'fay', product_id: 'PROD-005', quantity: 1 });
    assert.is(status, 201, text);
    return (JSON.parse(text) as { data: { id: string } }).data.id;
  };
  const hasBegun = async () => {
    if (told === '') await ordered();
    return told !== '';
  };
  assert.ok(await until(hasBegun, OUTCOME_MS, 200), complaint);
  await system.end('SIGTERM');
  await system.start();
  const last = [await ordered(), await ordered()];
  assert.ok(await until(() => last.every((id) => told.includes(id)), OUTCOME_MS), `${told}${complaint}`);
  const seen = told
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { subject: string }).subject);
  assert.is(new Set(seen).size, seen.length, 'nothing came twice');
  const ended = once(following, 'exit');
  following.kill('SIGINT');
  assert.equal(await ended, [0, null]);
  const past = await typed('events --since 1h', { HOLDFAST_URL: system.url });
  assert.is(past.code, 2);
  assert.match(past.said, /say --follow, without --since/);
});

test('place waits while the system is away, and orders once: Ctrl-C tells the key, and the key finds the order', async () => {
  const { port } = system;
  await system.end('SIGTERM');
  const env = { ...system.env, PORT: String(port) };
  const placing = run(
    process.execPath,
    [CLI, 'place', '--user', 'late', '--key', 'late-1', 'PROD-005', '--timeout', '60', '--json'],
    {
      ...{ deadlineMs: patientMs(90_000), env },
    },
  );
  const given = system.begin('place', '--user', 'gone', 'PROD-005', '--timeout', '60');
  let said = '';
  given.stderr.on('data', (piece) => {
    said += piece;
  });
  assert.ok(await until(() => /does not answer .*: trying again, for 60 s at most/.test(said), OUTCOME_MS), said);
  const ended = once(given, 'exit');
  given.kill('SIGINT');
  assert.equal(await ended, [130, null]);
  assert.match(said, /Whether it was placed is not known\. The same command with --key [0-9a-f-]{36} finds out/);

  await system.start();
  const { code, output } = await placing;
  assert.is(code, 0, output);
  const line = output.split('\n').find((each) => each.startsWith('{')) ?? '';
  assert.is((JSON.parse(line) as { status: string }).status, 'confirmed');
  const again = await typed('place --user late --key late-1 PROD-005 --json');
  assert.is(
    (JSON.parse(again.out) as { order_id: string }).order_id,
    (JSON.parse(line) as { order_id: string }).order_id,
  );
  const isListed = async () => (JSON.parse((await typed('orders --user late --json')).out) as unknown[]).length === 1;
  assert.ok(await until(isListed, OUTCOME_MS, 200), 'one order');
});

test('watch on a terminal refreshes in place, ends with q, and leaves the terminal as it was', async () => {
  const probe = await run('script', ['-qec', 'exit 0', '/dev/null'], { deadlineMs: patientMs(EXAMPLE_MS) });
  if (probe.code !== 0) return console.log('SKIP no `script` here to make a terminal with');
  await typed('verify');
  for (const [how, expected] of [
    ['q', 0],
    ['\x03', 0],
  ] as const) {
    const line = `stty cols 100 rows 30; '${process.execPath}' '${CLI}' watch --every 1; stty -a`;
    const watching = spawn('script', ['-qec', line, '/dev/null'], {
      env: { ...system.env, TERM: 'xterm' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    system.watch(watching.pid);
    let screen = '';
    watching.stdout.on('data', (piece) => {
      screen += piece;
    });
    const hasRefreshed = () => screen.split('\x1b[H').length > 2;
    assert.ok(await until(hasRefreshed, OUTCOME_MS), screen);
    const ended = once(watching, 'exit');
    watching.stdin.write(how);
    assert.equal(await ended, [expected, null]);
    for (const shown of [
      /orders today +\d+: \d+ confirmed/,
      /stock at risk/,
      /16 partitions/,
      /postgres up/,
      /clean at 20/,
      /gremlin +off/,
    ])
      assert.match(stripVTControlCharacters(screen), shown);
    assert.ok(screen.startsWith('\x1b[?1049h\x1b[?25l') && screen.includes('\x1b[?25h\x1b[?1049l'));
    assert.match(
      screen.slice(screen.lastIndexOf('\x1b[?1049l')),
      /(?<!-)icanon[\s\S]*(?<!-)\becho\b/,
      'echo and lines are back',
    );
  }
});

test('watch in a pipe prints a line a look, without colours', async () => {
  const { out } = await typed('watch --count 2 --every 1');
  assert.is(out.split('\n').length, 2);
  for (const line of out.split('\n'))
    assert.match(
      line,
      /^\S+Z {2}ok {2}.*confirmed=\d+.* {2}\S+\/s p50=\S+ p99=\S+ {2}at_risk=\d+ nodes=1\/1 {2}verify=clean {2}gremlin=off$/,
    );
});

test('backup and restore as in their examples', async () => {
  const tools = await findPostgresTools(
    Number((await run('postgres', ['--version'], { deadlineMs: patientMs(5_000) })).output.match(/(\d+)/)?.[1] ?? 0),
  );
  if ('missing' in tools) return console.log(`SKIP backup and restore: ${tools.missing}`);
  const ending = system.begin('backup', '--to', join(folder, 'dumps', 'ended'));
  const ended = once(ending, 'exit');
  await once(ending.stderr, 'data');
  ending.kill('SIGINT');
  assert.equal(await ended, [130, null]);
  const dumped = await typed('backup --to dumps/monday --json');
  assert.is(dumped.code, 0, dumped.said);
  assert.ok((JSON.parse(dumped.out) as { orders: number }).orders >= 3);
  const restored = await typed('restore --to dumps/monday --json', { DATA_DIR: join(folder, 'restored') });
  assert.is(restored.code, 0, restored.said);
  assert.is((JSON.parse(restored.out) as { clean: boolean }).clean, true);
});

test('offsite listens until it is ended', async () => {
  const serving = system.begin('offsite', '--dir', join(folder, 'archives'), '--port', '0', '--json');
  const [first] = await once(serving.stdout, 'data');
  assert.match((JSON.parse(String(first)) as { url: string }).url, /^http:\/\/127\.0\.0\.1:\d+$/);
  const ended = once(serving, 'exit');
  serving.kill('SIGTERM');
  assert.equal(await ended, [0, null]);
});

test('a key opens what AUTH=keys closes, and no sentence has it', async () => {
  await system.end('SIGTERM');
  await system.start({ AUTH: 'keys', ADMIN_KEY });
  const closed = await typed('orders');
  assert.is(closed.code, 1);
  assert.match(closed.said, /Set HOLDFAST_KEY to a key: holdfast keys create makes one/);
  assert.is((await typed('orders', { HOLDFAST_KEY: ADMIN_KEY })).code, 0);
  assert.is((await typed('orders', { ADMIN_KEY })).code, 0);
  // ADMIN_KEY belongs to the node of this environment, and goes nowhere else.
  assert.is((await typed('orders', { ADMIN_KEY, HOLDFAST_URL: system.url })).code, 1);
  const { out, said } = await typed('watch --count 1', { HOLDFAST_KEY: ADMIN_KEY });
  assert.match(out, /nodes=1\/1/);
  assert.not.ok(`${out}${said}`.includes(ADMIN_KEY));
});

test('stop ends the system', async () => {
  const { code, out } = await typed('stop --json');
  assert.is(code, 0);
  assert.equal(JSON.parse(out), { ended: true });
  assert.is((await system.over()).code, 0);
  assert.is((await typed('status')).code, 3);
});

if (!('skipped' in built)) test.run();
else await rm(folder, { recursive: true, force: true });
