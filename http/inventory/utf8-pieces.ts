/**
 * The text of bytes that arrive in pieces.
 *
 * Law: what is text, and where it ends to be that, is the same however the bytes are cut: a character that
 * has only begun waits for the rest of it.
 */
import { isUtf8 } from 'node:buffer';

export class Utf8Pieces {
  private begun: Buffer = Buffer.alloc(0);
  private isFirst = true;
  private foundBad = false;

  /** It has come to bytes that are no text. */
  get isBad(): boolean {
    return this.foundBad;
  }

  /** A character has begun and not ended: behind the last piece that is no text either. */
  get isOpen(): boolean {
    return this.begun.length > 0;
  }

  /** @returns the text up to the first byte that is none. */
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

/** How many bytes at the end are a character that goes on. */
function begunIn(bytes: Buffer): number {
  for (let count = 1; count <= Math.min(3, bytes.length); count++) {
    const byte = bytes[bytes.length - count] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return count < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? count : 0;
  }
  return 0;
}

/** Found by halving: what begins with a part that is no text is none. */
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
