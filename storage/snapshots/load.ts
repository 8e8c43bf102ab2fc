/**
 * Reads the rows of some partitions. All reads use one database snapshot (hazard 4). They go by pages: each ends within
 * its deadline, and a node that runs other partitions does not stand still while one is decoded.
 */
import { type OrderId, partitionOf } from '../../actors/ids.js';
import type { JournalRow, Mark, PartitionRow, StoredOrder, StoredProduct } from '../../actors/ports/snapshot-rows.js';
import type { Loaded } from '../../actors/ports/snapshots.js';
import { msOf, texts } from '../postgres/column-arrays.js';
import type { Session } from '../postgres/postgres.js';
import { decodeOrder, ORDER_BODY } from './order-rows.js';
import { decodeProduct, PRODUCT_BODY } from './product-rows.js';

const PAGE = 1_000;
const IDS = 1_000;

const SNAPSHOT = 'select pg_backend_pid() as pid, pg_current_snapshot()::text as snapshot';

const UNSETTLED = `select o.order_id as id, ${ORDER_BODY} as body from orders o
  where o.state is not null and o.partition = $1::smallint and o.order_id > $2 order by o.order_id limit ${PAGE}`;

const PRODUCTS = `select p.product_id as id, ${PRODUCT_BODY} as body from products p
  where p.partition = $1::smallint and p.product_id > $2 and (p.epoch, p.n) > ($3::bigint, $4::bigint)
  order by p.product_id limit ${PAGE}`;

/** The time of the newest order, settled ones included: later orders must be newer than all of them in lists. */
const LAST_PLACED = `select ${msOf('created_at')} as at from orders order by created_at desc limit 1`;

const NAMED = `select ${ORDER_BODY} as body from orders o where o.order_id = any($1::text[])`;

export const JOURNALS = `select journal, node, closed, n, position, record_id, published_n
  from journals order by opened_at, journal`;

const PARTITIONS = 'select partition, epoch, journal, seen, sent from partitions order by partition';

export async function loadSnapshot(
  session: Session,
  partitions: ReadonlySet<number>,
  partitionCount: number,
  orderIds: readonly OrderId[],
  since: ReadonlyMap<number, Mark> = new Map(),
): Promise<Loaded> {
  await session.query('begin a snapshot', 'begin transaction isolation level repeatable read read only');
  const [before] = await session.query<{ pid: number; snapshot: string }>('begin a snapshot', SNAPSHOT);

  const journals = (await session.query<Parameters<typeof journalOf>[0]>('load journals', JOURNALS)).map(journalOf);
  const rows = await session.query<PartitionText>('load partitions', PARTITIONS);

  const orders = new Map<OrderId, StoredOrder>();
  for (const partition of partitions) {
    for await (const body of pages(session, 'load orders', UNSETTLED, partition)) {
      const order = decodeOrder(body);
      orders.set(order.state.id, order);
    }
  }
  const named = orderIds.filter((id) => partitions.has(partitionOf('order', id, partitionCount)));
  for (let i = 0; i < named.length; i += IDS) {
    const ids = texts(named.slice(i, i + IDS), (id) => id);
    for (const { body } of await session.query<{ body: string }>('load orders by id', NAMED, [ids])) {
      const order = decodeOrder(body);
      orders.set(order.state.id, order);
    }
  }
  const products: StoredProduct[] = [];
  for (const partition of partitions) {
    const { epoch, n } = since.get(partition) ?? { epoch: -1, n: -1 };
    for await (const body of pages(session, 'load products', PRODUCTS, partition, epoch, n))
      products.push(decodeProduct(body));
  }

  const [last] = await session.query<{ at: number }>('load the last order', LAST_PLACED);

  // If the driver has replaced the connection, the later reads used another snapshot.
  const [after] = await session.query<{ pid: number; snapshot: string }>('end a snapshot', SNAPSHOT);
  if (before?.pid !== after?.pid || before?.snapshot !== after?.snapshot) {
    throw new Error('the connection to Postgres was lost while a snapshot was read: read it again');
  }
  await session.query('end a snapshot', 'commit');
  return {
    journals,
    partitions: rows.map(partitionRowOf).filter(({ partition }) => partitions.has(partition)),
    orders: [...orders.values()],
    products,
    lastPlacedAt: last?.at ?? 0,
  };
}

async function* pages(
  session: Session,
  what: string,
  text: string,
  partition: number,
  ...more: readonly number[]
): AsyncGenerator<string> {
  for (let after: string | undefined = ''; after !== undefined; ) {
    const page: readonly { id: string; body: string }[] = await session.query(what, text, [partition, after, ...more]);
    for (const { body } of page) yield body;
    after = page.length < PAGE ? undefined : page.at(-1)?.id;
  }
}

// ---------------------------------------------------------------- rows

export interface JournalText extends Pick<JournalRow, 'journal' | 'node' | 'closed'> {
  readonly n: number;
  readonly position: number;
  readonly record_id: string;
  readonly published_n: number;
}

export const journalOf = ({ journal, node, closed, n, position, record_id, published_n }: JournalText): JournalRow => ({
  journal,
  node,
  closed,
  folded: { n, position, recordId: record_id },
  publishedN: published_n,
});

export interface PartitionText extends Pick<PartitionRow, 'partition' | 'epoch' | 'journal'> {
  readonly seen: string;
  readonly sent: string;
}

export const partitionRowOf = ({ partition, epoch, journal, seen, sent }: PartitionText): PartitionRow => ({
  partition,
  epoch,
  journal,
  seen: JSON.parse(seen) as PartitionRow['seen'],
  sent: JSON.parse(sent) as PartitionRow['sent'],
});
