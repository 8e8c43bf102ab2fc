// A bounded load of orders over keep-alive connections, and the log of all requests and answers. The log is
// kept outside the system; the checks judge the system by it afterwards.
//
// A buyer that gets 503, or a refused connection, tries again as the reply says: with its key, or with
// the order's id as the key. A buyer whose connection broke does not try again, as it knows no outcome; the
// check finds out what became of its order. With several edges a buyer goes to another one, and with a key it
// does so too after a broken connection.

import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { patientMs, until } from '../../deadlines.js';

export interface Purchase {
  readonly user: string;
  readonly key?: string;
  readonly items: readonly { readonly product_id: string; readonly quantity: number }[];
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly etag?: string | undefined;
}

export interface Attempt {
  readonly edge: string;
  /** In the time of performance.now(). */
  readonly sentAt: number;
  readonly endedAt: number;
  /** Undefined if the connection failed; `failure` says how. */
  readonly answer?: Answer;
  readonly failure?: string;
}

export interface Entry {
  readonly purchase: Purchase;
  /** The key of the last attempt: the purchase's own, or the order's id from a 503. */
  key?: string;
  readonly attempts: Attempt[];
  /** Connections that were refused: nothing was sent. */
  refusals: number;
}

/** Longer than any reply may take. */
const REQUEST_MS = 20_000;
const COME_AGAIN_MS = 200;

export const bodyOf = ({ user, items }: Purchase) => ({ user_id: user, items });

/** The last answer that the client got; undefined if its last request died. */
export const lastAnswer = (entry: Entry): Answer | undefined => entry.attempts.at(-1)?.answer;

export const orderIdIn = (text: string): string | undefined => /"order_id":"([^"]+)"/.exec(text)?.[1];

export function send(
  agent: Agent,
  url: string,
  method: string,
  body?: object,
  key?: string,
  withinMs = patientMs(REQUEST_MS),
  credential: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const payload = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const headers = {
      ...credential,
      ...(payload !== undefined && {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(payload),
      }),
      ...(key !== undefined && { 'idempotency-key': key }),
    };
    const outgoing = request(url, { agent, method, headers, timeout: withinMs }, (reply) => {
      const chunks: Buffer[] = [];
      reply.on('data', (chunk: Buffer) => chunks.push(chunk));
      const answer = () => ({ status: reply.statusCode ?? 0, text: Buffer.concat(chunks).toString() });
      reply.once('end', () => resolve({ ...answer(), etag: reply.headers.etag }));
      reply.once('error', reject);
    });
    outgoing.once('timeout', () => outgoing.destroy(new Error(`no reply within ${withinMs} ms`)));
    outgoing.once('error', reject);
    outgoing.end(payload);
  });
}

export class Burst {
  readonly entries: Entry[] = [];
  readonly done: Promise<void>;
  /** How many purchases have an answer other than 503. */
  answered = 0;
  private readonly edges: readonly string[];
  private readonly agent: Agent;
  private stopped = false;

  /** @param edges the addresses; the list may grow meanwhile */
  constructor(
    edges: string | readonly string[],
    purchases: Iterable<Purchase>,
    connections: number,
    /** The pause of a buyer between two purchases; 0 for none. */
    paceMs = 0,
    private readonly withinMs = patientMs(REQUEST_MS),
    private readonly credential: Readonly<Record<string, string>> = {},
  ) {
    this.edges = typeof edges === 'string' ? [edges] : edges;
    this.agent = new Agent({ keepAlive: true, maxSockets: connections });
    const queue = purchases[Symbol.iterator]();
    const buyer = async (_: unknown, turn: number) => {
      for (let next = queue.next(); !next.done && !this.stopped; next = queue.next()) {
        await this.place(next.value, turn++);
        if (paceMs > 0) await pause(paceMs);
      }
    };
    this.done = Promise.all(Array.from({ length: connections }, buyer)).then(() => this.agent.destroy());
  }

  /** Resolves when `count` purchases are answered. */
  async reached(count: number, withinMs = 60_000): Promise<void> {
    if (!(await until(() => this.answered >= count, withinMs, 2))) {
      throw new Error(`only ${this.answered} of ${count} orders were answered within ${withinMs} ms`);
    }
  }

  /** Starts no new purchase and no retry; requests under way end. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.done;
  }

  /** Every attempt that ended between two moments. */
  attempts(from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY): Attempt[] {
    return this.entries.flatMap(({ attempts }) => attempts.filter(({ endedAt }) => endedAt >= from && endedAt <= to));
  }

  private async place(purchase: Purchase, first: number): Promise<void> {
    const entry: Entry = {
      purchase,
      attempts: [],
      refusals: 0,
      ...(purchase.key !== undefined && { key: purchase.key }),
    };
    this.entries.push(entry);
    for (let turn = first; ; turn++) {
      const edge = this.edges[turn % this.edges.length] ?? '';
      const sentAt = performance.now();
      const times = () => ({ edge, sentAt, endedAt: performance.now() });
      try {
        const { key } = entry;
        const { agent, withinMs, credential } = this;
        const answer = await send(agent, `${edge}/api/orders`, 'POST', bodyOf(purchase), key, withinMs, credential);
        entry.attempts.push({ ...times(), answer });
        if (answer.status !== 503) {
          this.answered++;
          return;
        }
        const id = orderIdIn(answer.text);
        if (entry.key === undefined && id !== undefined) entry.key = id;
      } catch (error) {
        const failure = error as NodeJS.ErrnoException;
        if (failure.code === 'ECONNREFUSED') entry.refusals++;
        else {
          entry.attempts.push({ ...times(), failure: failure.message });
          if (entry.key === undefined || this.edges.length === 1) return;
        }
      }
      if (this.stopped) return;
      await pause(COME_AGAIN_MS);
    }
  }
}

/** Sends all purchases, and waits for their end. */
export async function burst(
  edges: string | readonly string[],
  purchases: Iterable<Purchase>,
  connections: number,
): Promise<readonly Entry[]> {
  const one = new Burst(edges, purchases, connections);
  await one.done;
  return one.entries;
}
