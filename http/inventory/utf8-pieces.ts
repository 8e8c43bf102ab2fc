/**
 * Decodes UTF-8 that arrives in pieces.
 *
 * Law: the text, and the place of the first invalid byte, do not depend on where the bytes are cut. An incomplete
 * character waits for its remaining bytes.
 */
import { isUtf8 } from 'node:buffer';

export class Utf8Pieces {
  private begun: Buffer = Buffer.alloc(0);
  private isFirst = true;
  private foundBad = false;

  /** Invalid bytes were found. */
  get isBad(): boolean {
    return this.foundBad;
  }

  /** A character is incomplete. After the last piece that is invalid too. */
  get isOpen(): boolean {
    return this.begun.length > 0;
  }

  /** @returns the text before the first invalid byte. */
  text(piece: Buffer): string {
    const bytes = this.begun.length === 0 ? piece : Buffer.concat([this.begun, piece]);
    const end = bytes.length - begunIn(bytes);
    this.begun = bytes.subarray(end);
    const whole = bytes.subarray(0, end);
    this.foundBad = !isUtf8(whole);
    const text = (this.foundBad ? soundPartOf(whole) : whole).toString('utf8');
    if (text === '') return text;
    const isMarked = this.isFirst && text.startsWith(BYTE_ORDER_MARK);
    this.isFirst = false;
    return isMarked ? text.slice(1) : text;
  }
}

// ---------------------------------------------------------------- machinery

const BYTE_ORDER_MARK = '\ufeff';

/** How many bytes at the end belong to an incomplete character. */
function begunIn(bytes: Buffer): number {
  for (let count = 1; count <= Math.min(3, bytes.length); count++) {
    const byte = bytes[bytes.length - count] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return count < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? count : 0;
  }
  return 0;
}

/** The valid prefix, found by binary search: no longer prefix of an invalid prefix is valid. */
function soundPartOf(bytes: Buffer): Buffer {
  const upTo = (length: number) => bytes.subarray(0, length - begunIn(bytes.subarray(0, length)));
  let sound = 0;
  for (let bad = bytes.length; bad - sound > 1; ) {
    const middle = (sound + bad) >>> 1;
    if (isUtf8(upTo(middle))) sound = middle;
    else bad = middle;
  }
  return upTo(sound);
}
