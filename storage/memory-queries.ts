/** The twin of the lists in Postgres, over the tables of memory-snapshots.ts. Sorts what it is asked for: not for large data. */
import type { Page, Queries } from '../actors/ports.js';
import { statusOf } from '../actors/transitions.js';
import type { MemoryTables } from './memory-snapshots.js';

export function memoryQueries({ orders, history, products, operations }: MemoryTables): Queries {
  return {
    order: async (id) => orders.get(id)?.state,

    async orders({ user, status }, page) {
      const found = [...orders.values()]
        .map(({ state }) => state)
        .filter((state) => user === undefined || state.content.user === user)
        .filter((state) => status === undefined || statusOf(state.phase) === status)
        .sort((a, b) => b.createdAt - a.createdAt || compare(b.id, a.id));
      return { orders: cut(found, page), total: found.length };
    },

    async products(page) {
      const found = [...products.values()].map(({ state }) => state).sort((a, b) => compare(a.id, b.id));
      return { products: cut(found, page), total: found.length };
    },

    history: async (order) => [...(history.get(order)?.values() ?? [])].sort((a, b) => a.version - b.version),

    async operations(product, page) {
      const found = product === undefined ? [...operations.values()] : [operations.get(product) ?? new Map()];
      const rows = found
        .flatMap((versions) => [...versions.values()])
        .sort((a, b) => compare(a.product, b.product) || b.version - a.version);
      return { operations: cut(rows, page), total: rows.length };
    },
  };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const cut = <T>(rows: readonly T[], { page, pageSize }: Page): readonly T[] =>
  rows.slice((page - 1) * pageSize, page * pageSize);
