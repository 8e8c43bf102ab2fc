// Finds the stores for a command that reads them. If Postgres runs, the command works beside the running system. Otherwise
// our own servers are started for the command and stopped after it.

import type { Logger } from '../../actors/ports/runtime.js';
import { whyNotConnected } from '../../storage/postgres/connect-failure.js';
import { connectPostgres, type PostgresClient } from '../../storage/postgres/postgres.js';
import { CouldNotLook } from '../../storage/verify/verdict.js';
import type { Config } from '../config/config.js';
import { openDataDir } from '../servers/data-dir.js';
import { findServers, startServers } from '../servers/servers.js';
import { silentLogger } from '../telemetry/silent-logger.js';
import { Interrupted } from './system.js';

export interface Place {
  readonly postgres: string;
  readonly nats: { readonly url: string } | undefined;
}

/** `print` writes the answer to standard output; `say` writes everything else to standard error. */
export const say = (line: string) => void process.stderr.write(`${line}\n`);
export const print = (line: string) => void process.stdout.write(`${line}\n`);
export const quiet: Logger = { ...silentLogger, error: (_fields, line) => say(line) };

/** Aborted by the first SIGINT or SIGTERM: the command ends its children and takes back what it began. A second one kills it. */
export function interrupted(): AbortSignal {
  if (over !== undefined) return over.signal;
  const first = new AbortController();
  over = first;
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => first.abort(new Interrupted(`ended by ${signal} before it was done`)));
  return first.signal;
}

let over: AbortController | undefined;

/** For `catch`: what fails once the command was ended, failed by that. */
export const orInterrupted =
  (ended: AbortSignal) =>
  (error: unknown): never => {
    ended.throwIfAborted();
    throw error;
  };

/** How long the servers may take to start before the command gives up. */
const LOOK_WITHIN_MS = 9_000;
const CONNECT_MS = 2_500;
const POOL = 4;

export async function look(
  config: Config,
  run: (client: PostgresClient, place: Place) => Promise<number>,
): Promise<number> {
  const beside = await findServers(config, config.dataDir);
  if (beside === undefined) {
    throw new CouldNotLook(
      `nothing was ever started in ${config.dataDir}: set DATA_DIR or DATABASE_URL as the start has it`,
    );
  }
  const found = await reach(beside.postgres);
  if ('client' in found) return run(found.client, beside);
  if (config.databaseUrl !== undefined) {
    throw new CouldNotLook(`Postgres at DATABASE_URL cannot be asked: ${found.why}. Is it running, and the URL right?`);
  }

  const dataDir = await openDataDir(config.dataDir);
  try {
    const servers = await startServers(config, dataDir, say, AbortSignal.timeout(LOOK_WITHIN_MS));
    try {
      const own = await reach(servers.postgres.url);
      if ('why' in own) throw new CouldNotLook(`our own Postgres was started and cannot be asked: ${own.why}`);
      return await run(own.client, { postgres: servers.postgres.url, nats: servers.nats });
    } finally {
      await servers.stop();
    }
  } finally {
    await dataDir.release();
  }
}

/** A client that has had an answer from Postgres, or the reason why there is none. */
async function reach(url: string): Promise<{ readonly client: PostgresClient } | { readonly why: string }> {
  const client = connectPostgres(url, { max: POOL, log: quiet });
  try {
    await client.query('ask whether Postgres answers', 'select 1', [], CONNECT_MS);
    return { client };
  } catch (error) {
    await client.end();
    return { why: whyNotConnected(error, client.target) };
  }
}
