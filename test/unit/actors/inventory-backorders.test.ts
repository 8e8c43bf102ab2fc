/** Backordered stock: which order waits, which is filled first, and what a cancellation undoes. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type OrderId, orderId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import {
  available,
  decideProduct,
  evolveProduct,
  fillOwed,
  type ProductState,
  prospectOf,
} from '../../../actors/product/inventory.js';
import type { Backorders, HoldAnswer, ProductCommand, ProductEvent } from '../../../actors/protocol.js';
import { A, adjustOf, held, productAfter, receiveOf, short } from './samples.js';

const test = suite('inventory backorders');

// ---------------------------------------------------------------- given, when, then

const [FIRST, SECOND, THIRD] = [orderId('first'), orderId('second'), orderId('third')];
const given = (...events: ProductEvent[]) => ({
  when: (command: ProductCommand) => ({
    follows(expected: ProductEvent[], letters: object[] = []) {
      assert.equal(decideProduct(productAfter(events), command), { events: expected, letters });
      return productAfter([...events, ...expected]);
    },
    throws: (what: RegExp) => assert.throws(() => decideProduct(productAfter(events), command), what),
  }),
});

const received = (quantity: number, backorders?: Backorders): ProductEvent => ({
  ...receiveOf({ quantity, ...(backorders !== undefined && { backorders }) }),
  type: 'received',
});
const LIMITLESS = received(2, { allowed: true });
const LIMITED = received(2, { allowed: true, limit: 5 });
type Moved = 'held' | 'released' | 'committed' | 'backordered' | 'unbackordered';
const moved = (type: Moved, order: OrderId, quantity: number, no?: number): ProductEvent =>
  (no === undefined ? { type, order, quantity } : { type, order, quantity, no }) as ProductEvent;
const returned = (order: OrderId, quantity: number, no: number): ProductEvent => ({
  ...{ type: 'returned', order, quantity },
  no,
});
const ask = (type: 'hold' | 'release' | 'commit' | 'uncommit', order: OrderId, quantity: number): ProductCommand => ({
  ...{ type, order },
  quantity,
});
const FILL: ProductCommand = { type: 'fill' };
const told = (order: OrderId, answer: HoldAnswer) => ({
  to: { kind: 'order', id: order },
  command: { type: 'holdsAnswered', answers: [answer] },
});
const promised = (order: OrderId, backordered: number) => told(order, { ...held(A), backordered } as HoldAnswer);
const arrived = (order: OrderId, quantity: number) => ({
  to: { kind: 'order', id: order },
  command: { type: 'stockArrived', lines: [{ product: A, quantity }] },
});
const numbers = ({ onHand, held, backordered }: ProductState) => [onHand, held, backordered];

/** Two in stock; the first order took both and waits for three, the second waits for one. */
const QUEUE = [
  LIMITLESS,
  moved('held', FIRST, 2),
  moved('backordered', FIRST, 3),
  moved('backordered', SECOND, 1),
] as const;

// ---------------------------------------------------------------- backordered

test('more than the stock: all of it is held, the rest backordered, and the order gets both numbers', () => {
  const state = given(LIMITLESS)
    .when(ask('hold', FIRST, 5))
    .follows([moved('held', FIRST, 2), moved('backordered', FIRST, 3)], [promised(FIRST, 3)]);
  assert.equal(numbers(state), [2, 2, 3]);
});

test('no stock at all: everything is backordered', () => {
  given(received(0, { allowed: true }))
    .when(ask('hold', FIRST, 5))
    .follows([moved('backordered', FIRST, 5)], [promised(FIRST, 5)]);
});

test('up to the limit of the product, all of it or nothing', () => {
  given(LIMITED)
    .when(ask('hold', FIRST, 7))
    .follows([moved('held', FIRST, 2), moved('backordered', FIRST, 5)], [promised(FIRST, 5)]);
  given(LIMITED)
    .when(ask('hold', FIRST, 8))
    .follows([], [told(FIRST, short(A, 2))]);
  given(LIMITED, moved('held', FIRST, 2), moved('backordered', FIRST, 4))
    .when(ask('hold', SECOND, 2))
    .follows([], [told(SECOND, short(A, 0))]);
});

