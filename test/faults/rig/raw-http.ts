/**
 * HTTP/1.1 by hand on one kept connection: it sends byte by byte what a client library would refuse
 * to send. One request at a time; no wait without a deadline.
 */

import { connect, type Socket } from 'node:net';
import { patientMs } from '../../deadlines.js';

export interface WireReply {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly text: string;
}

/** The connection ended, or the deadline passed, before the reply was complete. */
interface NoReply {
  readonly none: string;
}

const ANSWER_MS = 15_000;

export class Wire {
  private socket: Socket | undefined;
  private came: Buffer = Buffer.alloc(0);
  private onNews = () => {};
  private ended = '';

  constructor(
    private readonly port: number,
    private readonly host = '127.0.0.1',
  ) {}

  /** @param bodiless the reply has no body, whatever its headers announce (HEAD). */
  async send(bytes: Buffer, bodiless = false): Promise<WireReply | NoReply> {
    const socket = this.socket ?? this.open();
    const deadline = Date.now() + patientMs(ANSWER_MS);
    socket.write(bytes);
    for (;;) {
      const reply = this.take(bodiless);
      if (reply !== undefined) {
        if (reply.headers.get('connection') === 'close') this.close();
        return reply;
      }
      const restMs = deadline - Date.now();
      if (this.ended !== '' || restMs <= 0) {
        const none = this.ended === '' ? `no whole reply in ${ANSWER_MS} ms` : this.ended;
        this.close();
        return { none };
      }
      await this.news(restMs);
    }
  }

  close(): void {
    this.socket?.destroy();
    this.socket = undefined;
  }

  private open(): Socket {
    const socket = connect(this.port, this.host);
    this.socket = socket;
    this.came = Buffer.alloc(0);
    this.ended = '';
    const ended = (why: string) => () => {
      if (this.socket !== socket) return;
      if (this.ended === '') this.ended = why;
      this.onNews();
    };
    socket.setNoDelay(true);
    socket.on('data', (chunk) => {
      if (this.socket !== socket) return;
      this.came = this.came.length === 0 ? chunk : Buffer.concat([this.came, chunk]);
      this.onNews();
    });
    socket.on('error', (error) => ended(`the connection broke: ${error.message}`)());
    socket.on('close', ended('the connection was closed without a reply'));
    return socket;
  }

  private news(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.onNews = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private take(bodiless: boolean): WireReply | undefined {
    const end = this.came.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    const [first = '', ...lines] = this.came.subarray(0, end).toString('latin1').split('\r\n');
    const headers = new Map(
      lines.map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
      }),
    );
    const status = Number(first.slice(9, 12));
    if (status === 100) {
      this.came = this.came.subarray(end + 4);
      return this.take(bodiless);
    }
    if (headers.get('transfer-encoding') === 'chunked' && !bodiless) {
      const body = unchunked(this.came, end + 4);
      if (body === undefined) return undefined;
      this.came = this.came.subarray(body.end);
      return { status, headers, text: body.text };
    }
    const length = bodiless || status === 204 || status === 304 ? 0 : Number(headers.get('content-length') ?? 0);
    if (this.came.length < end + 4 + length) return undefined;
    const text = this.came.subarray(end + 4, end + 4 + length).toString('utf8');
    this.came = this.came.subarray(end + 4 + length);
    return { status, headers, text };
  }
}

/** The body in chunks that begins at `at`, and where it ends; undefined while it is not whole. */
function unchunked(bytes: Buffer, at: number): { readonly text: string; readonly end: number } | undefined {
  const parts: Buffer[] = [];
  for (let from = at; ; ) {
    const line = bytes.indexOf('\r\n', from);
    if (line < 0) return undefined;
    const size = Number.parseInt(bytes.subarray(from, line).toString('latin1'), 16);
    const end = line + 2 + size + 2;
    if (bytes.length < end) return undefined;
    if (size === 0) return { text: Buffer.concat(parts).toString('utf8'), end };
    parts.push(bytes.subarray(line + 2, end - 2));
    from = end;
  }
}
