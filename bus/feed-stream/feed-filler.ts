/**
 * Fills FEED from EVENTS: each public event is one message, once, and in the order of its actor.
 *
 * Law:
 *  F1. Every message is stored by compare-and-set with the stream's last sequence, which this filler has seen. So of two fillers
 *      one is refused. Within a batch each message names the id of the one before it as well: another filler may take the
 *      sequences of those that were refused.
 *  F2. After a refusal, after a missing answer and after each loss of the connection all is forgotten, and FEED tells where it
 *      ends (feed-cursor.ts). So nothing depends on what this process remembers.
 *  F3. A sequence says nothing about another stream of the same name. FEED is looked at every second, and an older look does not
 *      count. A stream that is new is filled only after a while, when every filler has seen that it is new.
 *  F4. Orders come first (feed-pace.ts).
 *  F5. The broker may forget the messages that it acknowledged last, which a consumer may have acknowledged too. So what is told
 *      again gets sequences beyond those: notes fill the ones between. A consumer sees an event twice rather than never.
 */
import type { Feed } from '../../actors/ports/feeds.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { type EventCursor, type EventMessage, EventReader } from '../events/event-reader.js';
import { withAllUnsure } from '../events/turns-read.js';
import type { Nats, OrderedMessage, StreamInfo } from '../nats/nats.js';
import { streamInfo } from '../nats/streams.js';
import { pauseMs, rest } from '../retry.js';
import { cursorMessage, feedEnd, type ToldInPart } from './feed-cursor.js';
import { eventsIn, feedMessage, typeOf } from './feed-message.js';
import { FeedPace } from './feed-pace.js';
import { FEED_STREAM, type FeedSize, feedStreamInfo } from './feed-shape.js';

interface FeedStreamParts extends FeedSize {
  readonly nats: Nats;
  /** Which events become messages. */
  readonly kinds: 'orders' | 'all';
  /** How long a new stream is left alone (feed-filler.F3); shorter only in tests. */
  readonly newMs?: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The feed named `nats`. It is safe with another one of it running. */
export function feedStream(parts: FeedStreamParts): Feed {
  const shared: Shared = { pace: new FeedPace(), seen: { created: '', last: 0 } };
  let filling: Filling | undefined;
  return {
    name: 'nats',
    get lag() {
      return filling?.lag ?? { messages: 0, ms: 0 };
    },
    async run(signal) {
      const { nats, clock, logger } = parts;
      for (let failures = 0; !signal.aborted; ) {
        const since = clock.monotonic();
        filling = new Filling(parts, shared, signal);
        const outcome = await filling.run();
        if (signal.aborted) return;
        if (filling.hasFilled || clock.monotonic() - since > LASTING_MS) failures = 0;
        else if (nats.status === 'connected') failures += 1;
        if (failures >= MOST_FAILURES) throw new Error(`${FEED_STREAM} cannot be filled: ${outcome.message}`);
        logger.debug({ cause: outcome.message }, `${FEED_STREAM} is looked at again`);
        await rest(clock, pauseMs(clock, failures + 2), signal);
      }
    },
  };
}

// ---------------------------------------------------------------- machinery

/** With their pauses some seconds. */
const MOST_FAILURES = 10;
/** What ran so long did not fail. */
const LASTING_MS = 30_000;
/** So long before its place the reader begins again: the broker's clock may be set back by less. */
const MARGIN_MS = 30_000;
const LOOK_EVERY_MS = 1_000;
const LOOK_COUNTS_MS = 2_000;
/** Longer than a look counts (feed-filler.F3). */
const NEW_MS = 3_000;
const BATCH_MESSAGES = 250;
const BATCH_CHARS = 262_144;
const CURSOR_EVERY_MESSAGES = 2_000;
const CURSOR_EVERY_MS = 3_600_000;
/** As a share of the stream's age: a cursor must not grow old. */
const CURSOR_AGES = 4;

/** More than a broker ever has in its buffers; a restored copy of its files may lack more. */
const MOST_NOTES = 10_000;
const NOWHERE: EventCursor = { created: '', seq: 0, time: 0, journals: {}, ended: {} };

/** What outlives a filling. */
interface Shared {
  readonly pace: FeedPace;
  /** The end of the stream, as far as the broker has acknowledged it to this process. */
  seen: { readonly created: string; readonly last: number };
}

/** One reading of EVENTS, until something goes wrong. */
class Filling {
  hasFilled = false;
  private readonly over = new AbortController();
  private why = new Error('the feed was stopped');
  private reader: EventReader | undefined;
  private created = '';
  private lookedAt = 0;
  private last = 0;
  private told: ToldInPart = {};
  /** After the last page that is stored whole. */
  private done: EventCursor | undefined;
  /** Losses of EVENTS that the last cursor tells of. */
  private keptLosses = 0;
  /** The last cursor's sequence and time, and the messages since. */
  private keptSeq = 0;
  private keptAt = 0;
  private since = 0;
  private keepEveryMs = CURSOR_EVERY_MS;
  private isLasting = false;
  private isFilling = false;
  /** Events of the page at hand that are not stored yet. */
  private waiting = 0;
  /** Whatever reads or moves the stream's end goes one after the other. */
  private queue: Promise<void> = Promise.resolve();

