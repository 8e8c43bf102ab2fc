/**
 * Snapshots in Postgres. A flush sends single statements (snapshot-rows.R2). Each locks its journal's row first, and
 * writes nothing when that row is closed (snapshot-rows.R3, journal-lock.ts). None overwrites a newer row
 * (snapshot-rows.R1).
 */
import { Broken } from '../../actors/broken.js';
import type { JournalId, NodeId, OrderId, ProductId, WriteId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { JournalRow, Statement, StoredOrder } from '../../actors/ports/snapshot-rows.js';
import type { LookedUp, Snapshots } from '../../actors/ports/snapshots.js';
import type { ProductRefusal } from '../../actors/protocol.js';
import { type ArchivedOrders, archivedOrders } from '../archive/archive-reader.js';
import { plain, texts } from '../postgres/column-arrays.js';
import { type Parameter, type PostgresClient, sqlState } from '../postgres/postgres.js';
import { closeJournals } from './close-journals.js';
import { erasureOf } from './erasure.js';
import { JOURNALS, journalOf, loadSnapshot } from './load.js';
import { loadChanges } from './load-changes.js';
import { decodeOrder, ORDER_BODY, writeOrders } from './order-rows.js';
import { writeProducts } from './product-rows.js';
import { writeRefusals } from './refused-write-rows.js';

// A repeated opening finds its own row. A closed journal is never opened again.
const OPEN = `insert into journals (journal, node) values ($1, $2)
  on conflict (journal) do update set node = excluded.node where not journals.closed returning 1`;

// The journal's row moves on from the remembered place, or is there already by an earlier attempt without an answer.
const LAST = `with moved as (
    update journals set n = $5, position = $6, record_id = $7, published_n = greatest(published_n, $8)
    where journal = $1 and not closed
      and ((n = $2 and position = $3 and record_id = $4) or (n = $5 and position = $6 and record_id = $7))
    returning 1),
  rows as (insert into partitions (partition, epoch, journal, seen, sent)
    select r.partition, r.epoch, r.journal, r.seen::json, r.sent::json
    from unnest($9::bigint[], $10::bigint[], $11::text[], $12::text[], $13::text[])
      as r(partition, epoch, journal, seen, sent)
    where exists (select from moved)
    on conflict (partition) do update
    set epoch = excluded.epoch, journal = excluded.journal, seen = excluded.seen, sent = excluded.sent
    where partitions.epoch <= excluded.epoch)
  select count(*)::int as open from moved`;

const LOOK_UP = `select 'order' as kind, ${ORDER_BODY} as body from orders o where o.order_id = any($1::text[])
  union all
  select 'write', json_build_array(ref, product_id, fingerprint)
  from inventory_operations where ref = any($2::text[]) and order_id is null
  union all
  select 'write', json_build_array(ref, product_id, fingerprint, refusal)
  from refused_writes where ref = any($2::text[])
  union all
  select 'archived', json_build_array(a.order_id, (select removed_at is not null from archives where no = a.archive))
  from archived_orders a where a.order_id = any($1::text[])`;

const IDS_AFTER = `select id from (
    (select order_id as id from orders where order_id > $1 order by order_id limit $2::bigint)
    union
    (select order_id from archived_orders where order_id > $1 order by order_id limit $2::bigint)) ids
  order by id limit $2::bigint`;

const SEE_ARCHIVES = `with seen as (
    update journals set archives_seen = $2 where journal = $1 and archives_seen < $2::bigint and not closed returning 1)
  select coalesce(max(barrier), 0)::bigint as barrier from archives where barrier is not null`;

const PROBE = `insert into probe (one, at) values (true, now()) on conflict (one) do update set at = excluded.at`;

type WriteBody = [WriteId, ProductId, string | null, ProductRefusal?];

function parametersOf(journal: JournalId, last: Extract<Statement, { kind: 'last' }>): Parameter[] {
  const { partitions, from, to, publishedN } = last;
  return [
    ...[journal, from.n, from.position, from.recordId, to.n, to.position, to.recordId, publishedN],
    plain(partitions, (row) => row.partition),
    plain(partitions, (row) => row.epoch),
    texts(partitions, (row) => row.journal),
    texts(partitions, (row) => JSON.stringify(row.seen)),
    texts(partitions, (row) => JSON.stringify(row.sent)),
  ];
}

/** The most users remembered as queued for the search index. Their orders without any text need no queue entry. */
const MOST_USERS = 100_000;

export function postgresSnapshots(
  client: PostgresClient,
  archives: ArchivedOrders = archivedOrders(client),
): Snapshots {
  const users = new Set<string>();
  const remember = (statement: Statement) => {
    if (statement.kind !== 'orders') return;
    if (users.size > MOST_USERS) users.clear();
    for (const { state } of statement.rows) users.add(state.content.user);
  };
  const statementOf = async (journal: JournalId, statement: Statement) => {
    if (statement.kind === 'orders') {
      const { rows, certain } = statement;
      return writeOrders(journal, rows, certain, users, await erasureOf(client, rows));
    }
    if (statement.kind === 'products') return writeProducts(journal, statement.rows, statement.certain);
    if (statement.kind === 'refusals') return writeRefusals(journal, statement.rows);
    return { text: LAST, parameters: parametersOf(journal, statement) };
  };

  return {
    async openJournal(journal: JournalId, node: NodeId) {
      const opened = await client.query('open a journal', OPEN, [journal, node]);
      if (opened.length === 0) {
        throw new Error(`the journal ${journal} is closed already: start again as a new incarnation`);
      }
    },

    closeJournals: (journals) => closeJournals(client, journals),

    async load(partitions, partitionCount, orders, since) {
      const marks = partitions.flatMap((partition) => {
        const mark = since?.get(partition);
        return mark === undefined ? [] : [{ partition, ...mark }];
      });
      const isOfChanges = orders.length === 0 && marks.length > 0 && marks.length === partitions.length;
      const changes = isOfChanges ? await loadChanges(client, marks) : undefined;
      if (changes !== undefined) return changes;
      return client.session((session) => loadSnapshot(session, new Set(partitions), partitionCount, orders, since));
    },

    async write(journal, statement) {
      const { text, parameters } = await statementOf(journal, statement);
      try {
        const [row] = await client.query<{ open: number }>(`flush ${statement.kind}`, text, parameters);
        if (row?.open !== 1) return 'closed';
        remember(statement);
        return 'written';
      } catch (error) {
        // Errors of data, constraints or tables: repeating the same rows would fail again.
        if (/^(22|23|42)/.test(sqlState(error) ?? '')) throw new Broken(`Postgres refuses a flush: ${String(error)}`);
        throw error;
      }
    },

    async lookUp(orderIds: readonly OrderId[], writeIds: readonly WriteId[]): Promise<LookedUp> {
      const parameters = [texts(orderIds, (id) => id), texts(writeIds, (id) => id)];
      const rows = await client.query<{ kind: 'order' | 'write' | 'archived'; body: string }>(
        'look up',
        LOOK_UP,
        parameters,
      );
      const found = new Map<OrderId, StoredOrder>();
      const archived: { order: OrderId; isGone: boolean }[] = [];
      const writes: LookedUp['writes'][number][] = [];
      for (const { kind, body } of rows) {
        if (kind === 'order') {
          const order = decodeOrder(body);
          found.set(order.state.id, order);
          continue;
        }
        if (kind === 'archived') {
          const [order, isGone] = JSON.parse(body) as [OrderId, boolean];
          archived.push({ order, isGone });
          continue;
        }
        const [ref, product, fingerprint, refused] = JSON.parse(body) as WriteBody;
        writes.push({ ref, product, fingerprint: fingerprint ?? '', ...(refused !== undefined && { refused }) });
      }
      // Its rows may still be there.
      const isArchived = new Set(archived.map(({ order }) => order));
      const orders = [...found.values()].map((order) =>
        isArchived.has(order.state.id) ? { ...order, archived: true } : order,
      );
      const away = archived.filter(({ order }) => !found.has(order));
      return { orders, writes, ...(away.length > 0 && { archived: away }) };
    },

    archived: async (order) => (await archives.read(order))?.stored,

    async seeArchives(journal, seen) {
      const [row] = await client.query<{ barrier: number }>('see the archives', SEE_ARCHIVES, [journal, seen]);
      return row?.barrier ?? 0;
    },

    async orderIdsAfter(after, most) {
      const rows = await client.query<{ id: OrderId }>('read the ids of orders', IDS_AFTER, [after, most]);
      return rows.map(({ id }) => id);
    },

    async journals(): Promise<readonly JournalRow[]> {
      return (await client.query<Parameters<typeof journalOf>[0]>('read the journals', JOURNALS)).map(journalOf);
    },

    partitionMarks: () =>
      client.query('read the partitions', 'select partition, epoch, journal from partitions order by partition'),

    async published(journal, n) {
      const text = 'update journals set published_n = greatest(published_n, $2) where journal = $1';
      await client.query('note what is published', text, [journal, n]);
    },

    async forgetJournal(journal) {
      await client.query('forget a journal', 'delete from journals where journal = $1', [journal]);
    },

    async probe() {
      await client.query('probe', PROBE, [], limits.readyMs);
    },
  };
}
