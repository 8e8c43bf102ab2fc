/**
 * One listening socket, and what is done about those who misuse it.
 *
 * Law: nobody can keep a connection by being slow, and whoever cannot be understood hears why, in
 * the same form as any other error, without anybody else noticing.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { limits } from '../../actors/limits.js';
import type { Clock } from '../../actors/ports/runtime.js';
import type { ErrorCode } from '../api/errors.js';
import { errorBody } from '../api/reply.js';
import { BufferedRequest } from './buffered-request.js';

/** How often timeouts are looked at, and connections without a request are ended in a stop. */
const LOOK_MS = 1_000;
const STOP_LOOK_MS = 50;

/** How long a client may take for its headers, for a whole request, between requests, and without taking anything. */
export type Patience = Pick<
  Record<keyof typeof limits, number>,
  'headersMs' | 'requestMs' | 'keepAliveMs' | 'silenceMs'
>;

interface HttpServerOptions {
  readonly patience: Patience;
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
  /** The variable that sets the port, for complaints. */
  readonly setBy: string;
  readonly handle: (req: BufferedRequest, res: ServerResponse) => void;
  /** Told that a request that cannot be read is answered with this status. @returns the id of that request. */
  readonly unreadable: (status: number) => string;
}

export interface HttpServer {
  readonly port: number;
  /** Takes nothing new, lets what runs finish, and ends it at the deadline. */
  stop(deadlineMs: number): Promise<void>;
}

export function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { host, port, handle, setBy, patience } = options;
  const server = createServer(
    {
      IncomingMessage: BufferedRequest,
      maxHeaderSize: limits.headerBytes,
      headersTimeout: patience.headersMs,
      requestTimeout: patience.requestMs,
      keepAliveTimeout: patience.keepAliveMs,
      connectionsCheckingInterval: LOOK_MS,
      noDelay: true,
      requireHostHeader: false, // Node's own answer has no body: see mustNameHost (api-request.ts).
    },
    handle,
  );
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.maxConnections = limits.connections;
  server.timeout = patience.silenceMs;
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => refuse(error, socket, options));
  // Told early that its body is too large, such a client does not send it at all.
  server.on('checkContinue', (req: BufferedRequest, res: ServerResponse) => {
    const most = /^\s*text\/csv\b/i.test(req.headers['content-type'] ?? '') ? limits.importBytes : limits.bodyBytes;
    if (Number(req.headers['content-length'] ?? 0) <= most) res.writeContinue();
    handle(req, res);
  });
  // What else is expected of us is not promised, and may be ignored.
  server.on('checkExpectation', handle);
  server.on('connect', (_req: IncomingMessage, socket: Socket) => tell(socket, 405, options));
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(explained(error, host, port, setBy)));
    server.listen(port, host, () => {
      server.removeAllListeners('error');
      server.on('error', () => {}); // Of single connections that could not be accepted: the next one may.
      resolve({
        port: (server.address() as AddressInfo).port,
        stop: (deadlineMs) => stop(server, sockets, options.clock, deadlineMs),
      });
    });
  });
}

function explained(error: NodeJS.ErrnoException, host: string, port: number, setBy: string): Error {
  const why =
    error.code === 'EADDRINUSE'
      ? 'another process listens there'
      : error.code === 'EACCES'
        ? 'this user may not listen there'
        : String(error.message);
  return new Error(`Cannot listen on ${host}:${port}: ${why}. Set ${setBy} (or HOST) to what is free.`, {
    cause: error,
  });
}

const REASONS: { readonly [status: number]: readonly [reason: string, code: ErrorCode, message: string] } = {
  400: ['Bad Request', 'invalid', 'This is not an HTTP/1.1 request that can be understood.'],
  405: ['Method Not Allowed', 'method_not_allowed', 'CONNECT is not allowed: this is not a proxy.'],
  408: ['Request Timeout', 'too_slow', 'The request did not arrive in time.'],
  431: [
    'Request Header Fields Too Large',
    'headers_too_large',
    `The headers have more than ${limits.headerBytes} bytes.`,
  ],
};

