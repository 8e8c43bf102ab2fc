/**
 * One request as the handlers see it, and what is taken from its address and headers. Everything in
 * here comes from outside: it is checked where it is read.
 */
import type { IncomingMessage } from 'node:http';
import { limits } from '../../actors/limits.js';
import type { Bite } from '../../actors/ports/gremlin-setting.js';
import type { Allowance } from '../../actors/ports/rate-limits.js';
import type { Clock } from '../../actors/ports/runtime.js';
import type { Principal } from '../../actors/principal.js';
import type { BufferedRequest } from '../wire/buffered-request.js';
import { Failure, invalidField } from './failure.js';
import type { Answer, ReplyIds } from './reply.js';
import { isKey, KEY_RULE } from './schemas.js';

export interface ApiRequest extends ReplyIds {
  readonly req: BufferedRequest;
  /** From the path, decoded. */
  params: Readonly<Record<string, string>>;
  /** The route's pattern, for the metrics; a path would make as many series as there are orders. */
  route: string;
  answer: Answer | undefined;
  /** What the gremlin does to its writes of stock, and whether there were any. */
  bite?: Bite;
  isBitten?: boolean;
  /** Who asks, once it is let in (admission.ts). */
  principal: Principal;
  /** What its caller has left, once it is counted (rate-limit.ts). */
  allowance: Allowance | undefined;
}

export type Handler = (request: ApiRequest) => Promise<Answer>;

// ---------------------------------------------------------------- who asks

/** 50 random bits: two processes do not meet, and ids stay short in logs, events and rows. */
const PREFIX_CHARS = 10;
const TAKEN_OVER = /^[!-~]{1,255}$/;

/** Takes request and correlation ids over, or makes them: a prefix drawn once and a number. */
export class RequestIds {
  private readonly prefix: string;
  private last = 0;

  /** @param unknown who asks before it is looked at. */
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
    const requestId = takenOver(req.headers['x-request-id']) ?? this.next();
    const correlation = takenOver(req.headers['x-correlation-id']) ?? requestId;
    return {
      req,
      requestId,
      correlation,
      params: {},
      route: 'none',
      answer: undefined,
      principal: this.unknown,
      allowance: undefined,
    };
  }
}

const takenOver = (header: string | string[] | undefined): string | undefined =>
  typeof header === 'string' && TAKEN_OVER.test(header) ? header : undefined;

/** The header wins over the body. */
export function idempotencyKey({ req }: ApiRequest, inBody: string | undefined): string | undefined {
  const header = req.headers['idempotency-key'];
  if (header === undefined) return inBody;
  // Node reads headers byte by byte; a key of other letters comes as UTF-8.
  const key = /^[!-~]*$/.test(String(header)) ? String(header) : Buffer.from(String(header), 'latin1').toString('utf8');
  if (!isKey(key)) throw invalidField('Idempotency-Key', KEY_RULE);
  return key;
}

// ---------------------------------------------------------------- the address

/** A name or an address, with or without a port; nothing at all is allowed. */
const HOST = /^[\w.\-~!$&'()*+,;=%:[\]]*$/;

/** HTTP/1.1 wants one, and whoever forwards requests relies on it (RFC 9112, 3.2). */
export function mustNameHost({ headers, httpVersionMinor }: IncomingMessage): void {
  const { host } = headers;
  if (host === undefined) {
    if (httpVersionMinor > 0) throw misunderstood('Host', 'is missing');
    return;
  }
  if (!HOST.test(host)) throw misunderstood('Host', 'is neither a name nor an address');
}

/** What a request can have once. Of two, node shows the first, and whoever stands before us may have looked at the other. */
const SINGLE = ['Host', 'Content-Type', 'Authorization'];

export function mustBeSingle({ rawHeaders }: IncomingMessage): void {
  let seen = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    const { length } = name;
    if (length !== 4 && length !== 12 && length !== 13) continue; // Most are none of them.
    const which = SINGLE.findIndex((one) => one.length === length && one.toLowerCase() === name.toLowerCase());
    if (which < 0) continue;
    if (seen & (1 << which)) throw misunderstood(SINGLE[which] ?? '', 'is given twice');
    seen |= 1 << which;
  }
}

/** Whoever stands before us may have understood it otherwise, and its body too: the connection ends with the reply. */
function misunderstood(field: string, problem: string): Failure {
  const { status, code, message, details } = invalidField(field, problem);
  return new Failure(status, code, message, { ...details, unreadBody: true });
}

/** What is wrong where a percent sign is not followed by two digits, or the bytes are not UTF-8. */
export function addressProblem(url: string): Failure | undefined {
  if (!url.includes('%')) return undefined;
  const [path, ...query] = url.split('?');
  if (!decodes(path ?? '')) return invalidField('path', 'has a percent escape that is broken');
  return decodes(query.join('?')) ? undefined : invalidField('query', 'has a percent escape that is broken');
}

function decodes(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

// ---------------------------------------------------------------- how many may wait

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

  /** @throws Failure when it is full; who has entered must leave. */
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
