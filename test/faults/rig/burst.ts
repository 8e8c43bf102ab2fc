// A bounded load of orders over keep-alive connections, and the list of what was asked and answered: the
// one that is kept outside the system, against which it is judged afterwards.
//
// A buyer that hears 503, or finds nobody listening, comes again as the reply says: with its key, or with
// the order's id as the key. A buyer whose connection broke does not: nobody told it anything, and the
// check finds out what became of its order.

import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { patientMs, until } from '../../deadlines.js';

export interface Wish {
  readonly user: string;
  readonly key?: string;
  readonly items: readonly { readonly product_id: string; readonly quantity: number }[];
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

export interface Attempt {
  /** Of performance.now(). */
  readonly sentAt: number;
  readonly endedAt: number;
  /** Undefined: the connection failed, as `failure` says. */
  readonly answer?: Answer;
  readonly failure?: string;
}

export interface Entry {
  readonly wish: Wish;
  /** The key of the last attempt: the wish's own, or the id that a 503 told. */
  key?: string;
  readonly attempts: Attempt[];
}

/** Longer than any reply may take. */
const REQUEST_MS = 20_000;
const COME_AGAIN_MS = 200;

export const bodyOf = ({ user, items }: Wish) => ({ user_id: user, items });

/** What the client knows at the end: the last answer; undefined when its last request died. */
export const lastAnswer = (entry: Entry): Answer | undefined => entry.attempts.at(-1)?.answer;

export const orderIdIn = (text: string): string | undefined => /"order_id":"([^"]+)"/.exec(text)?.[1];

export function send(agent: Agent, url: string, method: string, body?: object, key?: string): Promise<Answer> {
  const payload = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const headers = {
      ...(payload !== undefined && {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(payload),
      }),
      ...(key !== undefined && { 'idempotency-key': key }),
    };
    const asked = request(url, { agent, method, headers, timeout: patientMs(REQUEST_MS) }, (reply) => {
      const chunks: Buffer[] = [];
      reply.on('data', (chunk: Buffer) => chunks.push(chunk));
      reply.once('end', () => resolve({ status: reply.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
      reply.once('error', reject);
    });
    asked.once('timeout', () => asked.destroy(new Error(`no reply within ${REQUEST_MS} ms`)));
    asked.once('error', reject);
    asked.end(payload);
  });
}

export class Burst {
  readonly entries: Entry[] = [];
  readonly done: Promise<void>;
  /** How many wishes have an answer other than 503. */
  answered = 0;
  private readonly agent: Agent;
  private stopped = false;

  constructor(
    private readonly url: string,
    wishes: Iterable<Wish>,
    connections: number,
    /** How long a buyer rests between two wishes; 0: not at all. */
    paceMs = 0,
  ) {
    this.agent = new Agent({ keepAlive: true, maxSockets: connections });
    const queue = wishes[Symbol.iterator]();
    const buyer = async () => {
      for (let next = queue.next(); !next.done && !this.stopped; next = queue.next()) {
        await this.place(next.value);
        if (paceMs > 0) await pause(paceMs);
      }
    };
    this.done = Promise.all(Array.from({ length: connections }, buyer)).then(() => this.agent.destroy());
  }

  /** Resolves when so many have. */
  async reached(count: number, withinMs = 60_000): Promise<void> {
    if (!(await until(() => this.answered >= count, withinMs, 2))) {
      throw new Error(`only ${this.answered} of ${count} orders were answered within ${withinMs} ms`);
    }
  }

  /** No new wishes, and nobody comes again; what is under way ends. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.done;
  }

  /** Every attempt that ended between two moments. */
  attempts(from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY): Attempt[] {
    return this.entries.flatMap(({ attempts }) => attempts.filter(({ endedAt }) => endedAt >= from && endedAt <= to));
  }

  private async place(wish: Wish): Promise<void> {
    const entry: Entry = { wish, attempts: [], ...(wish.key !== undefined && { key: wish.key }) };
    this.entries.push(entry);
    for (;;) {
      const sentAt = performance.now();
      const times = () => ({ sentAt, endedAt: performance.now() });
      try {
        const answer = await send(this.agent, `${this.url}/api/orders`, 'POST', bodyOf(wish), entry.key);
        entry.attempts.push({ ...times(), answer });
        if (answer.status !== 503) {
          this.answered++;
          return;
        }
        const told = orderIdIn(answer.text);
        if (entry.key === undefined && told !== undefined) entry.key = told;
      } catch (error) {
        const failure = error as NodeJS.ErrnoException;
        if (failure.code !== 'ECONNREFUSED') {
          entry.attempts.push({ ...times(), failure: failure.message });
          return;
        }
      }
      if (this.stopped) return;
      await pause(COME_AGAIN_MS);
    }
  }
}

/** Sends all of it, and waits for the end. */
export async function burst(url: string, wishes: Iterable<Wish>, connections: number): Promise<readonly Entry[]> {
  const one = new Burst(url, wishes, connections);
  await one.done;
  return one.entries;
}