/** By connection, the request whose body is read in pieces. */
const inPieces = new WeakMap<Socket, IncomingMessage>();

/** Its reader (streamed-body.ts) has deadlines of its own, and answers too when the body is late or breaks off. */
export const readInPieces = (req: IncomingMessage): void => void inPieces.set(req.socket, req);

const isToldByReader = ({ code }: NodeJS.ErrnoException, socket: Socket): boolean =>
  (code === 'ERR_HTTP_REQUEST_TIMEOUT' || code === 'HPE_INVALID_EOF_STATE') && inPieces.get(socket)?.complete === false;

/** Node complains once more about each piece that such a client still sends. */
const told = new WeakSet<Socket>();

function refuse(error: NodeJS.ErrnoException, socket: Socket, options: HttpServerOptions): void {
  // A connection that is cut now could take the reply with it: what still comes is thrown away until `tell` ends it.
  if (told.has(socket) && error.code !== 'ECONNRESET') return;
  if (isToldByReader(error, socket)) return;
  // A reply on its way belongs to an earlier request of this connection: this one's must not be taken for it.
  if (error.code === 'ECONNRESET' || !socket.writable || (isReplying(socket) && !isOfBody(error, socket))) {
    socket.destroy();
    return;
  }
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
  tell(socket, status, options);
}

/** Answers where node gives us a connection and no reply to write on it. */
function tell(socket: Socket, status: number, options: HttpServerOptions): void {
  const [reason, code, message] = REASONS[status] ?? ['Bad Request', 'invalid', ''];
  const field = status === 431 ? 'headers' : 'request';
  const body = errorBody(code, message, [{ field, message }]);
  const id = options.unreadable(status);
  told.add(socket);
  socket.on('error', () => {});
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nX-Request-ID: ${id}\r\nX-Correlation-ID: ${id}\r\nConnection: close\r\n${status === 405 ? 'Allow: GET, HEAD, POST, OPTIONS\r\n' : ''}\r\n${body}`,
  );
  // What it may still be sending is thrown away, so that it can read why; then it is over.
  const cancel = options.clock.after(LOOK_MS, () => socket.destroy());
  socket.once('close', cancel);
}

/**
 * That a body is too slow, or transferred in a way unknown, shows when its request is being served already: then
 * the reply that is awaited is the one to the request at fault, unless that stands behind another in its connection.
 */
function isOfBody(error: NodeJS.ErrnoException, socket: Socket): boolean {
  if (!('_httpMessage' in socket)) return false;
  const { req, headersSent, writableEnded } = socket._httpMessage as ServerResponse;
  if (headersSent || writableEnded) return false;
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') return !req.complete;
  return (
    error.code === 'HPE_INVALID_TRANSFER_ENCODING' && !/\bchunked$/i.test(req.headers['transfer-encoding'] ?? 'chunked')
  );
}

/** Node keeps here the reply that a connection is waiting for or sending; there is no public word for it. */
const isReplying = (socket: Socket): boolean => '_httpMessage' in socket && socket._httpMessage !== null;

function stop(server: Server, sockets: ReadonlySet<Socket>, clock: Clock, deadlineMs: number): Promise<void> {
  return new Promise((resolve) => {
    const startedAt = clock.monotonic();
    let cancelLook = () => {};
    const cancelDeadline = clock.after(deadlineMs, () => server.closeAllConnections());
    const look = () => {
      // Idle to node is only a connection that has had a request: one that never had any is ours to end.
      server.closeIdleConnections();
      const patient = clock.monotonic() - startedAt < limits.stopHeadersMs;
      for (const socket of sockets) {
        if (!isReplying(socket) && (socket.bytesRead === 0 || !patient)) socket.destroy();
      }
      cancelLook = clock.after(STOP_LOOK_MS, look);
    };
    server.close(() => {
      cancelLook();
      cancelDeadline();
      resolve();
    });
    look();
  });
}
