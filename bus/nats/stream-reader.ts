/**
 * Reads a stream from a place on, for as long as it is wanted, with a short-lived pull consumer: every supported broker has
 * those. The broker keeps nothing of it; whoever reads keeps its own place.
 *
 * Law:
 *  R1. Messages come in the order of the stream, without a gap: a message that was lost on the way ends the reading.
 *  R2. The reader asks for more only when what it got is taken. So one page is the most that waits here.
 *  R3. A reading ends with a rejection when the broker is away, when the consumer is gone, or when the stream has grown while
 *      nothing came, not even in one more request. The caller begins again. A reading that has got nothing yet counts from the
 *      stream's end at its beginning, or from the sequence where it begins if that comes before it. A stream that cannot show
 *      its own last message has a damaged copy, and counts as one that has grown.
 */
import { JetStreamRefusal } from './jetstream.js';
import type { Nats, NatsMessage, StreamInfo } from './nats.js';
import { deliveryOf, refuseDamaged, streamInfo } from './streams.js';

/** The first message that is read. */
export type From =
  | { readonly kind: 'sequence'; readonly sequence: number }
  | { readonly kind: 'time'; readonly ms: number }
  /** Only what comes from now on. */
  | { readonly kind: 'new' }
  /** The last message of each subject, then what comes from now on. */
  | { readonly kind: 'lasts' };

export interface ReadMessage {
  readonly sequence: number;
  readonly subject: string;
  readonly headers: string;
  readonly text: string;
  /** When the broker stored it, in wall clock milliseconds. */
  readonly storedMs: number;
  /** How many messages of the subjects that are read come after it. */
  readonly pending: number;
}

interface Reading {
  readonly stream: string;
  /** The subjects that are read; it may have wildcards. */
  readonly filter: string;
  readonly from: From;
  /** The broker sends no payloads. */
  readonly headersOnly?: boolean;
  readonly signal: AbortSignal;
}

const PAGE = { messages: 500, bytes: 8_388_608 };
/** A request that finds nothing waits so long at the broker. */
const EXPIRES_MS = 2_000;
const ANSWER_MS = EXPIRES_MS + 3_000;
/** The broker removes a consumer that nobody has asked for so long. */
const INACTIVE_MS = 30_000;
/** After so many requests without a message the reader compares its place with the stream's end (stream-reader.R3). */
const SILENT_REQUESTS = 3;
const NANOSECONDS = 1_000_000;

/**
 * Pages of messages, none of them empty. Ends when the signal is aborted.
 * @throws when it must begin again (stream-reader.R3)
 */
export async function* readStream(nats: Nats, reading: Reading): AsyncGenerator<readonly ReadMessage[], void> {
  const { stream, signal } = reading;
  if (signal.aborted) return;
  const name = await createConsumer(nats, reading);
  let delivered = 0;
  let silent = 0;
  /** In the stream after the last message, and not delivered; 0 if there is none. */
  let missed = 0;
  try {
    let last = await placeBefore(nats, reading);
    while (!signal.aborted) {
      const page = new Page(delivered);
      const asked = page.fetch(nats, `$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}`, signal);
      for (let messages = await page.next(); messages.length > 0; messages = await page.next()) {
        delivered += messages.length;
        silent = -1;
        last = messages.at(-1)?.sequence ?? last;
        yield messages;
        if (signal.aborted) return;
      }
      if (signal.aborted) return; // The request ends by itself.
      await asked;
      if (++silent > 0 && missed > 0)
        throw new Error(`${stream} has message ${missed}, and none after ${last} is delivered`);
      missed = 0;
      if (silent < SILENT_REQUESTS) continue;
      silent = 0;
      missed = await missedAfter(nats, reading, last); // It may have come just now: one more request tells.
    }
  } finally {
    // If this call fails, the broker removes the consumer by itself.
    nats.api(`CONSUMER.DELETE.${stream}.${name}`).catch(() => {});
  }
}

// ---------------------------------------------------------------- machinery

async function createConsumer(nats: Nats, { stream, filter, from, headersOnly = false }: Reading): Promise<string> {
  const start =
    from.kind === 'sequence'
      ? { deliver_policy: 'by_start_sequence', opt_start_seq: Math.max(1, from.sequence) }
      : from.kind === 'time'
        ? { deliver_policy: 'by_start_time', opt_start_time: new Date(from.ms).toISOString() }
        : { deliver_policy: from.kind === 'lasts' ? 'last_per_subject' : 'new' };
  const config = {
    ...start,
    ...(headersOnly && { headers_only: true }),
    filter_subject: filter,
    ack_policy: 'none',
    mem_storage: true,
    num_replicas: 1,
    inactive_threshold: INACTIVE_MS * NANOSECONDS,
  };
  const { name } = await nats.api<{ name: string }>(`CONSUMER.CREATE.${stream}`, { stream_name: stream, config });
  return name;
}