test('backorders not allowed, or forbidden again: short', () => {
  given(received(2))
    .when(ask('hold', FIRST, 3))
    .follows([], [told(FIRST, short(A, 2))]);
  given(LIMITLESS, received(0, { allowed: false }))
    .when(ask('hold', FIRST, 3))
    .follows([], [told(FIRST, short(A, 2))]);
});

test('a receipt without backorders leaves the rule unchanged', () => {
  assert.equal(productAfter([LIMITED, received(1)]).backorders, { allowed: true, limit: 5 });
});

test('the queue of waiting orders is bounded', () => {
  const waiting = Array.from({ length: limits.waitingOrders }, (_, i) => moved('backordered', orderId(`${i}`), 1));
  given(received(0, { allowed: true }), ...waiting)
    .when(ask('hold', FIRST, 1))
    .follows([], [told(FIRST, short(A, 0))]);
});

test('memory without room for another waiting order: short', () => {
  const state = productAfter([LIMITLESS]);
  const hold = ask('hold', FIRST, 5);
  assert.equal(decideProduct(state, hold, { mayWait: false }), { events: [], letters: [told(FIRST, short(A, 2))] });
  assert.ok('events' in decideProduct(state, ask('hold', FIRST, 2), { mayWait: false }), 'what is there is held');
});

test('while one order waits, new stock is not held for others (I5)', () => {
  const state = productAfter([...QUEUE, received(9)]);
  assert.ok(fillOwed(state));
  given(...QUEUE, received(9))
    .when(ask('hold', THIRD, 1))
    .follows([moved('backordered', THIRD, 1)], [promised(THIRD, 1)]);
});

test('the preview of an answer is the answer, for any waiting orders', () => {
  const stock = fc.record({ onHand: fc.nat(9), held: fc.nat(9), waits: fc.nat(3), limit: fc.option(fc.nat(6)) });
  fc.assert(
    fc.property(
      stock,
      fc.boolean(),
      fc.integer({ min: 1, max: 12 }),
      ({ onHand, held, waits, limit }, allowed, pieces) => {
        const state: ProductState = {
          ...productAfter([received(0, { allowed, ...(limit !== null && { limit }) })]),
          ...{ onHand: Math.max(onHand, held), held, backordered: waits },
          waiting: waits === 0 ? [] : [{ order: FIRST, quantity: waits, committed: false, fills: 0 }],
        };
        const decision = decideProduct(state, ask('hold', SECOND, pieces));
        const [letter] = 'letters' in decision ? decision.letters : [];
        const command = letter?.command;
        const answer = command?.type === 'holdsAnswered' ? command.answers[0] : undefined;
        const backordered = answer?.answer === 'held' && answer.backordered !== undefined;
        assert.is(prospectOf(state, pieces), backordered ? 'backordered' : answer?.answer);
      },
    ),
  );
});

test('an adjustment takes no held stock, and backordered stock does not count as held', () => {
  const some = productAfter([...QUEUE, received(3)]);
  assert.is(available(some), 0, 'all of it is promised to those who wait');
  assert.equal(decideProduct(some, adjustOf(-1)), { refused: 'below_held' });
  const more = productAfter([...QUEUE, received(some.backordered + 2)]);
  assert.equal([available(more), decideProduct(more, adjustOf(-3))], [2, { refused: 'below_held' }]);
  assert.ok('events' in decideProduct(more, adjustOf(-2)));
});

// ---------------------------------------------------------------- filled

test('new stock goes to the order that waits longest; the rest waits on (I5)', () => {
  const state = given(...QUEUE, received(2))
    .when(FILL)
    .follows([moved('held', FIRST, 2, 2)], [arrived(FIRST, 2)]);
  assert.equal([numbers(state), fillOwed(state)], [[4, 4, 2], false]);
  assert.equal(
    state.waiting.map(({ order, quantity }) => `${order} ${quantity}`),
    ['first 1', 'second 1'],
  );
});

