// Our own Postgres: its files, its settings, its start and stop. It runs only under the lock of DATA_DIR.
//
// Law: the files are created whole (beside their place, then renamed) or not at all. It listens on 127.0.0.1 alone,
// and each role has a random password. The node's may do what a node does, the owner's only migrates, that of dumps reads
// (deploy/security/postgres-roles.sql). The superuser only makes these roles, at every start. A commit is an fsync. As root,
// Postgres runs as another user. No major version opens the files of another.

import { randomBytes } from 'node:crypto';
import { chown, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { type Child, endOrphan, type Log, startChild } from './children.js';
import { freePort } from './free-ports.js';
import { newPassword, readWhole, recall, remember, syncFolder } from './kept-files.js';
import { findPostgres, type PostgresBinaries } from './postgres-binary.js';
import { dataIn, majorOf, memoryOf, openHome, type PostgresMemory } from './postgres-home.js';
import { lastLine, markOf, run, type ServerUser, type StopStep } from './processes.js';
import { securityFile } from './security-files.js';
import { unprivilegedUser } from './server-user.js';

const INIT_WITHIN_MS = 120_000;
/** A killed initdb leaves shared memory in /dev/shm. So one that is called off may end, within the stop's four seconds for a start. */
const CALLED_OFF_INIT_MS = 3_000;
/** A replay of up to 4 GB of WAL takes long. */
const READY_WITHIN_MS = 120_000;
const ROLES_WITHIN_MS = 20_000;
const START_TRIES = 3;
/** Fast shutdown, then immediate. Both fit into the ten seconds of our own stop. */
export const POSTGRES_STOP: readonly StopStep[] = [
  { signal: 'SIGINT', waitMs: 2000 },
  { signal: 'SIGQUIT', waitMs: 500 },
];
/** A pid that no system gives. Postgres finds no such process, and goes on to check the shared memory. */
const NOBODYS_PID = 2 ** 30;

const MEBIBYTE = 2 ** 20;

/** The memory of the machine, or the limit of the container. */
const memoryBytes = (): number => Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);

/** An eighth of the memory, within bounds. Searches read many pages, and a page outside the buffers costs a system call. */
export const sharedBuffersMb = (memory: number): number =>
  Math.min(1_024, Math.max(128, Math.floor(memory / 8 / MEBIBYTE)));

/**
 * Shared memory that grows is in files under the data folder. In /dev/shm, what a killed Postgres leaves stays until a reboot.
 * A file that is touched is written to the disk again every few seconds, so up to this size it is in memory alone.
 */
const IN_DATA_FOLDER = { dynamic_shared_memory_type: 'mmap', min_dynamic_shared_memory: '32MB' } as const;

const SETTINGS = {
  ...IN_DATA_FOLDER,
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100',
  shared_buffers: `${sharedBuffersMb(memoryBytes())}MB`,
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  wal_buffers: '16MB',
  max_wal_size: '4GB',
  checkpoint_timeout: '15min',
  random_page_cost: '1.1',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  logging_collector: 'off',
} as const;

/** The roles of postgres-roles.sql, and the superuser. */
export const POSTGRES_ACCOUNTS = ['node', 'owner', 'backup', 'reader', 'superuser'] as const;
export type PostgresAccount = (typeof POSTGRES_ACCOUNTS)[number];

interface PostgresServer {
  /** The node's. */
  readonly url: string;
  /** The owner's. */
  readonly migrationsUrl: string;
  /** "postgres 15.18 from PATH". */
  readonly what: string;
  /** The folder of its files, which is not always in DATA_DIR. */
  readonly files: string;
  /** Call it once the node runs. */
  readonly keep: () => Promise<void>;
  stop(): Promise<void>;
}

/** A folder that no start of this version has opened yet has the superuser alone. */
function postgresUrl({ password, passwords, port }: PostgresMemory, account: PostgresAccount): string {
  const own = passwords?.[account];
  const access = own === undefined ? `holdfast:${password}` : `holdfast_${account}:${own}`;
  return `postgres://${access}@127.0.0.1:${port}/holdfast`;
}

