/**
 * Encodes requests to the broker as bytes for the wire. It writes each request once, into memory that is used again:
 * the first touch of new memory costs more than the encoding of a message.
 *
 * Law: a frame is given back only after its request was answered, because the broker has then read all of it. The bytes
 * of a request without an answer may still be in the socket: the garbage collector frees that memory.
 */
import { MOST_BYTES_OF_ONE } from '../../actors/node/message-room.js';
import type { OrderedMessage } from './nats.js';

/** The most frames kept for their next use. A turn uses two, for its record and its events. */
const KEPT = 4;
const SMALLEST_BYTES = 65_536;
/** The most bytes of a head beside its subject and its reply. */
const HEAD_BYTES = 64;
const HEADERS_BEGIN = 'NATS/1.0\r\n';
const END = '\r\n';

export interface Frame {
  readonly bytes: Uint8Array;
  /** The bytes of the headers and the payload, which the broker's limit counts. */
  readonly size: number;
  readonly memory: Buffer;
}

export class Frames {
  private readonly kept: Buffer[] = [];

  /** @param headers lines, each ended with CRLF. */
  publish(subject: string, reply: string, payload: string, headers?: string): Frame {
    const block = headers === undefined ? '' : HEADERS_BEGIN + headers + END;
    // The head holds the payload's length, which is known after the payload is written. So the head is written last.
    const begin = HEAD_BYTES + subject.length + reply.length + block.length;
    const memory = this.take(begin + payload.length * MOST_BYTES_OF_ONE + END.length);
    const length = memory.write(payload, begin, 'utf8');
    const size = block.length + length;
    const sizes = headers === undefined ? `${size}` : `${block.length} ${size}`;
    const head = `${headers === undefined ? 'PUB' : 'HPUB'} ${subject} ${reply} ${sizes}\r\n${block}`;
    memory.write(head, begin - head.length, 'latin1');
    memory.write(END, begin + length, 'latin1');
    return { bytes: memory.subarray(begin - head.length, begin + length + END.length), size, memory };
  }

  giveBack({ memory }: Frame): void {
    if (this.kept.length < KEPT) this.kept.push(memory);
  }

  private take(bytes: number): Buffer {
    const kept = this.kept.pop();
    if (kept !== undefined && kept.length >= bytes) return kept;
    return Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(Math.max(bytes, SMALLEST_BYTES))));
  }
}

/** @returns the commands that publish the messages, each of them bound to the one before it */
export function commandsInOrder(
  messages: readonly OrderedMessage[],
  after: number,
  reply: string,
  maxPayload: number,
): string {
  let commands = '';
  let before: string | undefined;
  for (const [i, { subject, id, headers, payload }] of messages.entries()) {
    let lines = `Nats-Expected-Last-Sequence: ${after + i}\r\n`;
    if (before !== undefined) lines += `Nats-Expected-Last-Msg-Id: ${before}\r\n`;
    if (id !== undefined) lines += `Nats-Msg-Id: ${id}\r\n`;
    before = id;
    const block = `NATS/1.0\r\n${lines}${headers}\r\n`;
    const size = block.length + Buffer.byteLength(payload);
    if (size > maxPayload) throw new Error(`${size} bytes are more than the broker's max_payload, ${maxPayload}`);
    commands += `HPUB ${subject} ${reply} ${block.length} ${size}\r\n${block}${payload}\r\n`;
  }
  return commands;
}
