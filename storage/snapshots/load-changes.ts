/**
 * Reads what has changed of some partitions since an earlier load, in one statement: a statement is one database snapshot
 * (hazard 4), and a partition that moves serves nobody meanwhile. So it uses a connection that is open already.
 */
import type { Mark } from '../../actors/ports/snapshot-rows.js';
import type { Loaded } from '../../actors/ports/snapshots.js';
import { msOf, plain } from '../postgres/column-arrays.js';
import type { Session } from '../postgres/postgres.js';
import { JOURNALS, type JournalText, journalOf, type PartitionText, partitionRowOf } from './load.js';
import { decodeOrder, ORDER_BODY } from './order-rows.js';
import { decodeProduct, PRODUCT_BODY } from './product-rows.js';

/** The most rows of a kind and a partition. More of them are read by pages. */
const MOST = 500;

const CHANGES = `with since as materialized (
    select * from unnest($1::smallint[], $2::bigint[], $3::bigint[]) as since(partition, epoch, n)
  )
  select 'journal' as kind, to_json(j) as body from (${JOURNALS}) j
  union all
  select 'partition', json_build_object('partition', p.partition, 'epoch', p.epoch, 'journal', p.journal,
    'seen', p.seen::text, 'sent', p.sent::text)
  from partitions p where p.partition = any($1::smallint[])
  union all
  select 'order', o.body from since cross join lateral (
    select ${ORDER_BODY} as body from orders o
    where o.state is not null and o.partition = since.partition order by o.order_id limit ${MOST}
  ) o
  union all
  select 'product', p.body from since cross join lateral (
    select ${PRODUCT_BODY} as body from products p
    where p.partition = since.partition and (p.epoch, p.n) > (since.epoch, since.n) order by p.product_id limit ${MOST}
  ) p
  union all
  select 'last', l.body from (
    select to_json(${msOf('created_at')}) as body from orders order by created_at desc limit 1
  ) l`;

interface Since extends Mark {
  readonly partition: number;
}

type Kind = 'journal' | 'partition' | 'order' | 'product' | 'last';

/** @returns undefined when too much has changed for one statement */
export async function loadChanges(client: Session, since: readonly Since[]): Promise<Loaded | undefined> {
  const found = await client.query<{ kind: Kind; body: string }>('load changes', CHANGES, [
    plain(since, ({ partition }) => partition),
    plain(since, ({ epoch }) => epoch),
    plain(since, ({ n }) => n),
  ]);
  const bodies = (kind: Kind) => found.filter((row) => row.kind === kind).map(({ body }) => body);
  const [orders, products] = [bodies('order'), bodies('product')];
  if (Math.max(orders.length, products.length) >= MOST) return undefined;
  return {
    journals: bodies('journal').map((body) => journalOf(JSON.parse(body) as JournalText)),
    partitions: bodies('partition').map((body) => partitionRowOf(JSON.parse(body) as PartitionText)),
    orders: orders.map(decodeOrder),
    products: products.map(decodeProduct),
    lastPlacedAt: Number(bodies('last')[0] ?? 0),
  };
}
