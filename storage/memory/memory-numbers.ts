/** Numbers for people over memory-tables.ts: counted anew from the orders at each question. */
import { limits } from '../../actors/limits.js';
import type { OrderState } from '../../actors/order/order.js';
import { isSold, statusOf } from '../../actors/order/transitions.js';
import type { Numbers, StatsFilter, StatsRow } from '../../actors/ports/numbers.js';
import type { MemoryTables } from './memory-tables.js';

export function memoryNumbers(orders: MemoryTables['orders'], products: MemoryTables['products']): Numbers {
  const states = (is: (state: OrderState) => boolean): OrderState[] =>
    [...orders.values()]
      .map(({ state }) => state)
      .filter(is)
      .sort((a, b) => b.createdAt - a.createdAt || compare(b.id, a.id));

  return {
    async stats(filter, limit) {
      const rows = new Map<string, Counting>();
      for (const state of states((each) => isCounted(each, filter))) {
        for (const part of partsOf(state, filter)) {
          const key = `${part.day ?? ''} ${part.product ?? ''} ${part.currency}`;
          const row = rows.get(key);
          if (row === undefined) rows.set(key, part);
          else addTo(row, part);
        }
      }
      const sorted = [...rows.values()].sort(ORDER[filter.by]);
      return { rows: sorted.slice(0, limit), more: sorted.length > limit };
    },

    async userSummary(user) {
      const all = states(({ content }) => content.user === user);
      const latest = all.slice(0, limits.exactCount);
      const [last, first] = [all[0], all.at(-1)];
      if (first === undefined || last === undefined) return undefined;
      const statuses: { [status: string]: number } = {};
      const totals = new Map<string, { orders: number; total: bigint }>();
      for (const { phase, currency, total = 0 } of latest) {
        const status = statusOf(phase);
        statuses[status] = (statuses[status] ?? 0) + 1;
        if (currency === undefined || !isSold(status)) continue;
        const of = totals.get(currency) ?? { orders: 0, total: 0n };
        totals.set(currency, { orders: of.orders + 1, total: of.total + BigInt(total) });
      }
      return {
        ...{ orders: latest.length, more: all.length > latest.length, statuses },
        totals: [...totals]
          .map(([currency, of]) => ({ currency, ...of }))
          .sort((a, b) => compare(a.currency, b.currency)),
        first: { id: first.id, at: first.createdAt },
        last: { id: last.id, at: last.createdAt },
      };
    },

    async alsoBought(product, limit) {
      const sold = states(({ lines }) => lines.some((line) => line.product === product))
        .slice(0, limits.alsoBoughtOrders)
        .filter(({ phase }) => isSold(statusOf(phase)));
      const counts = new Map<OrderState['lines'][number]['product'], number>();
      for (const { lines } of sold) {
        for (const line of lines)
          if (line.product !== product) counts.set(line.product, (counts.get(line.product) ?? 0) + 1);
      }
      const bought = [...counts]
        .map(([id, count]) => ({ product: id, name: products.get(id)?.state.name, orders: count }))
        .sort((a, b) => b.orders - a.orders || compare(a.product, b.product));
      return { orders: sold.length, products: bought.slice(0, limit) };
    },
  };
}

type Counting = { -readonly [K in keyof StatsRow]: StatsRow[K] };

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

const isCounted = ({ createdAt, currency, lines }: OrderState, filter: StatsFilter): boolean =>
  (filter.from === undefined || dayOf(createdAt) >= filter.from) &&
  (filter.to === undefined || dayOf(createdAt) < filter.to) &&
  (filter.currency === undefined || currency === filter.currency) &&
  (filter.product === undefined || lines.some(({ product }) => product === filter.product));

/** What one order adds: one row, or one for each of its products. */
function partsOf({ createdAt, currency, phase, reason, lines }: OrderState, { by, product }: StatsFilter): Counting[] {
  const status = statusOf(phase);
  const counted = lines.filter((line) => product === undefined || line.product === product);
  const groups = by === 'product' ? counted.map((line) => [line]) : [counted];
  const sold = isSold(status);
  return groups.map((group) => ({
    ...(by === 'day' && { day: dayOf(createdAt) }),
    ...(by === 'product' && group[0] !== undefined && { product: group[0].product }),
    ...{ currency, orders: 1, statuses: { [status]: 1 } },
    rejections: status === 'failed' && reason !== undefined ? { [reason]: 1 } : {},
    units: sold ? group.reduce((sum, { quantity }) => sum + quantity, 0) : 0,
    revenue: sold
      ? group.reduce((sum, { unitPrice = 0, quantity }) => sum + BigInt(unitPrice) * BigInt(quantity), 0n)
      : 0n,
  }));
}

function addTo(row: Counting, part: Counting): void {
  row.orders += part.orders;
  row.units += part.units;
  row.revenue += part.revenue;
  row.statuses = added(row.statuses, part.statuses);
  row.rejections = added(row.rejections, part.rejections);
}

function added<Counts extends { readonly [name: string]: number | undefined }>(one: Counts, other: Counts): Counts {
  const sums: { [name: string]: number | undefined } = { ...one };
  for (const [name, count = 0] of Object.entries(other)) sums[name] = (sums[name] ?? 0) + count;
  return sums as Counts;
}

const compare = (a = '', b = ''): number => (a < b ? -1 : a > b ? 1 : 0);

const ORDER: { readonly [B in StatsFilter['by']]: (a: StatsRow, b: StatsRow) => number } = {
  day: (a, b) => compare(b.day, a.day) || compare(a.currency, b.currency),
  product: (a, b) => b.units - a.units || compare(a.product, b.product) || compare(a.currency, b.currency),
  total: (a, b) => compare(a.currency, b.currency),
};
