/** Time, chance, and a log for people. Types alone; what a port promises is held by its contract suite. */

export interface Clock {
  /** Wall clock, milliseconds. */
  now(): number;
  /** Never goes back, milliseconds. */
  monotonic(): number;
  /** Calls back once; the returned function takes it back. */
  after(delayMs: number, run: () => void): () => void;
  /** Calls back when the work at hand is done. */
  soon(run: () => void): void;
  /** 128 random bits as 26 characters. */
  id(): string;
  /** In [0, 1), for jitter. */
  random(): number;
}

/** Where a room's own words go: one line each, fields beside it. */
export interface Logger {
  debug(fields: object, line: string): void;
  info(fields: object, line: string): void;
  warn(fields: object, line: string): void;
  error(fields: object, line: string): void;
}
