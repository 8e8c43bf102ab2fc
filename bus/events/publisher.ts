/**
 * Publishes the turns of a journal as public events, after the turns are appended.
 *
 * Law: EVENTS never delays an order, and misses no turn.
 *  E1. Each turn with events is one message. Messages are published in order, with compare-and-set at the end of the
 *      journal's event log. So no other message comes between, and no zombie repeats a message.
 *  E2. After any answer but "appended" the publisher asks the event log for its last message. It continues after that
 *      message, from the queue or, for turns that are not in the queue, from the journal.
 *  E3. The queue is bounded: past the bound the publisher drops the queue and reads the journal instead.
 *  E4. A broker may lose the messages that it acknowledged last. The event log is then shorter than expected, and the
 *      publisher repeats the lost turns from the journal. An empty event log has lost its messages only if the last
 *      acknowledgement came just before the trouble, or if the stream was made anew. Otherwise retention has emptied it,
 *      and its position is 0 (hazard 11).
 *  E5. `[]` ends an event log. A publisher that finds it has a successor, and all its turns are published. Retention may
 *      have removed the `[]` too: an event log that was emptied is continued only while the journal shows no seal.
 *  E6. A turn with joins waits until EVENTS has what they name (event-order.O1). After trouble the publisher looks at
 *      them again, unless a later message of this event log is still there: then so are all messages before it.
 *  E7. Turns that neither EVENTS nor the journal has any more are a gap. The next message names the last message among them,
 *      or, where that is not known, the last turn. So a reader that has less sees that it misses something.
 */

