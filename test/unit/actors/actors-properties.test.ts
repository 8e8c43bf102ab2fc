/**
 * Orders and products under any interleaving. Letters wait in a queue each way between two actors, and a script
 * picks the next step: a letter, a payment, a shipment, a cancellation, a return, a late hold, a timeout.
 * The laws hold at every step, and every order can still reach its end.
 */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { orderId, productId, writeId } from '../../../actors/ids.js';
import { importOf } from '../../../actors/order/imported-order.js';
import type { OrderContext } from '../../../actors/order/order.js';
import { STATUSES, TRANSITIONS } from '../../../actors/order/transitions.js';
import type { Line, OrderAct, OrderStatus } from '../../../actors/protocol.js';
import { World } from './actors-world.js';
import { contentOf } from './samples.js';

const test = suite('actors, any interleaving');
const ORDERS = [0, 1, 2, 3].map((i) => orderId(`O${i}`));
const PRODUCTS = [0, 1, 2].map((i) => productId(`P${i}`));

// ---------------------------------------------------------------- steps

type Step = (world: World) => unknown;
const step = <T>(arbitrary: fc.Arbitrary<T>, run: (world: World, drawn: T) => unknown): fc.Arbitrary<Step> =>
  arbitrary.map((drawn) => (world) => run(world, drawn));

const anOrder = fc.constantFrom(...ORDERS);
const aProduct = fc.constantFrom(...PRODUCTS);
const quantity = fc.integer({ min: 1, max: 4 });
const lines: fc.Arbitrary<Line[]> = fc.uniqueArray(fc.record({ product: aProduct, quantity }), {
  minLength: 1,
  maxLength: 3,
  selector: (line) => line.product,
});
const currency = fc.constantFrom(undefined, undefined, undefined, 'USD', 'EUR');

const place = step(fc.tuple(anOrder, lines, currency), (world, [id, asked, currency]) =>
  world.commandOrder(id, {
    type: 'place',
    content: contentOf({ lines: asked, ...(currency === undefined ? {} : { currency }) }),
    correlation: 'c',
  }),
);
const importOrder = step(lines, (world, items) =>
  world.commandOrder(orderId('elsewhere'), {
    ...{ type: 'import', correlation: 'c' },
    ...importOf({
      origin: 'shop',
      items: items.map((line) => ({ ...line, cost: { currency: 'USD', units: 5n, nanos: 0 } })),
    }),
  }),
);
const backorders = fc.constantFrom(
  undefined,
  { allowed: false },
  { allowed: true },
  { allowed: true, limit: 3 },
  { allowed: true, limit: 6 },
);
const receive = step(
  fc.tuple(aProduct, quantity, fc.constantFrom('USD', 'USD', 'USD', 'EUR'), backorders, fc.constantFrom(100, 100, 0)),
  (world, [id, quantity, currency, backorders, unitPrice]) =>
    world.commandProduct(id, {
      ...{ type: 'receive', ref: writeId('w'), fingerprint: '', name: '', unitPrice, currency, quantity },
      ...(backorders !== undefined && { backorders }),
    }),
);
const adjust = step(fc.tuple(aProduct, fc.integer({ min: -4, max: 4 })), (world, [id, delta]) =>
  world.commandProduct(id, { type: 'adjust', ref: writeId('w'), fingerprint: '', delta, reason: '' }),
);
const timeOut = step(anOrder, (world, id) => world.commandOrder(id, { type: 'timeOut' }));
const sendLate = step(anOrder, (world, id) => world.commandOrder(id, { type: 'sendLate' }));
const fill = step(aProduct, (world, id) => world.fill(id));
const charge = step(fc.tuple(anOrder, fc.integer({ min: 0, max: 3 })), (world, [id, no]) => world.charge(id, no > 0));
const deliverPayment = step(fc.tuple(anOrder, fc.nat(7)), (world, [id, pick]) => world.deliverPayment(id, pick));
const deliver = step(fc.nat(20), (world, pick) => world.deliver(pick));

