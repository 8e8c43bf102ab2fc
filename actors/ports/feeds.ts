/** What carries public events out of the system, and how far behind it is. Types only. */

interface FeedLag {
  /** Messages of EVENTS that are not told yet. */
  readonly messages: number;
  /** Since the oldest of them, about; 0 when there is none. */
  readonly ms: number;
}

/** Law: two of the same feed at once are safe. Only one makes progress, or they repeat each other's work without effect. */
export interface Feed {
  /** One word, such as `kafka`. */
  readonly name: string;
  readonly lag: FeedLag;
  /** What it has told since this process began, counted in its own units; absent if it does not count. */
  readonly sent?: number;
  /** Runs until the signal is aborted. Rejects, with a sentence, when it cannot go on; then it may be run again. */
  run(signal: AbortSignal): Promise<void>;
}

export interface FeedReport {
  readonly name: string;
  /** `elsewhere`: another process runs it. `failing`: it is tried again after a pause. */
  readonly state: 'running' | 'elsewhere' | 'failing';
  readonly lag: FeedLag;
  readonly sent?: number;
  /** The part of what EVENTS may keep that is not told yet; at 1 events are lost. */
  readonly retentionUsed: number;
  /** Why it failed last; absent while it runs well. */
  readonly cause?: string;
}
