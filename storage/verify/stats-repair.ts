/**
 * Counts the sums of `order_stats` anew from the stored orders, beside running nodes.
 *
 * Law: whoever changes the sums holds one lock. What a flush counts goes into the queue, in the statement that writes its
 * orders: one snapshot has both or neither. So what a recount finds too few or too many in a snapshot may be added at any
 * later time, and nothing that nodes count meanwhile is lost or counted twice.
 */
import { addedTo, SUMS_LOCK } from '../lists/order-stats-fold.js';
import { type PostgresClient, sqlState } from '../postgres/postgres.js';
import { WHOLE_TABLES } from './snapshot.js';
import { LONG_MS } from './sql-laws.js';
import { RECOUNTS, SUMS, wrong } from './stats-laws.js';
import { CouldNotLook } from './verdict.js';

const PATIENCE = `select set_config('lock_timeout', '3000', true)`;
const WAITED_TOO_LONG = '55P03';

const missing = SUMS.map((name) => `coalesce(recount.${name}, 0) - coalesce(now.${name}, 0) as ${name}`).join(', ');

/** @returns how many sums were put right. @throws CouldNotLook if others change the sums for too long */
export function repairStats(client: PostgresClient): Promise<number> {
  return client.session(async (session) => {
    await session.query('begin a repair', 'begin transaction isolation level read committed');
    await session.query('begin a repair', PATIENCE);
    await session.query('wait for the sums', `select pg_advisory_xact_lock(${SUMS_LOCK})`).catch((error: unknown) => {
      if (sqlState(error) !== WAITED_TOO_LONG) throw error;
      throw new CouldNotLook('another process changes the sums of order_stats: try again', { cause: error });
    });
    await session.query('begin a repair', WHOLE_TABLES);
    let repaired = 0;
    for (const recount of RECOUNTS) {
      const text = `with ${wrong(recount, missing)}, repaired as (${addedTo(recount.table, 'select * from wrong')} returning 1)
        select count(*)::int as count from repaired`;
      const [row] = await session.query<{ count: number }>('count orders anew', text, [], LONG_MS);
      repaired += row?.count ?? 0;
    }
    await session.query('end a repair', 'commit');
    return repaired;
  });
}
