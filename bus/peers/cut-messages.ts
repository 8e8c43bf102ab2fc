/** Cuts a message that is longer than the link carries into parts, and joins the parts that arrive. */
import { limits } from '../../actors/limits.js';
import { type CutPart, cutText } from './messages.js';
import type { PeerAddress } from './peer-link.js';

/** A character of a JSON text is at most three bytes inside another one: escaped, or in UTF-8. */
const MOST_BYTES_OF_ONE = 3;
const FRAME_BYTES = 400;

/** @param of the sender's number for the message. */
export function cutInParts(from: PeerAddress, of: number, message: string, mostBytes: number): string[] {
  const most = Math.max(1, Math.floor((mostBytes - FRAME_BYTES) / MOST_BYTES_OF_ONE));
  const parts = Math.ceil(message.length / most);
  return Array.from({ length: parts }, (_, at) =>
    cutText({ from, cut: { of, at, parts, text: message.slice(at * most, (at + 1) * most) } }),
  );
}

interface Gathered {
  readonly texts: Map<number, string>;
  chars: number;
}

/** Joins parts in any order. What stays incomplete is dropped when it takes too much memory. */
export class CutMessages {
  private readonly open = new Map<string, Gathered>();
  private chars = 0;

  constructor(private readonly mostChars: number = limits.peerPartBytes) {}

  /** @returns the message when this part completes it. */
  take({ from, cut: { of, at, parts, text } }: CutPart): string | undefined {
    const key = `${from} ${of}`;
    const gathered = this.open.get(key) ?? { texts: new Map<number, string>(), chars: 0 };
    if (gathered.texts.has(at)) return undefined;
    this.open.set(key, gathered);
    gathered.texts.set(at, text);
    gathered.chars += text.length;
    this.chars += text.length;
    if (gathered.texts.size === parts) {
      this.drop(key, gathered);
      return Array.from({ length: parts }, (_, i) => gathered.texts.get(i) ?? '').join('');
    }
    for (const [oldest, one] of this.open) {
      if (this.chars <= this.mostChars) break;
      this.drop(oldest, one);
    }
    return undefined;
  }

  private drop(key: string, { chars }: Gathered): void {
    this.open.delete(key);
    this.chars -= chars;
  }
}
