/**
 * The texts of one message, with commas between, and whether another text fits.
 *
 * A character takes at most three bytes of UTF-8. Bytes are counted only where this bound is too large: counting
 * flattens a text that will be copied once more.
 */
export const MOST_BYTES_OF_ONE = 3;

export class MessageRoom {
  readonly texts: string[] = [];
  private counted = 0;
  private uncountedChars = 0;

  constructor(
    private bytes: number,
    private readonly most: number,
    private readonly byteLength: (text: string) => number,
  ) {}

  /** Whether the text fits. @param beside further bytes that come with the text. */
  has(text: string, beside: number): boolean {
    if (this.bytes + beside + MOST_BYTES_OF_ONE * (this.uncountedChars + text.length) <= this.most) return true;
    for (; this.counted < this.texts.length; this.counted++) {
      this.bytes += this.byteLength(this.texts[this.counted] as string);
    }
    this.uncountedChars = 0;
    return this.bytes + beside + this.byteLength(text) <= this.most;
  }

  /** Reserves bytes beside the texts. @returns false when there is no room for them. */
  reserve(bytes: number): boolean {
    if (!this.has('', bytes)) return false;
    this.bytes += bytes;
    return true;
  }

  take(text: string, beside: number): void {
    this.bytes += beside + 1;
    this.uncountedChars += text.length;
    this.texts.push(text);
  }
}
