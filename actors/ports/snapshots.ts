/**
 * The storage that outlives an incarnation: snapshots and the settlement. Types only; a contract suite tests each
 * promise.
 */
import type { JournalId, NodeId, OrderId, ProductId, WriteId } from '../ids.js';
import type { ProductRefusal } from '../protocol.js';
import type { Settlement } from './settlement.js';
import type { JournalRow, Mark, PartitionRow, Statement, StoredOrder, StoredProduct } from './snapshot-rows.js';

export interface LookedUp {
  readonly orders: readonly StoredOrder[];
  /** Writes that had their effect or were refused, with the fingerprint of their request. */
  readonly writes: readonly {
    readonly ref: WriteId;
    readonly product: ProductId;
    readonly fingerprint: string;
    readonly refused?: ProductRefusal;
  }[];
  /** Orders whose rows are in an archive alone. `isGone`: the archive was removed. */
  readonly archived?: readonly { readonly order: OrderId; readonly isGone: boolean }[];
}

export interface Loaded {
  readonly journals: readonly JournalRow[];
  readonly partitions: readonly PartitionRow[];
  /** The orders that are not settled, and those named, settled or not. */
  readonly orders: readonly StoredOrder[];
  readonly products: readonly StoredProduct[];
  /** When the latest of all stored orders was placed, loaded or not; 0 when there is none. */
  readonly lastPlacedAt: number;
}

/** The snapshots, which are also the read model. Flushes write them, a start loads them. */
export interface Snapshots {
  /** Makes the journal's row, before its first claim. */
  openJournal(journal: JournalId, node: NodeId): Promise<void>;
  /** For sealed journals. After it returns, no statement of theirs writes anything. A missing row is made, closed. */
  closeJournals(journals: readonly JournalId[]): Promise<void>;
  /**
   * What is stored of these partitions, from one database snapshot. Named orders of other partitions are left out.
   * @param since by partition: the `foldedTo` of an earlier load, whose products the caller has. Only those that have
   * changed since are loaded. Orders are always loaded whole, because one that has settled since must be missed.
   */
  load(
    partitions: readonly number[],
    partitionCount: number,
    orders: readonly OrderId[],
    since?: ReadonlyMap<number, Mark>,
  ): Promise<Loaded>;
  /** `closed`: nothing was written, because the journal's row is closed or another node moved it. */
  write(journal: JournalId, statement: Statement): Promise<'written' | 'closed'>;
  /** One query for the whole batch. */
  lookUp(orders: readonly OrderId[], writes: readonly WriteId[]): Promise<LookedUp>;
  /** An order that `lookUp` found in an archive; undefined if it is there no more. @throws Unavailable, with a sentence */
  archived(order: OrderId): Promise<StoredOrder | undefined>;
  /**
   * Notes for whoever archives what this journal's node has seen (archive-barrier.ts), and tells the newest barrier.
   * 0: nothing was archived yet.
   */
  seeArchives(journal: JournalId, seen: number): Promise<number>;
  /** Ids of stored orders after this id, archived ones too, in their sort order, at most `most`. */
  orderIdsAfter(after: string, most: number): Promise<readonly OrderId[]>;
  /** The rows of all journals, for trimming and publishing. */
  journals(): Promise<readonly JournalRow[]>;
  /** Partition rows without their letters: up to which claim each partition is flushed, and by which journal. */
  partitionMarks(): Promise<readonly Pick<PartitionRow, 'partition' | 'epoch' | 'journal'>[]>;
  /** Stores up to which n EVENTS has a sealed journal. */
  published(journal: JournalId, n: number): Promise<void>;
  /** Deletes the row of a journal that nobody has to read any more; any number of times. */
  forgetJournal(journal: JournalId): Promise<void>;
  /** A real write with a short deadline, for readiness. */
  probe(): Promise<void>;
}

export interface Settlements {
  /** The first insert wins. Returns the stored settlement. */
  settle(mine: Settlement): Promise<Settlement>;
  /** The stored settlement, if there is one. */
  settled(): Promise<Settlement | undefined>;
}
