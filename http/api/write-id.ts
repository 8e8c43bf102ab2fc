/**
 * The name of a write: whoever repeats the request under the same key repeats this write, and it has its
 * effect once. The fingerprint tells a repeat from another request under the same key.
 */
import { createHash } from 'node:crypto';
import { type WriteId, writeId } from '../../actors/ids.js';

export interface Write {
  /** The client's, or one drawn for it. */
  readonly key: string;
  readonly ref: WriteId;
  readonly fingerprint: string;
  readonly fresh: boolean;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url');

/**
 * @param scope what the key counts for: the same key may name one write for each
 * @param caller of `callerOf`: its key is nobody else's
 * @param content the normalised request
 */
export function writeOf(
  scope: string,
  caller: string,
  given: string | undefined,
  content: object,
  draw: () => string,
): Write {
  const key = given ?? draw();
  // None of them contains U+0000, so no two writes share a text.
  const text = `inventory\0${scope}\0${key}${caller === '' ? '' : `\0${caller}`}`;
  return {
    key,
    ref: writeId(`WR-${sha256(text).slice(0, 26)}`),
    fingerprint: sha256(JSON.stringify(content)).slice(0, 22),
    fresh: given === undefined,
  };
}
