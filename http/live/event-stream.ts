/**
 * One reply as server-sent events (the HTML standard, 9.2), for as long as the client listens.
 *
 * Law: each frame is written whole. The id of a frame is the client's place after it: a frame without data moves the place
 * on while nothing matches, so a client that was long silent reads little when it comes again. The reply ends with a frame
 * that says why, and with a delay after which to come again; each client has another one.
 */
import type { ServerResponse } from 'node:http';
import { limits } from '../../actors/limits.js';
import type { Listener, Listening, LiveEvent } from '../../actors/ports/live-events.js';
import type { Clock } from '../../actors/ports/runtime.js';

type EndReason = 'too_slow' | 'interrupted' | 'stopping' | 'not_allowed' | 'busy';

const REASONS: { readonly [R in EndReason]: string } = {
  too_slow: 'You read more slowly than events come. Come again with the last id.',
  interrupted: 'Nothing more is told here for now. Come again with the last id.',
  stopping: 'This node is stopping. Come again with the last id: another node goes on.',
  not_allowed: 'The key or token is not accepted any more.',
  busy: 'Too many clients listen here. Come again with the last id.',
};

const RETRY_MS = 1_000;
const RETRY_JITTER_MS = 2_000;

interface StreamOptions {
  readonly clock: Clock;
  /** Begins to listen. */
  readonly listen: (listener: Listener) => Listening;
  /** Where the client begins. */
  readonly place: string;
  /** @returns false when the caller may not listen any more */
  readonly mayListen: (() => Promise<boolean>) | undefined;
  readonly closed: () => void;
}

export class EventStream implements Listener {
  private listening: Listening | undefined;
  private place: string;
  private cancelBeat = () => {};
  private cancelCheck = () => {};
  private isOver = false;

  constructor(
    private readonly res: ServerResponse,
    private readonly options: StreamOptions,
  ) {
    this.place = options.place;
    res.on('close', () => this.close());
    res.on('error', () => {}); // The client is gone, and 'close' follows.
    res.on('drain', () => this.listening?.goOn());
  }

  begin(): void {
    this.res.write(`: events\nretry: ${this.retryMs()}\nid: ${this.place}\n\n`);
    const listening = this.options.listen(this);
    if (this.isOver) return listening.stop();
    this.listening = listening;
    this.beatLater();
    this.checkLater();
  }

  event(event: LiveEvent): boolean {
    this.place = event.id;
    return this.res.write(frameOf(event));
  }

  gap(sentence: string): boolean {
    return this.res.write(`event: gap\ndata: ${JSON.stringify({ code: 'events_lost', message: sentence })}\n\n`);
  }

  ended(why: EndReason, place = this.place): void {
    if (this.isOver) return;
    this.close();
    const id = place === this.place ? '' : `id: ${place}\n`;
    const data = JSON.stringify({ code: why, message: REASONS[why] });
    this.res.end(`retry: ${this.retryMs()}\n${id}event: end\ndata: ${data}\n\n`);
    // A client that reads nothing must not hold up a stop.
    if (why === 'stopping' && this.res.writableNeedDrain) this.res.destroy();
  }

  // -------------------------------------------------------------- machinery

  private close(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.cancelBeat();
    this.cancelCheck();
    this.listening?.stop();
    this.options.closed();
  }

  private beatLater(): void {
    this.cancelBeat = this.options.clock.after(limits.liveBeatMs, () => {
      this.beat();
      this.beatLater();
    });
  }

  private beat(): void {
    if (this.res.writableNeedDrain) return;
    const place = this.listening?.place ?? this.place;
    this.res.write(place === this.place ? ':\n\n' : `:\nid: ${place}\n\n`);
    this.place = place;
  }

  /** A key that is revoked ends the stream as soon as it ends requests. */
  private checkLater(): void {
    const { clock, mayListen } = this.options;
    if (mayListen === undefined) return;
    this.cancelCheck = clock.after(limits.credentialRefreshMs, async () => {
      const may = await mayListen();
      if (this.isOver) return;
      if (may) this.checkLater();
      else this.ended('not_allowed');
    });
  }

  private retryMs(): number {
    return RETRY_MS + Math.round(this.options.clock.random() * RETRY_JITTER_MS);
  }
}

/** The same bytes for all listeners of an event: they follow one another. */
let latest: { readonly event: LiveEvent; readonly frame: Buffer } | undefined;

function frameOf(event: LiveEvent): Buffer {
  if (latest?.event !== event) latest = { event, frame: Buffer.from(`id: ${event.id}\ndata: ${event.text}\n\n`) };
  return latest.frame;
}