import type { JournalId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import { EVENTS_SEAL, type EventSource } from '../../actors/node/cloud-events.js';
import type { Join } from '../../actors/node/record.js';
import type { EventLog, EventsBefore } from '../../actors/ports/events.js';
import type { Log, Position } from '../../actors/ports/log.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { isSealed } from '../journal/seal.js';
import { pause } from '../retry.js';
import { FORGETTABLE_MS, turnsAfter } from './published-turns.js';

interface PublisherParts {
  readonly journal: JournalId;
  readonly events: EventLog;
  readonly log: Log;
  /** The `source` attribute of the events. */
  readonly source: EventSource;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Resolves when EVENTS has what the joins name; with undefined when it must be asked again (event-order.O5). */
  readonly before: (joins: readonly Join[]) => Promise<EventsBefore | undefined>;
  /** The last turn that is published already, and its place in the journal. */
  readonly startAfter: { readonly n: number; readonly position: Position };
}

export interface Publisher {
  /** Takes the next appended turn; `batch` is empty when the turn has no events. */
  offer(n: number, position: Position, batch: string, joins?: readonly Join[]): void;
  /** All turns up to this one are published. */
  readonly publishedN: number;
  /** Resolves when all turns up to n are published; rejects when the publisher is stopped before that. */
  settled(n: number): Promise<void>;
  /** Called after the broker was away: it may have lost acknowledged messages; or all, if the stream was made anew. */
  recheck(isNewStream?: boolean): void;
  /** Ends the event log, once all offered turns are published. */
  seal(): Promise<void>;
  /** Ends the work; resolves when no call is in flight any more. */
  stop(): Promise<void>;
}

interface Turn {
  readonly n: number;
  readonly position: Position;
  readonly batch: string;
  readonly joins: readonly Join[];
}

export function eventPublisher(parts: PublisherParts): Publisher {
  return new EventPublisher(parts);
}

class EventPublisher implements Publisher {
  publishedN: number;
  /** The position of a turn at or before publishedN: a read after this position misses no unpublished turn. */
  private readFrom: Position;
  private offered: { readonly n: number; readonly position: Position };
  private queue: Turn[] = [];
  private queueBytes = 0;
  /** The end of the event log; undefined when the publisher must ask for it. */
  private end: Position | undefined;
  private acknowledgedAt = Number.NEGATIVE_INFINITY;
  private troubleSince: number | undefined;
  /** The last turn that was published as a message. Later turns up to publishedN had no events. */
  private messageN: number;
  /** What the next message names before it, if turns are gone for good (publisher.E7). */
  private goneN = 0;
  /** The end of what was published, before the broker lost it. */
  private lostEnd = { messageN: 0, publishedN: 0 };
  /** The joins in turns after messageN that were looked at already (publisher.E6). */
  private looked: { readonly n: number; readonly joins: readonly Join[]; readonly before: EventsBefore }[] = [];
  private rechecks = 0;
  private failures = 0;
  private sealAsked = false;
  private sealed = false;
  private stopped = false;
  private running: Promise<void> | undefined;
  private wake = () => {};
  private waiting: { readonly n: number; readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];

  constructor(readonly parts: PublisherParts) {
    this.publishedN = parts.startAfter.n;
    this.messageN = parts.startAfter.n;
    this.readFrom = parts.startAfter.position;
    this.offered = parts.startAfter;
  }

  offer(n: number, position: Position, batch: string, joins: readonly Join[] = []): void {
    if (this.stopped || this.sealed || n <= this.offered.n) return;
    this.offered = { n, position };
    // An empty array marks the end of the event log (publisher.E5), so a turn must not publish one.
    const events = batch === EVENTS_SEAL ? '' : batch;
    this.queue.push({ n, position, batch: events, joins });
    this.queueBytes += events.length;
    if (this.queueBytes > limits.unpublishedBytes) this.dropQueue(); // publisher.E3
    this.start();
  }

  settled(n: number): Promise<void> {
    return this.until(n);
  }

  recheck(isNewStream = false): void {
    this.end = undefined;
    if (isNewStream) this.acknowledgedAt = this.parts.clock.monotonic(); // What is missing was lost (publisher.E4).
    this.rechecks += 1;
    this.troubleSince ??= this.parts.clock.monotonic();
    this.wake();
    this.start();
  }

  async seal(): Promise<void> {
    this.sealAsked = true;
    this.start();
    await this.until(Number.POSITIVE_INFINITY);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.wake();
    const error = new Error(`the publisher of journal ${this.parts.journal} was stopped at turn ${this.publishedN}`);
    for (const { reject } of this.waiting.splice(0)) reject(error);
    await this.running;
  }

  // ---------------------------------------------------------------- machinery

  private get idle(): boolean {
    if (this.stopped || this.sealed) return true;
    return this.end !== undefined && this.publishedN >= this.offered.n && !this.sealAsked;
  }

  private start(): void {
    if (this.running !== undefined || this.idle) return;
    this.running = this.run().finally(() => {
      this.running = undefined;
      this.start();
    });
  }

  /** Works in rounds until all offered turns are published. A round that fails is repeated, without end. */
  private async run(): Promise<void> {
    while (!this.idle) {
      try {
        if (this.end === undefined) await this.ask();
        else if (this.publishedN < this.offered.n) await this.publishNext();
        else await this.publish({ n: this.publishedN, position: this.readFrom, batch: EVENTS_SEAL, joins: [] });
      } catch (error) {
        await this.failed(String(error));
      }
    }
  }

  private async failed(cause: string): Promise<void> {
    const { clock, logger, journal } = this.parts;
    this.end = undefined; // publisher.E2
    this.troubleSince ??= clock.monotonic();
    if (this.failures % 10 === 0) {
      logger.warn(
        { journal, cause, publishedN: this.publishedN },
        'Public events wait: publishing them failed, and is repeated.',
      );
    }
    const attempt = this.failures++;
    if (!this.stopped) await pause(clock, attempt, (wake) => (this.wake = wake));
  }

  /** Asks for the event log's end (publisher.E2), repeats lost turns (publisher.E4), finds a successor (publisher.E5). */
  private async ask(): Promise<void> {
    const { events, journal, log, logger } = this.parts;
    const rechecks = this.rechecks;
    const last = await events.last(journal);
    const wasEmptied = last === undefined && this.messageN > this.parts.startAfter.n;
    if (last?.sealed === true || (wasEmptied && (await isSealed(log, journal)))) {
      this.becomeSealed(); // publisher.E5
      return;
    }
    if (last !== undefined && last.n >= this.messageN) {
      if (last.n > this.publishedN) this.advance(last.n);
      if (last.n > this.messageN) this.acknowledgedAt = this.parts.clock.monotonic(); // Its acknowledgement was lost.
      this.messageN = last.n;
    } else if (last !== undefined || this.forgotten()) {
      const n = last?.n ?? this.parts.startAfter.n;
      logger.warn(
        { journal, from: n + 1, to: this.messageN },
        'EVENTS has lost acknowledged messages: publishing them again from the journal.',
      );
      if (this.publishedN > this.lostEnd.publishedN) {
        this.lostEnd = { messageN: this.messageN, publishedN: this.publishedN };
      }
      this.publishedN = n;
      this.messageN = n;
      this.goneN = 0; // Seen again in the journal.
      this.looked = []; // They are read again.
      // From the front: the publisher does not know which position held which turn.
      this.readFrom = 0;
    }
    this.looked = this.looked.filter((each) => each.n > this.messageN);
    for (const { joins } of this.looked) if ((await this.parts.before(joins)) === undefined) return; // publisher.E6
    if (this.rechecks !== rechecks) return; // The answer may be from before the trouble.
    this.end = last?.position ?? 0;
    this.troubleSince = undefined;
  }

  private forgotten(): boolean {
    return (this.troubleSince ?? this.parts.clock.monotonic()) - this.acknowledgedAt < FORGETTABLE_MS;
  }

  private async publishNext(): Promise<void> {
    const head = this.queue[0];
    if (head !== undefined && head.n === this.publishedN + 1) {
      await this.publish(head);
      return;
    }
    const { log, journal, source, logger } = this.parts;
    const before = { n: this.publishedN, from: this.readFrom };
    for (const turn of await turnsAfter({ log, journal, source }, this.readFrom)) {
      if (turn === 'seal' || turn.n > this.offered.n) break;
      if (turn.n > this.publishedN + 1) {
        logger.error(
          { journal, from: this.publishedN + 1, to: turn.n - 1 },
          'These turns are neither on EVENTS nor in the journal any more.',
        );
        this.publishedN = turn.n - 1;
        this.goneN = this.lastGone(turn.n - 1);
      }
      if (turn.n === this.queue[0]?.n) break;
      if (turn.n > this.publishedN) await this.publish({ ...turn, batch: turn.batch() });
      else this.readFrom = turn.position;
      if (this.end === undefined || this.stopped || this.sealed) return;
    }
    if (this.publishedN === before.n && this.readFrom === before.from && this.queue[0]?.n !== before.n + 1) {
      throw new Error(`journal ${journal} does not show turn ${before.n + 1}, though it was appended`);
    }
  }

  /** The last message up to this turn that anybody can have read; turns after it had no events. */
  private lastGone(n: number): number {
    const { messageN, publishedN } = this.lostEnd;
    return messageN <= n && n <= publishedN ? messageN : n;
  }

  private async publish({ n, position, batch, joins }: Turn): Promise<void> {
    if (joins.length > 0) {
      const before = await this.parts.before(joins);
      if (before === undefined) this.end = undefined;
      if (before === undefined || this.end === undefined) return; // Its own messages come first, if the broker has lost some.
      if (this.looked.at(-1)?.n !== n) this.looked.push({ n, joins, before });
    }
    if (batch !== '') {
      const { events, journal, clock } = this.parts;
      const after = this.looked.filter((each) => each.n > this.messageN).flatMap((each) => each.before);
      const previous = Math.max(this.messageN, this.goneN);
      const answer = await events.publish(journal, this.end ?? 0, n, batch, { previous, after });
      if (answer.kind !== 'appended') throw new Error(`EVENTS answered "${answer.kind}"`);
      if (this.end !== undefined) this.end = answer.position;
      this.messageN = n;
      this.acknowledgedAt = clock.monotonic();
      this.failures = 0;
    }
    if (batch === EVENTS_SEAL) this.becomeSealed();
    else {
      this.advance(n);
      this.readFrom = position;
    }
  }

  private advance(n: number): void {
    this.publishedN = n;
    let done = 0;
    for (let turn = this.queue[0]; turn !== undefined && turn.n <= n; turn = this.queue[done]) {
      this.readFrom = turn.position;
      this.queueBytes -= turn.batch.length;
      done += 1;
    }
    this.queue.splice(0, done);
    this.waiting = this.waiting.filter((waiter) => {
      if (waiter.n > n) return true;
      waiter.resolve();
      return false;
    });
  }

  private becomeSealed(): void {
    this.sealed = true;
    this.dropQueue();
    this.publishedN = this.offered.n;
    for (const { resolve } of this.waiting.splice(0)) resolve();
  }

  private dropQueue(): void {
    this.queue = [];
    this.queueBytes = 0;
  }

  private until(n: number): Promise<void> {
    if (this.sealed || this.publishedN >= n) return Promise.resolve();
    if (this.stopped) return Promise.reject(new Error(`the publisher of journal ${this.parts.journal} is stopped`));
    return new Promise((resolve, reject) => this.waiting.push({ n, resolve, reject }));
  }
}
