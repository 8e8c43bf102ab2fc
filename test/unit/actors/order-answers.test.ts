/** What an order remembers of acts without effect, and which acts contradict its state. Given, when, then. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { lastAt, revision } from '../../../actors/order/order.js';
import { decideOrder } from '../../../actors/order/order-chart.js';
import { evolveOrder } from '../../../actors/order/order-fold.js';
import type { OrderCommand, OrderEvent, OrderRefusal } from '../../../actors/protocol.js';
import { AT_ONCE, act, actOf, before, CANCEL, DELIVER, given, line, PAID, SHIP, shipped } from './order-story.js';
import { A, orderAfter, placed } from './samples.js';

const test = suite('order answers');

const answered = (refused?: OrderRefusal, by = act): OrderEvent =>
  refused === undefined ? { type: 'act_answered', act: by } : { type: 'act_answered', act: by, refused };

test('a refused act stays refused, even if it were possible today (O4)', () => {
  given(placed(), answered('illegal_transition')).when({ type: 'ship', act }).refused('illegal_transition');
  given(placed(), answered('backordered')).when(CANCEL).refused('backordered');
  given(placed(), answered('backordered'))
    .when({ type: 'cancel', act: actOf('X', 'another request') })
    .refused('other_body');
});

test('an act with nothing to do stays without effect: a late repeat does nothing else', () => {
  const story = [...PAID, shipped(1, [line(A, 1)], before), answered()];
  given(...story, shipped(2, [line(A, 1)], actOf('LATER')))
    .when(DELIVER)
    .follows([]);
});

test('an act without effect changes no time and no revision', () => {
  const state = orderAfter([...PAID]);
  const after = evolveOrder(state, answered('backordered'), 9_999);
  assert.equal([after.version, after.updatedAt], [state.version + 1, state.updatedAt]);
  assert.is(revision(after), revision(state));
  assert.is(lastAt(after), 9_999, 'a turn after it is no earlier');
  assert.equal({ ...after, version: state.version, life: state.life }, state);
});

test('an act has the number of events decided with it', () => {
  for (const [command, count] of [
    [CANCEL, 3],
    [SHIP, undefined],
  ] as const) {
    const decided = decideOrder(orderAfter([...PAID]), command, AT_ONCE);
    const [own] = 'events' in decided ? decided.events : [];
    assert.ok(own !== undefined && 'act' in own);
    assert.is(own.act?.events, count);
  }
});

test('shipped already: a repeat of the shipment is 200, another tracking id or carrier contradicts it', () => {
  const first: OrderEvent = { ...shipped(1, [line(A, 2)], before), tracking: 'T1', carrier: 'C' } as OrderEvent;
  const rest = { ...shipped(2, [line('B' as never, 1)], actOf('B2')), tracking: 'T2' } as OrderEvent;
  const story = given(...PAID, first, rest);
  const again = (said: object): OrderCommand => ({ type: 'ship', act, ...said });
  for (const said of [{}, { tracking: 'T1' }, { tracking: 'T1', carrier: 'C' }, { tracking: 'T2' }])
    story.when(again(said)).follows([]);
  for (const said of [{ tracking: 'T3' }, { carrier: 'D' }, { tracking: 'T2', carrier: 'C' }])
    story.when(again(said)).refused('done_otherwise');
});

test('cancelled already: the same reason or none is 200, another reason contradicts it', () => {
  const cancelled: OrderEvent = { type: 'cancelled', act: before, was: 'pending', reason: 'late', voidOwed: false };
  const story = given(placed(), cancelled);
  for (const said of [{}, { reason: 'late' }]) story.when({ type: 'cancel', act, ...said }).follows([]);
  story.when({ type: 'cancel', act, reason: 'broken' }).refused('done_otherwise');
  story.when({ type: 'move', act, to: 'cancelled' }).follows([]);
});

test.run();
