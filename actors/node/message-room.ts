/**
 * What goes into one message, text by text with commas between, and whether more fits.
 *
 * A character takes at most three bytes of UTF-8: bytes are counted only where that could be too many, since
 * counting writes a text out that will be written once more.
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

  /** @param beside bytes that go with the text. */
  has(text: string, beside: number): boolean {
    if (this.bytes + beside + MOST_BYTES_OF_ONE * (this.uncountedChars + text.length) <= this.most) return true;
    for (; this.counted < this.texts.length; this.counted++) {
      this.bytes += this.byteLength(this.texts[this.counted] as string);
    }
    this.uncountedChars = 0;
    return this.bytes + beside + this.byteLength(text) <= this.most;
  }

  /** Takes bytes that stand beside the texts. @returns false where there is no room for them. */
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
