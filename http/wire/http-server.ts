/**
 * One listening HTTP server with its defences against misuse.
 *
 * Law: a slow client cannot keep a connection. A client whose request cannot be read gets an error in the usual form,
 * and other clients are not affected.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { limits } from '../../actors/limits.js';
import type { Clock } from '../../actors/ports/runtime.js';
import type { ErrorCode } from '../api/errors.js';
import { errorBody } from '../api/reply.js';
import { BufferedRequest } from './buffered-request.js';

/** How often timeouts are checked. */
const CHECK_MS = 1_000;
/** How often a stop ends connections without a request. */
const STOP_CHECK_MS = 50;

/** Timeouts for the headers, for a whole request, between two requests, and for a client that reads nothing. */
export type Patience = Pick<
  Record<keyof typeof limits, number>,
  'headersMs' | 'requestMs' | 'keepAliveMs' | 'silenceMs'
>;

interface HttpServerOptions {
  readonly patience: Patience;
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
  /** The variable that sets the port, for messages. */
  readonly setBy: string;
  readonly handle: (req: BufferedRequest, res: ServerResponse) => void;
  /** Called when an unreadable request is answered with this status. @returns the id of that request. */
  readonly unreadable: (status: number) => string;
}

export interface HttpServer {
  readonly port: number;
  /** Accepts no new connection, lets running requests finish, and cuts them off at the deadline. */
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
      connectionsCheckingInterval: CHECK_MS,
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
  // A client that learns early that its body is too large does not send it.
  server.on('checkContinue', (req: BufferedRequest, res: ServerResponse) => {
    const most = /^\s*text\/csv\b/i.test(req.headers['content-type'] ?? '') ? limits.importBytes : limits.bodyBytes;
    if (Number(req.headers['content-length'] ?? 0) <= most) res.writeContinue();
    handle(req, res);
  });
  // Other expectations may be ignored.
  server.on('checkExpectation', handle);
  server.on('connect', (_req: IncomingMessage, socket: Socket) => answerAndEnd(socket, 405, options));
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(explained(error, host, port, setBy)));
    server.listen(port, host, () => {
      server.removeAllListeners('error');
      server.on('error', () => {}); // A single connection could not be accepted. The next one may succeed.
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
  return new Error(`Cannot listen on ${host}:${port}: ${why}. Set ${setBy} (or HOST) to a free one.`, {
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

/** For each connection, the request whose body is read in pieces. */
const inPieces = new WeakMap<Socket, IncomingMessage>();

/** The reader (streamed-body.ts) has its own deadlines. It also answers when the body is late or breaks off. */
export const readInPieces = (req: IncomingMessage): void => void inPieces.set(req.socket, req);

const isAnsweredByReader = ({ code }: NodeJS.ErrnoException, socket: Socket): boolean =>
  (code === 'ERR_HTTP_REQUEST_TIMEOUT' || code === 'HPE_INVALID_EOF_STATE') && inPieces.get(socket)?.complete === false;

/** Connections that got their error. Node reports another error for each piece that such a client still sends. */
const answered = new WeakSet<Socket>();

function refuse(error: NodeJS.ErrnoException, socket: Socket, options: HttpServerOptions): void {
  // Cutting the connection now could lose the reply. Further bytes are dropped until `answerAndEnd` ends it.
  if (answered.has(socket) && error.code !== 'ECONNRESET') return;
  if (isAnsweredByReader(error, socket)) return;
  // A pending reply belongs to an earlier request of this connection. The client must not take this error for it.
  if (error.code === 'ECONNRESET' || !socket.writable || (isReplying(socket) && !isOfBody(error, socket))) {
    socket.destroy();
    return;
  }
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
  answerAndEnd(socket, status, options);
}

/** Writes an error directly to a connection for which Node has no response object, then ends the connection. */
function answerAndEnd(socket: Socket, status: number, options: HttpServerOptions): void {
  const [reason, code, message] = REASONS[status] ?? ['Bad Request', 'invalid', ''];
  const field = status === 431 ? 'headers' : 'request';
  const body = errorBody(code, message, [{ field, message }]);
  const id = options.unreadable(status);
  answered.add(socket);
  socket.on('error', () => {});
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nX-Request-ID: ${id}\r\nX-Correlation-ID: ${id}\r\nConnection: close\r\n${status === 405 ? 'Allow: GET, HEAD, POST, OPTIONS\r\n' : ''}\r\n${body}`,
  );
  // The client's remaining bytes are dropped for a moment, so that it can read the error. Then the connection is cut.
  const cancel = options.clock.after(CHECK_MS, () => socket.destroy());
  socket.once('close', cancel);
}

/**
 * Whether the error belongs to the body of the request whose reply is pending. A slow body, or an unknown transfer
 * coding, shows only after its request has reached a handler. A request further back in the connection does not count.
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

/** Node stores here the reply that a connection waits for or sends. It has no public name. */
const isReplying = (socket: Socket): boolean => '_httpMessage' in socket && socket._httpMessage !== null;

function stop(server: Server, sockets: ReadonlySet<Socket>, clock: Clock, deadlineMs: number): Promise<void> {
  return new Promise((resolve) => {
    const startedAt = clock.monotonic();
    let cancelCheck = () => {};
    const cancelDeadline = clock.after(deadlineMs, () => server.closeAllConnections());
    const check = () => {
      // Node closes only idle connections that have had a request. The loop below ends those that never had one.
      server.closeIdleConnections();
      const patient = clock.monotonic() - startedAt < limits.stopHeadersMs;
      for (const socket of sockets) {
        if (!isReplying(socket) && (socket.bytesRead === 0 || !patient)) socket.destroy();
      }
      cancelCheck = clock.after(STOP_CHECK_MS, check);
    };
    server.close(() => {
      cancelCheck();
      cancelDeadline();
      resolve();
    });
    check();
  });
}