test('the next fill has the next number, and reaches the next order in the queue', () => {
  const state = given(...QUEUE, received(2), moved('held', FIRST, 2, 2), received(5))
    .when(FILL)
    .follows([moved('held', FIRST, 1, 3), moved('held', SECOND, 1, 2)], [arrived(FIRST, 1), arrived(SECOND, 1)]);
  assert.equal([numbers(state), state.waiting, fillOwed(state)], [[9, 6, 0], [], false]);
});

test('an order confirmed meanwhile: its filled stock is committed at once', () => {
  const state = given(...QUEUE, moved('committed', FIRST, 2), received(3))
    .when(FILL)
    .follows([moved('held', FIRST, 3, 2), moved('committed', FIRST, 3, 2)], [arrived(FIRST, 3)]);
  assert.equal(numbers(state), [0, 0, 1]);
});

test('without a waiting order, or without stock, a fill does nothing', () => {
  given(LIMITLESS).when(FILL).follows([]);
  given(...QUEUE)
    .when(FILL)
    .follows([]);
});

test('more waiting orders than one command fills: the next fill continues', () => {
  const orders = Array.from({ length: limits.fillsPerTurn * 2 + 1 }, (_, i) => orderId(`${i}`));
  let state = productAfter([
    received(0, { allowed: true }),
    ...orders.map((order) => moved('backordered', order, 1)),
    received(orders.length),
  ]);
  const served: number[] = [];
  const order: string[] = [];
  while (fillOwed(state)) {
    const decided = decideProduct(state, FILL);
    if ('refused' in decided) return assert.unreachable();
    served.push(decided.letters.length);
    order.push(...decided.letters.map(({ to }) => to.id));
    for (const event of decided.events) state = evolveProduct(state, event, 1);
  }
  assert.equal(served, [limits.fillsPerTurn, limits.fillsPerTurn, 1]);
  assert.equal(order, orders);
});

// ---------------------------------------------------------------- released or committed with backorders

test('committed in part: the held stock leaves, the order waits on for the rest', () => {
  const state = given(...QUEUE)
    .when(ask('commit', FIRST, 5))
    .follows([moved('committed', FIRST, 2)]);
  assert.equal([numbers(state), state.waiting[0]?.committed], [[0, 0, 4], true]);
});

test('committed with everything backordered: nothing leaves, and the order counts as committed', () => {
  const state = given(...QUEUE)
    .when(ask('commit', SECOND, 1))
    .follows([moved('committed', SECOND, 0)]);
  assert.equal([numbers(state), state.waiting[1]?.committed], [[2, 2, 4], true]);
});

test('released in part: the held stock is free, and the order waits no more', () => {
  const state = given(...QUEUE)
    .when(ask('release', FIRST, 5))
    .follows([moved('released', FIRST, 2), moved('unbackordered', FIRST, 3)]);
  assert.equal([numbers(state), fillOwed(state)], [[2, 0, 1], true], 'the second is next');
});

test('released with everything backordered: only its place in the queue is given up', () => {
  given(...QUEUE)
    .when(ask('release', SECOND, 1))
    .follows([moved('unbackordered', SECOND, 1)]);
});

test('uncommitted: the committed stock is on hand again, and the backorder is dropped', () => {
  const state = given(...QUEUE, moved('committed', FIRST, 2))
    .when(ask('uncommit', FIRST, 5))
    .follows([returned(FIRST, 2, 1), moved('unbackordered', FIRST, 3)]);
  assert.equal([numbers(state), state.waiting.length], [[2, 0, 1], 1]);
});

test('uncommitted after a fill: the filled stock comes back as well', () => {
  const filled = [received(1), moved('held', FIRST, 1, 2), moved('committed', FIRST, 1, 2)];
  given(...QUEUE, moved('committed', FIRST, 2), ...filled)
    .when(ask('uncommit', FIRST, 5))
    .follows([returned(FIRST, 3, 1), moved('unbackordered', FIRST, 2)]);
});