/** The URL of this folder's own Postgres, running or not; undefined before its first start. */
export async function rememberedPostgresUrl(
  dataDir: string,
  account: PostgresAccount = 'node',
): Promise<string | undefined> {
  const memory = await recall<PostgresMemory>(memoryOf(dataDir));
  return memory?.port === undefined ? undefined : postgresUrl(memory, account);
}

export async function startPostgres(dataDir: string, log: Log, signal?: AbortSignal): Promise<PostgresServer> {
  await endOrphan(dataDir, 'postgres', POSTGRES_STOP, log);
  const user = unprivilegedUser();
  const { memory: known, keep } = await openHome(dataDir, user, log);
  const memory = { ...known, passwords: withPasswords(known) };
  const data = dataIn(memory.home);
  const major = await majorOf(data);
  const found = await findPostgres(memory.home, user, major);
  if ('missing' in found) throw new Error(howToGet(data, major, found.missing));
  const { binaries } = found;
  if (major === undefined) await initialise(binaries, memory, user, log, signal);
  await forgetForeignPid(data);
  const settings = { ...SETTINGS, wal_compression: await compression(binaries, data, user) };

  let port = await freePort(memory.port);
  for (let tries = 1; ; tries++) {
    // Remembered before the start: a command that runs beside this process must find the port.
    await remember(memoryOf(dataDir), { ...memory, port });
    try {
      const child = await startChild(dataDir, { ...spec(binaries, data, port, settings, user), signal }, log);
      await makeRoles({ ...memory, port }).catch(async (error: unknown) => {
        await child.stop();
        throw error;
      });
      return { ...server(child, binaries, { ...memory, port }), keep };
    } catch (error) {
      const taken = port !== (await freePort(port));
      if (!taken || tries >= START_TRIES) throw error;
      port = await freePort();
    }
  }
}

function server(child: Child, binaries: PostgresBinaries, memory: PostgresMemory): Omit<PostgresServer, 'keep'> {
  return {
    url: postgresUrl(memory, 'node'),
    migrationsUrl: postgresUrl(memory, 'owner'),
    what: `postgres ${binaries.version} ${binaries.origin}`,
    files: dataIn(memory.home),
    stop: () => child.stop(),
  };
}

const ROLES = POSTGRES_ACCOUNTS.filter((account) => account !== 'superuser');

/** Those that are known stay, and each role has one. */
const withPasswords = ({ passwords }: PostgresMemory) =>
  Object.fromEntries(ROLES.map((account) => [account, passwords?.[account] ?? newPassword()]));

/** The roles with their passwords, also in a database of an older version. No node runs on it yet. */
async function makeRoles(memory: PostgresMemory & { readonly passwords: Readonly<Record<string, string>> }) {
  const client = connectPostgres(postgresUrl(memory, 'superuser'), { max: 1, statementMs: ROLES_WITHIN_MS });
  // They have letters and digits only (kept-files.ts), and a password is no parameter in Postgres.
  const alter = ROLES.map((account) => `alter role holdfast_${account} password '${memory.passwords[account]}'`);
  try {
    await client.query('make the roles', [await securityFile('postgres-roles.sql'), ...alter].join(';\n'));
  } finally {
    await client.end();
  }
}

const asArguments = (settings: object): string[] =>
  Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);

function spec(binaries: PostgresBinaries, data: string, port: number, settings: object, user: ServerUser | undefined) {
  return {
    name: 'postgres',
    command: join(binaries.folder, 'postgres'),
    args: ['-D', data, ...asArguments({ ...settings, port })],
    cwd: data,
    user,
    env: cleanEnv(),
    ready: (pid: number) => isReady(data, pid),
    readyWithinMs: READY_WITHIN_MS,
    stopSteps: POSTGRES_STOP,
  };
}

/** Our own environment is not passed on: PGDATA, PGPORT and LC_* would change what Postgres does. */
function cleanEnv(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC', HOME: '/' };
}

/** Postgres itself writes its state into line 8, under the pid of line 1; a stale file has another pid. */
async function isReady(data: string, pid: number): Promise<boolean> {
  const lines = ((await readWhole(join(data, 'postmaster.pid'))) ?? '').split('\n');
  return Number(lines[0]) === pid && lines[7]?.trim() === 'ready';
}

