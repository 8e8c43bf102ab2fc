// One kind of work of the backups: it is due at times, or asked for, and never runs twice at once. One that failed is tried again
// after a pause that grows, and never stops another one.

import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { rest } from '../../bus/retry.js';
import { whyFailed } from '../../storage/backup/synced-files.js';

/** The wall clock may be set: it is looked at so often. */
const LOOK_MS = 60_000;
const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 600_000;

export interface StepFailure {
  readonly step: string;
  readonly message: string;
  /** In a row. */
  readonly failures: number;
  readonly at: number;
  readonly triedAgainAt: number;
}

interface StepParts<Asked, Done> {
  readonly name: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** When it is due next; Infinity: not before something else has changed. */
  readonly due: () => number;
  /** @param asked undefined: it was due */
  readonly run: (signal: AbortSignal, asked: Asked | undefined) => Promise<Done>;
  /** An end that is no failure, such as a day that is used. */
  readonly isCalm?: (error: unknown) => boolean;
  /** Called after each run, also one that failed. */
  readonly ended: (failed: boolean) => void;
}

export class Step<Asked = undefined, Done = unknown> {
  failure: StepFailure | undefined;
  private running: Promise<Done> | undefined;
  private wake = new AbortController();

  constructor(private readonly parts: StepParts<Asked, Done>) {}

  get isRunning(): boolean {
    return this.running !== undefined;
  }

  /** When it runs next by itself. */
  get nextAt(): number {
    return Math.max(this.parts.due(), this.failure?.triedAgainAt ?? 0);
  }

  /** Runs now, or joins the run that is under way. */
  now(signal: AbortSignal, asked?: Asked): Promise<Done> {
    this.running ??= this.once(signal, asked).finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  /** Something has changed: it may be due earlier. */
  look = (): void => {
    this.wake.abort();
  };

  /** Runs whenever it is due, until the signal is aborted and nothing runs any more. */
  async keep(signal: AbortSignal): Promise<void> {
    const { clock } = this.parts;
    signal.addEventListener('abort', this.look);
    while (!signal.aborted) {
      const waitMs = this.nextAt - clock.now();
      if (waitMs <= 0) {
        await this.now(signal).catch(() => {}); // It is noted.
        continue;
      }
      this.wake = new AbortController();
      await rest(clock, Math.min(waitMs, LOOK_MS), this.wake.signal);
    }
    signal.removeEventListener('abort', this.look);
    await this.running?.catch(() => {});
  }

  // -------------------------------------------------------------- machinery

  private async once(signal: AbortSignal, asked: Asked | undefined): Promise<Done> {
    const { name, clock, logger, run, isCalm, ended } = this.parts;
    let failed = false;
    try {
      const done = await run(signal, asked);
      this.failure = undefined;
      return done;
    } catch (error) {
      failed = !signal.aborted && isCalm?.(error) !== true;
      if (failed) {
        const message = whyFailed(error);
        const failures = (this.failure?.failures ?? 0) + 1;
        const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 10));
        const triedAgainAt = clock.now() + pauseMs * (0.75 + clock.random() / 4);
        this.failure = { step: name, message, failures, at: clock.now(), triedAgainAt };
        logger.warn({ step: name, failures, cause: message }, `a backup has failed at its ${name}, and is tried again`);
      }
      throw error;
    } finally {
      ended(failed);
    }
  }
}
