/** What a client would rather have, of what there is: Accept and Accept-Encoding with their weights (RFC 9110, 12.5). */
import type { IncomingMessage } from 'node:http';
import accepts from 'accepts';

/**
 * Whether it would rather have the second of two media types. The first is for whoever says nothing, or takes neither:
 * an answer of another type helps more than none.
 */
export function prefersSecond(req: IncomingMessage, first: string, second: string): boolean {
  const { accept } = req.headers;
  if (accept === undefined || accept === '*/*') return false; // Most say no more than that.
  return accepts(req).types([first, second]) === second;
}

/** Nothing said is no wish for it. */
export function prefersGzip(req: IncomingMessage): boolean {
  const header = req.headers['accept-encoding'];
  if (header === undefined) return false;
  const gzip = /\bx-gzip\b/i.test(String(header)) ? 'x-gzip' : 'gzip'; // One coding with two names.
  return accepts(req).encodings([gzip, 'identity']) === gzip;
}
