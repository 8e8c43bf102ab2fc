#!/usr/bin/env node

// The command line: `holdfast verify` proves the promises from what is stored, `holdfast keys` says who may
// come in, each beside a running system or after it stopped. Exit 0: clean, or done; 1: a promise is broken, or
// there is no such key; 2: it could not look, or was asked what it does not understand, and says why.

import type { Log } from '../actors/ports/log.js';
import type { Logger } from '../actors/ports/runtime.js';
import { jetstreamLog, journalReplicas } from '../bus/journal/jetstream-log.js';
import { connectNats, type Nats } from '../bus/nats/nats.js';
import { connectPostgres, type PostgresClient } from '../storage/postgres/postgres.js';
import { postgresApiKeys } from '../storage/postgres/postgres-api-keys.js';
import { postgresLog } from '../storage/postgres/postgres-log.js';
import { postgresSettlements } from '../storage/postgres/postgres-settlement.js';
import { reportOf } from '../storage/verify/report.js';
import { CouldNotLook } from '../storage/verify/verdict.js';
import { verify } from '../storage/verify/verify.js';
import { BadCommand, KEYS_USAGE, type KeysCommand, readKeysCommand, runKeysCommand } from './commands/keys.js';
import { type Config, readConfig } from './config/config.js';
import { openDataDir } from './servers/data-dir.js';
import { findServers, startServers } from './servers/servers.js';
import { version } from './version.js';

const EXIT_VIOLATION = 1;
const EXIT_COULD_NOT_LOOK = 2;
/** Nobody waits longer than this to hear that there is nothing to look at. */
const LOOK_WITHIN_MS = 9_000;
const CONNECT_MS = 2_500;
/** Heavy questions take their time; whether Postgres is there at all is asked beside them. */
const BEAT_EVERY_MS = 1_000;
const BEAT_WITHIN_MS = 5_000;
const POOL = 4;

const USAGE = `holdfast ${version}

  holdfast verify         prove from the stored data that nothing was oversold, lost or done twice
${KEYS_USAGE}
  holdfast url postgres   print where the database is, for psql
  holdfast url nats       print where the broker is, for the nats CLI
  holdfast version        print the version

It reads the same environment as the start (see .env.example).`;

interface Place {
  readonly postgres: string;
  readonly nats: { readonly url: string } | undefined;
}

const say = (line: string) => process.stderr.write(`${line}\n`);
const quiet: Logger = { debug() {}, info() {}, warn() {}, error: (_fields, line) => say(line) };

async function main(words: readonly string[]): Promise<number> {
  const [command] = words;
  if (command === 'version' || command === '--version') {
    process.stdout.write(`${version}\n`);
    return 0;
  }
  const isKnown = command === 'url' || command === 'keys' || (command === 'verify' && words.length === 1);
  if (!isKnown) {
    say(USAGE);
    return command === undefined || command === 'help' || command === '--help' ? 0 : EXIT_COULD_NOT_LOOK;
  }
  try {
    if (command === 'url') return await printUrl(words[1] ?? '');
    if (command === 'keys') return await askKeys(readKeysCommand(words.slice(1)));
    return await look(readConfig(process.env), judge);
  } catch (error) {
    if (error instanceof BadCommand) {
      say(`holdfast keys: ${error.message}.\n\n${KEYS_USAGE}`);
      return EXIT_COULD_NOT_LOOK;
    }
    say(`${command} could not look: ${error instanceof Error ? error.message : String(error)}`);
    return EXIT_COULD_NOT_LOOK;
  }
}

async function printUrl(of: string): Promise<number> {
  const config = readConfig(process.env);
  const found = await findServers(config, config.dataDir);
  const url = of === 'postgres' ? found?.postgres : of === 'nats' ? found?.nats?.url : undefined;
  if (url !== undefined) process.stdout.write(`${url}\n`);
  else say(of === 'postgres' || of === 'nats' ? `there is no ${of} in ${config.dataDir} yet` : USAGE);
  return url === undefined ? EXIT_COULD_NOT_LOOK : 0;
}

