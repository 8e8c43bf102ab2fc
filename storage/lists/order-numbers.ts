/**
 * Numbers for people from Postgres. Sums come from the days, the months and the queue of `order_stats`
 * (storage/snapshots/order-stats.ts); a user's summary and what is bought together come from a bounded number of orders.
 */
import type { OrderId, ProductId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import { minorOfSum } from '../../actors/money.js';
import { isSold } from '../../actors/order/transitions.js';
import type { AlsoBought, Numbers, StatsFilter, StatsRow } from '../../actors/ports/numbers.js';
import type { FailureReason, OrderStatus } from '../../actors/protocol.js';
import { msOf } from '../postgres/column-arrays.js';
import type { Parameter, PostgresClient } from '../postgres/postgres.js';
import { IS_SOLD } from '../snapshots/order-stats.js';
import { givenTo } from './order-filter.js';
import { spansOf } from './stats-spans.js';

// ---------------------------------------------------------------- sums

const BY: { readonly [B in StatsFilter['by']]: { readonly key: string; readonly order: string } } = {
  day: { key: `to_char(day, 'YYYY-MM-DD')`, order: 'key desc, currency' },
  product: { key: 'product_id', order: 'units desc, key, currency' },
  total: { key: `''`, order: 'currency' },
};

const SPANS = { day: 'order_stats_days', month: 'order_stats_months', queued: 'order_stats_queued' } as const;

function statsText({ by, product, currency, from, to }: StatsFilter, limit: number): [string, Parameter[]] {
  const parameters: Parameter[] = [];
  const given = givenTo(parameters);
  // Product '' has the sums of all products by day, so that they need not be read one by one.
  const isOne = product !== undefined || by !== 'product';
  const conditions = [isOne ? `product_id = ${given(product ?? '')}` : `product_id <> ''`];
  if (currency !== undefined) conditions.push(`currency = ${given(currency)}`);
  const range = { from, to, isAdded: true };
  const spans = isOne ? [{ of: 'day' as const, ...range }] : spansOf(from, to);
  const parts = [...spans, { of: 'queued' as const, ...range }].map(({ of, from, to, isAdded }) => {
    const [at, sign] = [of === 'month' ? 'month' : 'day', isAdded ? '' : '-'];
    const within = [...conditions];
    if (from !== undefined) within.push(`${at} >= ${given(from, 'date')}`);
    if (to !== undefined) within.push(`${at} < ${given(to, 'date')}`);
    return `select product_id, ${at} as day, currency, status, reason, ${sign}containing as containing, ${sign}units as units,
      ${sign}revenue as revenue from ${SPANS[of]} where ${within.join(' and ')}`;
  });
  const { key, order } = BY[by];
  const text = `with parts as (${parts.join(' union all ')}),
    sums as (
      select ${key} as key, currency, status, reason, sum(containing) as orders, sum(units) as units, sum(revenue) as revenue
      from parts group by 1, 2, 3, 4 having sum(containing) <> 0)
    select key, currency, sum(orders)::bigint as orders, sum(revenue)::text as revenue,
      coalesce(sum(units) filter (where status ${IS_SOLD}), 0)::bigint as units,
      json_agg(json_build_array(status, reason, orders))::text as counts
    from sums group by key, currency order by ${order} limit ${given(limit, 'bigint')}`;
  return [text, parameters];
}

interface StatsBody {
  readonly key: string;
  readonly currency: string;
  readonly orders: number;
  readonly units: number;
  readonly revenue: string;
  readonly counts: string;
}

function statsRow(by: StatsFilter['by'], { key, currency, orders, units, revenue, counts }: StatsBody): StatsRow {
  const statuses: { [S in OrderStatus]?: number } = {};
  const rejections: { [R in FailureReason]?: number } = {};
  for (const [status, reason, count] of JSON.parse(counts) as [OrderStatus, FailureReason | '', number][]) {
    statuses[status] = (statuses[status] ?? 0) + count;
    if (status === 'failed' && reason !== '') rejections[reason] = (rejections[reason] ?? 0) + count;
  }
  return {
    ...(by === 'day' && { day: key }),
    ...(by === 'product' && { product: key as ProductId }),
    currency: currency === '' ? undefined : currency,
    ...{ orders, units, statuses, rejections },
    revenue: minorOfSum(revenue, currency),
  };
}

// ---------------------------------------------------------------- a user's summary

const PLACE = `json_build_object('id', order_id, 'at', ${msOf('created_at')})`;

const SUMMARY = `with latest as materialized (
    select status, currency, total_amount from orders where user_id = $1
    order by created_at desc, order_id desc limit ${limits.exactCount})
  select (select json_agg(json_build_array(status, currency, orders, total)) from (
      select status, currency, count(*) as orders, coalesce(sum(total_amount), 0)::text as total
      from latest group by 1, 2 order by 2, 1) sums)::text as sums,
    (select ${PLACE} from orders where user_id = $1 order by created_at, order_id limit 1)::text as first,
    (select ${PLACE} from orders where user_id = $1 order by created_at desc, order_id desc limit 1)::text as last,
    exists (select from (select from orders where user_id = $1 limit ${limits.exactCount + 1}) all_of_them offset ${limits.exactCount}) as more`;

interface SummaryBody {
  readonly sums: string | null;
  readonly first: string | null;
  readonly last: string | null;
  readonly more: boolean;
}

type Sum = readonly [status: OrderStatus, currency: string | null, orders: number, total: string];
type Place = { readonly id: OrderId; readonly at: number };

// ---------------------------------------------------------------- bought together

const ALSO_BOUGHT = `with latest as materialized (
    select order_id from order_items where product_id = $1 order by created_at desc limit ${limits.alsoBoughtOrders}),
  sold as materialized (
    select l.order_id from latest l
      cross join lateral (select from orders o where o.order_id = l.order_id and o.status ${IS_SOLD} offset 0) is_sold),
  bought as (
    select i.product_id, count(*) as orders
    from sold s cross join lateral (select product_id from order_items where order_id = s.order_id offset 0) i
    where i.product_id <> $1 group by 1 order by 2 desc, 1 limit $2::bigint)
  select (select count(*) from sold) as orders, coalesce((select json_agg(json_build_object('product', product_id,
      'name', (select name from products p where p.product_id = b.product_id), 'orders', orders) order by orders desc, product_id)
    from bought b), '[]')::text as products`;

// ---------------------------------------------------------------- the port

export function orderNumbers(client: PostgresClient): Numbers {
  return {
    async stats(filter, limit) {
      const [text, parameters] = statsText(filter, limit + 1);
      const rows = await client.query<StatsBody>('add up orders', text, parameters);
      return { rows: rows.slice(0, limit).map((row) => statsRow(filter.by, row)), more: rows.length > limit };
    },

    async userSummary(user) {
      const [row] = await client.query<SummaryBody>('summarise a user', SUMMARY, [user]);
      if (row === undefined || row.sums === null || row.first === null || row.last === null) return undefined;
      const sums = JSON.parse(row.sums) as readonly Sum[];
      const statuses: { [S in OrderStatus]?: number } = {};
      const totals = new Map<string, { orders: number; total: bigint }>();
      for (const [status, currency, orders, total] of sums) {
        statuses[status] = (statuses[status] ?? 0) + orders;
        if (currency === null || !isSold(status)) continue;
        const of = totals.get(currency) ?? { orders: 0, total: 0n };
        totals.set(currency, { orders: of.orders + orders, total: of.total + minorOfSum(total, currency) });
      }
      return {
        orders: sums.reduce((all, [, , orders]) => all + orders, 0),
        more: row.more,
        statuses,
        totals: [...totals].map(([currency, of]) => ({ currency, ...of })),
        first: JSON.parse(row.first) as Place,
        last: JSON.parse(row.last) as Place,
      };
    },

    async alsoBought(product, limit) {
      type Body = { readonly orders: number; readonly products: string };
      const [row] = await client.query<Body>('look what is bought together', ALSO_BOUGHT, [product, limit]);
      type Products = readonly { product: ProductId; name: string | null; orders: number }[];
      const products = JSON.parse(row?.products ?? '[]') as Products;
      const named = products.map(({ name, ...rest }): AlsoBought['products'][number] => ({
        ...rest,
        name: name ?? undefined,
      }));
      return { orders: row?.orders ?? 0, products: named };
    },
  };
}
