/**
 * Tells topics what EVENTS has: each message once, in the order of each actor, whatever dies on the way.
 *
 * Law:
 *  F1. What a message makes and the cursor after it are one transaction. So the last committed cursor tells exactly what the
 *      topics have.
 *  F2. A run opens the writer first, which ends every writer before it, and only then reads the cursor (topics.T2). So of two
 *      feeds that run by mistake one goes on, and neither doubles anything. Only a write shows who was ended: a feed that has
 *      nothing to tell writes its cursor again.
 *  F3. After any error a run is over, with its writer and its reader. The next run begins with the cursor in Kafka.
 *  F4. What EVENTS has lost unread is never passed over silently, and topics without their cursor are never filled again. The
 *      run stops and asks for `holdfast feed replay`.
 */
import type { Feed } from '../../actors/ports/feeds.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import type { EventMessage } from '../events/event-reader.js';
import type { EventReading, EventSource, Unread } from './event-source.js';
import { decodeCursor, encodeCursor, type FeedCursor, type Replay } from './feed-cursor.js';
import { type Page, PageQueue } from './page-queue.js';
import type { TopicRecord, TopicShape, Topics, TopicWriter } from './topics.js';

interface TopicFeedParts {
  readonly name: string;
  /** Names the writer and the cursor: the same in every process of the system. */
  readonly id: string;
  /** Connects anew for each run (topic-feed.F3). */
  readonly topics: () => Promise<Topics>;
  readonly source: EventSource;
  readonly cursorTopic: TopicShape;
  readonly targets: readonly TopicShape[];
  /** Called for each run: what it remembers of what it made ends with the run (topic-feed.F3). */
  readonly translator: () => Translator;
  /** So long a transaction waits for more: each costs the same, however little is in it. */
  readonly gatherMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What the messages make, in their order. */
export type Translator = (messages: readonly EventMessage[], signal: AbortSignal) => Promise<readonly TopicRecord[]>;

/** It can go on only after someone has decided what is to be sent again (topic-feed.F4). */
export class NeedsReplay extends Error {
  override readonly name = 'NeedsReplay';
}

/** After so long without anything to tell a feed looks whether it was ended (topic-feed.F2). */
const IDLE_MS = 5_000;
/** Time for a transaction under way once the feed is told to stop. */
const LAST_WRITE_MS = 3_000;

export class TopicFeed implements Feed {
  readonly name: string;
  /** Records told since this process began, those of the cursor left out. */
  sent = 0;
  private cursor: FeedCursor | undefined;
  private reading: EventReading | undefined;
  private queue: PageQueue | undefined;
  /** The messages of the transaction under way. */
  private taken: readonly EventMessage[] = [];
  /** What waits while no run goes on, as far as it was counted. */
  private left: Unread = { messages: 0, oldestMs: undefined };

  constructor(private readonly parts: TopicFeedParts) {
    this.name = parts.name;
  }

  get lag(): { readonly messages: number; readonly ms: number } {
    const { reading, queue, taken, left } = this;
    if (reading === undefined || queue === undefined) return { messages: left.messages, ms: this.since(left.oldestMs) };
    const messages = reading.lag.messages + queue.messages + taken.length;
    const oldestMs = taken[0]?.storedMs ?? queue.oldestMs;
    return { messages, ms: Math.max(reading.lag.ms, this.since(oldestMs)) };
  }

