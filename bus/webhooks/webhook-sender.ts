/**
 * Sends deliveries to their receivers.
 *
 * Law:
 *  S1. A delivery is attempted until its receiver has answered 2xx, or no attempt is left. It is sent at least once; after a crash,
 *      or with two senders, sometimes more often, always under the same id.
 *  S2. Of one actor, a webhook gets one event at a time (postgres-webhook-queue.W2). What follows one that failed for good says so
 *      (signed-message.ts).
 *  S3. Each webhook has few attempts at once, and so have all together: a slow receiver holds up its own events only.
 *  S4. No delivery is claimed before the results of earlier attempts are stored.
 */
import { setMaxListeners } from 'node:events';
import { limits } from '../../actors/limits.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import type { Attempted, Claimed, Subscription, WebhookQueue } from '../../actors/ports/webhooks.js';
import { pause } from '../retry.js';
import type { Poster } from './post.js';
import { pauseAfter } from './retries.js';
import { signedHeaders } from './signed-message.js';
import type { WebhookMeter } from './webhook-meter.js';

const POLL_MS = 250;
/** After an attempt has ended, others may for a moment: their results and successors go in the same statements. */
const GATHER_MS = 5;
const LOOK_MS = 1_000;
const SWEEP_MS = 60_000;

export interface SenderParts {
  readonly queue: WebhookQueue;
  readonly poster: Poster;
  /** Sent as User-Agent. */
  readonly agent: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: WebhookMeter;
  /** The pauses between attempts, and how long a claim lasts, for tests. */
  readonly pausesMs?: readonly number[];
  readonly leaseMs?: number;
}

export class WebhookSender {
  private readonly busy = new Map<string, number>();
  private ended: Attempted[] = [];
  private wanted: ReadonlyMap<string, Subscription> = new Map();
  private lookedAt = Number.NEGATIVE_INFINITY;
  private sweptAt = Number.NEGATIVE_INFINITY;
  private wake = () => {};

  constructor(private readonly parts: SenderParts) {}

  /** There may be something to send. */
  poke(): void {
    this.lookedAt = Number.NEGATIVE_INFINITY; // Perhaps to a webhook that is not known here yet.
    this.wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.parts;
    setMaxListeners(limits.webhooksAttempts + 10, signal);
    const end = () => this.wake();
    signal.addEventListener('abort', end);
    for (let attempt = 0; !signal.aborted; ) {
      try {
        const isIdle = await this.step(signal);
        attempt = 0;
        if (isIdle && this.ended.length === 0 && !signal.aborted) await this.wait();
      } catch (error) {
        if (attempt === 0) logger.warn({ cause: String(error) }, 'the store of webhooks does not answer: trying on');
        await pause(clock, attempt++);
      }
    }
    signal.removeEventListener('abort', end);
    // The attempts under way end with the signal. Whoever sends next repeats them at once.
    while (this.attempts > 0) await this.wait();
    await this.settle().catch(() => {}); // Their claims end by themselves.
  }

  // -------------------------------------------------------------- machinery

  private get attempts(): number {
    let all = 0;
    for (const count of this.busy.values()) all += count;
    return all;
  }

