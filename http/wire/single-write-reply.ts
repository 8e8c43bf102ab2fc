/**
 * A whole reply as one text in one write.
 *
 * node:http looks at every header of every reply, and writes head and end as a list of two. A reply that is made,
 * final and the first in its connection needs none of that. Every other goes node's way; the bytes are the same.
 */
import { type ServerResponse, STATUS_CODES, validateHeaderValue } from 'node:http';

interface Whole {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  /** Lines of the head, each with its end, that are known to be right. */
  readonly lines: string;
  /** Raw names and values that are looked at once more. */
  readonly more: readonly string[];
  readonly keepAliveMs: number;
}

/** @returns false where it is for node to write. */
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
  const encoding = bytes === body.length ? 'latin1' : 'utf8'; // As many bytes as characters: all are ASCII.
  socket.write(head + body, encoding, (error) => {
    // To node the connection is free for the next reply, as it is after its own end().
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
