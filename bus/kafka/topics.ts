/**
 * Topics that are written in transactions: what a feed asks of Kafka. Its twin is memory-topics.ts.
 *
 * Law:
 *  T1. A write is one transaction: a consumer that reads committed records sees all of its records or none.
 *  T2. Opening a writer under a name ends the writers before it under that name, on whatever machine: none of them commits
 *      anything any more, and what they had begun is decided.
 *  T3. A write without an answer may have happened. Its writer is dead then: only `last` under a new writer tells.
 *  T4. The records of one key are in one partition, in the order in which they were written.
 */

export interface TopicRecord {
  readonly topic: string;
  readonly key: string;
  readonly value: string;
  readonly headers: readonly (readonly [string, string])[];
  /** Wall clock, milliseconds. */
  readonly timestampMs: number;
}

export interface TopicShape {
  readonly name: string;
  readonly partitions: number;
  /** Of each key only the latest record is kept. */
  readonly compacted: boolean;
}

export interface TopicWriter {
  /** All of the records, or none (topics.T1). Rejects when nobody knows (topics.T3). One write at a time. */
  write(records: readonly TopicRecord[]): Promise<void>;
  close(): Promise<void>;
}

export interface Topics {
  /** Makes the topics that are missing. @returns their names */
  ensure(shapes: readonly TopicShape[]): Promise<readonly string[]>;
  /** Those topics that have ever had a record. One that is missing has none. */
  filled(names: readonly string[]): Promise<ReadonlySet<string>>;
  /**
   * The value of the last committed record with this key, in a topic of one partition. Of the writers before one that was just
   * opened it tells all (topics.T2). What a living writer has written shows some moments later.
   */
  last(topic: string, key: string): Promise<string | undefined>;
  open(name: string): Promise<TopicWriter>;
  /** Rejects when no broker answers in time. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** Another writer was opened under the same name (topics.T2). */
export class Superseded extends Error {
  override readonly name = 'Superseded';
}
