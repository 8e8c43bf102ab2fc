/** Forgetting: what is erased, when it is refused, and that an erased history folds to the same order as the first one. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { OrderState } from '../../../actors/order/order.js';
import { decideOrder } from '../../../actors/order/order-chart.js';
import { erasedEvent, erasedTurn, forgottenAt, hasPersonalData } from '../../../actors/order/personal-data.js';
import type { OrderCommand, OrderEvent } from '../../../actors/protocol.js';
import { actOf, before, line } from './order-story.js';
import { A, contentOf, held, O1, oneLine, orderAfter, placed, short } from './samples.js';

const test = suite('personal data');

const SENTINEL = 'ada-of-the-sentinel';
const FORGET = { type: 'forget', act: actOf('FORGET') } as const satisfies OrderCommand;
const FORGOTTEN: OrderEvent = { type: 'forgotten', act: actOf('FORGET') };
const CONTENT = {
  ...oneLine(A, 2),
  email: `${SENTINEL}@example.org`,
  notes: `for ${SENTINEL}`,
  shippingAddress: { name: SENTINEL, type: 'forgotten' },
  billingAddress: SENTINEL,
};
const PLACED = placed(CONTENT);
const HELD: OrderEvent = { type: 'held', answers: [held(A)], currency: 'USD', total: 1000 };
const CONFIRMED: OrderEvent[] = [PLACED, HELD, { type: 'paid', captured: true }, { type: 'confirmed' }];
const SHIPPED: OrderEvent = {
  ...{ type: 'shipped', act: before, id: `${O1}-F1`, lines: [line(A, 2)] },
  ...{ tracking: SENTINEL, carrier: 'DHL' },
};
const RETURN: OrderEvent = {
  ...{ type: 'return_requested', act: actOf('R'), id: `${O1}-R1`, lines: [line(A, 1)] },
  reason: `${SENTINEL} does not like it`,
};
const RECEIVED: OrderEvent = { type: 'return_received', act: actOf('RR'), id: `${O1}-R1`, restocked: true };
const REFUND: OrderEvent = {
  ...{ type: 'refund_requested', id: `${O1}-P1`, minor: 500, currency: 'USD', act: actOf('P') },
  reason: SENTINEL,
};
const FAILED: OrderEvent[] = [
  PLACED,
  {
    ...{ type: 'failed', reason: 'out_of_stock', answers: [short(A)], voidOwed: false },
    shortages: [{ product: A, asked: 2, available: 0 }],
  },
];
const CANCELLED: OrderEvent[] = [
  PLACED,
  { type: 'cancelled', act: before, was: 'pending', reason: SENTINEL, voidOwed: false },
  { type: 'answered', answers: [held(A)] },
];

const DONE: readonly (readonly OrderEvent[])[] = [
  FAILED,
  CANCELLED,
  [...CONFIRMED, SHIPPED],
  [...CONFIRMED, SHIPPED, RETURN, RECEIVED, REFUND, { type: 'refunded', id: `${O1}-P1` }],
];

const forgets = (state: OrderState, command: OrderCommand = FORGET) => decideOrder(state, command, {});

test('a story that is over is forgotten: nothing of the person is left, and the rest stays', () => {
  for (const story of DONE) {
    const state = orderAfter([...story]);
    assert.equal(forgets(state), { events: [FORGOTTEN], letters: [] });
    const after = orderAfter([...story, FORGOTTEN]);
    assert.not.match(JSON.stringify(after), SENTINEL);
    assert.equal(
      [after.phase, after.lines, after.total, after.reason, after.shortages, after.content.user],
      [state.phase, state.lines, state.total, state.reason, state.shortages, state.content.user],
    );
    assert.not.ok(hasPersonalData(after));
    assert.equal(forgets(after, { ...FORGET, act: actOf('AGAIN') }), { events: [], letters: [] });
  }
});

test('an erased history folds to the same order, byte for byte', () => {
  for (const story of DONE) {
    const whole = orderAfter([...story, FORGOTTEN]);
    const erased = orderAfter([...story.map(erasedEvent), FORGOTTEN]);
    assert.is(JSON.stringify(erased), JSON.stringify(whole));
  }
});

test('an order that is under way keeps its data; one that only waits for its shipment loses it if that is asked', () => {
  const refused = { refused: 'illegal_transition' };
  for (const story of [[PLACED], [PLACED, HELD], CONFIRMED, CANCELLED.slice(0, 2)])
    assert.equal(forgets(orderAfter(story)), refused);
  const owed = [...CONFIRMED, SHIPPED, RETURN, RECEIVED, REFUND];
  assert.equal(forgets(orderAfter(owed)), refused, 'money is owed');
  const also = { ...FORGET, unshipped: true };
  assert.equal(forgets(orderAfter(CONFIRMED), also), { events: [FORGOTTEN], letters: [] });
  assert.equal(forgets(orderAfter([PLACED, HELD]), also), refused);
});

test('an order without such data has nothing to forget, and a repeat of its placing is compared whole', () => {
  const plain = orderAfter([placed(), { ...FAILED[1], shortages: [] } as OrderEvent]);
  assert.equal(forgets(plain), { events: [], letters: [] });
  const place = (state: OrderState, content: typeof CONTENT | ReturnType<typeof contentOf>) =>
    decideOrder(state, { type: 'place', content, correlation: 'c' }, {});
  assert.equal(place(plain, { ...contentOf(), notes: 'new' }), { refused: 'other_body' });
  const forgotten = orderAfter([...FAILED, FORGOTTEN]);
  for (const content of [CONTENT, oneLine(A, 2), { ...CONTENT, email: 'other@example.org' }])
    assert.equal(place(forgotten, content), { events: [], letters: [] }, 'what was erased is not compared');
  assert.equal(place(forgotten, { ...CONTENT, lines: [line(A, 3)] }), { refused: 'other_body' });
});

test('it is never too late to forget: the memory of acts may be full', () => {
  const acts = Array.from({ length: 2_000 }, (_, i): OrderEvent => ({ type: 'hold_extended', act: actOf(`X${i}`) }));
  const full = orderAfter([PLACED, ...acts, ...CANCELLED.slice(1)]);
  assert.equal(forgets(full), { events: [FORGOTTEN], letters: [] });
});

test('stored turns lose what came before the event, and nothing after it', () => {
  const turn = (version: number, ...events: OrderEvent[]) => ({ version, events: JSON.stringify(events).slice(1, -1) });
  const [first, second] = [turn(1, PLACED, HELD), turn(3, SHIPPED, FORGOTTEN, RETURN)];
  assert.is(forgottenAt([first, second]), 4);
  assert.is(forgottenAt([first]), undefined, 'an address may have any words');
  assert.equal(erasedTurn(first, 4), turn(1, erasedEvent(PLACED), HELD));
  assert.equal(erasedTurn(second, 4), turn(3, erasedEvent(SHIPPED), FORGOTTEN, RETURN));
  assert.is(erasedTurn(turn(5, RETURN), 4).events, turn(5, RETURN).events);
});

test.run();
