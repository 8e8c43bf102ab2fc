/**
 * One database snapshot for all that a look reads from Postgres (hazard 9). It begins with the client's short deadline,
 * so a database that does not answer is reported soon. The heavy queries then get a long deadline.
 */
import type { JournalId } from '../../actors/ids.js';
import type { JournalRow, PartitionRow } from '../../actors/ports/snapshot-rows.js';
import { msOf } from '../postgres/column-arrays.js';
import type { Session } from '../postgres/postgres.js';
import { JOURNALS, journalOf } from '../snapshots/load.js';
import { type Checked, MovedOn } from './verdict.js';

// Laws read whole tables. Each query is planned for the tables as they are now.
export const WHOLE_TABLES = `select set_config('statement_timeout', '900000', true), set_config('work_mem', '64MB', true),
  set_config('jit', 'off', true), set_config('search_path', 'public', true),
  set_config('enable_seqscan', 'on', true), set_config('plan_cache_mode', 'force_custom_plan', true)`;

const WHICH = 'select pg_backend_pid() as pid, pg_current_snapshot()::text as snapshot';

const COUNTS = `select (select count(*) from orders) as orders, (select count(*) from order_items) as items,
  (select count(*) from order_history) as history, (select count(*) from products) as products,
  (select count(*) from inventory_operations) as operations, (select count(*) from archived_orders) as archived`;

export interface Snapshot {
  readonly settledPartitions: number | undefined;
  /** The moment from which an actor's times never go back, in milliseconds. 0: always. */
  readonly steadySinceMs: number;
  readonly journals: ReadonlyMap<JournalId, JournalRow>;
  readonly partitions: ReadonlyMap<number, PartitionRow>;
  /** @throws MovedOn unless all reads used this one snapshot. */
  end(): Promise<void>;
}

type PartitionText = Pick<PartitionRow, 'partition' | 'epoch' | 'journal'> & { seen: string; sent: string };

export async function beginSnapshot(session: Session): Promise<Snapshot> {
  await session.query('begin a snapshot', 'begin transaction isolation level repeatable read read only');
  const [before] = await session.query<{ pid: number; snapshot: string }>('begin a snapshot', WHICH);
  await session.query('begin a snapshot', WHOLE_TABLES);
  const journals = await session.query<Parameters<typeof journalOf>[0]>('read the journals', JOURNALS);
  const partitions = await session.query<PartitionText>(
    'read the partitions',
    'select partition, epoch, journal, seen, sent from partitions order by partition',
  );
  const [settled] = await session.query<{ partitions: number; steady_since: number | null }>(
    'read the settlement',
    `select partitions, ${msOf('steady_since')} as steady_since from settlement`,
  );
  return {
    settledPartitions: settled?.partitions,
    steadySinceMs: settled?.steady_since ?? 0,
    journals: new Map(journals.map(journalOf).map((row) => [row.journal, row])),
    partitions: new Map(
      partitions.map(({ seen, sent, ...row }) => [
        row.partition,
        { ...row, seen: JSON.parse(seen), sent: JSON.parse(sent) },
      ]),
    ),
    async end() {
      const [after] = await session.query<{ pid: number; snapshot: string }>('end a snapshot', WHICH);
      if (before?.pid !== after?.pid || before?.snapshot !== after?.snapshot) {
        throw new MovedOn('the connection to Postgres was lost while a snapshot was read');
      }
      await endSnapshot(session);
    },
  };
}

export const endSnapshot = (session: Session): Promise<unknown> => session.query('end a snapshot', 'commit');

export async function countRows(
  session: Session,
  deadlineMs: number,
): Promise<Pick<Checked, 'orders' | 'items' | 'history' | 'products' | 'operations' | 'archived'>> {
  const [counts] = await session.query<Checked>('count the rows', COUNTS, [], deadlineMs);
  return counts ?? { orders: 0, items: 0, history: 0, products: 0, operations: 0, archived: 0 };
}