  /** @returns whether there is nothing to do at the moment */
  private async step(signal: AbortSignal): Promise<boolean> {
    const { queue, clock, leaseMs = limits.webhookLeaseMs } = this.parts;
    if (this.ended.length > 0 && this.busy.size > 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        clock.after(GATHER_MS, resolve);
      });
    }
    await this.settle();
    const now = clock.monotonic();
    if (now - this.sweptAt >= SWEEP_MS) await this.sweep(now);
    if (now - this.lookedAt >= LOOK_MS) {
      this.wanted = new Map((await queue.subscriptions()).map((one) => [one.id, one]));
      this.lookedAt = now;
    }
    const rooms = this.rooms();
    const claims = await queue.claim(rooms, leaseMs);
    for (const claim of claims) void this.attempt(claim, signal);
    return this.ended.length === 0 && (claims.length === 0 || this.rooms().length === 0);
  }

  /** Nothing else depends on it: after a failure it waits for its next time, and deliveries go on. */
  private async sweep(now: number): Promise<void> {
    const { queue, logger } = this.parts;
    this.sweptAt = now;
    try {
      const { more } = await queue.sweep(limits.webhookLogMs, limits.webhookLog);
      if (more) this.sweptAt = Number.NEGATIVE_INFINITY; // In the next step: attempts go on in between.
    } catch (error) {
      logger.warn({ cause: String(error) }, 'the sweep of old deliveries has failed: it is tried again later');
    }
  }

  /** What each webhook may have beside its attempts under way. Those with fewest come first. */
  private rooms(): { readonly webhook: string; readonly room: number }[] {
    let left = limits.webhooksAttempts - this.attempts;
    const busy = (webhook: string) => this.busy.get(webhook) ?? 0;
    const rooms: { webhook: string; room: number }[] = [];
    for (const webhook of [...this.wanted.keys()].sort((a, b) => busy(a) - busy(b))) {
      const room = Math.min(left, limits.webhookAttempts - busy(webhook));
      if (room > 0) rooms.push({ webhook, room });
      left -= Math.max(0, room);
    }
    return rooms;
  }

  private async attempt(claim: Claimed, signal: AbortSignal): Promise<void> {
    const { poster, agent, clock, meter } = this.parts;
    const { id, webhook, actor, attempt, event, body, missing } = claim;
    this.busy.set(webhook, (this.busy.get(webhook) ?? 0) + 1);
    const since = clock.monotonic();
    let found: Pick<Attempted, 'outcome' | 'status' | 'error' | 'againInMs'>;
    try {
      const { url = '', secrets = [] } = this.wanted.get(webhook) ?? {};
      const headers = signedHeaders({ event, body, missing, secrets, at: clock.now() });
      const answer = await poster.post(url, { ...headers, 'user-agent': agent }, body, signal);
      found = this.judged(attempt, answer.status, answer.retryAfterMs);
    } catch (error) {
      found = signal.aborted
        ? { outcome: 'retry', status: undefined, error: 'the sender stopped meanwhile', againInMs: 0 }
        : this.judged(attempt, undefined, undefined, (error as Error).message);
    }
    const tookMs = clock.monotonic() - since;
    meter.attempted(found.outcome, tookMs);
    this.ended.push({ id, webhook, actor, attempt, tookMs, ...found });
    const left = (this.busy.get(webhook) ?? 1) - 1;
    if (left > 0) this.busy.set(webhook, left);
    else this.busy.delete(webhook);
    this.wake();
  }

  private judged(
    attempt: number,
    status: number | undefined,
    askedMs: number | undefined,
    error?: string,
  ): Pick<Attempted, 'outcome' | 'status' | 'error' | 'againInMs'> {
    const { clock, pausesMs } = this.parts;
    if (status !== undefined && status >= 200 && status < 300)
      return { outcome: 'delivered', status, error: undefined, againInMs: 0 };
    const why = error ?? reasonOf(status ?? 0);
    if (status === 410) return { outcome: 'gone', status, error: why, againInMs: 0 };
    const againInMs = pauseAfter(attempt, askedMs, () => clock.random(), pausesMs);
    return { outcome: againInMs === undefined ? 'failed' : 'retry', status, error: why, againInMs: againInMs ?? 0 };
  }

  private async settle(): Promise<void> {
    const { queue, logger, meter } = this.parts;
    const ended = this.ended;
    if (ended.length === 0) return;
    this.ended = [];
    try {
      for (const { id, why } of await queue.settle(ended)) {
        meter.disabled(why);
        this.lookedAt = Number.NEGATIVE_INFINITY;
        logger.warn({ webhook: id }, `a webhook is disabled: ${WHY[why] ?? why}`);
      }
    } catch (error) {
      this.ended.unshift(...ended);
      throw error;
    }
  }

  /** Until an attempt has ended, somebody pokes, or it is time to look. */
  private wait(): Promise<void> {
    const { clock } = this.parts;
    return new Promise((resolve) => {
      const cancel = clock.after(this.wanted.size === 0 ? LOOK_MS : POLL_MS, () => this.wake());
      this.wake = () => {
        this.wake = () => {};
        cancel();
        resolve();
      };
    });
  }
}

const WHY: { readonly [why: string]: string } = {
  gone: 'its receiver answered 410 Gone',
  failing: `${limits.webhookFailures} deliveries failed for good, one after the other`,
};

function reasonOf(status: number): string {
  if (status >= 300 && status < 400) return `the answer was ${status}: redirects are not followed`;
  return `the answer was ${status}`;
}
