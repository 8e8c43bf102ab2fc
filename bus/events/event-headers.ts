/**
 * The headers of a message on EVENTS: where it stands among the others.
 *
 *   Holdfast-Turn: 12                       the turn that it tells
 *   Holdfast-Previous: 9                    the turn of the journal's previous message; 0 if it is the first
 *   Holdfast-After: <journal>=<turn>,...    what other journals have on EVENTS before it; on the first message after a move
 *
 * Turns without events leave no message, so turn numbers alone do not show a gap.
 */
import { journalId } from '../../actors/ids.js';
import type { EventPlace, EventsBefore } from '../../actors/ports/events.js';

export function placeLines(turn: number, { previous, after = [] }: EventPlace): string {
  const named = after.map(([journal, n]) => `${journal}=${n}`).join(',');
  const lines = `Holdfast-Turn: ${turn}\r\nHoldfast-Previous: ${previous}\r\n`;
  return named === '' ? lines : `${lines}Holdfast-After: ${named}\r\n`;
}

/** @returns undefined if Holdfast has not published the message */
export const turnIn = (headers: string): number | undefined => numberIn(headers, /^Holdfast-Turn: *(\d+)/im);

/** Undefined in messages of versions before this header. */
export const previousIn = (headers: string): number | undefined => numberIn(headers, /^Holdfast-Previous: *(\d+)/im);

export function afterIn(headers: string): EventsBefore {
  const named = /^Holdfast-After: *(\S+)/im.exec(headers)?.[1]?.split(',') ?? [];
  return named.flatMap((one) => {
    const [journal = '', n] = one.split('=');
    return Number.isSafeInteger(Number(n)) ? [[journalId(journal), Number(n)] as const] : [];
  });
}

// ---------------------------------------------------------------- machinery

function numberIn(headers: string, line: RegExp): number | undefined {
  const n = Number(line.exec(headers)?.[1]);
  return Number.isSafeInteger(n) ? n : undefined;
}
