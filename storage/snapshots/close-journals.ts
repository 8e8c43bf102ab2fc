/**
 * Closing a sealed journal's row (hazard 3). From then on no statement of that journal passes, so the
 * closer waits for those that hold the row; a session that holds it longer than a moment belongs
 * to a process that sleeps or is gone, and is ended.
 */
import type { JournalId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import { texts } from '../postgres/column-arrays.js';
import type { PostgresClient } from '../postgres/postgres.js';

const MOMENT_MS = 300;
const TRIES = 10;

// In one order, so that two closers do not wait for one another. A missing row is made, closed.
const CLOSE = `insert into journals (journal, node, closed)
  select journal, '', true from unnest($1::text[]) journal order by journal
  on conflict (journal) do update set closed = true where not journals.closed`;

// Only who holds and waits for nobody. Another closer is left alone, also when the row has just become its own: its
// statement ends by itself.
const END_BLOCKERS = `select blocker, pg_terminate_backend(blocker) as ended
  from unnest(pg_blocking_pids($1)) blocker
  where cardinality(pg_blocking_pids(blocker)) = 0
    and not exists (select from pg_stat_activity as a where a.pid = blocker and a.state = 'active' and a.query = $2)`;

export async function closeJournals(client: PostgresClient, journals: readonly JournalId[]): Promise<void> {
  if (journals.length === 0) return;
  const list = texts(journals, (journal) => journal);
  await client.session(async (closer) => {
    const [me] = await closer.query<{ pid: number }>('close journals', 'select pg_backend_pid() as pid');
    let isClosed = false;
    const closed = closer.query('close journals', CLOSE, [list], limits.statementMs).then(() => {
      isClosed = true;
    });
    closed.catch(() => {});
    for (let i = 0; i < TRIES; i++) {
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, MOMENT_MS))]);
      if (isClosed) return;
      await client.query('end the sessions that hold a sealed journal', END_BLOCKERS, [me?.pid ?? 0, CLOSE]);
    }
    await closed;
  });
}
