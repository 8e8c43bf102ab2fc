/** The commit point: a log that grows by compare-and-set. Types only; a contract suite tests each promise. */

/** Positions of a log grow, with gaps; 0 is before the first record. */
export type Position = number;

export interface Entry {
  readonly position: Position;
  readonly record: string;
}

export type Appended =
  | { readonly kind: 'appended'; readonly position: Position }
  /** `after` is not the log's highest position ever. Nothing was stored by this call. */
  | { readonly kind: 'conflict' }
  /** The log has no room. Nothing was stored. */
  | { readonly kind: 'full' };

/** The only commit point: an appended record is true. */
export interface Log {
  /**
   * Stores the record if `after` is the log's highest position ever, also after a trim. `urgent` records (seals, claims)
   * may use the reserved room.
   */
  append(log: string, after: Position, record: string, options?: { readonly urgent?: boolean }): Promise<Appended>;
  /** The next records after a position, in order, at most one page; empty at the end. */
  read(log: string, after: Position): Promise<readonly Entry[]>;
  /** The log's highest position ever, also after a trim; 0 before the first record. */
  end(log: string): Promise<Position>;
  /** The record at that position; undefined before the first one. */
  last(log: string): Promise<Entry | undefined>;
  /** Removes records up to and including the position, but never the last one. */
  trim(log: string, upTo: Position): Promise<void>;
}