  async run(signal: AbortSignal): Promise<void> {
    const { source } = this.parts;
    try {
      const topics = await this.parts.topics();
      try {
        await this.runOn(topics, signal);
      } finally {
        await topics.close();
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.reading = undefined;
      this.queue = undefined;
      this.taken = [];
      this.left = await source.after(this.cursor).catch(() => this.left);
    }
  }

  // -------------------------------------------------------------- machinery

  private since(ms: number | undefined): number {
    return ms === undefined ? 0 : Math.max(0, this.parts.clock.now() - ms);
  }

  private async runOn(topics: Topics, signal: AbortSignal): Promise<void> {
    const { targets, cursorTopic, id, logger } = this.parts;
    const made = await topics.ensure([...targets, cursorTopic]);
    if (made.length > 0) logger.info({ topics: made }, `the feed ${this.name} has made topics`);
    const writer = await topics.open(id); // topic-feed.F2
    try {
      await this.feed(writer, await this.place(topics, writer), signal);
    } finally {
      await writer.close();
    }
  }

  private async feed(writer: TopicWriter, place: FeedCursor | Replay, signal: AbortSignal): Promise<void> {
    const { source, logger, clock, gatherMs } = this.parts;
    this.cursor = 'replay' in place ? undefined : place;
    let passesGaps = this.cursor?.passesGaps === true;
    const over = new AbortController();
    const stop = () => over.abort();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    const onGap = (sentence: string) => {
      if (!passesGaps) throw new NeedsReplay(`${sentence} ${WAY_OUT}`);
      logger.warn({ feed: this.name }, `passed over, as was asked: ${sentence}`);
    };
    const reading = source.open({ from: fromOf(place), onGap, signal: over.signal });
    const queue = new PageQueue(clock);
    const translate = this.parts.translator();
    const filled = queue.fill(reading.pages(), () => reading.cursor);
    this.reading = reading;
    this.queue = queue;
    logger.info({ feed: this.name, from: beginOf(place) }, `the feed ${this.name} tells Kafka what EVENTS has`);
    try {
      while (!signal.aborted) {
        const pages = await queue.take(gatherMs, IDLE_MS);
        if (pages?.length === 0) break;
        if (pages === undefined) await this.keep(writer, this.cursor ?? place, signal);
        else {
          passesGaps &&= reading.lag.messages > 0;
          await this.write(writer, pages, translate, passesGaps, signal);
        }
      }
    } finally {
      signal.removeEventListener('abort', stop);
      over.abort();
      queue.end();
      await filled;
    }
  }

  /** Where to begin. @throws NeedsReplay (topic-feed.F4) */
  private async place(topics: Topics, writer: TopicWriter): Promise<FeedCursor | Replay> {
    const { cursorTopic, targets, id, clock } = this.parts;
    const text = await topics.last(cursorTopic.name, id);
    const names = targets.map(({ name }) => name);
    const filled = await topics.filled(names);
    if (text === undefined) {
      if (filled.size === 0) {
        // Before anything else: a first transaction that is given up leaves records that nobody sees, and they count as filled.
        const start: Replay = { replay: 'start' };
        await writer.write([cursorRecord(cursorTopic.name, id, start, clock.now())]);
        return start;
      }
      throw new NeedsReplay(
        `${[...filled].join(' and ')} have records, and ${cursorTopic.name} does not say how far this system (${id}) has come. ${WAY_OUT}`,
      );
    }
    const place = decodeCursor(text);
    if ('replay' in place) return place;
    const emptied = names.filter((name) => (place.records[name] ?? 0) > 0 && !filled.has(name));
    if (emptied.length === 0) return place;
    throw new NeedsReplay(`${emptied.join(' and ')} had records of this system, and was made anew. ${WAY_OUT}`);
  }

  private async write(
    writer: TopicWriter,
    pages: readonly Page[],
    translate: Translator,
    passesGaps: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const messages = pages.flatMap((page) => page.messages);
    this.taken = messages;
    const records = await translate(messages, signal);
    if (signal.aborted) return;
    const sum: Record<string, number> = { ...this.cursor?.records };
    for (const { topic } of records) sum[topic] = (sum[topic] ?? 0) + 1;
    const last = pages.at(-1)?.cursor;
    if (last === undefined) return;
    const cursor: FeedCursor = { ...last, records: sum, ...(passesGaps && { passesGaps }) };
    await this.keep(writer, cursor, signal, records);
    this.cursor = cursor;
    this.taken = [];
    this.sent += records.length;
  }

  private keep(
    writer: TopicWriter,
    place: FeedCursor | Replay,
    signal: AbortSignal,
    records: readonly TopicRecord[] = [],
  ): Promise<void> {
    const { cursorTopic, id, clock } = this.parts;
    const written = writer.write([...records, cursorRecord(cursorTopic.name, id, place, clock.now())]);
    return inTimeOnceStopped(written, clock, signal);
  }
}

/** For the feed itself, and for who orders a replay. */
export const cursorRecord = (topic: string, id: string, cursor: FeedCursor | Replay, at: number): TopicRecord => ({
  topic,
  key: id,
  value: encodeCursor(cursor),
  headers: [['content-type', 'application/json']],
  timestampMs: at,
});

const WAY_OUT =
  'Say what is to be sent: holdfast feed replay --from start (all that EVENTS has, again), --from <time>, or --from next (what was not sent yet).';

const fromOf = (place: FeedCursor | Replay) =>
  !('replay' in place) ? place : place.replay === 'start' ? ('start' as const) : { sinceMs: place.replay };

const beginOf = (place: FeedCursor | Replay): string =>
  !('replay' in place)
    ? new Date(place.time).toISOString()
    : place.replay === 'start'
      ? 'start'
      : new Date(place.replay).toISOString();

/** Rejects when the call takes longer than LAST_WRITE_MS after the signal. */
function inTimeOnceStopped<T>(call: Promise<T>, clock: Clock, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    let cancel = () => {};
    const onAbort = () => {
      cancel = clock.after(LAST_WRITE_MS, () => reject(new Error('the feed was told to stop')));
    };
    signal.addEventListener('abort', onAbort, { once: true });
    call.then(resolve, reject).finally(() => {
      cancel();
      signal.removeEventListener('abort', onAbort);
    });
  });
}