test('uncommitted without backorders: all of it comes back', () => {
  given(received(5), moved('held', FIRST, 3), moved('committed', FIRST, 3))
    .when(ask('uncommit', FIRST, 3))
    .follows([returned(FIRST, 3, 1)]);
});

test('restocked by a return: on hand again, under the number of the return', () => {
  const sold = [received(5), moved('held', FIRST, 3), moved('committed', FIRST, 3)];
  const state = given(...sold)
    .when({ type: 'return', order: FIRST, quantity: 2, no: 4 })
    .follows([returned(FIRST, 2, 4)]);
  assert.equal(numbers(state), [4, 0, 0]);
});

test('a release beyond the held stock, also beside a backorder, is broken code: it throws (I3)', () => {
  given(...QUEUE)
    .when(ask('release', FIRST, 6))
    .throws(/holds 2, order first gives back or takes 3/);
  given(...QUEUE)
    .when(ask('commit', SECOND, 4))
    .throws(/holds 2, order second gives back or takes 3/);
  given(...QUEUE)
    .when(ask('release', FIRST, 2))
    .throws(/gives back or takes -1/);
});

// ---------------------------------------------------------------- any order of commands

test('I1 and the limit hold for any commands, and the ledger names no movement twice', () => {
  const ORDERS = [FIRST, SECOND, THIRD, orderId('fourth'), orderId('fifth')];
  const step = fc.record({
    what: fc.constantFrom('receive', 'adjust', 'hold', 'end', 'end', 'fill'),
    order: fc.constantFrom(...ORDERS),
    quantity: fc.integer({ min: 1, max: 5 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), fc.option(fc.nat(8)), (steps, limit) => {
      const events: ProductEvent[] = [received(0, { allowed: true, ...(limit !== null && { limit }) })];
      let state = productAfter(events);
      const asked = new Map<OrderId, { readonly quantity: number; stage: 'hold' | 'commit' | 'over' }>();
      for (const { what, order, quantity } of steps) {
        const mine = asked.get(order);
        let command: ProductCommand = FILL;
        if (what === 'receive') command = receiveOf({ quantity });
        else if (what === 'adjust') command = adjustOf(quantity % 2 ? quantity : -quantity);
        else if (what === 'hold' && mine === undefined) command = ask('hold', order, quantity);
        else if (what === 'end' && mine !== undefined && mine.stage !== 'over') {
          const types = { hold: quantity > 2 ? 'commit' : 'release', commit: 'uncommit' } as const;
          command = ask(types[mine.stage], order, mine.quantity);
        } else if (what === 'end' || what === 'hold') continue;
        const decided = decideProduct(state, command);
        if ('refused' in decided) continue;
        const answer = decided.letters[0]?.command;
        if (command.type === 'hold') {
          const isHeld = answer?.type === 'holdsAnswered' && answer.answers[0]?.answer === 'held';
          asked.set(order, { quantity, stage: isHeld ? 'hold' : 'over' });
        } else if (mine !== undefined && command.type !== 'fill' && command.type !== 'receive') {
          if (command.type !== 'adjust') mine.stage = command.type === 'commit' ? 'commit' : 'over';
        }
        for (const event of decided.events) {
          events.push(event);
          state = evolveProduct(state, event, 1);
          assert.ok(0 <= state.held && state.held <= state.onHand, `I1: ${numbers(state)}`);
          const waits = state.waiting.reduce((sum, each) => sum + each.quantity, 0);
          assert.is(state.backordered, waits);
          assert.ok(waits <= (limit ?? limits.stock), 'within the limit');
        }
      }
      const rows = events.flatMap((event) =>
        'order' in event ? [`${event.order} ${event.type} ${('no' in event && event.no) || 1}`] : [],
      );
      assert.is(new Set(rows).size, rows.length, 'a row of the ledger is named once');
    }),
    { numRuns: 1_000 },
  );
});

test.run();
