// A running system, asked over HTTP: at HOLDFAST_URL with HOLDFAST_KEY, else the node of this environment.
//
// Law: all requests together end within the budget. What had no answer (no connection, 429, 502, 503, 504) is asked again, after
// pauses that grow, with jitter, never before Retry-After. A write is repeated where a repeat has no further effect: under its
// Idempotency-Key, or since it sets a state. Any other is asked with `once`.

import { setTimeout as pause } from 'node:timers/promises';
import { underAny } from '../../bus/joined-signal.js';
import { isKey, KEY_RULE } from '../../http/api/schemas.js';
import type { Config } from '../config/config.js';
import { BadCommand, type Given, type Terminal, wholeIn } from './command.js';

export interface Ask {
  readonly method?: 'GET' | 'POST';
  /** With its query. */
  readonly path: string;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  /** Statuses that are answers here, though they mostly mean: ask again. */
  readonly takes?: readonly number[];
  /** Not repeated once it may have arrived. */
  readonly once?: boolean;
  /** Its answer is text, not JSON. */
  readonly isText?: boolean;
}

interface Reply {
  readonly status: number;
  /** Parsed, where it is JSON. */
  readonly body: unknown;
  readonly text: string;
}

/** No system answers, or it had no answer in time. */
export class NotReached extends Error {
  override readonly name = 'NotReached';
}

/** It answered, and the answer is no. */
export class Refused extends Error {
  override readonly name = 'Refused';
  constructor(
    message: string,
    readonly reply: Reply,
  ) {
    super(message);
  }
}

/** Ctrl-C. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

export const TIMEOUT_OPTION = {
  ...{ name: '--timeout', value: 'SECONDS' },
  what: 'how long it tries altogether, 1 to 600; 30 if it is left out',
} as const;

const DEFAULT_S = 30;
const MOST_S = 600;
const FIRST_PAUSE_MS = 200;
const MOST_PAUSE_MS = 5_000;
const AGAIN = [429, 502, 503, 504];
/** The system itself says that it has done nothing; a 502 or 504 is of a proxy, which does not know. */
const NOTHING_DONE = [429, 503];

export const budgetIn = (given: Given): number =>
  1_000 * wholeIn('--timeout', given.text('--timeout') ?? String(DEFAULT_S), 1, MOST_S);

/** @throws BadCommand */
export function keyIn(text: string | undefined): string | undefined {
  if (text === undefined || isKey(text)) return text;
  throw new BadCommand(`--key ${KEY_RULE}`);
}

export class System {
  private hasSaid = false;
  private until: number;

  private constructor(
    readonly url: string,
    private readonly key: string | undefined,
    private readonly budgetMs: number,
    private readonly signal: AbortSignal,
    private readonly say: (line: string) => void,
  ) {
    this.until = performance.now() + budgetMs;
  }

  /**
   * @param signal of Ctrl-C
   * @param say that it tries again
   */
  static at(terminal: Terminal, budgetMs: number, signal: AbortSignal, say = terminal.say): System {
    const { url, key } = addressIn(terminal);
    if (key !== undefined && /^http:\/\/(?!127\.|localhost[:/]|\[::1\])/.test(`${url}/`))
      terminal.say(`The key goes to ${url} as plain text: https keeps it to yourself.`);
    return new System(url, key, budgetMs, signal, say);
  }

  /** For a command without an end: what comes now has the whole budget. */
  renew(): void {
    this.until = performance.now() + this.budgetMs;
  }

  /** @throws Refused, NotReached, Interrupted */
  async ask(ask: Ask): Promise<Reply> {
    const reply = await this.tried(ask.once ?? false, async (end) => {
      const response = await this.fetched(ask, end);
      return this.isAgain(response, ask) ? noAnswerIn(response) : readIn(response);
    });
    return this.answerIn(reply, ask);
  }

