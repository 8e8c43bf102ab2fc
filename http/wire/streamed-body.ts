/**
 * Reads a body piece by piece while it arrives. While the consumer works on a piece, the connection is paused after a
 * small buffer, and the client waits.
 *
 * Law: a slow client cannot keep a request open. The client's time for its whole body counts only while the reader waits
 * for the client, not while the connection is paused. The consumer has a deadline too.
 */
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../actors/ports/runtime.js';
import { Failure, invalidField, tooLarge } from '../api/failure.js';
import { readInPieces } from './http-server.js';

interface Arrival {
  readonly clock: Pick<Clock, 'monotonic' | 'after'>;
  readonly mostBytes: number;
  /** The total time that the reader waits for the client. */
  readonly patienceMs: number;
  /** The deadline on the monotonic clock. */
  readonly endsAt: number;
  /** The failure when the deadline has passed. */
  readonly ended: () => Failure;
}

/** @throws Failure if the body is cut off, too large or too slow. */
export async function* arriving(req: IncomingMessage, arrival: Arrival): AsyncGenerator<Buffer> {
  const { clock, mostBytes, endsAt } = arrival;
  if (Number(req.headers['content-length'] ?? 0) > mostBytes) throw tooLarge(mostBytes);
  readInPieces(req);
  let wake = () => {};
  const changed = () => wake();
  for (const event of CHANGES) req.on(event, changed);
  req.socket.on('end', changed);
  let patienceMs = arrival.patienceMs;
  let bytes = 0;
  try {
    for (;;) {
      const piece: Buffer | null = req.read();
      if (piece !== null) {
        bytes += piece.length;
        if (bytes > mostBytes) throw tooLarge(mostBytes);
        yield piece;
        continue;
      }
      if (req.readableEnded) return;
      if (req.destroyed || (req.socket.readableEnded && !req.complete)) throw cutOff();
      const since = clock.monotonic();
      const restMs = endsAt - since;
      const hasChanged = await new Promise<boolean>((resolve) => {
        const cancel = clock.after(Math.max(0, Math.min(patienceMs, restMs)), () => resolve(false));
        wake = () => {
          cancel();
          resolve(true);
        };
      });
      if (!hasChanged) throw patienceMs < restMs ? tooSlow() : arrival.ended();
      patienceMs -= clock.monotonic() - since;
    }
  } finally {
    for (const event of CHANGES) req.off(event, changed);
    req.socket.off('end', changed);
  }
}

// ---------------------------------------------------------------- machinery

const CHANGES = ['readable', 'end', 'error', 'close'] as const;

const cutOff = (): Failure => invalidField('body', 'was cut off before its end');

const tooSlow = (): Failure =>
  new Failure(408, 'too_slow', 'The request did not arrive in time.', {
    errors: [{ field: 'request', message: 'The request did not arrive in time.' }],
  });
