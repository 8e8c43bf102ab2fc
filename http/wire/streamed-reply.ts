/**
 * Sends a body while it is made. A part is made when the client has taken the one before, so a slow client costs no
 * memory. A client that vanishes or takes nothing for `stallMs` ends the work. A body that fails midway breaks the
 * connection off, so that nobody takes it for a whole one.
 */
import type { ServerResponse } from 'node:http';

export async function sendParts(res: ServerResponse, parts: AsyncIterable<string>, stallMs: number): Promise<void> {
  try {
    for await (const part of parts) {
      if (res.destroyed) return;
      if (!res.write(part)) await taken(res, stallMs);
      if (res.destroyed) return;
    }
    res.end();
  } catch {
    res.destroy();
  }
}

/** Resolves when the client has taken what was written, or is gone. */
function taken(res: ServerResponse, stallMs: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      res.off('drain', done).off('close', done);
      resolve();
    };
    const timer = setTimeout(() => res.destroy(), stallMs);
    res.once('drain', done).once('close', done);
    if (res.destroyed) done();
  });
}
