// The demo products of a first start, so that the first curl has something to order. Each product is one receipt with
// an id of its own. The next start repeats the receipt: without effect, or to complete what a kill left undone.

import { productId, writeId } from '../actors/ids.js';
import { toMinor } from '../actors/money.js';
import type { Owners } from '../actors/ports/owners.js';
import type { Clock, Logger } from '../actors/ports/runtime.js';

const CURRENCY = 'USD';
const DEMO = [
  { id: 'PROD-001', name: 'Gaming Console - PS5', price: 499.99, stock: 100 },
  { id: 'PROD-002', name: 'Gaming Console - Xbox Series X', price: 499.99, stock: 75 },
  { id: 'PROD-003', name: 'Gaming Laptop', price: 1299.99, stock: 50 },
  { id: 'PROD-004', name: 'Wireless Headset', price: 149.99, stock: 200 },
  { id: 'PROD-005', name: 'Mechanical Keyboard', price: 129.99, stock: 150 },
];
const WAIT_MS = 10_000;
const AGAIN_MS = 200;

type Product = (typeof DEMO)[number];

export class DemoSeed {
  /** A product is removed once its owner has answered. */
  private readonly missing = new Set(DEMO);
  private added = 0;

  constructor(
    private readonly owners: Pick<Owners, 'stock'>,
    private readonly clock: Pick<Clock, 'after'>,
    private readonly logger: Logger,
  ) {}

  /** Why the seed is not ready, as a sentence; undefined once all products are in stock. */
  get notReady(): string | undefined {
    if (this.missing.size === 0) return undefined;
    return `The demo products are being put in stock: ${this.missing.size} of ${DEMO.length} are missing.`;
  }

  /** Repeats until all products are in stock, or the start is cancelled. */
  async run(calledOff: AbortSignal): Promise<void> {
    while (this.missing.size > 0 && !calledOff.aborted) {
      await Promise.all([...this.missing].map((product) => this.receive(product)));
      if (this.missing.size > 0) await new Promise<void>((resolve) => void this.clock.after(AGAIN_MS, resolve));
    }
    const { added } = this;
    if (added > 0) this.logger.info({ added }, 'the demo products are in stock (SEED=none for an empty shop)');
  }

  private async receive(product: Product): Promise<void> {
    const { id, name, price, stock } = product;
    const command = {
      type: 'receive',
      ref: writeId(`seed-${id}`),
      fingerprint: 'seed',
      name,
      unitPrice: toMinor(price, CURRENCY) ?? 0,
      currency: CURRENCY,
      quantity: stock,
    } as const;
    const receipt = { product: productId(id), command, correlation: 'seed', fresh: false };
    const reply = await this.owners.stock(receipt, WAIT_MS);
    if (reply.kind === 'unavailable') return;
    this.missing.delete(product);
    if (reply.kind === 'done' && !reply.repeat) this.added++;
    if (reply.kind === 'refused')
      this.logger.warn({ product: id, refusal: reply.refusal }, 'a demo product was refused');
  }
}
