// `holdfast restore`: from nothing but a dump to a system that starts. The database and the broker must be empty: our own
// in a new DATA_DIR, or those of DATABASE_URL and NATS_URL.

import { resolve } from 'node:path';
import { EVENTS_STREAM } from '../../bus/events/jetstream-events.js';
import { FEED_STREAM } from '../../bus/feed-stream/feed-shape.js';
import { jetstreamLog } from '../../bus/journal/jetstream-log.js';
import { connectNats, type Nats } from '../../bus/nats/nats.js';
import { streamInfo } from '../../bus/nats/streams.js';
import { CannotRestore } from '../../storage/backup/dump.js';
import { restoreDump } from '../../storage/backup/restore-dump.js';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { postgresLog } from '../../storage/postgres/postgres-log.js';
import { reportOf } from '../../storage/verify/report.js';
import { verify } from '../../storage/verify/verify.js';
import type { Config } from '../config/config.js';
import { openDataDir } from '../servers/data-dir.js';
import { type Servers, startServers } from '../servers/servers.js';
import { toolsFor } from './backup.js';
import { interrupted, print, quiet, say } from './place.js';

export const RESTORE_USAGE = `  holdfast restore --to FOLDER
                          bring back the system of a dump, into a new DATA_DIR, or where DATABASE_URL and NATS_URL have nothing yet,
                          and verify it; started again after a kill, it goes on
                          exit 0: restored and clean; 1: it is not clean; 2: not restored to the end, and why`;

const NAME = 'holdfast restore';
const EXIT_CLEAN = 0;
const EXIT_VIOLATION = 1;
const POOL = 4;

export async function restore(config: Config, from: string): Promise<number> {
  const dataDir = await openDataDir(config.dataDir);
  try {
    const servers = await startServers(config, dataDir, say);
    try {
      const code = await restored(config, servers, resolve(from));
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
  { natsReplicas }: Config,
  { postgres, nats: broker }: Servers,
  folder: string,
): Promise<number> {
  const url = postgres.migrationsUrl;
  const client = connectPostgres(url, { max: POOL });
  const nats = broker && (await connectNats(broker.url, { name: NAME, log: quiet }));
  try {
    if (nats !== undefined) for (const name of [EVENTS_STREAM, FEED_STREAM]) await mustBeEmpty(nats, name);
    const logOf = async (journal: 'jetstream' | 'postgres') => {
      if (journal === 'postgres') return postgresLog(client);
      if (nats === undefined) throw new CannotRestore('the journal of the dump is in JetStream: set NATS_URL');
      return jetstreamLog(nats, { replicas: natsReplicas });
    };
    const tools = await toolsFor(client);
    const parts = { client, url, logOf, tools, onProgress: say };
    const { manifest, log, finish } = await restoreDump(parts, folder, interrupted());
    const verdict = await verify({ client, log, partitions: manifest.partitions, onProgress: say });
    print(reportOf(verdict).join('\n'));
    if (verdict.total > 0) return EXIT_VIOLATION;
    await finish();
    print(
      `restored: everything that was acknowledged before ${new Date(manifest.takenAt).toISOString()}, ${manifest.orders} orders or more. What came later is lost. Start it now with PARTITIONS=${manifest.partitions}.`,
    );
    return EXIT_CLEAN;
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
