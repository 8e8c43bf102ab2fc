/** What is remembered between incarnations: snapshots, and what was settled. Types alone; what a port promises is held by its contract suite. */
import type { JournalId, NodeId, OrderId, ProductId, WriteId } from '../ids.js';
import type { ProductRefusal } from '../protocol.js';
import type { Settlement } from './settlement.js';
import type { JournalRow, PartitionRow, Statement, StoredOrder, StoredProduct } from './snapshot-rows.js';

export interface LookedUp {
  readonly orders: readonly StoredOrder[];
  /** Writes that have had their effect or were refused, with the fingerprint of their request. */
  readonly writes: readonly {
    readonly ref: WriteId;
    readonly product: ProductId;
    readonly fingerprint: string;
    readonly refused?: ProductRefusal;
  }[];
}

export interface Loaded {
  readonly journals: readonly JournalRow[];
  readonly partitions: readonly PartitionRow[];
  /** Those that are not settled, and those asked for by id. */
  readonly orders: readonly StoredOrder[];
  readonly products: readonly StoredProduct[];
  /** When the latest of all stored orders was placed, these or others; 0 when there is none. */
  readonly lastPlacedAt: number;
}

/** Snapshots, which are the read model: written by flushes, read at a start. */
export interface Snapshots {
  /** Makes the journal's row, before its first claim. */
  openJournal(journal: JournalId, node: NodeId): Promise<void>;
  /** From its return on no statement of these journals passes; a missing row is made, closed. */
  closeJournals(journals: readonly JournalId[]): Promise<void>;
  /** One database snapshot of everything these partitions remember. */
  load(partitions: readonly number[], partitionCount: number, orders: readonly OrderId[]): Promise<Loaded>;
  /** `closed`: nothing was written, the journal's row is closed or was moved by someone else. */
  write(journal: JournalId, statement: Statement): Promise<'written' | 'closed'>;
  /** One query for the whole batch. */
  lookUp(orders: readonly OrderId[], writes: readonly WriteId[]): Promise<LookedUp>;
  /** Ids of all stored orders that come after this one, in their order, no more than `most`. */
  orderIdsAfter(after: string, most: number): Promise<readonly OrderId[]>;
  /** Every journal's row, for trimming and publishing. */
  journals(): Promise<readonly JournalRow[]>;
  /** Partition rows without their letters: who has been flushed since which claim. */
  partitionMarks(): Promise<readonly { readonly partition: number; readonly epoch: number }[]>;
  /** How far EVENTS has a sealed journal. */
  published(journal: JournalId, n: number): Promise<void>;
  /** Forgets a journal of which nothing is left to read. */
  forgetJournal(journal: JournalId): Promise<void>;
  /** A real write with a short deadline, for readiness. */
  probe(): Promise<void>;
}

export interface Settlements {
  /** The first insert wins; returns what stands. */
  settle(mine: Settlement): Promise<Settlement>;
  /** What stands, if anything does. */
  settled(): Promise<Settlement | undefined>;
}
