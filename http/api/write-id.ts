/**
 * The identity of a write. A repeat of the request under the same key is the same write, which takes effect once. The
 * fingerprint tells a repeat from another request under the same key. The order of a list's products does not matter.
 */
import { createHash } from 'node:crypto';
import { type WriteId, writeId } from '../../actors/ids.js';

export interface Write {
  /** From the client, or drawn for it. */
  readonly key: string;
  readonly ref: WriteId;
  readonly fingerprint: string;
  /** The fingerprint of older versions, if it differs: they kept the order of lists. */
  readonly oldFingerprint: string | undefined;
  readonly fresh: boolean;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url');

export const fingerprintOf = (content: object): string => sha256(JSON.stringify(content)).slice(0, 22);

/** The parameters are those of `writeOf`. */
export function refOf(scope: string, caller: string, key: string): WriteId {
  // No part contains U+0000, so two writes never share a text.
  const text = `inventory\0${scope}\0${key}${caller === '' ? '' : `\0${caller}`}`;
  return writeId(`WR-${sha256(text).slice(0, 26)}`);
}

/**
 * @param scope the same key names another write in each scope
 * @param caller from `callerOf`: the same key names another write for each caller
 * @param content the normalised request with sorted lists
 * @param asGiven the same request with its lists in the client's order
 */
export function writeOf(
  scope: string,
  caller: string,
  given: string | undefined,
  content: object,
  draw: () => string,
  asGiven: object = content,
): Write {
  const key = given ?? draw();
  const fingerprint = fingerprintOf(content);
  const old = asGiven === content ? fingerprint : fingerprintOf(asGiven);
  return {
    key,
    ref: refOf(scope, caller, key),
    fingerprint,
    oldFingerprint: old === fingerprint ? undefined : old,
    fresh: given === undefined,
  };
}

/** Sorts lines by product. Each product has one line. */
export const byProduct = <T>(lines: readonly T[], productOf: (line: T) => string): T[] =>
  lines.toSorted((a, b) => (productOf(a) < productOf(b) ? -1 : 1));
