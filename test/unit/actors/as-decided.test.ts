/** An order as it was decided: from its decision, from its history, and from its state alone. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decidedBy, decidedIn, isJustDecided } from '../../../actors/order/as-decided.js';
import { evolveOrderBy } from '../../../actors/order/order-fold.js';
import type { OrderEvent } from '../../../actors/protocol.js';
import { A, held, O1, oneLine, orderAfter, placed, short } from './samples.js';

const test = suite('as decided');
const HELD: OrderEvent = { type: 'held', answers: [held(A)], currency: 'USD', total: 500 };
const OUTCOME: OrderEvent[] = [{ type: 'paid', captured: false }, { type: 'confirmed' }];
const ACT = { ref: 'w', fingerprint: 'f' } as Extract<OrderEvent, { type: 'cancelled' }>['act'];
const CANCELLED: OrderEvent = { type: 'cancelled', act: ACT, was: 'pending', voidOwed: true };
const history = (events: readonly OrderEvent[]) => events.map((event) => ({ event, at: 1 }));

test('later events of the same moment are no part of it', () => {
  const events = [placed(oneLine(A, 1)), HELD, ...OUTCOME, { type: 'captured' } as const];
  const state = decidedIn(O1, history(events));
  assert.equal([state?.version, state?.payment], [4, 'authorized']);
  assert.is(decidedIn(O1, history(events.slice(0, 3))), undefined);
});

test('a decision that goes on past the outcome counts up to the outcome, as in its history', () => {
  const before = orderAfter([placed(oneLine(A, 1)), HELD]);
  const events: OrderEvent[] = [CANCELLED, { type: 'voided' }];
  const at = before.updatedAt;
  const decided = decidedBy(before, events, evolveOrderBy(before, events, at), at);
  assert.equal([decided?.version, decided?.voidOwed], [3, true]);
  assert.is(decidedBy(decided ?? before, [{ type: 'voided' }], evolveOrderBy(before, events, at), at), undefined);
});

test('the state alone is enough for an order that ended with its second event, and for no other', () => {
  const failed = (notes: string): OrderEvent[] => [
    placed({ ...oneLine(A, 1), notes }),
    { type: 'failed', reason: 'out_of_stock', answers: [short(A)], shortages: [], voidOwed: false },
  ];
  const ANSWERED: OrderEvent = { type: 'answered', answers: [held(A)] };
  assert.ok(isJustDecided(orderAfter(failed(''))));
  assert.ok(isJustDecided(orderAfter([placed(oneLine(A, 1)), { ...CANCELLED, voidOwed: false }])));
  assert.not(isJustDecided(orderAfter([...failed(''), ANSWERED])), 'something followed, perhaps in another turn');
  assert.not(isJustDecided(orderAfter([placed(oneLine(A, 1)), ANSWERED])), 'it has no outcome');
  assert.not(isJustDecided(orderAfter(failed('a \ufffd in it'))), 'it may have been a NUL');
});

test('the state alone is enough if nothing can have followed, and its text equals the answer', () => {
  const after = (notes: string, ...more: OrderEvent[]) =>
    orderAfter([placed({ ...oneLine(A, 1), notes }), HELD, ...OUTCOME, ...more]);
  assert.ok(isJustDecided(after('')));
  assert.not(isJustDecided(after('', { type: 'captured' })));
  assert.not(isJustDecided(after('a \ufffd in it')), 'it may have been a NUL');
});

test.run();
