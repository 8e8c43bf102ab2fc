/**
 * What goes to one address. Everything of some rounds of the event loop is one message, as far as it fits; what does not
 * fit even alone is cut into parts (cut-messages.ts).
 */
import { cutInParts } from './cut-messages.js';
import { headOf, type MessagePart } from './messages.js';
import type { PeerAddress, PeerLine } from './peer-link.js';

/** Acknowledgements first: they end waits. */
const PARTS: readonly MessagePart[] = ['confirmations', 'got', 'answers', 'cancels', 'awaited', 'letters', 'asks'];
const MOST_BYTES_OF_ONE = 3;
/** The commas, brackets and names of all parts. */
const FRAME_BYTES = 128;

interface OutboxParts {
  readonly line: PeerLine;
  readonly mostBytes: () => number;
  readonly from: PeerAddress;
  readonly name: string;
  /** Calls it once more has come together. */
  readonly flushSoon: (flush: () => void) => void;
  /** Numbers the messages that are cut. */
  readonly nextCut: () => number;
}

export class Outbox {
  private readonly items: { [part in MessagePart]?: string[] } = {};
  private chars = 0;
  private isDue = false;
  private readonly head: string;
  private readonly frameBytes: number;

  constructor(private readonly parts: OutboxParts) {
    this.head = headOf(parts.from, parts.name);
    this.frameBytes = Buffer.byteLength(this.head) + FRAME_BYTES;
  }

  /** @param text one item of that part, as JSON. */
  put(part: MessagePart, text: string): void {
    const items = this.items[part];
    if (items === undefined) this.items[part] = [text];
    else items.push(text);
    this.chars += text.length + 1;
    if (this.isDue) return;
    this.isDue = true;
    this.parts.flushSoon(() => this.flush());
  }

  close(): void {
    this.parts.line.close();
  }

  // -------------------------------------------------------------- machinery

  private flush(): void {
    this.isDue = false;
    const room = this.parts.mostBytes() - this.frameBytes;
    const fits = this.chars * MOST_BYTES_OF_ONE <= room;
    this.chars = 0;
    let message = this.head;
    let left = room;
    for (const part of PARTS) {
      const items = this.items[part];
      if (items === undefined) continue;
      delete this.items[part];
      if (fits) {
        message += `,"${part}":[${items.join(',')}]`;
        continue;
      }
      let from = 0;
      for (let i = 0; i < items.length; i++) {
        const bytes = Buffer.byteLength(items[i] ?? '') + 1;
        if (bytes > left) {
          if (i > from) message += `,"${part}":[${items.slice(from, i).join(',')}]`;
          if (message.length > this.head.length) this.send(message);
          message = this.head;
          left = room;
          from = i;
          if (bytes > left) {
            this.sendCut(`${this.head},"${part}":[${items[i]}]}`);
            from = i + 1;
            continue;
          }
        }
        left -= bytes;
      }
      if (items.length > from) message += `,"${part}":[${items.slice(from).join(',')}]`;
    }
    if (message.length > this.head.length) this.send(message);
  }

  private send(message: string): void {
    this.parts.line.send(`${message}}`);
  }

  private sendCut(message: string): void {
    const { from, line, mostBytes, nextCut } = this.parts;
    for (const part of cutInParts(from, nextCut(), message, mostBytes())) line.send(part);
  }
}