/** An act as a client requests it, before it has a reference. */
type UnnamedAct = OrderAct extends infer A ? (A extends OrderAct ? Omit<A, 'act'> : never) : never;
const some = fc.option(lines, { nil: undefined });
const anAct = fc.oneof<fc.Arbitrary<UnnamedAct>[]>(
  fc.constant<UnnamedAct>({ type: 'cancel' }),
  some.map((lines): UnnamedAct => (lines === undefined ? { type: 'ship' } : { type: 'ship', lines })),
  fc.constant<UnnamedAct>({ type: 'ship' }),
  fc.constant<UnnamedAct>({ type: 'deliver' }),
  some.map((lines): UnnamedAct => (lines === undefined ? { type: 'requestReturn' } : { type: 'requestReturn', lines })),
  fc
    .tuple(fc.constantFrom(1, 2), fc.boolean())
    .map(([no, restock]): UnnamedAct => ({ type: 'receiveReturn', returned: `R${no}`, restock })),
  fc
    .constantFrom(undefined, 50, 100, 250)
    .map((minor): UnnamedAct => (minor === undefined ? { type: 'refund' } : { type: 'refund', minor })),
  fc.constant<UnnamedAct>({ type: 'extendHold' }),
  fc.constantFrom(...STATUSES).map((to: OrderStatus): UnnamedAct => ({ type: 'move', to })),
);
let acts = 0;
const act = step(fc.tuple(anOrder, anAct), (world, [id, wanted]) => {
  const named = wanted.type === 'receiveReturn' ? { ...wanted, returned: `${id}-${wanted.returned}` } : wanted;
  world.commandOrder(id, { ...named, act: { ref: writeId(`act ${++acts}`), fingerprint: 'f' } } as OrderAct);
});
/** Repeats an act that had its effect, then sends other content under its reference. */
const again = step(fc.nat(50), (world, pick) => {
  const done = world.acts[pick % Math.max(1, world.acts.length)];
  if (done === undefined) return;
  const { order, command } = done;
  const before = world.order(order);
  world.commandOrder(order, command);
  world.commandOrder(order, { ...command, act: { ...command.act, fingerprint: 'other' } });
  assert.is(world.order(order), before, `${order}: ${command.type} had a second effect (O4)`);
});

const steps = fc.array(
  fc.oneof(
    { arbitrary: deliver, weight: 12 },
    { arbitrary: place, weight: 4 },
    { arbitrary: importOrder, weight: 1 },
    { arbitrary: receive, weight: 3 },
    { arbitrary: charge, weight: 4 },
    { arbitrary: deliverPayment, weight: 4 },
    { arbitrary: act, weight: 6 },
    { arbitrary: again, weight: 1 },
    { arbitrary: fill, weight: 2 },
    { arbitrary: sendLate, weight: 1 },
    { arbitrary: adjust, weight: 1 },
    { arbitrary: timeOut, weight: 1 },
  ),
  { maxLength: 150, size: 'max' },
);

/** The provider's answers, the time of the capture, and the holds that the gremlin delays. */
const context = fc
  .tuple(
    fc.constantFrom<'authorized' | 'declined' | undefined>('authorized', 'declined', undefined, undefined),
    fc.constantFrom<'confirm' | 'ship' | undefined>('confirm', 'ship', undefined),
    fc.integer({ min: 0, max: 3 }),
  )
  .map(([instant, captureOn, every]): OrderContext => {
    let holds = 0;
    return {
      captureOn,
      ...(instant !== undefined && { instantPayment: () => instant }),
      ...(every > 0 && { holdDelayMs: () => (++holds % every === 0 ? 5_000 : 0) }),
    };
  });

/** Ends the story: stock for all backorders, then each order that still stands is shipped or cancelled. */
function end(world: World): void {
  world.drain();
  for (const [id, { currency, backordered }] of world.products) {
    if (backordered === 0) continue;
    const receipt = { ref: writeId('w'), fingerprint: '', name: '', unitPrice: 100, currency, quantity: backordered };
    world.commandProduct(id, { type: 'receive', ...receipt });
  }
  world.drain();
  for (const [id, { phase, payment }] of world.orders) {
    const ask = (type: 'cancel' | 'ship' | 'deliver') =>
      world.commandOrder(id, { type, act: { ref: writeId(type), fingerprint: 'f' } });
    if (phase === 'confirmed' && (payment === 'failed' || payment === 'refunded')) ask('cancel');
    ask('ship');
    ask('deliver');
  }
  world.drain();
}

const moves = TRANSITIONS.map(({ from, to, event }) => `${from} ${to} ${event}`);

test('the laws hold at every step, and every order can still reach its end', () => {
  const ends = new Set<string>();
  const seen = new Set<string>();
  fc.assert(
    fc.property(context, steps, (context, script) => {
      const world = new World(context);
      for (const step of script) {
        step(world);
        world.check();
      }
      end(world);
      world.checkTheEnd();
      for (const { phase, reason } of world.orders.values()) ends.add(reason ?? phase);
      for (const move of world.moves) seen.add(move);
    }),
    { numRuns: 3_000 },
  );
  assert.equal(
    [...ends].sort(),
    ['cancelled', 'delivered', 'out_of_stock', 'payment_declined', 'timed_out', 'unknown_product'],
    'every way to an end was taken',
  );
  assert.equal([...seen].sort(), moves.sort(), 'the table of transitions is what happens, no more and no less');
});

test.run();
