/**
 * Replies in the form of the contract: an envelope of compact JSON, built as text once and written in one write, with
 * mostly prebuilt headers. Koa's own response code is not used: it would check again what is already decided here.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { limits } from '../../actors/limits.js';
import type { Counted } from '../../actors/ports/queries.js';
import { precondition } from '../wire/conditional.js';
import { writeAtOnce } from '../wire/single-write-reply.js';
import type { ErrorCode } from './errors.js';
import { Failure } from './failure.js';
import { PROBLEM_TYPE, problemOf, wantsProblem } from './problem.js';

export interface Answer {
  readonly status: number;
  readonly body: string;
  /** Raw names and values, one after the other. */
  readonly headers?: readonly string[];
  /** JSON by default. */
  readonly contentType?: string;
  /** The version in quotes, with the prefix W/ if the bytes of one version may differ. */
  readonly etag?: string;
  /** The compressed body (compression.ts). */
  readonly gzipped?: Buffer;
  /** The answer for a client that accepts gzip, if it was compressed beforehand. It has an ETag of its own. */
  readonly packed?: Answer;
  /** Without it no reply is cached. */
  readonly cacheControl?: string;
  readonly unreadBody?: boolean;
  /** Writes the body for as long as it likes, after the head. `body` is empty then. */
  readonly stream?: (res: ServerResponse) => void;
  /** Called when `stream` is not: for HEAD, after a refusal, or when the client is gone. It gives back what is held. */
  readonly unstreamed?: () => void;
  /** Why there is no answer. For the log only; clients never see it. */
  readonly cause?: unknown;
  /** A probe's: it comes again within seconds, so its cause is no warning. */
  readonly isProbe?: boolean;
  /** An unexpected error, which made this answer. For the log only. */
  readonly error?: unknown;
}

interface Pagination {
  readonly page: number;
  readonly pageSize: number;
  readonly total: number;
  readonly isEstimate: boolean;
  /** Whether everything that was answered before is in the list; undefined if nobody asked. */
  readonly isFresh?: boolean | undefined;
}

interface Continuation {
  readonly limit: number;
  /** Undefined at the end of the list. */
  readonly next: string | undefined;
  readonly counted: Counted | undefined;
  readonly isFresh?: boolean | undefined;
  /** For the Link header. */
  readonly links: readonly string[];
}

/** The header of an answer that was given before. */
export const REPLAYED = ['Idempotency-Replayed', 'true'] as const;

const JSON_TYPE = 'application/json; charset=utf-8';

/** @param data JSON text. */
export const success = (status: number, data: string, message?: string): Answer => ({
  status,
  body:
    message === undefined
      ? `{"status":"success","data":${data}}`
      : `{"status":"success","message":${JSON.stringify(message)},"data":${data}}`,
});

export const list = (items: readonly string[], { page, pageSize, isFresh, ...counted }: Pagination): Answer => ({
  status: 200,
  body: `{"status":"success","data":[${items.join(',')}],"pagination":{"page":${page},"page_size":${pageSize},${totalOf(counted)},"total_pages":${Math.ceil(counted.total / pageSize)}${freshOf(isFresh)}}}`,
});

export const continuedList = (
  items: readonly string[],
  { limit, next, counted, isFresh, links }: Continuation,
): Answer => ({
  status: 200,
  body: `{"status":"success","data":[${items.join(',')}],"pagination":{"limit":${limit},"next_cursor":${next === undefined ? 'null' : JSON.stringify(next)}${counted === undefined ? '' : `,${totalOf(counted)}`}${freshOf(isFresh)}}}`,
  headers: ['Link', links.join(', ')],
});

const freshOf = (isFresh: boolean | undefined): string => (isFresh === undefined ? '' : `,"fresh":${isFresh}`);

const totalOf = ({ total, isEstimate }: Counted): string =>
  `"total":${total}${isEstimate ? ',"total_is_estimate":true' : ''}`;

const ERROR_START = '{"status":"error",';

/** @param more further JSON members, each with a comma before it. */
export const errorBody = (code: ErrorCode, message: string, errors: readonly object[] = [], more = ''): string =>
  `${ERROR_START}"code":"${code}","message":${JSON.stringify(message)},"errors":${errors.length === 0 ? '[]' : JSON.stringify(errors)}${more}}`;

export function failureAnswer({ status, code, message, details, cause = message }: Failure): Answer {
  const { errors, headers, unreadBody } = details;
  const about = Object.entries(details.about ?? {}).map(([member, value]) => `,"${member}":${JSON.stringify(value)}`);
  return {
    status,
    body: errorBody(code, message, errors, about.join('')),
    ...(headers && { headers }),
    ...(unreadBody && { unreadBody }),
    ...(status === 503 && { cause }),
  };
}

