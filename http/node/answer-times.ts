/**
 * How long the latest answers took. Each is kept as it is, so a percentile of a millisecond is no edge of a bucket. Of more than
 * fit, the latest count. It is written for each order: two stores, and nothing else.
 */

const MOST = 4_096;

export interface Times {
  /** Of all answers, also of those that were not kept. */
  readonly answered: number;
  /** Milliseconds; undefined without an answer. */
  readonly percentile: (share: number) => number | undefined;
}

export class AnswerTimes {
  private readonly ms = new Float64Array(MOST);
  private answered = 0;

  add(ms: number): void {
    this.ms[this.answered++ % MOST] = ms;
  }

  /** What came since the last call. */
  take(): Times {
    const { answered } = this;
    const sorted = this.ms.slice(0, Math.min(answered, MOST)).sort();
    this.answered = 0;
    return { answered, percentile: (share) => sorted[Math.ceil(share * sorted.length) - 1] };
  }
}
