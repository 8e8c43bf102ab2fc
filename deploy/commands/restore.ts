// `holdfast restore`: from nothing but a dump to a system that starts. The database and the broker must be empty: our own
// in a new DATA_DIR, or those of DATABASE_URL and NATS_URL.

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { EVENTS_STREAM } from '../../bus/events/jetstream-events.js';
import { FEED_STREAM } from '../../bus/feed-stream/feed-shape.js';
import { jetstreamLog } from '../../bus/journal/jetstream-log.js';
import { connectNats, type Nats } from '../../bus/nats/nats.js';
import { streamInfo } from '../../bus/nats/streams.js';
import { archiveRows } from '../../storage/archive/archive-rows.js';
import { CannotRestore } from '../../storage/backup/dump.js';
import { restoreDump } from '../../storage/backup/restore-dump.js';
import { connectPostgres, type PostgresClient } from '../../storage/postgres/postgres.js';
import { postgresLog } from '../../storage/postgres/postgres-log.js';
import { reportOf } from '../../storage/verify/report.js';
import { verify } from '../../storage/verify/verify.js';
import type { Config } from '../config/config.js';
import { openDataDir } from '../servers/data-dir.js';
import { toolsFor, withoutPooler } from '../servers/postgres-itself.js';
import { type Servers, startServers } from '../servers/servers.js';
import { BadCommand, type Command, EXIT, type Given, type Terminal } from './command.js';
import { interrupted, orInterrupted, quiet, say } from './place.js';
import { verdictValue } from './verify.js';

export const restoreCommand: Command = {
  name: 'restore',
  summary: 'Bring a system back from a dump or an archive, and verify it',
  about: 'servers',
  options: [
    {
      ...{ name: '--to', value: 'WHICH' },
      what: "a dump's folder, an archive, or a UTC time such as 2026-11-30T18:05:00Z: the newest one in BACKUP_DIR up to it",
    },
    { name: '--identity', value: 'FILE', what: 'the age identity of an encrypted archive' },
  ],
  notes: [
    'It restores into a new DATA_DIR, or where DATABASE_URL and NATS_URL have nothing yet, and overwrites nothing.',
    'Started again after a kill, it goes on.',
  ],
  examples: [{ line: 'restore --to dumps/monday', what: 'with DATA_DIR set to a new folder' }],
  exits: '0: restored and clean; 1: it is not clean; 2: not restored to the end, and why',
  run: (given, terminal) => restore(terminal, readRestore(given)),
};

const NAME = 'holdfast restore';
const POOL = 4;

interface RestoreCommand {
  readonly to: string;
  readonly identity: string | undefined;
}

/** @throws BadCommand */
function readRestore(given: Given): RestoreCommand {
  const to = given.text('--to');
  if (to === undefined) throw new BadCommand('--to names a dump, an archive or a time');
  return { to, identity: given.text('--identity') };
}

async function restore(terminal: Terminal, { to, identity }: RestoreCommand): Promise<number> {
  const config = terminal.config();
  const key = identity === undefined ? undefined : await identityIn(identity);
  const { findBackup } = await import('../../storage/backup/find-backup.js'); // Encryption, which few commands need.
  const { folder, release } = await findBackup(to, config.backup.folder, key);
  try {
    return await restoreFrom(config, folder, terminal);
  } finally {
    await release();
  }
}

/** The file as age-keygen writes it: comments, and the identity. */
async function identityIn(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new CannotRestore(`the identity ${file} cannot be read (${error.code ?? error.message})`);
  });
  const [identity] = /^AGE-SECRET-KEY-\S+/m.exec(text) ?? [];
  if (identity === undefined) throw new CannotRestore(`${file} has no age identity, which begins with AGE-SECRET-KEY-`);
  return identity;
}

async function restoreFrom(config: Config, folder: string, terminal: Terminal): Promise<number> {
  const dataDir = await openDataDir(config.dataDir);
  try {
    const servers = await startServers(config, dataDir, say);
    try {
      const code = await restored(config, servers, resolve(folder), terminal);
      await servers.settle();
      await servers.keep();
      return code;
    } finally {
      await servers.stop();
    }
  } finally {
    await dataDir.release();
  }
}

async function restored(
  config: Config,
  { postgres, nats: broker }: Servers,
  folder: string,
  terminal: Terminal,
): Promise<number> {
  const url = withoutPooler(postgres.migrationsUrl);
  const client = connectPostgres(url, { max: POOL });
  const nats = broker && (await connectNats(broker.url, { name: NAME, log: quiet }));
  try {
    if (nats !== undefined) for (const name of [EVENTS_STREAM, FEED_STREAM]) await mustBeEmpty(nats, name);
    const logOf = async (journal: 'jetstream' | 'postgres') => {
      if (journal === 'postgres') return postgresLog(client);
      if (nats === undefined) throw new CannotRestore('the journal of the dump is in JetStream: set NATS_URL');
      return jetstreamLog(nats, { replicas: config.natsReplicas });
    };
    const tools = await toolsFor(client, config, say);
    const parts = { client, url, logOf, tools, onProgress: say };
    const over = interrupted();
    const { manifest, log, finish } = await restoreDump(parts, folder, over).catch(orInterrupted(over));
    const verdict = await verify({ client, log, partitions: manifest.partitions, onProgress: say });
    const takenAt = new Date(manifest.takenAt).toISOString();
    const value = {
      ...verdictValue(verdict),
      taken_at: takenAt,
      orders: manifest.orders,
      partitions: manifest.partitions,
    };
    if (verdict.total > 0) {
      terminal.answer(value, reportOf(verdict));
      return EXIT.refused;
    }
    over.throwIfAborted();
    await finish();
    terminal.answer(value, [
      ...reportOf(verdict),
      ...(await archivesOf(client)),
      `restored: everything that was acknowledged before ${takenAt}, ${manifest.orders} orders or more. What came later is lost: at most as many orders as the last value of holdfast_backup_unsaved_orders said. Start it now with PARTITIONS=${manifest.partitions}.`,
    ]);
    say('Personal data that was erased since is back: run holdfast forget-user again for those who asked since then.');
    return EXIT.done;
  } finally {
    await nats?.close();
    await client.end();
  }
}

/** Its messages would be of turns that the dump does not have. */
async function mustBeEmpty(nats: Nats, name: string): Promise<void> {
  if (((await streamInfo(nats, name))?.state.messages ?? 0) === 0) return;
  throw new CannotRestore(
    `the broker has a stream ${name} with messages: a restore never overwrites anything. Set NATS_URL to a broker without it`,
  );
}

/** No dump has these files. */
async function archivesOf(client: PostgresClient): Promise<readonly string[]> {
  const rows = (await archiveRows(client)).filter(({ state }) => state === 'noted' || state === 'cleared');
  const places = [...new Set(rows.map(({ place }) => place))];
  return places.length === 0
    ? []
    : [`Its archived orders are in files that no dump has: ${places.join(', ')} must be reachable.`];
}
