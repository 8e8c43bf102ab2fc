// `holdfast verify`: checks the promises against the stored data. With --repair-stats it counts the numbers of orders anew
// where they alone are wrong: they follow from the orders. Nothing else is ever repaired.

import type { PostgresClient } from '../../storage/postgres/postgres.js';
import { reportOf } from '../../storage/verify/report.js';
import { isOfStats } from '../../storage/verify/stats-laws.js';
import { repairStats } from '../../storage/verify/stats-repair.js';
import type { Verdict } from '../../storage/verify/verdict.js';
import { verify } from '../../storage/verify/verify.js';
import type { Config } from '../config/config.js';
import { look, type Place, print, say } from './place.js';
import { withStoredEvents } from './stored-events.js';
import { withStoredLog } from './stored-log.js';

export const VERIFY_USAGE = `  holdfast verify [--repair-stats]
                          prove from the stored data that nothing was oversold, lost or done twice;
                          --repair-stats counts order_stats anew if that alone is wrong, also beside running nodes
                          exit 0: clean, or clean since the repair; 1: a violation; 2: could not look`;

/** Of the connections to the broker. */
const NAME = 'holdfast verify';
const EXIT_CLEAN = 0;
const EXIT_VIOLATION = 1;
/** Heavy queries take long, so a small query beside them checks that Postgres still answers. */
const BEAT_EVERY_MS = 1_000;
const BEAT_WITHIN_MS = 5_000;

export const verifyStored = (config: Config, isRepairing: boolean): Promise<number> =>
  look(config, (client, place) => judge(client, place, isRepairing));

async function judge(client: PostgresClient, place: Place, isRepairing: boolean): Promise<number> {
  const over = new AbortController();
  try {
    return await Promise.race([judgeStored(client, place, isRepairing), beat(client, over.signal)]);
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

const judgeStored = (client: PostgresClient, place: Place, isRepairing: boolean): Promise<number> =>
  withStoredLog(client, place, NAME, (log, { partitions }) =>
    withStoredEvents(place, NAME, async (publicEvents) => {
      const told = async (): Promise<Verdict> => {
        const verdict = await verify({ client, log, partitions, publicEvents, onProgress: say });
        print(reportOf(verdict).join('\n'));
        return verdict;
      };
      const found = await told();
      if (found.total === 0) return EXIT_CLEAN;
      const isStatsAlone = found.violations.every(isOfStats);
      if (!isStatsAlone || !isRepairing) {
        if (isStatsAlone) say('The orders are right. `holdfast verify --repair-stats` counts their numbers anew.');
        else if (isRepairing) say('Nothing was repaired: more than the numbers of orders is wrong.');
        return EXIT_VIOLATION;
      }
      say(`repaired: ${await repairStats(client)} sums of order_stats; looking again`);
      return (await told()).total === 0 ? EXIT_CLEAN : EXIT_VIOLATION;
    }),
  );
