/** What placement may ask of a running incarnation. Types only. */
import type { JournalId, NodeId } from '../../actors/ids.js';

/**
 * `joining`: claimed, and its join is not appended yet. `frozen`: takes no turn, and may go on. `leaving`: its release
 * was sent, and the claims log does not show it yet.
 */
export type PartitionState = 'joining' | 'running' | 'frozen' | 'leaving';

/** Counts what happens to a node's partitions; times are in milliseconds. */
export interface PartitionMeter {
  /** Partitions run now. @param isOfDead journals of the dead were sealed for it */
  took(durationMs: number, partitions: number, isOfDead: boolean): void;
  /** A partition was released for another node. */
  gave(durationMs: number): void;
}

export interface PartitionHost {
  readonly journal: JournalId;
  /** The partitions that this incarnation claims, runs or releases. */
  states(): ReadonlyMap<number, { readonly epoch: number; readonly state: PartitionState }>;
  /**
   * Seals the journals of the dead, claims those of the partitions that are free or whose journal is sealed, loads,
   * replays and joins them. Partitions that another live journal owns are left alone. Resolves when what was claimed
   * runs. @throws LostRecords, UnreadableRecord, or an error of a store: the claims may be stored then
   */
  take(partitions: readonly number[], dead: readonly JournalId[]): Promise<void>;
  /** Reads what can be read before the claim, so that `take` has less to load. */
  preload(partition: number): Promise<void>;
  /** Forgets what was preloaded. */
  unload(partition: number): void;
  /**
   * Flushes, freezes, flushes and releases the partition, for that node. @returns false when it goes on here: nothing
   * was released before the deadline. Once the release is sent it cannot be taken back.
   */
  giveAway(partition: number, to: NodeId, deadlineMs: number): Promise<boolean>;
}
