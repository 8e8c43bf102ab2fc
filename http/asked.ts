/**
 * One request as the handlers see it, and what is taken from its address and headers. Everything in
 * here comes from outside: it is checked where it is read.
 */
import type { IncomingMessage } from 'node:http';
import { limits } from '../actors/limits.js';
import type { Clock, Page } from '../actors/ports.js';
import { Failure, invalidField } from './failure.js';
import type { Answer, ReplyIds } from './reply.js';
import { ID_RULE, isIdText, isKey, KEY_RULE } from './schemas.js';

export interface Asked extends ReplyIds {
  readonly req: IncomingMessage;
  /** From the path, decoded. */
  params: Readonly<Record<string, string>>;
  /** The route's pattern, for the metrics; a path would make as many series as there are orders. */
  route: string;
  answer: Answer | undefined;
}

export type Handler = (asked: Asked) => Promise<Answer>;

// ---------------------------------------------------------------- who asks

/** 50 random bits: two processes do not meet, and ids stay short in logs, events and rows. */
const PREFIX_CHARS = 10;
const TAKEN_OVER = /^[!-~]{1,255}$/;

/** Takes request and correlation ids over, or makes them: a prefix drawn once and a number. */
export class RequestIds {
  readonly #prefix: string;
  #last = 0;

  constructor(clock: Clock) {
    this.#prefix = clock.id().slice(-PREFIX_CHARS);
  }

  next(): string {
    return `${this.#prefix}-${(++this.#last).toString(36)}`;
  }

  asked(req: IncomingMessage): Asked {
    const requestId = takenOver(req.headers['x-request-id']) ?? this.next();
    const correlation = takenOver(req.headers['x-correlation-id']) ?? requestId;
    return { req, requestId, correlation, params: {}, route: 'none', answer: undefined };
  }
}

const takenOver = (header: string | string[] | undefined): string | undefined =>
  typeof header === 'string' && TAKEN_OVER.test(header) ? header : undefined;

/** The header wins over the body. */
export function idempotencyKey({ req }: Asked, inBody: string | undefined): string | undefined {
  const header = req.headers['idempotency-key'];
  if (header === undefined) return inBody;
  // Node reads headers byte by byte; a key of other letters comes as UTF-8.
  const key = /^[!-~]*$/.test(String(header)) ? String(header) : Buffer.from(String(header), 'latin1').toString('utf8');
  if (!isKey(key)) throw invalidField('Idempotency-Key', KEY_RULE);
  return key;
}

// ---------------------------------------------------------------- the address

/** An id out of the path. */
export function idParam({ params }: Asked, name: string): string {
  const id = params[name] ?? '';
  if (!isIdText(id)) throw invalidField(name, ID_RULE);
  return id;
}

/** Throws where a percent sign is not followed by two digits, or the bytes are not UTF-8. */
export function assertDecodable(url: string): void {
  if (!url.includes('%')) return;
  const [path, ...query] = url.split('?');
  if (!decodes(path ?? '')) throw invalidField('path', 'has a percent escape that is broken');
  if (!decodes(query.join('?'))) throw invalidField('query', 'has a percent escape that is broken');
}

function decodes(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** Parameters that nobody asked for are ignored; one that is given twice is not guessed about. */
export class Query {
  readonly #given: URLSearchParams;

  constructor({ req }: Asked) {
    const url = req.url ?? '';
    const start = url.indexOf('?');
    this.#given = new URLSearchParams(start < 0 ? '' : url.slice(start + 1));
  }

  one(name: string): string | undefined {
    const values = this.#given.getAll(name);
    if (values.length > 1) throw invalidField(name, 'is given twice');
    return values[0];
  }

  id(name: string): string | undefined {
    const value = this.one(name);
    if (value !== undefined && !isIdText(value)) throw invalidField(name, ID_RULE);
    return value;
  }

  word<const W extends string>(name: string, words: readonly W[]): W | undefined {
    const value = this.one(name);
    if (value === undefined) return undefined;
    const word = words.find((w) => w === value);
    if (word === undefined) throw invalidField(name, `must be one of ${words.join(', ')}`);
    return word;
  }

  page(): Page {
    return {
      page: this.#number('page', 1, limits.pageDepth),
      pageSize: this.#number('page_size', limits.pageSizeDefault, limits.pageSize),
    };
  }

  #number(name: string, otherwise: number, most: number): number {
    const value = this.one(name);
    if (value === undefined) return otherwise;
    const number = /^\d{1,9}$/.test(value) ? Number(value) : 0;
    if (number < 1 || number > most) throw invalidField(name, `must be a whole number from 1 to ${most}`);
    return number;
  }
}

// ---------------------------------------------------------------- how many may wait

/** Bounds how many clients wait for an owner's answer at once. */
export class WaitingRoom {
  #waiting = 0;

  async during<T>(wait: () => Promise<T>): Promise<T> {
    if (this.#waiting >= limits.waitingClients) {
      throw new Failure(503, 'busy', 'Too many requests are waiting for an answer: try again in a moment.', {
        headers: ['Retry-After', '1'],
      });
    }
    this.#waiting++;
    try {
      return await wait();
    } finally {
      this.#waiting--;
    }
  }
}
