/**
 * The API as the page asks it: with the reader's key, and never longer than its deadline.
 *
 * Law: the key is kept for this tab alone, and goes to the page's own server alone, in a header.
 */

const ASK_MS = 8_000;
const KEPT_KEY = 'holdfast-key';

export interface Reply {
  readonly status: number;
  readonly text: string;
  readonly tookMs: number;
}

/** Why a question has no good answer, as a sentence. Status 0: nobody answered. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export const keptKey = (): string | undefined => sessionStorage.getItem(KEPT_KEY) ?? undefined;

export function keepKey(key: string | undefined): void {
  if (key === undefined) sessionStorage.removeItem(KEPT_KEY);
  else sessionStorage.setItem(KEPT_KEY, key);
}

export class Api {
  constructor(private readonly key: string | undefined) {}

  get headers(): Record<string, string> {
    return this.key === undefined ? {} : { authorization: `Bearer ${this.key}` };
  }

  /** @throws Refusal if nobody answers in time */
  async send(method: 'GET' | 'POST', path: string, body?: object, idempotencyKey?: string): Promise<Reply> {
    const since = performance.now();
    try {
      const reply = await fetch(path, {
        method,
        headers: {
          ...this.headers,
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(ASK_MS),
      });
      return { status: reply.status, text: await reply.text(), tookMs: performance.now() - since };
    } catch {
      throw new Refusal(0, 'This node does not answer.');
    }
  }

  /** @throws Refusal with the API's own words */
  async ask<T>(method: 'GET' | 'POST', path: string, body?: object): Promise<T> {
    const { status, text } = await this.send(method, path, body);
    if (status >= 300) throw new Refusal(status, wordsIn(text) ?? `The answer has status ${status}.`);
    return JSON.parse(text) as T;
  }

  get<T>(path: string): Promise<T> {
    return this.ask('GET', path);
  }
}

/** The sentence of an error. */
export function wordsIn(text: string): string | undefined {
  try {
    return (JSON.parse(text) as { readonly message?: string }).message;
  } catch {
    return undefined;
  }
}
