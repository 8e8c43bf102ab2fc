/**
 * Sends a whole reply as one text in one write.
 *
 * node:http checks every header of every reply, and writes the head and the body separately. A complete reply that is
 * the first in its connection needs none of that. All other replies go through node:http; the bytes are the same.
 */
import { type ServerResponse, STATUS_CODES, validateHeaderValue } from 'node:http';

interface Whole {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  /** Header lines with line ends. They are known to be valid. */
  readonly lines: string;
  /** Raw names and values, whose values are still validated. */
  readonly more: readonly string[];
  readonly keepAliveMs: number;
}

/** @returns false if node:http must write the reply. */
export function writeAtOnce(res: ServerResponse, whole: Whole): boolean {
  const { req, socket, shouldKeepAlive } = res;
  if (!shouldKeepAlive || !socket?.writable || req.method === 'HEAD' || req.headers.expect !== undefined) return false;
  const { status, body } = whole;
  const bytes = Buffer.byteLength(body);
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: ${whole.contentType}\r\nContent-Length: ${bytes}\r\n${whole.lines}`;
  const { more } = whole;
  for (let i = 0; i + 1 < more.length; i += 2) head += line(more[i], more[i + 1]);
  head += `Date: ${date()}\r\nConnection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(whole.keepAliveMs / 1000)}\r\n\r\n`;
  res.statusCode = status;
  res.finished = true;
  const encoding = bytes === body.length ? 'latin1' : 'utf8'; // Equal counts mean that all characters are ASCII.
  socket.write(head + body, encoding, (error) => {
    // Tells Node that the connection is free for the next reply, as after its own end().
    if (!error) res.emit('finish');
  });
  return true;
}

function line(name = '', value = ''): string {
  validateHeaderValue(name, value);
  return `${name}: ${value}\r\n`;
}

let second = 0;
let text = '';

/** Made once a second. */
function date(): string {
  const now = Math.floor(Date.now() / 1000);
  if (now !== second) {
    text = new Date(now * 1000).toUTCString();
    second = now;
  }
  return text;
}
