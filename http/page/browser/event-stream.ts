/**
 * Server-sent events with a key: `EventSource` can send no header. It comes again by itself, with the id of the last event, so
 * nothing is missed and nothing comes twice.
 */
import type { Api } from './api.js';
import { type Frame, SseFrames } from './sse-frames.js';

const BETWEEN_MS = 1_000;
const LONGEST_MS = 10_000;
/** The server says something every 15 s. */
const SILENT_MS = 40_000;
/** Who was away longer reads the orders again, rather than everything that happened. */
const AWAY_MS = 60_000;

interface Listener {
  event(data: string): void;
  /** Events are missing: everything must be read again. */
  missed(): void;
  /** Undefined: it listens. */
  away(why: string | undefined): void;
}

/** @returns what ends it */
export function listen(api: Api, path: string, listener: Listener): () => void {
  let place: string | undefined;
  let heardAt = 0;
  let retryMs = BETWEEN_MS;
  let failures = 0;
  let isOver = false;
  let current: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const again = (pauseMs: number) => {
    clearTimeout(timer);
    if (!isOver && !document.hidden) timer = setTimeout(connect, pauseMs);
  };

  const connect = async () => {
    if (isOver || document.hidden || current !== undefined) return;
    const controller = new AbortController();
    current = controller;
    let silence = setTimeout(() => controller.abort(), SILENT_MS);
    if (place === undefined || performance.now() - heardAt > AWAY_MS) place = undefined;
    const isAnew = place === undefined;
    try {
      const headers = {
        ...api.headers,
        accept: 'text/event-stream',
        ...(place !== undefined && { 'last-event-id': place }),
      };
      const reply = await fetch(path, { headers, signal: controller.signal, cache: 'no-store' });
      if (reply.status === 400) place = undefined;
      if (!reply.ok || reply.body === null) throw new Error(`The events have status ${reply.status}.`);
      failures = 0;
      listener.away(undefined);
      if (isAnew) listener.missed();
      const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
      const frames = new SseFrames();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        heardAt = performance.now();
        clearTimeout(silence);
        silence = setTimeout(() => controller.abort(), SILENT_MS);
        for (const frame of frames.take(value)) take(frame);
      }
      again(retryMs);
    } catch (error) {
      failures++;
      if (!document.hidden) listener.away(error instanceof Error && failures > 0 ? error.message : String(error));
      again(Math.min(LONGEST_MS, BETWEEN_MS * 2 ** (failures - 1)) * (0.5 + Math.random()));
    } finally {
      clearTimeout(silence);
      current = undefined;
    }
  };

  const take = ({ type, data, id, retryMs: pauseMs }: Frame) => {
    if (id !== undefined) place = id;
    if (pauseMs !== undefined) retryMs = pauseMs;
    if (type === 'gap') listener.missed();
    else if (type === 'message' && data !== '') listener.event(data);
  };

  const seen = () => {
    if (document.hidden) {
      clearTimeout(timer);
      current?.abort();
    } else again(0);
  };
  document.addEventListener('visibilitychange', seen);
  void connect();
  return () => {
    isOver = true;
    clearTimeout(timer);
    current?.abort();
    document.removeEventListener('visibilitychange', seen);
  };
}