async function askKeys(command: KeysCommand): Promise<number> {
  const print = (line: string) => void process.stdout.write(`${line}\n`);
  return look(readConfig(process.env), async (client) => {
    try {
      return await runKeysCommand(command, postgresApiKeys(client), { now: Date.now, print, say });
    } finally {
      await client.end();
    }
  });
}

/** Beside what runs; else with our own servers, started for the look and ended after it. */
async function look(config: Config, run: (client: PostgresClient, place: Place) => Promise<number>): Promise<number> {
  const beside = await findServers(config, config.dataDir);
  if (beside !== undefined) {
    const client = await reach(beside.postgres);
    if (client !== undefined) return run(client, beside);
    if (config.databaseUrl !== undefined) {
      throw new CouldNotLook('Postgres at DATABASE_URL does not answer: is it running, and the URL right?');
    }
  } else
    throw new CouldNotLook(
      `nothing was ever started in ${config.dataDir}: set DATA_DIR or DATABASE_URL as the start has it`,
    );

  const dataDir = await openDataDir(config.dataDir);
  try {
    const servers = await startServers(config, dataDir, say, AbortSignal.timeout(LOOK_WITHIN_MS));
    try {
      const client = await reach(servers.postgres.url);
      if (client === undefined) throw new CouldNotLook('our own Postgres was started and does not answer');
      return await run(client, { postgres: servers.postgres.url, nats: servers.nats });
    } finally {
      await servers.stop();
    }
  } finally {
    await dataDir.release();
  }
}

async function judge(client: PostgresClient, place: Place): Promise<number> {
  const over = new AbortController();
  try {
    return await Promise.race([judgeStored(client, place), beat(client, over.signal)]);
  } finally {
    over.abort();
    await client.end();
  }
}

/** Rejects when Postgres falls silent; never resolves. */
async function beat(client: PostgresClient, over: AbortSignal): Promise<never> {
  while (!over.aborted) {
    await client.query('ask whether Postgres still answers', 'select 1', [], BEAT_WITHIN_MS);
    await new Promise((resolve) => setTimeout(resolve, BEAT_EVERY_MS));
  }
  return new Promise(() => {});
}

async function judgeStored(client: PostgresClient, { nats: broker }: Place): Promise<number> {
  let nats: Nats | undefined;
  try {
    const settlement = await postgresSettlements(client).settled();
    if (settlement === undefined)
      throw new CouldNotLook('the database remembers no system: nothing was ever started on it');
    let log: Log = postgresLog(client);
    if (settlement.journal === 'jetstream') {
      if (broker === undefined) throw new CouldNotLook('the journal is in JetStream: set NATS_URL as the start has it');
      nats = await connectNats(broker.url, { name: 'holdfast verify', log: quiet });
      const replicas = await journalReplicas(nats);
      if (replicas === undefined)
        throw new CouldNotLook('the broker has no stream JOURNAL: it is another one, or its files are lost');
      log = await jetstreamLog(nats, { replicas });
    }
    const verdict = await verify({ client, log, partitions: settlement.partitions, onProgress: say });
    process.stdout.write(`${reportOf(verdict).join('\n')}\n`);
    return verdict.violations.length === 0 ? 0 : EXIT_VIOLATION;
  } finally {
    await nats?.close();
  }
}

/** A client that has had an answer; undefined: nobody there. */
async function reach(url: string): Promise<PostgresClient | undefined> {
  const client = connectPostgres(url, { max: POOL, log: quiet });
  try {
    await client.query('ask whether Postgres answers', 'select 1', [], CONNECT_MS);
    return client;
  } catch {
    await client.end();
    return undefined;
  }
}

process.exitCode = await main(process.argv.slice(2));
setTimeout(() => process.exit(), 500).unref();
