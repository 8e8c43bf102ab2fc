// Products that were moved over HTTP, and the right answer to every query about their past. The expectation is
// computed from acknowledged writes; only the times of the movements are read from the system.

import * as assert from 'uvu/assert';
import { until } from '../../deadlines.js';
import type { RealSystem } from './real-system.js';

const PRODUCTS = ['moved-0', 'moved 1', 'moved-2'];
const FIRST = 100;
const MOVES = 12;
const PAGE = 5;
const FLUSHED_MS = 10_000;

interface Movement {
  readonly version: number;
  readonly on_hand_after: number;
  readonly quantity: number;
  readonly created_at: string;
}

interface Listed {
  readonly data: readonly Movement[];
  readonly pagination: { readonly next_cursor?: string };
}

export class MovedStock {
  /** By product, oldest first: the balance after each movement. */
  private readonly balances = new Map<string, number[]>();

  private constructor(private readonly system: RealSystem) {}

  static async made(system: RealSystem): Promise<MovedStock> {
    const stock = new MovedStock(system);
    await system.stock(PRODUCTS, FIRST);
    for (const product of PRODUCTS) stock.balances.set(product, [FIRST]);
    for (let i = 0; i < MOVES; i++) await stock.move(i);
    return stock;
  }

  /** Each of them once. */
  async move(by = 1): Promise<void> {
    for (const [product, balances] of this.balances) {
      const delta = by + 1;
      const reply = await this.system.post(`/api/inventory/${encodeURIComponent(product)}/adjust`, {
        delta,
        reason: 'moved',
      });
      assert.is(reply.status, 200, reply.text);
      balances.push((balances.at(-1) ?? 0) + delta);
    }
  }

  /** By path, the `data` of the answer. Read once the read model is complete, and checked against acknowledged writes. */
  async truths(): Promise<Map<string, string>> {
    const answers = new Map<string, string>();
    for (const [product, balances] of this.balances) {
      const ledger = `/api/inventory/${encodeURIComponent(product)}/ledger`;
      const isFlushed = async () => (await this.list(`${ledger}?limit=1`)).data[0]?.version === balances.length;
      assert.ok(await until(isFlushed, FLUSHED_MS, 50), `${product} does not come to version ${balances.length}`);
      const all = (await this.list(`${ledger}?limit=100`)).data;
      assert.equal(
        all.map(({ version, on_hand_after }) => [version, on_hand_after]),
        balances.map((balance, i) => [i + 1, balance]).reverse(),
      );
      const add = (path: string, data: unknown) => answers.set(path, JSON.stringify(data));
      const first = await this.list(`${ledger}?limit=${PAGE}`);
      add(`${ledger}?limit=${PAGE}`, all.slice(0, PAGE));
      add(`${ledger}?limit=${PAGE}&cursor=${first.pagination.next_cursor}`, all.slice(PAGE, 2 * PAGE));
      for (const page of [1, 2]) {
        const audit = `/internal/inventory/audit?product_id=${encodeURIComponent(product)}&page=${page}&page_size=${PAGE}`;
        add(audit, all.slice((page - 1) * PAGE, page * PAGE));
      }
      const at = all[7]?.created_at ?? '';
      const last = all.find(({ created_at }) => created_at <= at);
      const past = `${ledger}?at=${at}`;
      const { text = '{}' } = (await this.system.ask(past)) ?? {};
      const balance = (JSON.parse(text) as { data: { on_hand: number; last_operation: unknown } }).data;
      assert.equal([balance.on_hand, balance.last_operation], [last?.on_hand_after, last]);
      add(past, balance);
    }
    return answers;
  }

  private async list(path: string): Promise<Listed> {
    const reply = await this.system.ask(path);
    assert.is(reply?.status, 200, reply?.text);
    return JSON.parse(reply?.text ?? '{}') as Listed;
  }
}