/** @param error undefined: it has been logged where it happened */
export const brokenAnswer = (error: unknown, orderId?: string): Answer => ({
  ...failureAnswer(
    new Failure(500, 'internal', 'Something is broken on our side; it has been logged under the X-Request-ID.', {
      ...(orderId !== undefined && { about: { order_id: orderId } }),
    }),
  ),
  ...(error !== undefined && { error }),
});

export interface ReplyIds {
  readonly requestId: string;
  readonly correlation: string;
}

/** Replies are not read as another type, and send no referrer. */
const ALWAYS = [...['X-Content-Type-Options', 'nosniff'], ...['Referrer-Policy', 'no-referrer']] as const;
/** The same, not to be cached. */
const ALWAYS_LINES = 'Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n';

interface Frame {
  /** Further headers for this client: raw names and values. */
  readonly headers: readonly string[];
  /** Ends the connection with this reply. */
  readonly close: boolean;
  /** How long the connection stays open for the next request. */
  readonly keepAliveMs: number;
}

/** The answer to a conditional GET: 304 if the client already has this version (If-None-Match). @throws Failure */
export function conditional(req: IncomingMessage, answer: Answer): Answer {
  if (answer.etag === undefined || answer.status !== 200 || (req.method !== 'GET' && req.method !== 'HEAD'))
    return answer;
  switch (precondition(req, answer.etag)) {
    case 'holds':
      return answer;
    case 'not modified':
      return { ...answer, status: 304 };
    case 'failed': {
      const message = 'The resource has changed in the meantime: get it again without If-Match.';
      throw new Failure(412, 'precondition_failed', message, { errors: [{ field: 'If-Match', message }] });
    }
  }
}

/** @returns whether the answer's stream has begun */
export function write(req: IncomingMessage, res: ServerResponse, answer: Answer, ids: ReplyIds, frame: Frame): boolean {
  if (res.headersSent || res.writableEnded || res.destroyed) return false;
  const { status, headers, unreadBody, etag, gzipped, cacheControl, stream } = answer;
  // A body that is not an error, such as the health of a node that is down, keeps its form.
  const isProblem = status >= 400 && answer.body.startsWith(ERROR_START) && wantsProblem(req);
  const text = isProblem ? problemOf(status, answer.body, req.url ?? '') : answer.body;
  const contentType = isProblem ? PROBLEM_TYPE : (answer.contentType ?? JSON_TYPE);
  const body = status === 304 ? '' : isProblem ? text : (gzipped ?? text);
  const more: string[] = [];
  if (etag !== undefined) more.push('ETag', etag);
  if (body === gzipped) more.push('Content-Encoding', 'gzip');
  if (text.length > limits.plainReplyChars) more.push('Vary', 'Accept-Encoding');
  if (headers !== undefined) more.push(...headers);
  more.push(...frame.headers);
  const isLast = frame.close || unreadBody === true;
  const isEmpty = status === 204 || status === 304;
  if (!isLast && !isEmpty && typeof body === 'string' && cacheControl === undefined && stream === undefined) {
    const lines = `${ALWAYS_LINES}X-Request-ID: ${ids.requestId}\r\nX-Correlation-ID: ${ids.correlation}\r\n`;
    if (writeAtOnce(res, { status, contentType, body, lines, more, keepAliveMs: frame.keepAliveMs })) return false;
  }
  const raw: string[] = isEmpty ? [] : ['Content-Type', contentType];
  if (!isEmpty && stream === undefined) raw.push('Content-Length', String(Buffer.byteLength(body)));
  raw.push('Cache-Control', cacheControl ?? 'no-store', ...ALWAYS);
  raw.push('X-Request-ID', ids.requestId, 'X-Correlation-ID', ids.correlation, ...more);
  if (isLast) raw.push('Connection', 'close');
  res.writeHead(status, raw);
  if (stream !== undefined && req.method !== 'HEAD') {
    stream(res);
    return true;
  }
  if (!unreadBody) {
    res.end(body);
    return false;
  }
  // The reply is sent before the client has sent its whole body. Closing now would reset the connection, and many
  // clients would lose the reply. So the rest of the body is read and dropped for a moment.
  res.write(body);
  const end = () => {
    clearTimeout(timer);
    res.end();
  };
  const timer = setTimeout(end, limits.drainMs);
  req.once('end', end).once('close', end).resume();
  return false;
}
