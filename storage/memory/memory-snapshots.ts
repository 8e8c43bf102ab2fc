/**
 * Snapshots in memory: the twin of storage/snapshots, with the same guards (snapshot-rows.R1, snapshot-rows.R3) and the
 * same refusals, without durability. Values are immutable, so they are stored without a copy. A statement is atomic: it
 * takes full effect, or throws before it changes anything.
 */
import { partitionOf, type WriteId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import { isSettled } from '../../actors/order/order.js';
import { erasedEvent, forgottenAt } from '../../actors/order/personal-data.js';
import type { Queries } from '../../actors/ports/queries.js';
import {
  contains,
  eventsOf,
  type HistoryRow,
  type JournalRow,
  type Mark,
  NOWHERE,
  type Place,
  type Statement,
} from '../../actors/ports/snapshot-rows.js';
import type { Snapshots } from '../../actors/ports/snapshots.js';
import { memoryQueries } from './memory-queries.js';
import type { MemoryTables } from './memory-tables.js';

export function memorySnapshots(): { readonly snapshots: Snapshots; readonly queries: Queries } {
  const tables: MemoryTables = {
    orders: new Map(),
    history: new Map(),
    products: new Map(),
    operations: new Map(),
    writes: new Map(),
    refusedWrites: [],
    journals: new Map(),
    partitions: new Map(),
  };
  return { snapshots: snapshotsOver(tables), queries: memoryQueries(tables) };
}

function snapshotsOver(tables: MemoryTables): Snapshots {
  const { orders, products, journals, partitions } = tables;
  return {
    async openJournal(journal, node) {
      const row = journals.get(journal);
      if (row?.closed) throw new Error(`the journal ${journal} is closed already: start again as a new incarnation`);
      journals.set(journal, row ?? { journal, node, closed: false, folded: NOWHERE, publishedN: 0 });
    },

    async closeJournals(ids) {
      for (const journal of ids) {
        const row = journals.get(journal);
        journals.set(journal, {
          ...(row ?? { journal, node: '' as JournalRow['node'], folded: NOWHERE, publishedN: 0 }),
          closed: true,
        });
      }
    },

    async load(wanted, partitionCount, orderIds, since) {
      const set = new Set(wanted);
      const mine = (kind: 'order' | 'product', id: string) => set.has(partitionOf(kind, id, partitionCount));
      const named = new Set(orderIds);
      return {
        journals: [...journals.values()],
        partitions: [...partitions.values()].filter(({ partition }) => set.has(partition)),
        orders: [...orders.values()].filter(
          ({ state }) => (named.has(state.id) || !isSettled(state)) && mine('order', state.id),
        ),
        products: [...products.values()].filter((row) => {
          const mark = since?.get(partitionOf('product', row.state.id, partitionCount));
          return mine('product', row.state.id) && (mark === undefined || !contains(mark, row));
        }),
        lastPlacedAt: [...orders.values()].reduce((latest, { state }) => Math.max(latest, state.createdAt), 0),
      };
    },

    async write(journal, statement) {
      const row = journals.get(journal);
      if (row === undefined || row.closed) return 'closed';
      if (statement.kind === 'orders') writeOrders(tables, statement);
      else if (statement.kind === 'products') writeProducts(tables, statement);
      else if (statement.kind === 'refusals') writeRefusals(tables, statement);
      else return writeLast(tables, row, statement) ? 'written' : 'closed';
      return 'written';
    },

    async lookUp(orderIds, writeIds) {
      return {
        orders: [...new Set(orderIds)].flatMap((id) => orders.get(id) ?? []),
        writes: [...new Set(writeIds)].flatMap((id) => [
          ...(tables.writes.get(id) ?? []).map(({ product, fingerprint }) => ({
            ref: id,
            product,
            fingerprint: fingerprint ?? '',
          })),
          ...tables.refusedWrites
            .filter(({ ref }) => ref === id)
            .map(({ product, fingerprint, refusal: refused }) => ({ ref: id, product, fingerprint, refused })),
        ]),
      };
    },

    // Nothing is archived in memory.
    archived: async () => undefined,
    seeArchives: async () => 0,

    async orderIdsAfter(after, most) {
      const ids = [...orders.keys()].filter((id) => id > after);
      return ids.sort((a, b) => (a < b ? -1 : 1)).slice(0, most);
    },

    journals: async () => [...journals.values()],

    partitionMarks: async () =>
      [...partitions.values()]
        .map(({ partition, epoch, journal }) => ({ partition, epoch, journal }))
        .sort((a, b) => a.partition - b.partition),

    async published(journal, n) {
      const row = journals.get(journal);
      if (row !== undefined) journals.set(journal, { ...row, publishedN: Math.max(row.publishedN, n) });
    },

    async forgetJournal(journal) {
      journals.delete(journal);
    },

    async probe() {},
  };
}

// ---------------------------------------------------------------- the statements

function writeOrders(
  { orders, history }: MemoryTables,
  { rows, certain }: Extract<Statement, { kind: 'orders' }>,
): void {
  if (certain) {
    for (const { state, isNew, history: turns } of rows) {
      mustBeNew(isNew && orders.has(state.id), `order ${state.id}`);
      for (const { order, version } of turns) {
        mustBeNew(history.get(order)?.has(version), `event ${version} of order ${order}`);
      }
    }
  }
  for (const { isNew: _, partition: __, history: turns, ...stored } of rows) {
    overwrite(orders, stored.state.id, stored);
    const forgotten = stored.state.life.forgotten && forgottenAt(turns);
    for (const turn of turns) {
      for (const event of eventsOf(turn)) insert(history, event.order, event.version, event);
    }
    if (forgotten === undefined) continue;
    const all = history.get(stored.state.id) ?? new Map<number, HistoryRow>();
    for (const [version, row] of all)
      if (version < forgotten) all.set(version, { ...row, event: erasedEvent(row.event) });
  }
}

function writeProducts(
  { products, operations, writes }: MemoryTables,
  { rows, certain }: Extract<Statement, { kind: 'products' }>,
): void {
  for (const { state } of rows) {
    if (state.held < 0 || state.held > state.onHand) {
      throw new Error(`product ${state.id} would hold ${state.held} of ${state.onHand}`);
    }
  }
  if (certain) {
    for (const { state, isNew, operations: operated } of rows) {
      mustBeNew(isNew && products.has(state.id), `product ${state.id}`);
      for (const { product, version } of operated) {
        mustBeNew(operations.get(product)?.has(version), `operation ${version} of product ${product}`);
      }
    }
  }
  for (const { isNew: _, partition: __, operations: operated, ...stored } of rows) {
    overwrite(products, stored.state.id, stored);
    for (const operation of operated) {
      if (!insert(operations, operation.product, operation.version, operation) || operation.order !== null) continue;
      const ref = operation.ref as WriteId;
      writes.set(ref, [...(writes.get(ref) ?? []), operation]);
    }
  }
}

function writeRefusals({ refusedWrites }: MemoryTables, { rows }: Extract<Statement, { kind: 'refusals' }>): void {
  for (const row of rows) {
    const { ref, product, fingerprint } = row;
    const isStored = refusedWrites.some(
      (each) => each.ref === ref && each.product === product && each.fingerprint === fingerprint,
    );
    if (!isStored) refusedWrites.push(row);
  }
  refusedWrites.splice(0, refusedWrites.length - limits.refusedWrites);
}

function writeLast(
  { journals, partitions }: MemoryTables,
  row: JournalRow,
  { partitions: rows, from, to, publishedN }: Extract<Statement, { kind: 'last' }>,
): boolean {
  if (!samePlace(row.folded, from) && !samePlace(row.folded, to)) return false;
  journals.set(row.journal, { ...row, folded: to, publishedN: Math.max(row.publishedN, publishedN) });
  for (const partition of rows) {
    const stored = partitions.get(partition.partition);
    if (stored === undefined || stored.epoch <= partition.epoch) partitions.set(partition.partition, partition);
  }
  return true;
}

// ---------------------------------------------------------------- machinery

const samePlace = (a: Place, b: Place): boolean =>
  a.n === b.n && a.position === b.position && a.recordId === b.recordId;

/** Throws when the row exists, as an insert without `on conflict` does in Postgres. */
function mustBeNew(isStored: boolean | undefined, what: string): void {
  if (isStored) throw new Error(`${what} has a row already: it is not new`);
}

/** snapshot-rows.R1: an older row never overwrites a newer one. */
function overwrite<Id, Row extends Mark>(table: Map<Id, Row>, id: Id, row: Row): void {
  const stored = table.get(id);
  if (stored === undefined || !contains(stored, row)) table.set(id, row);
}

/** @returns false when the row exists already. */
function insert<Id, Row>(table: Map<Id, Map<number, Row>>, id: Id, version: number, row: Row): boolean {
  let rows = table.get(id);
  if (rows === undefined) {
    rows = new Map();
    table.set(id, rows);
  }
  if (rows.has(version)) return false;
  rows.set(version, row);
  return true;
}
