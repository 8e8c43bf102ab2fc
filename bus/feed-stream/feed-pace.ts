/**
 * How long a feed rests after a page of work, so that orders get the CPU: as search does (search-indexer.ts). Many orders lengthen
 * the rest. The further the feed is behind, the shorter it is; at a minute there is none.
 */

const RESTS_AT_EASE = 0.5;
const RESTS_IN_A_BURST = 4;
/** More turns with events a second than this are a burst. */
const BURST = 200;
const NO_REST_MS = 60_000;

export class FeedPace {
  private end = Number.NaN;
  private at = 0;
  private perSecond = 0;

  /**
   * @param workMs how long the page took
   * @param end the last sequence of EVENTS
   */
  restMs(workMs: number, end: number, lagMs: number, nowMs: number): number {
    const sinceMs = nowMs - this.at;
    if (Number.isNaN(this.end) || sinceMs >= LOOK_MS) {
      this.perSecond = Number.isNaN(this.end) ? 0 : ((end - this.end) * 1_000) / sinceMs;
      this.end = end;
      this.at = nowMs;
    }
    const rests = this.perSecond > BURST ? RESTS_IN_A_BURST : RESTS_AT_EASE;
    return workMs * rests * Math.max(0, 1 - lagMs / NO_REST_MS);
  }
}

const LOOK_MS = 500;
