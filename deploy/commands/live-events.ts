// Events of a running system as they come, over HTTP: after a lost connection it goes on behind the last one, and says what is lost.

import { setTimeout as pause } from 'node:timers/promises';
import { Interrupted, type System } from './system.js';

interface LiveFrame {
  readonly event: string;
  readonly data: string;
}

/** A comment comes every 15 s: a longer silence is a dead connection. */
const SILENCE_MS = 45_000;
const PAUSE_MS = 1_000;

/** @param path with its query. It ends with the signal alone. @throws Refused, NotReached */
export async function* liveEvents(
  system: System,
  path: string,
  signal: AbortSignal,
  say: (line: string) => void,
): AsyncGenerator<string> {
  let place: string | undefined;
  let pauseMs = PAUSE_MS;
  while (!signal.aborted) {
    const connection = new AbortController();
    const hangUp = () => connection.abort();
    signal.addEventListener('abort', hangUp);
    let timer: NodeJS.Timeout | undefined;
    try {
      system.renew();
      const reply = await system.open(path, place === undefined ? {} : { 'last-event-id': place }, connection.signal);
      timer = setTimeout(hangUp, SILENCE_MS);
      const frames = new Frames();
      for await (const piece of reply) {
        timer.refresh();
        for (const { event, data } of frames.of(piece)) {
          if (event === 'gap') say(`${(JSON.parse(data) as { message: string }).message}`);
          else if (event === 'message') yield data;
        }
        place = frames.id ?? place;
        pauseMs = frames.retryMs ?? pauseMs;
      }
    } catch (error) {
      if (error instanceof Interrupted || signal.aborted) return;
      if (!(error instanceof TypeError) && !connection.signal.aborted) throw error; // undici: the connection broke.
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', hangUp);
    }
    await pause(pauseMs * (1 + Math.random() / 2), undefined, { signal }).catch(() => {});
  }
}

/** The text of an event stream, cut anywhere, as its frames. */
export class Frames {
  id: string | undefined;
  retryMs: number | undefined;
  private rest = '';
  private event = '';
  private data: string[] = [];

  of(piece: string): LiveFrame[] {
    const lines = (this.rest + piece).split('\n');
    this.rest = lines.pop() ?? '';
    return lines.flatMap((line) => this.take(line.replace(/\r$/, '')));
  }

  private take(line: string): LiveFrame[] {
    if (line === '') {
      const { event, data } = this;
      [this.event, this.data] = ['', []];
      return data.length === 0 ? [] : [{ event: event === '' ? 'message' : event, data: data.join('\n') }];
    }
    const [, name = '', value = ''] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
    if (name === 'id') this.id = value;
    else if (name === 'retry' && /^\d{1,6}$/.test(value)) this.retryMs = Number(value);
    else if (name === 'event') this.event = value;
    else if (name === 'data') this.data.push(value);
    return [];
  }
}
