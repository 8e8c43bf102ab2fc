/**
 * Closes the rows of sealed journals (hazard 3). After that no statement of theirs writes anything, so the closer waits
 * for statements that hold a row. A session that holds one longer than `MOMENT_MS` belongs to a paused or dead process,
 * and is terminated. Several nodes may close the same journals at once. Only the caller knows that they are sealed:
 * a live journal's node would find its row closed, and start again.
 */
import type { JournalId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import { texts } from '../postgres/column-arrays.js';
import type { PostgresClient } from '../postgres/postgres.js';

const MOMENT_MS = 300;
const TRIES = 10;

// Sorted, so that two closers cannot deadlock. A missing row is inserted as closed.
const CLOSE = `insert into journals (journal, node, closed)
  select journal, '', true from unnest($1::text[]) journal order by journal
  on conflict (journal) do update set closed = true where not journals.closed`;

// Ends what closers wait for, by their statement: behind a pooler a closer does not know its session. Terminates only
// sessions that hold the row and wait for nobody. Another closer is spared, even when it has just locked the row.
const END_BLOCKERS = `select blocker, pg_terminate_backend(blocker) as ended
  from pg_stat_activity as closer cross join unnest(pg_blocking_pids(closer.pid)) blocker
  where closer.datname = current_database() and closer.state = 'active' and closer.query = $1 and cardinality(pg_blocking_pids(blocker)) = 0
    and not exists (select from pg_stat_activity as a where a.pid = blocker and a.state = 'active' and a.query = $1)`;

export async function closeJournals(client: PostgresClient, journals: readonly JournalId[]): Promise<void> {
  if (journals.length === 0) return;
  const list = texts(journals, (journal) => journal);
  await client.session(async (closer) => {
    let isClosed = false;
    const closed = closer.query('close journals', CLOSE, [list], limits.statementMs).then(() => {
      isClosed = true;
    });
    closed.catch(() => {});
    for (let i = 0; i < TRIES; i++) {
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, MOMENT_MS))]);
      if (isClosed) return;
      await client.query('end the sessions that hold a sealed journal', END_BLOCKERS, [CLOSE]);
    }
    await closed;
  });
}
