/**
 * A body while it arrives, a piece at a time. Between two pieces that are taken the connection is paused once
 * a little has come, and the client waits.
 *
 * Law: nobody holds it open by being slow. What a client may take for its whole body is counted here, and only
 * while it is waited for: a body that is held back is not late. Whoever takes the pieces has a deadline too.
 */
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../actors/ports/runtime.js';
import { Failure, invalidField, tooLarge } from '../api/failure.js';
import { readInPieces } from './http-server.js';

interface Arrival {
  readonly clock: Pick<Clock, 'monotonic' | 'after'>;
  readonly mostBytes: number;
  /** For all the time together in which the client is waited for. */
  readonly patienceMs: number;
  /** Of the clock's monotonic time. */
  readonly endsAt: number;
  /** What is said when that has come. */
  readonly ended: () => Failure;
}

/** @throws Failure where it is cut off, too large, or too slow. */
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
