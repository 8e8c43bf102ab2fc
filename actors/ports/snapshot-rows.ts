/**
 * The rows that a flush writes and a start loads.
 *
 * Invariants:
 *  R1. A row has only appended changes, and the (epoch, n) up to which it has them. So an older row never overwrites a
 *      newer one, and a replay skips the events that a row already has.
 *  R2. An actor's row is written with its items, history and operations in ONE statement. Partition rows are written
 *      with the journal's row in the last statement, after every earlier one is acknowledged.
 *  R3. A statement of a journal whose row is closed writes nothing.
 */
import type { JournalId, NodeId, OrderId, ProductId, WriteId } from '../ids.js';
import type { OrderState } from '../order/order.js';
import type { ProductState } from '../product/inventory.js';
import type { OrderEvent, ProductRefusal } from '../protocol.js';
import type { NumberedLetter } from './letters.js';

/** Up to where a row contains its partition's records. A later epoch is later than any n of an earlier one. */
export interface Mark {
  readonly epoch: number;
  readonly n: number;
}

export interface StoredOrder extends Mark {
  readonly state: OrderState;
  /** Number of its events. */
  readonly version: number;
  /** It is in an archive: it never changes any more. */
  readonly archived?: boolean;
}

export interface StoredProduct extends Mark {
  readonly state: ProductState;
  readonly version: number;
}

export interface HistoryRow {
  readonly order: OrderId;
  readonly version: number;
  /** The version of the first event that the order had in this turn under this correlation. */
  readonly turn: number;
  /** Wall clock, milliseconds. */
  readonly at: number;
  readonly correlation: string;
  readonly event: OrderEvent;
}

/**
 * The events of one order in one turn under one correlation, as one row. Nothing else divides rows: whatever is flushed
 * together, a turn makes the same row again, and a repeated statement finds the row by its key.
 */
export interface TurnRow {
  readonly order: OrderId;
  /** The version of the first event; the others follow without a gap. */
  readonly version: number;
  /** Wall clock, milliseconds. */
  readonly at: number;
  readonly correlation: string;
  /** The n of the record with these events. */
  readonly n: number;
  readonly count: number;
  /** The events as JSON with commas between. Only this text is kept until the flush, not the events themselves. */
  readonly events: string;
}

export const eventsOf = ({ order, version, at, correlation, events }: TurnRow): HistoryRow[] =>
  (JSON.parse(`[${events}]`) as OrderEvent[]).map((event, i) => {
    return { order, version: version + i, turn: version, at, correlation, event };
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
  /** The id of the order, or of the write. */
  readonly ref: OrderId | WriteId;
  readonly order: OrderId | null;
  readonly product: ProductId;
  /** The product's version after the operation. Versions are dense, so a missing one is visible. */
  readonly version: number;
  readonly type: OperationType;
  readonly no: number;
  /** Signed for `adjust`; else the quantity that moved. */
  readonly quantity: number;
  readonly onHandAfter: number;
  readonly heldAfter: number;
  readonly backorderedAfter: number;
  readonly reason: string | null;
  /** The fingerprint of the write's whole request; null for an operation of an order. */
  readonly fingerprint: string | null;
  readonly correlation: string;
  readonly at: number;
}

export interface OrderChange extends StoredOrder {
  readonly partition: number;
  /** There is certainly no row yet: a plain insert is enough. */
  readonly isNew: boolean;
  readonly history: readonly TurnRow[];
}

export interface ProductChange extends StoredProduct {
  readonly partition: number;
  readonly isNew: boolean;
  readonly operations: readonly OperationRow[];
}

export interface PartitionRow {
  readonly partition: number;
  readonly epoch: number;
  readonly journal: JournalId;
  /** The highest letter handled, by sending partition. */
  readonly seen: { readonly [from: number]: number };
  /** By receiving partition: the highest number given, and the letters without a confirmation. */
  readonly sent: { readonly [to: number]: { readonly last: number; readonly unconfirmed: readonly NumberedLetter[] } };
}

/** A stock write that was refused under a client's key: every repeat gets the same refusal. */
export interface RefusedWriteRow {
  readonly ref: WriteId;
  readonly product: ProductId;
  readonly fingerprint: string;
  readonly refusal: ProductRefusal;
  /** Wall clock, milliseconds. */
  readonly at: number;
}

/** A stored place in a log. It is compared by the record's id too, not by number alone. */
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
  /** The rows contain everything up to here. */
  readonly folded: Place;
  /** EVENTS has everything up to this n. */
  readonly publishedN: number;
}

/** One bounded SQL statement of a flush. */
export type Statement =
  | { readonly kind: 'orders'; readonly rows: readonly OrderChange[]; readonly certain: boolean }
  | { readonly kind: 'products'; readonly rows: readonly ProductChange[]; readonly certain: boolean }
  /** Refusals that have a row already are skipped. */
  | { readonly kind: 'refusals'; readonly rows: readonly RefusedWriteRow[] }
  | {
      readonly kind: 'last';
      readonly partitions: readonly PartitionRow[];
      readonly from: Place;
      readonly to: Place;
      readonly publishedN: number;
    };

/** By partition: these rows of one database snapshot, and all rows read with them, contain everything up to here. */
export function foldedTo(partitions: readonly PartitionRow[], journals: readonly JournalRow[]): Map<number, Mark> {
  const folded = new Map(journals.map(({ journal, folded: { n } }) => [journal, n]));
  return new Map(
    partitions.map(({ partition, epoch, journal }) => [partition, { epoch, n: folded.get(journal) ?? 0 }]),
  );
}

/** True when a row at `a` contains everything up to `b`. */
export const contains = (a: Mark, b: Mark): boolean => a.epoch > b.epoch || (a.epoch === b.epoch && a.n >= b.n);
