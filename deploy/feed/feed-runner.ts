// Runs the feeds of a process. Each has a lease, so of several processes one runs it. A feed that fails is run again after a
// pause that grows; it never stops another one.

import type { Feed, FeedReport } from '../../actors/ports/feeds.js';
import type { Leases } from '../../actors/ports/leases.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { pauseMs, rest } from '../../bus/retry.js';

const LONGEST_PAUSE_MS = 30_000;
/** Pauses grow from here on, not from milliseconds. */
const FIRST_ATTEMPT = 6;
/** A feed that ran so long before it failed begins with short pauses again. */
const WELL_MS = 60_000;

interface FeedRunnerParts {
  readonly feeds: readonly Feed[];
  readonly leases: Leases;
  /** The part of what EVENTS may keep that a feed has not told yet. */
  readonly retentionUsed: (feed: Feed) => number;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Run {
  readonly feed: Feed;
  state: FeedReport['state'];
  cause: string | undefined;
}

export class FeedRunner {
  private readonly runs: readonly Run[];
  private readonly ending = new AbortController();
  private done: Promise<unknown> = Promise.resolve();

  constructor(private readonly parts: FeedRunnerParts) {
    this.runs = parts.feeds.map((feed) => ({ feed, state: 'elsewhere', cause: undefined }));
  }

  get report(): readonly FeedReport[] {
    return this.runs.map(({ feed, feed: { name, lag, sent }, state, cause }) => ({
      ...{ name, state, lag, retentionUsed: this.parts.retentionUsed(feed) },
      ...(sent !== undefined && { sent }),
      ...(cause !== undefined && { cause }),
    }));
  }

  start(): void {
    this.done = Promise.all(this.runs.map((run) => this.keep(run)));
  }

  /** Resolves when all have ended. Whoever calls has a deadline of its own. */
  async stop(): Promise<void> {
    this.ending.abort();
    await this.done;
  }

  // -------------------------------------------------------------- machinery

  private async keep(run: Run): Promise<void> {
    const { clock, logger } = this.parts;
    const { name } = run.feed;
    const { signal } = this.ending;
    for (let attempt = FIRST_ATTEMPT; !signal.aborted; attempt++) {
      const since = clock.monotonic();
      try {
        await this.once(run);
      } catch (error) {
        run.cause = error instanceof Error ? error.message : String(error);
        if (signal.aborted) return;
        logger.warn({ feed: name, cause: run.cause }, 'the feed has ended, and is tried again');
      }
      if (signal.aborted) return;
      run.state = 'failing';
      if (clock.monotonic() - since > WELL_MS) attempt = FIRST_ATTEMPT;
      await rest(clock, pauseMs(clock, attempt, LONGEST_PAUSE_MS), signal);
    }
  }

  private async once(run: Run): Promise<void> {
    const { leases, logger, clock } = this.parts;
    const { feed } = run;
    const waits = () => {
      run.state = 'elsewhere';
      logger.info({ feed: feed.name }, 'another process runs this feed: waiting in case it ends');
    };
    const runs = async (lost: AbortSignal) => {
      run.state = 'running';
      logger.info({ feed: feed.name }, 'the feed runs');
      const cancel = clock.after(WELL_MS, () => {
        run.cause = undefined;
      });
      try {
        await feed.run(lost);
      } finally {
        cancel();
      }
      if (lost.aborted && !this.ending.signal.aborted) throw lost.reason;
    };
    await leases.holding(`feed ${feed.name}`, this.ending.signal, runs, waits);
  }
}
