// Reads by id, judged for linearizability over all edges. Each lane has a product and one order after the other of its
// own. It changes them alone, one change after the other, at any edge; readers read them at every edge meanwhile.
//
// A product's stock and an order's version then only grow: a register with one writer. Its history is linearizable
// if no read is older than what ended before it began, and none is newer than the writes begun before it ended.

import { Agent } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { type Answer, orderIdIn, send } from './burst.js';

interface Operation {
  readonly kind: 'read' | 'write';
  readonly beganAt: number;
  readonly endedAt: number;
  /** What was read, or what the write led to. */
  readonly value: number;
}

/** What contradicts a register that only grows and has one writer. */
export function staleReads(history: readonly Operation[]): string[] {
  const most = (all: readonly Operation[]) => all.reduce((highest, { value }) => Math.max(highest, value), 0);
  return history.flatMap(({ kind, beganAt, endedAt, value }) => {
    if (kind === 'write') return [];
    const least = most(history.filter((other) => other.endedAt < beganAt));
    const greatest = most(history.filter((other) => other.kind === 'write' && other.beganAt <= endedAt));
    const read = `read ${value} from ${beganAt.toFixed(1)} to ${endedAt.toFixed(1)}`;
    if (value < least) return [`${read}; ${least} was there before`];
    return value > greatest ? [`${read}; nothing beyond ${greatest} was written`] : [];
  });
}

interface RegistersPlan {
  /** The addresses of the nodes that are ready; the list may change meanwhile. */
  readonly edges: readonly string[];
  /** One for each lane; nobody else moves them. */
  readonly products: readonly string[];
  /** What the lanes order. */
  readonly ordered: string;
  /** The pause of a reader between two reads. */
  readonly paceMs: number;
}

const ANSWER_MS = 6_000;
const AGAIN_MS = 100;
const RECEIPTS = 4;
const ACTS = ['ship', 'deliver'];

export class Registers {
  /** What contradicts linearizability. */
  readonly wrong: string[] = [];
  /** Reads without a 200, at which edge and when they ended. */
  readonly failedReads: { readonly edge: string; readonly endedAt: number; readonly how: string }[] = [];
  reads = 0;
  histories = 0;
  private readonly agent = new Agent({ keepAlive: true });
  private readonly done: Promise<unknown>;
  private isOver = false;
  private drawn = 0;

  constructor(private readonly plan: RegistersPlan) {
    this.done = Promise.all(plan.products.map((product) => this.lane(product)));
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await this.done;
    this.agent.destroy();
  }

  // -------------------------------------------------------------- machinery

  private async lane(product: string): Promise<void> {
    const { ordered } = this.plan;
    const thing = { product_id: product, name: product, unit_price: 1, currency: 'USD', stock: 1 };
    const receipt = { products: [thing] };
    while (!this.isOver) {
      const order = { user_id: `watched-${this.drawn++}-${product}`, product_id: ordered, quantity: 1 };
      const placed: Operation[] = [];
      const path = `/api/orders/${orderIdIn((await this.write('/api/orders', order, placed, versionIn)).text)}`;
      await this.watched(path, versionIn, placed, async () => {
        for (const act of ACTS) await this.write(`${path}/${act}`, {}, placed, versionIn);
      });
      const received: Operation[] = [];
      await this.write('/api/inventory', receipt, received, stockIn);
      await this.watched(`/api/inventory/${product}`, stockIn, received, async () => {
        for (let i = 0; i < RECEIPTS; i++) await this.write('/api/inventory', receipt, received, stockIn);
      });
    }
  }

  /** Reads at every edge while `change` runs, and once more afterwards. Then judges the history. */
  private async watched(path: string, valueIn: ValueIn, history: Operation[], change: () => Promise<void>) {
    let isChanged = false;
    const readers = this.plan.edges.map(async (edge) => {
      for (let isLast = false; !isLast; ) {
        if (!this.plan.edges.includes(edge)) return;
        isLast = isChanged;
        await this.read(edge, path, valueIn, history);
        if (!isLast) await pause(this.plan.paceMs);
      }
    });
    await change();
    isChanged = true;
    await Promise.all(readers);
    this.histories++;
    for (const each of staleReads(history)) this.wrong.push(`${path}: ${each}`);
  }

  private async read(edge: string, path: string, valueIn: ValueIn, history: Operation[]): Promise<void> {
    const beganAt = performance.now();
    const answer = await this.ask(edge, 'GET', path);
    const endedAt = performance.now();
    if (typeof answer !== 'string' && answer.status === 200) {
      this.reads++;
      history.push({ kind: 'read', beganAt, endedAt, value: valueIn(answer) });
    } else if (typeof answer !== 'string' && answer.status === 404) {
      this.wrong.push(`${path}: 404 after it was acknowledged`);
    } else if (answer !== REFUSED) {
      this.failedReads.push({ edge, endedAt, how: typeof answer === 'string' ? answer : `${answer.status}` });
    }
  }

  /** Repeats the write under one key, at one edge after the other, until one answers. */
  private async write(path: string, body: object, history: Operation[], valueIn: ValueIn): Promise<Answer> {
    const key = `register-${this.drawn++}-${path}`;
    const beganAt = performance.now();
    for (let turn = this.drawn; ; turn++) {
      const { edges } = this.plan;
      const answer = await this.ask(edges[turn % edges.length] ?? '', 'POST', path, body, key);
      if (typeof answer !== 'string' && answer.status < 300 && answer.status !== 202) {
        history.push({ kind: 'write', beganAt, endedAt: performance.now(), value: valueIn(answer) });
        return answer;
      }
      if (typeof answer !== 'string' && ![202, 503].includes(answer.status)) {
        this.wrong.push(`${path}: ${answer.status} ${answer.text}`);
      }
      await pause(AGAIN_MS);
    }
  }

  private async ask(edge: string, method: string, path: string, body?: object, key?: string): Promise<Answer | string> {
    try {
      return await send(this.agent, `${edge}${path}`, method, body, key, ANSWER_MS);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      return code === REFUSED ? REFUSED : message;
    }
  }
}

type ValueIn = (answer: Answer) => number;

const REFUSED = 'ECONNREFUSED';
const versionIn: ValueIn = ({ etag }) => Number(/^"(\d+)"$/.exec(etag ?? '')?.[1] ?? Number.NaN);
const stockIn: ValueIn = ({ text }) => Number(/"on_hand":(\d+)/.exec(text)?.[1] ?? Number.NaN);
