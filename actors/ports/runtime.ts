/** Time, randomness, and a log for people. Types only; a contract suite tests each promise. */

export interface Clock {
  /** Wall clock, milliseconds. */
  now(): number;
  /** Never goes back, milliseconds. */
  monotonic(): number;
  /** Calls `run` once after the delay; the returned function cancels it. */
  after(delayMs: number, run: () => void): () => void;
  /** Calls `run` when the present work is done. */
  soon(run: () => void): void;
  /** 128 random bits as 26 characters. */
  id(): string;
  /** In [0, 1), for jitter. */
  random(): number;
}

/** Writes log lines, each with fields. */
export interface Logger {
  debug(fields: object, line: string): void;
  info(fields: object, line: string): void;
  warn(fields: object, line: string): void;
  error(fields: object, line: string): void;
}
