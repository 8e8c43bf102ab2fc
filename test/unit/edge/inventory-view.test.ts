/** The stock of a product, its ledger and its availability agree at every moment. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type OrderId, orderId, productId, type WriteId } from '../../../actors/ids.js';
import { operation } from '../../../actors/node/world.js';
import { decideProduct, evolveProduct, type ProductState, unknownProduct } from '../../../actors/product/inventory.js';
import type { ProductCommand } from '../../../actors/protocol.js';
import { balanceJson, operationJson, productJson } from '../../../http/inventory/inventory-view.js';

const test = suite('inventory view');

const P = productId('LAMP');
const BACKORDERS = { allowed: true, limit: 100 };
const receipt = (quantity: number, i: number): ProductCommand => ({
  ...{ type: 'receive', ref: `w${i}` as WriteId, fingerprint: '', name: 'Lamp', unitPrice: 100, currency: 'EUR' },
  ...{ quantity, backorders: BACKORDERS },
});
const hold = (order: OrderId, quantity: number): ProductCommand => ({ type: 'hold', order, quantity });

/** The three views after each event. */
function views(
  commands: readonly ProductCommand[],
): { product: number; at: number; ledger: number; numbers: number }[] {
  let state: ProductState = unknownProduct(P);
  return commands.flatMap((command) => {
    const decision = decideProduct(state, command);
    if ('refused' in decision) return [];
    return decision.events.map((event) => {
      state = evolveProduct(state, event, 1);
      const row = operation(P, state.version, event, state, 1, 'c');
      const { available: product } = JSON.parse(productJson(state)) as { available: number };
      const { available: at } = JSON.parse(balanceJson(P, 1, row)) as { available: number };
      const { available_after: ledger } = JSON.parse(operationJson(row)) as { available_after: number };
      return { product, at, ledger, numbers: Math.max(0, state.onHand - state.held - state.backordered) };
    });
  });
}

test('after a receipt with waiting orders, all views show what a new order could get', () => {
  const found = views([receipt(0, 0), hold(orderId('a'), 2), receipt(3, 1)]);
  assert.equal(found.at(-1), { product: 1, at: 1, ledger: 1, numbers: 1 });
  const fewer = views([receipt(0, 0), hold(orderId('a'), 2), receipt(1, 1)]);
  assert.equal(fewer.at(-1), { product: 0, at: 0, ledger: 0, numbers: 0 }, 'never below 0');
});

test('after any commands all views agree', () => {
  const command = fc.oneof(
    fc.nat({ max: 9 }).map((quantity) => ({ quantity })),
    fc.integer({ min: 1, max: 9 }).map((held) => ({ held })),
    fc.constant({ fill: true }),
  );
  fc.assert(
    fc.property(fc.array(command, { maxLength: 30 }), (some) => {
      const commands = some.map((each, i): ProductCommand => {
        if ('quantity' in each) return receipt(each.quantity, i);
        return 'held' in each ? hold(orderId(`o${i}`), each.held) : { type: 'fill' };
      });
      for (const { product, at, ledger, numbers } of views(commands)) {
        assert.equal([product, at, ledger], [numbers, numbers, numbers]);
      }
    }),
  );
});

test.run();
