/**
 * The name of a write: whoever repeats the request under the same key repeats this write, and it has its
 * effect once. The fingerprint tells a repeat from another request under the same key. In which order a list
 * names its products makes no difference.
 */
import { createHash } from 'node:crypto';
import { type WriteId, writeId } from '../../actors/ids.js';

export interface Write {
  /** The client's, or one drawn for it. */
  readonly key: string;
  readonly ref: WriteId;
  readonly fingerprint: string;
  /** What older versions made of the same request, where it is another: they took lists as they came. */
  readonly oldFingerprint: string | undefined;
  readonly fresh: boolean;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url');

const fingerprintOf = (content: object): string => sha256(JSON.stringify(content)).slice(0, 22);

/**
 * @param scope what the key counts for: the same key may name one write for each
 * @param caller of `callerOf`: its key is nobody else's
 * @param content the normalised request, its lists in an order of their own
 * @param asGiven the same with its lists as they came
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
  // None of them contains U+0000, so no two writes share a text.
  const text = `inventory\0${scope}\0${key}${caller === '' ? '' : `\0${caller}`}`;
  const fingerprint = fingerprintOf(content);
  const old = asGiven === content ? fingerprint : fingerprintOf(asGiven);
  return {
    key,
    ref: writeId(`WR-${sha256(text).slice(0, 26)}`),
    fingerprint,
    oldFingerprint: old === fingerprint ? undefined : old,
    fresh: given === undefined,
  };
}

/** In the order of their products, which stand there once each. */
export const byProduct = <T>(lines: readonly T[], productOf: (line: T) => string): T[] =>
  lines.toSorted((a, b) => (productOf(a) < productOf(b) ? -1 : 1));
