/** Queries over memory-tables.ts: the twin of storage/lists. A list filters and sorts all rows: not for large data. */
import { comparable, decimalText } from '../../actors/money.js';
import type { OrderState } from '../../actors/order/order.js';
import { fulfillmentStatusOf, paymentStatusOf, statusOf } from '../../actors/order/transitions.js';
import type { OrderFilter, Page, Queries } from '../../actors/ports/queries.js';
import type { StoredProduct } from '../../actors/ports/snapshot-rows.js';
import { memoryNumbers } from './memory-numbers.js';
import { matches } from './memory-search.js';
import type { MemoryTables } from './memory-tables.js';

export function memoryQueries({ orders, history, products, operations, writes }: MemoryTables): Queries {
  const nameOf = (product: string) => (products as ReadonlyMap<string, StoredProduct>).get(product)?.state.name ?? '';
  const matching = (filter: OrderFilter) =>
    [...orders.values()]
      .map(({ state }) => state)
      .filter(
        (state) => isListed(state, filter) && (filter.words === undefined || matches(state, filter.words, nameOf)),
      )
      .sort((a, b) => b.createdAt - a.createdAt || compare(b.id, a.id));
  const listedProducts = () => [...products.values()].map(({ state }) => state).sort((a, b) => compare(a.id, b.id));
  const ofProduct = (product: string) =>
    [...operations]
      .flatMap(([id, versions]) => (id === product ? [...versions.values()] : []))
      .sort((a, b) => b.version - a.version);

  return {
    order: async (id) => orders.get(id)?.state,
    isGone: async () => false,

    async orders(filter, page) {
      const found = matching(filter);
      return { orders: cut(found, page), ...counted(found.length) };
    },

    async ordersAfter(filter, after, limit) {
      const rest = matching(filter).filter(
        ({ id, createdAt }) =>
          after === undefined || createdAt < after.at || (createdAt === after.at && compare(id, after.id) < 0),
      );
      return { orders: rest.slice(0, limit), more: rest.length > limit };
    },

    countOrders: async (filter) => counted(matching(filter).length),

    async products(page) {
      const found = listedProducts();
      return { products: cut(found, page), ...counted(found.length) };
    },

    async productsAfter(after, limit) {
      const rest = listedProducts().filter(({ id }) => after === undefined || compare(id, after) > 0);
      return { products: rest.slice(0, limit), more: rest.length > limit };
    },

    countProducts: async () => counted(products.size),

    history: async (order) => [...(history.get(order)?.values() ?? [])].sort((a, b) => a.version - b.version),

    async operations(product, page) {
      const found = product === undefined ? [...operations.values()] : [operations.get(product) ?? new Map()];
      const rows = found
        .flatMap((versions) => [...versions.values()])
        .sort((a, b) => compare(a.product, b.product) || b.version - a.version);
      return { operations: cut(rows, page), ...counted(rows.length) };
    },

    async ledger(product, before, limit) {
      const rows = ofProduct(product).filter(({ version }) => before === undefined || version < before);
      return { operations: rows.slice(0, limit), more: rows.length > limit };
    },

    ...memoryNumbers(orders, products),

    mayHaveLineNames: async () => false,
    hasWrite: async (refs) => refs.some((ref) => writes.has(ref)),

    async stockAt(product, at) {
      const rows = ofProduct(product);
      return { operation: rows.find((row) => row.at <= at), version: rows[0]?.version ?? 0 };
    },
  };
}

function isListed(state: OrderState, filter: OrderFilter): boolean {
  const { user, status, payment, fulfillment, product, currency, from, to, minTotal, maxTotal } = filter;
  return (
    (user === undefined || state.content.user === user) &&
    (status === undefined || statusOf(state.phase) === status) &&
    (payment === undefined || paymentStatusOf(state) === payment) &&
    (fulfillment === undefined || fulfillmentStatusOf(state) === fulfillment) &&
    (product === undefined || state.lines.some((line) => line.product === product)) &&
    (currency === undefined || state.currency === currency) &&
    (from === undefined || state.createdAt >= from) &&
    (to === undefined || state.createdAt < to) &&
    hasTotal(state, minTotal, maxTotal)
  );
}

/** An unknown total lies within no bound. */
function hasTotal({ total, currency }: OrderState, min: string | undefined, max: string | undefined): boolean {
  if (min === undefined && max === undefined) return true;
  if (total === undefined || currency === undefined) return false;
  const decimal = comparable(decimalText(total, currency));
  return (min === undefined || decimal >= comparable(min)) && (max === undefined || decimal <= comparable(max));
}

const counted = (total: number) => ({ total, isEstimate: false });

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const cut = <T>(rows: readonly T[], { page, pageSize }: Page): readonly T[] =>
  rows.slice((page - 1) * pageSize, page * pageSize);