  constructor(
    private readonly parts: FeedStreamParts,
    private readonly shared: Shared,
    private readonly stopped: AbortSignal,
  ) {}

  get lag(): { messages: number; ms: number } {
    const { messages, ms } = this.reader?.lag ?? { messages: 0, ms: 0 };
    return { messages: messages + this.waiting, ms };
  }

  /** Resolves when all must begin anew, with the reason. */
  async run(): Promise<Error> {
    const { nats, clock } = this.parts;
    const stop = () => this.end(this.why);
    this.stopped.addEventListener('abort', stop);
    const unwatch = nats.watch((status) => this.end(new Error(`NATS is ${status}`)));
    let cancel = () => {};
    const lookAgain = () => {
      if (this.over.signal.aborted) return; // A look was under way at the end.
      cancel = clock.after(LOOK_EVERY_MS, () => void this.look().then(lookAgain, (error) => this.end(error)));
    };
    try {
      await this.begin();
      lookAgain();
      if (this.reader !== undefined) for await (const page of this.reader.pages()) await this.fill(page);
    } catch (error) {
      this.end(error as Error);
    } finally {
      cancel();
      unwatch();
      this.stopped.removeEventListener('abort', stop);
    }
    return this.why;
  }

  private end(why: Error): void {
    if (this.over.signal.aborted) return;
    this.why = why;
    this.over.abort();
  }

  private async begin(): Promise<void> {
    const { nats, clock, logger } = this.parts;
    if (this.stopped.aborted) this.end(this.why);
    let info = await feedStreamInfo(nats, this.parts);
    if (info.state.last_seq === 0) {
      await rest(clock, this.parts.newMs ?? NEW_MS, this.over.signal); // feed-filler.F3
      info = await feedStreamInfo(nats, this.parts);
    }
    this.created = info.created;
    this.lookedAt = clock.monotonic();
    this.isLasting = info.config.allow_msg_ttl === true;
    const ageMs = info.config.max_age / 1_000_000;
    if (ageMs > 0) this.keepEveryMs = Math.min(CURSOR_EVERY_MS, ageMs / CURSOR_AGES);
    const end = await feedEnd(nats, info, this.over.signal);
    ({ last: this.last, told: this.told, cursor: this.done } = end);
    ({ keptSeq: this.keptSeq, keptAt: this.keptAt, since: this.since } = end);
    await this.skipForgotten();
    const { cursor } = end;
    if (cursor === undefined) logger.info({}, `${FEED_STREAM} is empty: it is filled with all that EVENTS has`);
    this.reader = new EventReader({
      ...{ nats, clock, logger, from: cursor ?? 'start', marginMs: MARGIN_MS, signal: this.over.signal },
      onGap: (sentence) => logger.error({}, `${sentence} ${FEED_STREAM} goes on without them.`),
    });
  }

  /** feed-filler.F5 */
  private async skipForgotten(): Promise<void> {
    const { shared, created, done = NOWHERE, told, isLasting, parts } = this;
    if (shared.seen.created !== created || shared.seen.last <= this.last) return;
    const missing = Math.min(MOST_NOTES, shared.seen.last - this.last);
    parts.logger.warn({ missing }, `the broker has forgotten messages of ${FEED_STREAM}: they are told again`);
    for (let left = missing; left > 0; left -= BATCH_MESSAGES) {
      const note = cursorMessage(done, told, parts.clock.now(), isLasting);
      await this.store(Array.from({ length: Math.min(left, BATCH_MESSAGES) }, () => note));
    }
    this.keptSeq = this.last;
  }

  /** Sees that FEED is the same stream, and ends where this filler has brought it. Keeps the cursor in it. */
  private async look(): Promise<void> {
    const { clock } = this.parts;
    await this.inTurn(async () => {
      const { first_seq: first, last_seq: last } = await this.lookNow();
      if (last !== this.last) throw new Error(`another process fills ${FEED_STREAM}`);
      const isOld = clock.now() - this.keptAt > this.keepEveryMs;
      const isGone = first > this.keptSeq; // A purge, or the stream's age.
      if (last > 0 && !this.isFilling && (isOld || isGone)) await this.keepCursor();
    });
  }

  private async lookNow(): Promise<StreamInfo['state']> {
    const { nats, clock } = this.parts;
    const at = clock.monotonic();
    const info = await streamInfo(nats, FEED_STREAM);
    if (info?.created !== this.created) throw new Error(`${FEED_STREAM} was deleted`);
    this.lookedAt = at;
    return info.state;
  }

