// A real PgBouncer for a test: the one on PATH, else Debian's package, unpacked once into the checkout's caches. It pools by
// transaction, in front of a Postgres that runs. Law: a missing PgBouncer is reported (`skipped`).

import { chmod, chown, cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from '../../deploy/servers/free-ports.js';
import { run } from '../../deploy/servers/processes.js';
import { unprivilegedUser } from '../../deploy/servers/server-user.js';
import { patientMs } from '../deadlines.js';
import type { Skipped } from './real-servers.js';
import { SpawnedServer } from './spawned-server.js';
import { unpackedOnce } from './unpacked-packages.js';

interface RealPgBouncer {
  readonly version: string;
  /** The same URL through it, as an operator writes it. */
  readonly through: (url: string) => string;
  /** The same without a word about it. */
  readonly unnamed: (url: string) => string;
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

interface Options {
  /** Connections to Postgres for each user. */
  readonly poolSize?: number;
  /** Start-up parameters that it takes and does not pass on. */
  readonly ignored?: readonly string[];
}

const SHORT_MS = 10_000;
/** The packages that it needs beyond a plain system. */
const PACKAGES = ['pgbouncer', 'libevent-2.1-7', 'libc-ares2'];

/** @param urls of the users who may come through. */
export async function realPgBouncer(
  urls: readonly string[],
  { poolSize = 20, ignored = [] }: Options = {},
): Promise<RealPgBouncer | Skipped> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-pgbouncer-'));
  const found = await binaryFor(folder);
  if ('missing' in found) {
    await rm(folder, { recursive: true, force: true });
    return { skipped: `no pgbouncer: ${found.missing}` };
  }
  const user = unprivilegedUser();
  const port = await freePort();
  const users = urls.map((url) => new URL(url));
  const [server] = users;
  await writeFile(
    join(folder, 'users.txt'),
    users.map(({ username, password }) => `"${username}" "${decodeURIComponent(password)}"\n`).join(''),
  );
  const settings = {
    ...{ listen_addr: '127.0.0.1', listen_port: port, unix_socket_dir: '', pool_mode: 'transaction' },
    ...{ auth_type: 'scram-sha-256', auth_file: join(folder, 'users.txt'), admin_users: server?.username ?? '' },
    ...{ default_pool_size: poolSize, max_client_conn: 500, log_connections: 0, log_disconnections: 0 },
    ...(ignored.length > 0 && { ignore_startup_parameters: ignored.join() }),
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`);
  const text = `[databases]\n* = host=${server?.hostname} port=${server?.port}\n[pgbouncer]\n${lines.join('')}`;
  await writeFile(join(folder, 'pgbouncer.ini'), text);
  if (user !== undefined) {
    await chmod(folder, 0o755);
    for (const name of ['users.txt', 'pgbouncer.ini']) await chown(join(folder, name), user.uid, user.gid);
  }
  const process = new SpawnedServer(found.command, ['-q', join(folder, 'pgbouncer.ini')], found.env, user);
  const at = (url: string, database?: string) => {
    const there = new URL(url);
    there.port = String(port);
    if (database !== undefined) there.pathname = `/${database}`;
    return there.href;
  };
  /** Its own console is there as soon as it is, whether or not Postgres is. */
  const isThere = async () => {
    const client = new pg.Client({
      connectionString: at(urls[0] ?? '', 'pgbouncer'),
      connectionTimeoutMillis: SHORT_MS,
    });
    client.on('error', () => {});
    try {
      await client.connect();
      return true;
    } catch {
      return false;
    } finally {
      await client.end().catch(() => {});
    }
  };
  const start = () => process.start(isThere, `pgbouncer does not answer on port ${port}`);
  await start();
  const unnamed = (url: string) => at(url);
  return {
    version: found.version,
    through: (url) => `${unnamed(url)}?pgbouncer=true`,
    unnamed,
    kill: () => process.kill(),
    start,
    async stop() {
      await process.kill();
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

// ---------------------------------------------------------------- machinery

type Found =
  | { readonly command: string; readonly env: NodeJS.ProcessEnv; readonly version: string }
  | { readonly missing: string };

/** @param into a folder that the user of the server can enter. */
async function binaryFor(into: string): Promise<Found> {
  const versionOf = async (command: string, env: NodeJS.ProcessEnv) => {
    const said = await run(command, ['--version'], { deadlineMs: patientMs(SHORT_MS), env });
    return said.code === 0 ? /PgBouncer (\S+)/.exec(said.output)?.[1] : undefined;
  };
  for (const command of ['pgbouncer', '/usr/sbin/pgbouncer']) {
    const version = await versionOf(command, process.env);
    if (version !== undefined) return { command, env: process.env, version };
  }
  const fetched = await unpackedOnce('pgbouncer-debian', PACKAGES);
  if ('missing' in fetched) return fetched;
  await cp(fetched.folder, join(into, 'own'), { recursive: true });
  const root = join(into, 'own');
  const triplets = await readdir(join(root, 'usr', 'lib'));
  const libraries = triplets.map((name) => join(root, 'usr', 'lib', name));
  const command = join(root, 'usr', 'sbin', 'pgbouncer');
  const env = { ...process.env, LD_LIBRARY_PATH: libraries.join(':') };
  const version = await versionOf(command, env);
  return version === undefined
    ? { missing: `the one in ${fetched.folder} does not run here` }
    : { command, env, version };
}
