/**
 * Orders and products under any interleaving: letters wait in a queue each way between two actors, and
 * a script picks which queue moves, who is paid, who ships, cancels and returns, whose holds are late, who
 * runs out of time. The promises hold at every step, and every order can still reach its end.
 */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { orderId, productId, writeId } from '../../../actors/ids.js';
import type { OrderContext } from '../../../actors/order/order.js';
import { STATUSES, TRANSITIONS } from '../../../actors/order/transitions.js';
import type { Line, OrderAct, OrderStatus } from '../../../actors/protocol.js';
import { Town } from './actors-world.js';
import { contentOf } from './samples.js';

const test = suite('actors, any interleaving');
const ORDERS = [0, 1, 2, 3].map((i) => orderId(`O${i}`));
const PRODUCTS = [0, 1, 2].map((i) => productId(`P${i}`));

// ---------------------------------------------------------------- what may happen

type Step = (town: Town) => unknown;
const step = <T>(arbitrary: fc.Arbitrary<T>, run: (town: Town, drawn: T) => unknown): fc.Arbitrary<Step> =>
  arbitrary.map((drawn) => (town) => run(town, drawn));

const anOrder = fc.constantFrom(...ORDERS);
const aProduct = fc.constantFrom(...PRODUCTS);
const quantity = fc.integer({ min: 1, max: 4 });
const lines: fc.Arbitrary<Line[]> = fc.uniqueArray(fc.record({ product: aProduct, quantity }), {
  minLength: 1,
  maxLength: 3,
  selector: (line) => line.product,
});
const currency = fc.constantFrom(undefined, undefined, undefined, 'USD', 'EUR');

const place = step(fc.tuple(anOrder, lines, currency), (town, [id, asked, currency]) =>
  town.tellOrder(id, {
    type: 'place',
    content: contentOf({ lines: asked, ...(currency === undefined ? {} : { currency }) }),
    correlation: 'c',
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
  (town, [id, quantity, currency, backorders, unitPrice]) =>
    town.tellProduct(id, {
      ...{ type: 'receive', ref: writeId('w'), fingerprint: '', name: '', unitPrice, currency, quantity },
      ...(backorders !== undefined && { backorders }),
    }),
);
const adjust = step(fc.tuple(aProduct, fc.integer({ min: -4, max: 4 })), (town, [id, delta]) =>
  town.tellProduct(id, { type: 'adjust', ref: writeId('w'), fingerprint: '', delta, reason: '' }),
);
const timeOut = step(anOrder, (town, id) => town.tellOrder(id, { type: 'timeOut' }));
const sendLate = step(anOrder, (town, id) => town.tellOrder(id, { type: 'sendLate' }));
const fill = step(aProduct, (town, id) => town.fill(id));
const charge = step(fc.tuple(anOrder, fc.integer({ min: 0, max: 3 })), (town, [id, no]) => town.charge(id, no > 0));
const hearProvider = step(fc.tuple(anOrder, fc.nat(7)), (town, [id, pick]) => town.hearProvider(id, pick));
const deliver = step(fc.nat(20), (town, pick) => town.deliver(pick));

/** As a client says it, before it has a name. */
type Wish = OrderAct extends infer A ? (A extends OrderAct ? Omit<A, 'act'> : never) : never;
const some = fc.option(lines, { nil: undefined });
const wish = fc.oneof<fc.Arbitrary<Wish>[]>(
  fc.constant<Wish>({ type: 'cancel' }),
  some.map((lines): Wish => (lines === undefined ? { type: 'ship' } : { type: 'ship', lines })),
  fc.constant<Wish>({ type: 'ship' }),
  fc.constant<Wish>({ type: 'deliver' }),
  some.map((lines): Wish => (lines === undefined ? { type: 'requestReturn' } : { type: 'requestReturn', lines })),
  fc
    .tuple(fc.constantFrom(1, 2), fc.boolean())
    .map(([no, restock]): Wish => ({ type: 'receiveReturn', returned: `R${no}`, restock })),
  fc
    .constantFrom(undefined, 50, 100, 250)
    .map((minor): Wish => (minor === undefined ? { type: 'refund' } : { type: 'refund', minor })),
  fc.constant<Wish>({ type: 'extendHold' }),
  fc.constantFrom(...STATUSES).map((to: OrderStatus): Wish => ({ type: 'move', to })),
);
let acts = 0;
const act = step(fc.tuple(anOrder, wish), (town, [id, wanted]) => {
  const named = wanted.type === 'receiveReturn' ? { ...wanted, returned: `${id}-${wanted.returned}` } : wanted;
  town.tellOrder(id, { ...named, act: { ref: writeId(`act ${++acts}`), fingerprint: 'f' } } as OrderAct);
});
/** What had its effect is asked again, and once under its name with other content. */
const again = step(fc.nat(50), (town, pick) => {
  const done = town.acts[pick % Math.max(1, town.acts.length)];
  if (done === undefined) return;
  const { order, command } = done;
  const before = town.order(order);
  town.tellOrder(order, command);
  town.tellOrder(order, { ...command, act: { ...command.act, fingerprint: 'other' } });
  assert.is(town.order(order), before, `${order}: ${command.type} had a second effect (O4)`);
});

const steps = fc.array(
  fc.oneof(
    { arbitrary: deliver, weight: 12 },
    { arbitrary: place, weight: 4 },
    { arbitrary: receive, weight: 3 },
    { arbitrary: charge, weight: 4 },
    { arbitrary: hearProvider, weight: 4 },
    { arbitrary: act, weight: 6 },
    { arbitrary: again, weight: 1 },
    { arbitrary: fill, weight: 2 },
    { arbitrary: sendLate, weight: 1 },
    { arbitrary: adjust, weight: 1 },
    { arbitrary: timeOut, weight: 1 },
  ),
  { maxLength: 150, size: 'max' },
);

/** How the provider is, when money moves, and whom the gremlin makes late. */
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

/** Whatever happened: stock comes for all who wait, then each order that stands is shipped, or cancelled. */
function end(town: Town): void {
  town.drain();
  for (const [id, { currency, backordered }] of town.products) {
    if (backordered === 0) continue;
    const receipt = { ref: writeId('w'), fingerprint: '', name: '', unitPrice: 100, currency, quantity: backordered };
    town.tellProduct(id, { type: 'receive', ...receipt });
  }
  town.drain();
  for (const [id, { phase, payment }] of town.orders) {
    const ask = (type: 'cancel' | 'ship' | 'deliver') =>
      town.tellOrder(id, { type, act: { ref: writeId(type), fingerprint: 'f' } });
    if (phase === 'confirmed' && (payment === 'failed' || payment === 'refunded')) ask('cancel');
    ask('ship');
    ask('deliver');
  }
  town.drain();
}

const moves = TRANSITIONS.map(({ from, to, event }) => `${from} ${to} ${event}`);

test('promises hold at every step, and every order can still reach its end', () => {
  const ends = new Set<string>();
  const seen = new Set<string>();
  fc.assert(
    fc.property(context, steps, (context, script) => {
      const town = new Town(context);
      for (const step of script) {
        step(town);
        town.check();
      }
      end(town);
      town.checkTheEnd();
      for (const { phase, reason } of town.orders.values()) ends.add(reason ?? phase);
      for (const move of town.moves) seen.add(move);
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