  private async fill(page: readonly EventMessage[]): Promise<void> {
    const { clock } = this.parts;
    const since = clock.monotonic();
    this.isFilling = true;
    await this.keepLosses();
    const messages = this.messagesOf(page);
    this.waiting = messages.length;
    for (const batch of batchesOf(messages)) await this.inTurn(() => this.store(batch));
    this.done = this.reader?.cursor;
    if (this.since >= CURSOR_EVERY_MESSAGES) await this.inTurn(() => this.keepCursor());
    this.isFilling = false;
    const now = clock.monotonic();
    const { messages: behind = 0, ms = 0 } = this.reader?.lag ?? {};
    const restMs = this.shared.pace.restMs(now - since, (this.done?.seq ?? 0) + behind, ms, now);
    await rest(clock, restMs, this.over.signal);
  }

  private messagesOf(page: readonly EventMessage[]): OrderedMessage[] {
    const { kinds } = this.parts;
    const found: OrderedMessage[] = [];
    const places = placesFrom(page, this.reader?.cursor.time ?? 0);
    for (const [i, { journal, turn, text, sequence }] of page.entries()) {
      const { seq, time } = places[i] ?? { seq: sequence, time: 0 };
      for (const [at, event] of eventsOf(text, sequence).entries()) {
        const number = at + 1;
        if (kinds === 'orders' && !typeOf(event).startsWith('order.')) continue;
        if (this.isTold(journal, turn, number)) continue;
        found.push(feedMessage(event, { journal, turn, number, seq, time }));
      }
    }
    return found;
  }

  /** Whether FEED had the event when this filling began (feed-cursor.C3). Whole turns are known to the reader. */
  private isTold(journal: string, turn: number, number: number): boolean {
    const told = this.told[journal];
    return told !== undefined && told[0] === turn && number <= told[1];
  }

  /** Before the first message after a loss: that one alone would show none (turns-read.T5). */
  private async keepLosses(): Promise<void> {
    const { losses = 0 } = this.reader ?? {};
    if (losses === this.keptLosses || this.done === undefined) return;
    this.done = withAllUnsure(this.done);
    await this.inTurn(() => this.keepCursor());
    this.keptLosses = losses;
  }

  /** Not while a page is stored in part: a cursor tells of whole pages. */
  private async keepCursor(): Promise<void> {
    const { done, told, parts, isLasting } = this;
    if (done === undefined) return;
    const at = parts.clock.now();
    await this.store([cursorMessage(done, told, at, isLasting)]);
    ({ last: this.keptSeq } = this);
    this.keptAt = at;
    this.since = 0;
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    this.queue = this.queue.then(work);
    return this.queue;
  }

  private async store(messages: readonly OrderedMessage[]): Promise<void> {
    const { nats, clock } = this.parts;
    if (clock.monotonic() - this.lookedAt > LOOK_COUNTS_MS) await this.lookNow();
    if (this.over.signal.aborted) throw this.why; // feed-filler.F2
    const { stored, refused } = await nats.publishInOrder(messages, this.last);
    this.last += stored;
    this.shared.seen = { created: this.created, last: this.last };
    this.since += stored;
    this.waiting = Math.max(0, this.waiting - stored);
    if (stored > 0) this.hasFilled = true;
    if (refused !== undefined) throw refused;
  }
}

function* batchesOf(messages: readonly OrderedMessage[]): Generator<readonly OrderedMessage[]> {
  let batch: OrderedMessage[] = [];
  let chars = 0;
  for (const message of messages) {
    batch.push(message);
    chars += message.payload.length + message.headers.length;
    if (batch.length < BATCH_MESSAGES && chars < BATCH_CHARS) continue;
    yield batch;
    [batch, chars] = [[], 0];
  }
  if (batch.length > 0) yield batch;
}

/** For each message the place from which on it and all after it in the page are found again. */
function placesFrom(page: readonly EventMessage[], waitsSinceMs: number): { seq: number; time: number }[] {
  const places: { seq: number; time: number }[] = [];
  let seq = Number.POSITIVE_INFINITY;
  let time = Math.floor(waitsSinceMs);
  for (let i = page.length - 1; i >= 0; i--) {
    const { sequence, storedMs } = page[i] as EventMessage;
    seq = Math.min(seq, sequence);
    time = Math.min(time, Math.floor(storedMs));
    places[i] = { seq, time };
  }
  return places;
}

function eventsOf(text: string, sequence: number): ReturnType<typeof eventsIn> {
  try {
    return eventsIn(text);
  } catch (error) {
    throw new Error(`The message ${sequence} of EVENTS cannot be read: ${(error as Error).message}`);
  }
}
