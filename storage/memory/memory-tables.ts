/** The tables in memory that memory-snapshots.ts writes and memory-queries.ts reads. */
import type { JournalId, OrderId, ProductId, WriteId } from '../../actors/ids.js';
import type {
  HistoryRow,
  JournalRow,
  OperationRow,
  PartitionRow,
  RefusedWriteRow,
  StoredOrder,
  StoredProduct,
} from '../../actors/ports/snapshot-rows.js';

export interface MemoryTables {
  readonly orders: Map<OrderId, StoredOrder>;
  readonly history: Map<OrderId, Map<number, HistoryRow>>;
  readonly products: Map<ProductId, StoredProduct>;
  /** By product and version. Versions are dense. */
  readonly operations: Map<ProductId, Map<number, OperationRow>>;
  /** The operations of stock writes, which have no order, by ref. */
  readonly writes: Map<WriteId, OperationRow[]>;
  /** Oldest first. */
  readonly refusedWrites: RefusedWriteRow[];
  readonly journals: Map<JournalId, JournalRow>;
  readonly partitions: Map<number, PartitionRow>;
}
