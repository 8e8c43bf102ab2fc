// `holdfast verify`: checks the promises against the stored data.

import type { PostgresClient } from '../../storage/postgres/postgres.js';
import { reportOf } from '../../storage/verify/report.js';
import { verify } from '../../storage/verify/verify.js';
import type { Config } from '../config/config.js';
import { look, type Place, print, say } from './place.js';
import { withStoredEvents } from './stored-events.js';
import { withStoredLog } from './stored-log.js';

export const VERIFY_USAGE =
  '  holdfast verify         prove from the stored data that nothing was oversold, lost or done twice';

/** Of the connections to the broker. */
const NAME = 'holdfast verify';
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

const judgeStored = (client: PostgresClient, place: Place): Promise<number> =>
  withStoredLog(client, place, NAME, (log, { partitions }) =>
    withStoredEvents(place, NAME, async (publicEvents) => {
      const verdict = await verify({ client, log, partitions, publicEvents, onProgress: say });
      print(reportOf(verdict).join('\n'));
      return verdict.violations.length === 0 ? EXIT_CLEAN : EXIT_VIOLATION;
    }),
  );
