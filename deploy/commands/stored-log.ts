// The log of the system in a database, for a command that reads it: in JetStream or in Postgres, as the first start settled it.

import type { Log } from '../../actors/ports/log.js';
import type { Settlement } from '../../actors/ports/settlement.js';
import { jetstreamLog, journalReplicas } from '../../bus/journal/jetstream-log.js';
import { connectNats } from '../../bus/nats/nats.js';
import type { PostgresClient } from '../../storage/postgres/postgres.js';
import { postgresLog } from '../../storage/postgres/postgres-log.js';
import { postgresSettlements } from '../../storage/postgres/postgres-settlement.js';
import { CouldNotLook } from '../../storage/verify/verdict.js';
import { type Place, quiet } from './place.js';

/** @param name of the connection, for the broker. */
export async function withStoredLog<T>(
  client: PostgresClient,
  { nats: broker }: Place,
  name: string,
  use: (log: Log, settlement: Settlement) => Promise<T>,
): Promise<T> {
  const settlement = await postgresSettlements(client).settled();
  if (settlement === undefined)
    throw new CouldNotLook('the database remembers no system: nothing was ever started on it');
  if (settlement.journal === 'postgres') return use(postgresLog(client), settlement);
  if (broker === undefined) throw new CouldNotLook('the journal is in JetStream: set NATS_URL as the start has it');
  const nats = await connectNats(broker.url, { name, log: quiet });
  try {
    const replicas = await journalReplicas(nats);
    if (replicas === undefined)
      throw new CouldNotLook('the broker has no stream JOURNAL: it is another one, or its files are lost');
    return await use(await jetstreamLog(nats, { replicas }), settlement);
  } finally {
    await nats.close();
  }
}
