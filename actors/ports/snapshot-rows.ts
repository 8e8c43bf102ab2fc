/**
 * What is remembered: the rows that a flush writes and a start loads.
 *
 * Invariants:
 *  R1. Rows carry only what is appended, and the (epoch, n) up to which they contain it: an older
 *      row never overwrites a newer one, a replay skips what a row already has.
 *  R2. An actor's row goes with its items, history and operations in ONE statement; partition rows go
 *      with the journal's row in the last statement, after every earlier one is acknowledged.
 *  R3. A statement whose journal's row is closed writes nothing.
 */
import type { JournalId, NodeId, OrderId, ProductId, WriteId } from '../ids.js';
import type { OrderState } from '../order/order.js';
import type { ProductState } from '../product/inventory.js';
import type { OrderEvent, ProductRefusal } from '../protocol.js';
import type { NumberedLetter } from './letters.js';

/** Up to where a row contains its partition's journal: a later epoch beats any n. */
export interface Mark {
  readonly epoch: number;
  readonly n: number;
}

export interface StoredOrder extends Mark {
  readonly state: OrderState;
  /** Number of its events. */
  readonly version: number;
}

export interface StoredProduct extends Mark {
  readonly state: ProductState;
  readonly version: number;
}

export interface HistoryRow {
  readonly order: OrderId;
  readonly version: number;
  /** Wall clock, milliseconds. */
  readonly at: number;
  readonly correlation: string;
  readonly event: OrderEvent;
}

/**
 * What one turn did to one order, as it is stored. By turn and correlation and nothing else, so that whatever else is
 * flushed along, the same turn is the same row again: a repeated one must meet it by its key.
 */
export interface TurnRow {
  readonly order: OrderId;
  /** Of its first event; the others follow without a gap. */
  readonly version: number;
  /** Wall clock, milliseconds. */
  readonly at: number;
  readonly correlation: string;
  /** The record it came with. */
  readonly n: number;
  readonly count: number;
  /** The events as JSON with commas between: text is what is kept and written, the events themselves are let go. */
  readonly events: string;
}

export const eventsOf = ({ order, version, at, correlation, events }: TurnRow): HistoryRow[] =>
  (JSON.parse(`[${events}]`) as OrderEvent[]).map((event, i) => {
    return { order, version: version + i, at, correlation, event };
  });

export type OperationType =
  | 'receive'
  | 'adjust'
  | 'hold'
  | 'release'
  | 'commit'
  | 'return'
  | 'backorder'
  | 'unbackorder';

export interface OperationRow {
  /** The order's id, or the write's. */
  readonly ref: OrderId | WriteId;
  readonly order: OrderId | null;
  readonly product: ProductId;
  /** The product's version after it: dense, so a missing one shows. */
  readonly version: number;
  readonly type: OperationType;
  readonly no: number;
  /** Signed for `adjust`, else as it moved. */
  readonly quantity: number;
  readonly onHandAfter: number;
  readonly heldAfter: number;
  readonly backorderedAfter: number;
  readonly reason: string | null;
  /** Of the write's whole request; null where there is an order. */
  readonly fingerprint: string | null;
  readonly correlation: string;
  readonly at: number;
}

export interface OrderChange extends StoredOrder {
  /** Known to have no row yet: a plain insert will do. */
  readonly isNew: boolean;
  readonly history: readonly TurnRow[];
}

export interface ProductChange extends StoredProduct {
  readonly isNew: boolean;
  readonly operations: readonly OperationRow[];
}

export interface PartitionRow {
  readonly partition: number;
  readonly epoch: number;
  readonly journal: JournalId;
  /** The highest letter handled, by sending partition. */
  readonly seen: { readonly [from: number]: number };
  /** By receiving partition: the highest number given, and what is not confirmed. */
  readonly sent: { readonly [to: number]: { readonly last: number; readonly unconfirmed: readonly NumberedLetter[] } };
}

/** A stock write that was refused under a client's key: whoever sends it again is refused so too. */
export interface RefusedWriteRow {
  readonly ref: WriteId;
  readonly product: ProductId;
  readonly fingerprint: string;
  readonly refusal: ProductRefusal;
  /** Wall clock, milliseconds. */
  readonly at: number;
}

/** A place in a log that someone remembers: compared with the record's id, not by number alone. */
export interface Place {
  readonly n: number;
  readonly position: number;
  readonly recordId: string;
}

export const NOWHERE: Place = { n: 0, position: 0, recordId: '' };

export interface JournalRow {
  readonly journal: JournalId;
  readonly node: NodeId;
  readonly closed: boolean;
  /** Everything up to here is folded into the rows. */
  readonly folded: Place;
  /** Everything up to this n is on EVENTS. */
  readonly publishedN: number;
}

/** One bounded SQL statement of a flush. */
export type Statement =
  | { readonly kind: 'orders'; readonly rows: readonly OrderChange[]; readonly certain: boolean }
  | { readonly kind: 'products'; readonly rows: readonly ProductChange[]; readonly certain: boolean }
  /** Those that have a row already are passed over. */
  | { readonly kind: 'refusals'; readonly rows: readonly RefusedWriteRow[] }
  | {
      readonly kind: 'last';
      readonly partitions: readonly PartitionRow[];
      readonly from: Place;
      readonly to: Place;
      readonly publishedN: number;
    };

/** True when a row at `a` contains everything up to `b`. */
export const contains = (a: Mark, b: Mark): boolean => a.epoch > b.epoch || (a.epoch === b.epoch && a.n >= b.n);
