// `holdfast verify`: checks the promises against the stored data.

import type { Log } from '../../actors/ports/log.js';
import { jetstreamLog, journalReplicas } from '../../bus/journal/jetstream-log.js';
import { connectNats, type Nats } from '../../bus/nats/nats.js';
import type { PostgresClient } from '../../storage/postgres/postgres.js';
import { postgresLog } from '../../storage/postgres/postgres-log.js';
import { postgresSettlements } from '../../storage/postgres/postgres-settlement.js';
import { reportOf } from '../../storage/verify/report.js';
import { CouldNotLook } from '../../storage/verify/verdict.js';
import { verify } from '../../storage/verify/verify.js';
import type { Config } from '../config/config.js';
import { look, type Place, print, quiet, say } from './place.js';

export const VERIFY_USAGE =
  '  holdfast verify         prove from the stored data that nothing was oversold, lost or done twice';

const EXIT_CLEAN = 0;
const EXIT_VIOLATION = 1;
/** Heavy queries take long, so a small query beside them checks that Postgres still answers. */
const BEAT_EVERY_MS = 1_000;
const BEAT_WITHIN_MS = 5_000;

export const verifyStored = (config: Config): Promise<number> => look(config, judge);

async function judge(client: PostgresClient, place: Place): Promise<number> {
  const over = new AbortController();
  try {
    return await Promise.race([judgeStored(client, place), beat(client, over.signal)]);
  } finally {
    over.abort();
    await client.end();
  }
}

/** Rejects when Postgres does not answer any more; never resolves. */
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
    print(reportOf(verdict).join('\n'));
    return verdict.violations.length === 0 ? EXIT_CLEAN : EXIT_VIOLATION;
  } finally {
    await nats?.close();
  }
}
