/**
 * One request as the handlers see it, with the values that are read from its address and headers. All of them come
 * from outside, so each is checked where it is read.
 */
import type { IncomingMessage } from 'node:http';
import { callersTrace } from '../../actors/correlation.js';
import { limits } from '../../actors/limits.js';
import type { Bite } from '../../actors/ports/gremlin-setting.js';
import type { Allowance } from '../../actors/ports/rate-limits.js';
import type { Clock } from '../../actors/ports/runtime.js';
import type { RequestSpan } from '../../actors/ports/tracing.js';
import type { Principal } from '../../actors/principal.js';
import type { BufferedRequest } from '../wire/buffered-request.js';
import { Failure, invalidField } from './failure.js';
import type { Answer, ReplyIds } from './reply.js';
import { isKey, KEY_RULE } from './schemas.js';

export interface ApiRequest extends ReplyIds {
  readonly req: BufferedRequest;
  /** Of the caller's trace (W3C Trace Context), for the log; undefined without one. */
  traceId: string | undefined;
  /** The correlation that goes on to the owners: with the trace, if the request is in one (actors/correlation.ts). */
  cause: string;
  span: RequestSpan | undefined;
  /** From the path, decoded. */
  params: Readonly<Record<string, string>>;
  /** The pattern of the route, for the metrics. A path would make one series per order. */
  route: string;
  answer: Answer | undefined;
  /** What the gremlin does to the stock writes of this request, and whether it did so already. */
  bite?: Bite;
  isBitten?: boolean;
  /** The caller. Admission sets it (admission.ts). */
  principal: Principal;
  /** What is left of the caller's rate limit. Set when the request is counted (rate-limit.ts). */
  allowance: Allowance | undefined;
}

export type Handler = (request: ApiRequest) => Promise<Answer>;

// ---------------------------------------------------------------- ids

/** 50 random bits keep processes apart, and ids stay short in logs, events and rows. */
const PREFIX_CHARS = 10;
const CLIENT_ID = /^[!-~]{1,255}$/;

/** Uses the request and correlation ids of the client, or makes them from a random prefix and a counter. */
export class RequestIds {
  private readonly prefix: string;
  private last = 0;

  /** @param unknown the principal of a request before its admission. */
  constructor(
    clock: Clock,
    private readonly unknown: Principal,
  ) {
    this.prefix = clock.id().slice(-PREFIX_CHARS);
  }

  next(): string {
    return `${this.prefix}-${(++this.last).toString(36)}`;
  }

  request(req: BufferedRequest): ApiRequest {
    const requestId = clientId(req.headers['x-request-id']) ?? this.next();
    const correlation = clientId(req.headers['x-correlation-id']) ?? requestId;
    return {
      req,
      requestId,
      traceId: callersTrace(req.headers.traceparent)?.traceId,
      correlation,
      cause: correlation,
      span: undefined,
      params: {},
      route: 'none',
      answer: undefined,
      principal: this.unknown,
      allowance: undefined,
    };
  }
}

const clientId = (header: string | string[] | undefined): string | undefined =>
  typeof header === 'string' && CLIENT_ID.test(header) ? header : undefined;

/** The header takes precedence over the body. */
export function idempotencyKey({ req }: ApiRequest, inBody: string | undefined): string | undefined {
  const header = req.headers['idempotency-key'];
  if (header === undefined) return inBody;
  // Node decodes headers as Latin-1; a key outside ASCII arrives as UTF-8 bytes.
  const key = /^[!-~]*$/.test(String(header)) ? String(header) : Buffer.from(String(header), 'latin1').toString('utf8');
  if (!isKey(key)) throw invalidField('Idempotency-Key', KEY_RULE);
  return key;
}

// ---------------------------------------------------------------- the address

/** A host name or address, with or without a port. An empty value is allowed. */
const HOST = /^[\w.\-~!$&'()*+,;=%:[\]]*$/;

/** HTTP/1.1 requires a Host header, and proxies rely on it (RFC 9112, 3.2). */
export function mustNameHost({ headers, httpVersionMinor }: IncomingMessage): void {
  const { host } = headers;
  if (host === undefined) {
    if (httpVersionMinor > 0) throw misunderstood('Host', 'is missing');
    return;
  }
  if (!HOST.test(host)) throw misunderstood('Host', 'is neither a name nor an address');
}

/** Headers that a request may have only once. Of two, Node shows the first; a proxy may have used the second. */
const SINGLE = ['Host', 'Content-Type', 'Authorization'];

export function mustBeSingle({ rawHeaders }: IncomingMessage): void {
  let seen = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    const { length } = name;
    if (length !== 4 && length !== 12 && length !== 13) continue; // Most headers have another length.
    const which = SINGLE.findIndex((one) => one.length === length && one.toLowerCase() === name.toLowerCase());
    if (which < 0) continue;
    if (seen & (1 << which)) throw misunderstood(SINGLE[which] ?? '', 'is given twice');
    seen |= 1 << which;
  }
}

/** A proxy may read this request, and where its body ends, differently. So the connection ends with the reply. */
function misunderstood(field: string, problem: string): Failure {
  const { status, code, message, details } = invalidField(field, problem);
  return new Failure(status, code, message, { ...details, unreadBody: true });
}

/** A Failure if a percent sign is not followed by two hex digits, or if the decoded bytes are not UTF-8. */
export function addressProblem(url: string): Failure | undefined {
  if (!url.includes('%')) return undefined;
  const [path, ...query] = url.split('?');
  if (!decodes(path ?? '')) return invalidField('path', 'has an invalid percent escape');
  return decodes(query.join('?')) ? undefined : invalidField('query', 'has an invalid percent escape');
}

function decodes(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

// ---------------------------------------------------------------- waiting clients

/** Bounds how many clients wait for an owner's answer at once. */
export class WaitingRoom {
  private readonly most: number;
  private waiting = 0;

  constructor(most: number = limits.waitingClients) {
    this.most = most;
  }

  async during<T>(wait: () => Promise<T>): Promise<T> {
    this.enter();
    try {
      return await wait();
    } finally {
      this.leave();
    }
  }

  /** @throws Failure when the room is full. Every enter needs a leave. */
  enter(): void {
    if (this.waiting >= this.most) {
      throw new Failure(503, 'busy', 'Too many requests are waiting for an answer: try again in a moment.', {
        headers: ['Retry-After', '1'],
      });
    }
    this.waiting++;
  }

  leave(): void {
    this.waiting--;
  }
}
