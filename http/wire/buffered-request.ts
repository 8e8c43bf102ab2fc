/**
 * A request whose body is kept beside the stream until somebody wants it: as a whole, which most do, or as a stream.
 *
 * Law: nothing is lost, nothing comes twice, and what is kept is bounded: by the stream's own mark as long as nobody
 * asks, then by what the reader allows. A body that is taken whole never enters the machinery of a Readable, which
 * costs more than reading it.
 */
import { IncomingMessage } from 'node:http';
import { type Failure, invalidField, tooLarge } from '../api/failure.js';

interface Taker {
  readonly mostBytes: number;
  readonly done: (body: Buffer) => void;
  readonly failed: (failure: Failure) => void;
}

export class BufferedRequest extends IncomingMessage {
  private isStream = false;
  private isTaken = false;
  private taker: Taker | undefined;
  private first: Buffer | undefined;
  private more: Buffer[] | undefined;
  private bytes = 0;

  /** All of it, once. @throws Failure where it is too large, or cut off before its end. */
  whole(mostBytes: number): Promise<Buffer> {
    return new Promise((done, failed) => {
      if (Number(this.headers['content-length'] ?? 0) > mostBytes) return failed(tooLarge(mostBytes));
      if (this.destroyed && !this.complete) return failed(cutOff());
      this.isTaken = true;
      this.taker = { mostBytes, done, failed };
      super._read(0); // It flows again if it had been stopped.
      this.settle();
    });
  }

  /** What node's parser found. @returns whether there is room for more; null is the end. */
  override push(piece: Buffer | null): boolean {
    if (this.isStream) return super.push(piece);
    if (piece !== null) this.keep(piece);
    if (this.taker === undefined) return this.bytes < this.readableHighWaterMark;
    this.settle();
    return true;
  }

  /** Somebody reads the stream: from now on it is one. */
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
    // Nobody is left to read this answer; it only ends the wait.
    if (!this.complete) this.taker?.failed(cutOff());
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
      this.isStream = true; // What still comes is for whoever throws it away.
      this.kept();
      taker.failed(tooLarge(taker.mostBytes));
    } else if (this.complete) {
      // Node keeps a connection's last request until its next one: without this, the body with it.
      this.taker = undefined;
      taker.done(this.kept());
    }
  }
}

const NOTHING = Buffer.alloc(0);

const cutOff = (): Failure => invalidField('body', 'was cut off before its end');