function howToGet(data: string, major: number | undefined, missing: string): string {
  const wanted =
    major === undefined
      ? 'No Postgres was found'
      : `The files in ${data} belong to Postgres ${major}, which was not found`;
  const which = major === undefined ? 'Postgres' : `Postgres ${major}`;
  return `${wanted} (${missing}): put postgres and initdb of ${which} on PATH (on Debian: apt-get install postgresql), run "npm ci" again, or set DATABASE_URL.`;
}

/** Makes the files and the database beside their place, then renames. An interruption leaves no half database. */
async function initialise(
  binaries: PostgresBinaries,
  memory: PostgresMemory,
  user: ServerUser | undefined,
  log: Log,
  signal: AbortSignal | undefined,
) {
  const { home, password } = memory;
  log(`postgres: making the database files in ${home}`);
  for (const left of (await readdir(home)).filter((name) => name.startsWith('data.'))) {
    await rm(join(home, left), { recursive: true, force: true, maxRetries: 5 });
  }
  const area = join(home, `data.${randomBytes(4).toString('hex')}.new`);
  const data = join(area, 'data');
  await mkdir(area, { mode: 0o700 });
  const secret = join(area, 'password');
  await writeFile(secret, `${password}\n`, { mode: 0o600 });
  if (user !== undefined) for (const path of [area, secret]) await chown(path, user.uid, user.gid);
  const as = { deadlineMs: INIT_WITHIN_MS, user, cwd: area, env: cleanEnv(), signal, endsWithinMs: CALLED_OFF_INIT_MS };
  const args = ['-D', data, '-U', 'holdfast', '-E', 'UTF8', '-A', 'scram-sha-256', `--pwfile=${secret}`, '--locale=C'];
  const initdb = (more: readonly string[]) => run(join(binaries.folder, 'initdb'), [...args, ...more], as);
  // With this ctype Postgres knows the upper and lower case of all languages. Not every system has it.
  let made = await initdb(['--lc-ctype=C.UTF-8']);
  if (made.code !== 0 && !signal?.aborted) made = await initdb([]);
  if (made.code !== 0)
    throw new Error(`initdb of postgres ${binaries.version} failed in ${home}: ${lastLine(made.output)}`);
  if (signal?.aborted) throw new Error('postgres: the start was called off.');
  const single = ['--single', '-D', data, ...asArguments(IN_DATA_FOLDER), 'postgres'];
  const created = await run(join(binaries.folder, 'postgres'), single, { ...as, input: 'CREATE DATABASE holdfast\n' });
  if (created.code !== 0 || /ERROR|FATAL/.test(created.output)) {
    throw new Error(`The database "holdfast" could not be made in ${home}: ${lastLine(created.output)}`);
  }
  await rename(data, dataIn(home));
  await syncFolder(home);
  await rm(area, { recursive: true, force: true });
}

/** lz4 if this build has it, because it costs the least; else Postgres' own. */
async function compression(binaries: PostgresBinaries, data: string, user: ServerUser | undefined): Promise<string> {
  const args = ['-C', 'wal_compression', '-D', data, '-c', 'wal_compression=lz4'];
  const as = { deadlineMs: 10_000, user, cwd: dirname(data), env: cleanEnv() };
  return (await run(join(binaries.folder, 'postgres'), args, as)).code === 0 ? 'lz4' : 'on';
}

/**
 * After a reboot the pid in a stale postmaster.pid may belong to any process, and Postgres would refuse to start. Our own
 * postmaster is known to be gone. Only the pid is replaced: with the rest of the file, Postgres notices backends that
 * still hold the shared memory.
 */
async function forgetForeignPid(data: string): Promise<void> {
  const path = join(data, 'postmaster.pid');
  const lines = ((await readWhole(path)) ?? '').split('\n');
  const pid = Number(lines[0]);
  if (process.platform !== 'linux' || markOf(pid) === undefined) return;
  const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
  if (name.trim() === 'postgres') return; // perhaps a second one by hand: let Postgres itself refuse, by name
  await writeFile(path, [String(NOBODYS_PID), ...lines.slice(1)].join('\n'));
}