/** All that is read comes after this place, or was there when the reading began (stream-reader.R3). */
async function placeBefore(nats: Nats, { stream, from }: Reading): Promise<number> {
  const { last_seq: end } = await stateOf(nats, stream);
  return from.kind === 'sequence' ? Math.min(end, Math.max(1, from.sequence) - 1) : end;
}

async function stateOf(nats: Nats, stream: string): Promise<StreamInfo['state']> {
  const info = await streamInfo(nats, stream);
  if (info === undefined) throw new Error(`the stream ${stream} is gone`);
  return info.state;
}

/** The first message of what is read after `after`, or the last one of a damaged copy; 0 if there is none. */
async function missedAfter(nats: Nats, { stream, filter }: Reading, after: number): Promise<number> {
  const { last_seq: last, messages } = await stateOf(nats, stream);
  if (last <= after || messages === 0) return 0;
  const shown = (query: object): Promise<number> =>
    nats.api<{ message: { seq: number } }>(`STREAM.MSG.GET.${stream}`, query).then(
      ({ message }) => message.seq,
      (error) => {
        if (error instanceof JetStreamRefusal) return 0; // None of these subjects, or none any more.
        throw error;
      },
    );
  const next = await shown({ seq: after + 1, next_by_subj: filter });
  if (next > 0 || (await shown({ seq: last })) > 0) return next;
  await refuseDamaged(nats, stream, filter);
  return last;
}

/** The messages of one request, given out as they come. */
class Page {
  private arrived: ReadMessage[] = [];
  private isOver = false;
  private failure: Error | undefined;
  private wake = () => {};
  private count = 0;

  constructor(private readonly before: number) {}

  /** Resolves when the request has ended; `next` tells how. */
  async fetch(nats: Nats, subject: string, signal: AbortSignal): Promise<void> {
    const request = {
      batch: PAGE.messages,
      max_bytes: PAGE.bytes,
      expires: EXPIRES_MS * NANOSECONDS,
    };
    const stop = () => this.end();
    signal.addEventListener('abort', stop);
    try {
      await nats.request(subject, JSON.stringify(request), {
        until: (message) => this.isOver || this.take(message),
        deadlineMs: ANSWER_MS,
      });
      this.end();
    } catch (error) {
      this.end(error as Error);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** What has come since the last call; empty when the request has ended. @throws if it ended without an answer (stream-reader.R3) */
  async next(): Promise<readonly ReadMessage[]> {
    if (this.arrived.length === 0 && !this.isOver) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    const messages = this.arrived;
    this.arrived = [];
    if (messages.length === 0 && this.failure !== undefined) throw this.failure;
    return messages;
  }

  /** @returns whether it was the last one */
  private take(message: NatsMessage): boolean {
    const place = deliveryOf(message);
    if (place === undefined) {
      const { code, description } = message.headers ?? { code: 0, description: '' };
      if (code === 100) return false;
      // 404 and 408: there is no more at the moment. The next message may also be too large for what is left of PAGE.bytes.
      const isEnd = code === 404 || code === 408 || (this.count > 0 && /MaxBytes/i.test(description));
      // Whatever else it is, the consumer may be gone.
      if (!isEnd) this.failure = new Error(`the broker ended a read: ${code} ${description}`);
      return true;
    }
    this.count++;
    if (place.number !== this.before + this.count) {
      this.failure = new Error(`message ${place.seq} came as number ${place.number}, not ${this.before + this.count}`);
      return true;
    }
    const { seq: sequence, storedMs, pending } = place;
    const headers = headerText(message);
    this.arrived.push({ sequence, subject: message.subject, headers, text: message.string(), storedMs, pending });
    if (this.arrived.length === 1) setImmediate(() => this.wake()); // What comes in one go is one page.
    return this.count === PAGE.messages;
  }

  private end(failure?: Error): void {
    this.isOver = true;
    this.failure ??= failure;
    this.wake();
  }
}

const headerText = ({ headers }: NatsMessage): string =>
  headers === undefined
    ? ''
    : headers
        .keys()
        .map((key) => `${key}: ${headers.get(key)}\r\n`)
        .join('');
