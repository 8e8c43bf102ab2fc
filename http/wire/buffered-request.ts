/**
 * A request that buffers its body beside the stream until a handler takes it: as a whole, which is common, or as a
 * stream.
 *
 * Law: no byte is lost or delivered twice, and the buffer is bounded: first by the stream's high-water mark, then by the
 * reader's limit. A body that is taken as a whole bypasses Readable, which would cost more than reading it.
 */
import { IncomingMessage } from 'node:http';
import type { Caller } from '../../actors/ports/owners.js';
import { type Failure, invalidField, tooLarge } from '../api/failure.js';

interface Taker {
  readonly mostBytes: number;
  readonly done: (body: Buffer) => void;
  readonly failed: (failure: Failure) => void;
}

export class BufferedRequest extends IncomingMessage implements Caller {
  hangUp: (() => void) | undefined;
  private isStream = false;
  private isTaken = false;
  private taker: Taker | undefined;
  private first: Buffer | undefined;
  private more: Buffer[] | undefined;
  private bytes = 0;

  /** The whole body. Call it once. @throws Failure if the body is too large or cut off before its end. */
  whole(mostBytes: number): Promise<Buffer> {
    return new Promise((done, failed) => {
      if (Number(this.headers['content-length'] ?? 0) > mostBytes) return failed(tooLarge(mostBytes));
      if (this.destroyed && !this.complete) return failed(cutOff());
      this.isTaken = true;
      this.taker = { mostBytes, done, failed };
      super._read(0); // Resumes a paused connection.
      this.settle();
    });
  }

  /** Node's parser delivers each piece here; null is the end. @returns whether there is room for more. */
  override push(piece: Buffer | null): boolean {
    if (this.isStream) return super.push(piece);
    if (piece !== null) this.keep(piece);
    if (this.taker === undefined) return this.bytes < this.readableHighWaterMark;
    this.settle();
    return true;
  }

  /** A handler reads the stream, so from now on the body is delivered as a stream. */
  override _read(size: number): void {
    if (!this.isStream && !this.isTaken) {
      this.isStream = true;
      const body = this.kept();
      if (body.length > 0) super.push(body);
      if (this.complete) super.push(null);
    }
    super._read(size);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    // The client is gone, so nobody reads this failure. It only ends the wait.
    if (!this.complete) this.taker?.failed(cutOff());
    if (error !== null) this.hangUp?.();
    super._destroy(error, callback);
  }

  private keep(piece: Buffer): void {
    this.bytes += piece.length;
    if (this.first === undefined) this.first = piece;
    else if (this.more === undefined) this.more = [this.first, piece];
    else this.more.push(piece);
  }

  private kept(): Buffer {
    const body = this.more === undefined ? (this.first ?? NOTHING) : Buffer.concat(this.more, this.bytes);
    this.first = undefined;
    this.more = undefined;
    return body;
  }

  private settle(): void {
    const taker = this.taker;
    if (taker === undefined) return;
    if (this.bytes > taker.mostBytes) {
      this.taker = undefined;
      this.isStream = true; // The rest of the body is drained as a stream.
      this.kept();
      taker.failed(tooLarge(taker.mostBytes));
    } else if (this.complete) {
      // Node keeps the last request of a connection until the next one. The body must not stay in memory with it.
      this.taker = undefined;
      taker.done(this.kept());
    }
  }
}

const NOTHING = Buffer.alloc(0);

const cutOff = (): Failure => invalidField('body', 'was cut off before its end');
