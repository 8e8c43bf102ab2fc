/**
 * Collects one flush from the changed actors, and makes its statements in their order.
 *
 * A flush is collected only while no turn is under way, so every state in it is appended (snapshot-rows.R1).
 * Statements are bounded by rows. An actor is never split over two statements (snapshot-rows.R2); an actor with too
 * many rows stops new commands until they are flushed. The last statement of a whole flush carries the partition rows
 * and moves the journal's row. Between two whole flushes only orders are flushed: a replay skips row by row.
 * A new product's row is written before the orders that name it, because orders are found by their products' names.
 */
import type { JournalId } from '../ids.js';
import { limits } from '../limits.js';
import type {
  OrderChange,
  PartitionRow,
  Place,
  ProductChange,
  RefusedWriteRow,
  Statement,
} from '../ports/snapshot-rows.js';
import type { OrderEntry, ProductEntry, World } from './world.js';

export interface Flush {
  readonly number: number;
  readonly orders: readonly OrderChange[];
  readonly products: readonly ProductChange[];
  readonly refusals: readonly RefusedWriteRow[];
  /** Whether the flush has everything up to `to`. Else it has only orders, and the journal's row does not move. */
  readonly isWhole: boolean;
  readonly partitions: readonly PartitionRow[];
  readonly from: Place;
  readonly to: Place;
  readonly events: number;
  /** Size of the records that the flush covers. */
  readonly bytes: number;
}

/** Takes the changes out of the world. A partition's row is among them once after its join. */
export function collectFlush(
  world: World,
  journal: JournalId,
  range: Pick<Flush, 'number' | 'from' | 'to' | 'bytes' | 'isWhole'>,
): Flush {
  const orders = [...world.changedOrders].map(orderChange);
  world.changedOrders.clear();
  const orderEvents = orders.reduce((sum, { history }) => history.reduce((all, { count }) => all + count, sum), 0);
  if (!range.isWhole) return { ...range, orders, products: [], refusals: [], partitions: [], events: orderEvents };
  const products = [...world.changedProducts].map(productChange);
  const refusals = world.refusedWrites;
  world.refusedWrites = [];
  world.isClogged = false;
  world.hasNewProducts = false;
  world.changedProducts.clear();
  const partitions: PartitionRow[] = [];
  for (const { partition, epoch, channels } of world.owned.values()) {
    if (!channels.dirty) continue;
    channels.dirty = false;
    partitions.push({ partition, epoch, journal, ...channels.row() });
  }
  const events = orderEvents + refusals.length + products.reduce((sum, { operations }) => sum + operations.length, 0);
  return { ...range, orders, products, refusals, partitions, events };
}

function orderChange(entry: OrderEntry): OrderChange {
  const { state, version, epoch, n, partition, isNew, rows } = entry;
  entry.rows = [];
  entry.isNew = false;
  return { state, version, epoch, n, partition, isNew, history: rows };
}

function productChange(entry: ProductEntry): ProductChange {
  const { state, version, epoch, n, partition, isNew, rows } = entry;
  entry.rows = [];
  entry.isNew = false;
  return { state, version, epoch, n, partition, isNew, operations: rows };
}

/** @param certain false after an attempt without an answer: its rows may be stored already. */
export function statementsOf(flush: Flush, certain: boolean, publishedN: number): Statement[] {
  const statements: Statement[] = [];
  const productRows = (product: ProductChange) => 1 + product.operations.length;
  for (const rows of chunks(flush.products, productRows, limits.flushRows))
    statements.push({ kind: 'products', rows, certain });
  const orderRows = (order: OrderChange) => 1 + order.state.lines.length + order.history.length;
  for (const rows of chunks(flush.orders, orderRows, limits.flushOrders))
    statements.push({ kind: 'orders', rows, certain });
  if (!flush.isWhole) return statements;
  for (const rows of chunks(flush.refusals, () => 1, limits.flushRows)) statements.push({ kind: 'refusals', rows });
  statements.push({ kind: 'last', partitions: flush.partitions, from: flush.from, to: flush.to, publishedN });
  return statements;
}

function* chunks<T>(items: readonly T[], rowsOf: (item: T) => number, most: number): Generator<T[]> {
  let chunk: T[] = [];
  let rows = 0;
  for (const item of items) {
    const add = rowsOf(item);
    if (chunk.length > 0 && (chunk.length >= most || rows + add > limits.flushRows)) {
      yield chunk;
      chunk = [];
      rows = 0;
    }
    chunk.push(item);
    rows += add;
  }
  if (chunk.length > 0) yield chunk;
}
