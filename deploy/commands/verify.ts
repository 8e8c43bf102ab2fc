// `holdfast verify`: checks the promises against the stored data. With --repair-stats it counts the numbers of orders anew
// where they alone are wrong: they follow from the orders. Nothing else is ever repaired.

import type { PostgresClient } from '../../storage/postgres/postgres.js';
import type { ArchiveFiles } from '../../storage/verify/archive-laws.js';
import { reportOf } from '../../storage/verify/report.js';
import { isOfStats } from '../../storage/verify/stats-laws.js';
import { repairStats } from '../../storage/verify/stats-repair.js';
import type { Verdict } from '../../storage/verify/verdict.js';
import { verify } from '../../storage/verify/verify.js';
import type { Config } from '../config/config.js';
import { type Command, EXIT, type Terminal } from './command.js';
import { keepVerdict } from './last-verdict.js';
import { look, type Place, say } from './place.js';
import { withStoredEvents } from './stored-events.js';
import { withStoredLog } from './stored-log.js';

export const verifyCommand: Command = {
  name: 'verify',
  summary: 'Prove from the stored data that nothing was oversold, lost or done twice',
  about: 'servers',
  options: [
    {
      name: '--repair-stats',
      what: 'count order_stats anew if that alone is wrong, also beside running nodes',
    },
    { name: '--archives', what: 'read every archive of orders from end to end as well' },
  ],
  examples: [{ line: 'verify', what: 'beside the running system, or after it has stopped' }],
  exits: '0: clean, or clean since the repair; 1: a violation; 2: could not look',
  run: (given, terminal) => verifyStored(terminal, given.flag('--repair-stats'), given.flag('--archives')),
};

/** Of the connections to the broker. */
const NAME = 'holdfast verify';
/** Heavy queries take long, so a small query beside them checks that Postgres still answers. */
const BEAT_EVERY_MS = 1_000;
const BEAT_WITHIN_MS = 5_000;

/** For programs, and for the next look of `holdfast watch`. */
export const verdictValue = ({ violations, total, checked, tookMs, looks }: Verdict) => ({
  ...{ clean: total === 0, total, violations, checked, took_ms: Math.round(tookMs), looks },
});

function verifyStored(terminal: Terminal, isRepairing: boolean, isWhole: boolean): Promise<number> {
  const config = terminal.config();
  const archives = { endpoint: config.archive.s3Endpoint, isWhole };
  return look(config, async (client, place) => {
    const over = new AbortController();
    try {
      return await Promise.race([
        judgeStored(client, place, isRepairing, archives, config, terminal),
        beat(client, over.signal),
      ]);
    } finally {
      over.abort();
      await client.end();
    }
  });
}

/** Rejects when Postgres does not answer any more; never resolves. */
async function beat(client: PostgresClient, over: AbortSignal): Promise<never> {
  while (!over.aborted) {
    await client.query('ask whether Postgres still answers', 'select 1', [], BEAT_WITHIN_MS);
    await new Promise((resolve) => setTimeout(resolve, BEAT_EVERY_MS));
  }
  return new Promise(() => {});
}

const judgeStored = (
  client: PostgresClient,
  place: Place,
  isRepairing: boolean,
  archives: ArchiveFiles,
  { dataDir }: Config,
  terminal: Terminal,
): Promise<number> =>
  withStoredLog(client, place, NAME, (log, { partitions }) =>
    withStoredEvents(place, NAME, async (publicEvents) => {
      const judged = () => verify({ client, log, partitions, publicEvents, archives, onProgress: say });
      const tell = async (verdict: Verdict, repaired?: number): Promise<number> => {
        const value = { ...verdictValue(verdict), repaired };
        terminal.answer(value, reportOf(verdict));
        await keepVerdict(dataDir, { ...value, at: new Date(terminal.now()).toISOString() });
        return verdict.total === 0 ? EXIT.done : EXIT.refused;
      };
      const found = await judged();
      const isStatsAlone = found.total > 0 && found.violations.every(isOfStats);
      if (isStatsAlone && isRepairing) {
        if (!terminal.isJson) for (const line of reportOf(found)) terminal.print(line);
        const repaired = await repairStats(client);
        say(`repaired: ${repaired} sums of order_stats; looking again`);
        return tell(await judged(), repaired);
      }
      const code = await tell(found);
      if (isStatsAlone) say('The orders are right. `holdfast verify --repair-stats` counts their numbers anew.');
      else if (isRepairing && found.total > 0) say('Nothing was repaired: more than the numbers of orders is wrong.');
      return code;
    }),
  );