  /** An answer without an end, in pieces. @param end of the connection. @throws Refused, NotReached, Interrupted */
  async open(
    path: string,
    headers: Readonly<Record<string, string>>,
    end: AbortSignal,
  ): Promise<AsyncIterable<string>> {
    const ask = { path, headers: { ...headers, accept: 'text/event-stream' }, isText: true };
    const reply = await this.tried(false, async (late) => {
      // The budget is for the head: the body has no end but the connection's.
      const connection = new AbortController();
      const hangUp = () => connection.abort();
      for (const signal of [late, end]) signal.addEventListener('abort', hangUp);
      if (end.aborted) hangUp();
      const response = await this.fetched(ask, connection.signal);
      if (this.isAgain(response, ask)) return noAnswerIn(response);
      late.removeEventListener('abort', hangUp);
      return response;
    });
    const isStream = /^text\/event-stream\b/.test(reply.headers.get('content-type') ?? '');
    if (reply.status === 200 && isStream && reply.body !== null) return reply.body.pipeThrough(new TextDecoderStream());
    this.answerIn(await readIn(reply), ask);
    throw this.notReached(`${this.url}${path} answers ${reply.status}, and no events`);
  }

  /** @throws Interrupted */
  async sleep(ms: number): Promise<void> {
    await pause(ms, undefined, { signal: this.signal }).catch(() => {
      throw new Interrupted('ended before it was done');
    });
  }

  notReached(why: string, retryAfterMs = 0): NotReached {
    const later = retryAfterMs > 0 ? ` It asks to come again in ${Math.ceil(retryAfterMs / 1_000)} s.` : '';
    return new NotReached(`${why}.${later} Is it running, and is ${this.url} its address (HOLDFAST_URL)?`);
  }

  // ---------------------------------------------------------------- machinery

  /** Attempts until one has an answer. */
  private async tried<T>(once: boolean, attempt: (end: AbortSignal) => Promise<T | NoAnswer>): Promise<T> {
    for (let attempts = 0; ; attempts++) {
      const outcome = await this.attempt(attempt);
      if (!(outcome instanceof NoAnswer)) return outcome;
      const { why, retryAfterMs, mayHaveArrived } = outcome;
      const left = this.until - performance.now();
      const waitMs = Math.max(jittered(attempts), retryAfterMs);
      if (waitMs >= left || (once && mayHaveArrived)) throw this.notReached(why, retryAfterMs);
      this.tell(`${why}: trying again, for ${Math.ceil(left / 1_000)} s at most`);
      await this.sleep(waitMs);
    }
  }

  private async attempt<T>(attempt: (end: AbortSignal) => Promise<T>): Promise<T | NoAnswer> {
    const late = AbortSignal.timeout(Math.max(1, Math.ceil(this.until - performance.now())));
    try {
      return await underAny([late, this.signal], attempt);
    } catch (error) {
      if (this.signal.aborted) throw new Interrupted('ended before it was done');
      return new NoAnswer(`${this.url} does not answer (${late.aborted ? 'no answer in time' : causeOf(error)})`);
    }
  }

  private isAgain({ status }: Response, { takes }: Ask): boolean {
    return AGAIN.includes(status) && !takes?.includes(status);
  }

  private answerIn(reply: Reply, { takes = [], isText = false }: Ask): Reply {
    const { status, body } = reply;
    if (status >= 500 && !takes.includes(status)) throw this.notReached(refusalIn(reply).replace(/\.$/, ''));
    if (status >= 400 && !takes.includes(status)) throw new Refused(refusalIn(reply), reply);
    if (isText || (typeof body === 'object' && body !== null)) return reply;
    throw this.notReached(`${this.url} answers ${status} without JSON: that is no Holdfast`);
  }

