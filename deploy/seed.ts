// The products a first start brings along, so that the first curl has something to order. Each is one
// receipt with an id of its own: a repeat at the next start has no effect.

import { productId, writeId } from '../actors/ids.js';
import { toMinor } from '../actors/money.js';
import type { Owners } from '../actors/ports/owners.js';
import type { Logger } from '../actors/ports/runtime.js';

const CURRENCY = 'USD';
const DEMO = [
  { id: 'PROD-001', name: 'Gaming Console - PS5', price: 499.99, stock: 100 },
  { id: 'PROD-002', name: 'Gaming Console - Xbox Series X', price: 499.99, stock: 75 },
  { id: 'PROD-003', name: 'Gaming Laptop', price: 1299.99, stock: 50 },
  { id: 'PROD-004', name: 'Wireless Headset', price: 149.99, stock: 200 },
  { id: 'PROD-005', name: 'Mechanical Keyboard', price: 129.99, stock: 150 },
];
const WAIT_MS = 10_000;

export async function seedDemo(owners: Pick<Owners, 'stock'>, logger: Logger): Promise<void> {
  const replies = await Promise.all(
    DEMO.map(({ id, name, price, stock }) =>
      owners.stock(
        {
          product: productId(id),
          command: {
            type: 'receive',
            ref: writeId(`seed-${id}`),
            fingerprint: 'seed',
            name,
            unitPrice: toMinor(price, CURRENCY) ?? 0,
            currency: CURRENCY,
            quantity: stock,
          },
          correlation: 'seed',
          fresh: false,
        },
        WAIT_MS,
      ),
    ),
  );
  const added = replies.filter((reply) => reply.kind === 'done' && !reply.repeat).length;
  if (added > 0) logger.info({ added }, 'the demo products are in stock (SEED=none for an empty shop)');
}