  private fetched({ method = 'GET', path, body, headers = {} }: Ask, end: AbortSignal): Promise<Response> {
    return fetch(`${this.url}${path}`, {
      method,
      redirect: 'error',
      signal: end,
      headers: {
        accept: 'application/json',
        ...(this.key !== undefined && { authorization: `Bearer ${this.key}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  }

  private tell(line: string): void {
    if (!this.hasSaid) this.say(line);
    this.hasSaid = true;
  }
}

class NoAnswer {
  constructor(
    readonly why: string,
    readonly retryAfterMs = 0,
    readonly mayHaveArrived = true,
  ) {}
}

async function noAnswerIn(response: Response): Promise<NoAnswer> {
  const { status, statusText, headers } = response;
  const { message = statusText } = ((await readIn(response)).body ?? {}) as { message?: string };
  return new NoAnswer(
    `${status} ${message}`.trim().replace(/\.$/, ''),
    retryAfterIn(headers),
    !NOTHING_DONE.includes(status),
  );
}

async function readIn(response: Response): Promise<Reply> {
  const text = await response.text();
  return { status: response.status, text, body: parsed(text) };
}

/** The server's sentence, with the field where the sentence does not name it. */
function refusalIn({ status, body }: Reply): string {
  const {
    message = `status ${status}`,
    errors = [],
    order_id,
  } = (body ?? {}) as {
    readonly message?: string;
    readonly errors?: readonly { readonly field: string; readonly message: string }[];
    readonly order_id?: string;
  };
  const lines = errors.map(({ field, message: wrong }) =>
    [...(message.startsWith(wrong) ? [] : [wrong]), ...(wrong.startsWith(field) ? [] : [`(field ${field})`])].join(' '),
  );
  const kept = order_id === undefined ? [] : [` It is kept as ${order_id}.`];
  const hint = status === 401 ? [' Set HOLDFAST_KEY to a key: holdfast keys create makes one.'] : [];
  return [message, ...lines.filter((line) => line !== '').map((line) => ` ${line}`), ...kept, ...hint].join('');
}

interface Address {
  readonly url: string;
  readonly key: string | undefined;
}

/** ADMIN_KEY belongs to the system of this environment, and goes nowhere else. */
function addressIn(terminal: Terminal): Address {
  const { HOLDFAST_URL, HOLDFAST_KEY } = terminal.env;
  const key = HOLDFAST_KEY === undefined || HOLDFAST_KEY === '' ? undefined : HOLDFAST_KEY;
  const given = givenAddress(HOLDFAST_URL);
  if (given !== undefined) return { url: given, key };
  const config = terminal.config();
  const [url] = localAddresses(config);
  if (url === undefined) throw new BadCommand('PORT=0 names no port: set HOLDFAST_URL to the address in the log');
  return { url, key: key ?? config.adminKey };
}

/** HOLDFAST_URL, without a slash at its end. @throws BadCommand */
export function givenAddress(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url?.username === '' && url.password === '' && url.search === '' && url.hash === '';
  if (url === undefined || !/^https?:$/.test(url.protocol) || !isPlain)
    throw new BadCommand(
      'HOLDFAST_URL must be an address such as https://shop.example, without user, password and query',
    );
  return url.href.replace(/\/+$/, '');
}

/** Where the node of this environment listens: all routes first, then the second port. */
export const localAddresses = ({ host, port, inventoryPort }: Config): string[] =>
  [port, inventoryPort].flatMap((each) => (each === undefined || each === 0 ? [] : [`http://${hostOf(host)}:${each}`]));

/** An address to listen on everywhere is no address to connect to. */
const hostOf = (host: string): string =>
  host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host;

function jittered(attempt: number): number {
  const most = Math.min(MOST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt);
  return most / 2 + (Math.random() * most) / 2;
}

/** In whole seconds, as Holdfast says it. */
function retryAfterIn(headers: Headers): number {
  const text = headers.get('retry-after') ?? '';
  return /^\d{1,6}$/.test(text) ? Number(text) * 1_000 : 0;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** undici says only "fetch failed"; its cause says why. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const { code, message } = cause as { readonly code?: string; readonly message?: string };
  return code ?? message ?? String(cause);
}
