// What a payment provider promises an order (actors/ports/payments.ts, payments.M1 to payments.M5), whoever moves the money.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type OrderId, orderId, paymentRef } from '../../actors/ids.js';
import type { PaymentRequest, Payments } from '../../actors/ports/payments.js';
import type { PaymentOperation, PaymentOutcome } from '../../actors/protocol.js';
import { instantPayments } from '../../bus/payments/mock-provider.js';
import { uniqueName } from './rig/storage-samples.js';

/** The provider under test. */
export const SUCCESS_RATE = 0.5;
const AT_ONCE = 50;
const RACES = 20;
const TOTAL = 10_000;

const decide = instantPayments(SUCCESS_RATE);

/** A new order that the provider will authorize, or decline. */
export function anOrderThatIs(decision: 'authorized' | 'declined'): OrderId {
  for (;;) {
    const id = orderId(uniqueName('ORD'));
    if (decide(id) === decision) return id;
  }
}

export const ask = (
  order: OrderId,
  operation: PaymentOperation,
  over: Partial<PaymentRequest> = {},
): PaymentRequest => ({
  operation,
  order,
  ref: paymentRef(order, operation),
  minor: TOTAL,
  currency: 'EUR',
  ...over,
});

export function paymentsContract(name: string, payments: Payments, after: () => Promise<void> = async () => {}): void {
  const test = suite(`payments contract: ${name}`);
  test.after(after);

  const perform = (order: OrderId, operation: PaymentOperation, over?: Partial<PaymentRequest>) =>
    payments.perform(ask(order, operation, over));
  const refund = (order: OrderId, ref: string, minor: number, currency = 'EUR') =>
    perform(order, 'refund', { ref, minor, currency });
  const inTurn = async (order: OrderId, ...operations: PaymentOperation[]) => {
    const answers: PaymentOutcome[] = [];
    for (const operation of operations) answers.push(await perform(order, operation));
    return answers;
  };
  const captured = async (): Promise<OrderId> => {
    const order = anOrderThatIs('authorized');
    assert.equal(await inTurn(order, 'authorize', 'capture'), ['authorized', 'captured']);
    return order;
  };

  test('authorized, then captured; a repeat gets the same answer', async () => {
    const order = await captured();
    assert.equal(await inTurn(order, 'capture', 'authorize', 'capture'), ['captured', 'authorized', 'captured']);
  });

  test('a declined order stays declined and is not captured', async () => {
    const order = anOrderThatIs('declined');
    assert.equal(await inTurn(order, 'authorize', 'authorize', 'capture'), ['declined', 'declined', 'declined']);
    assert.equal(await inTurn(order, 'void', 'void', 'capture'), ['voided', 'voided', 'voided']);
  });

  test('a void is final, after the authorization or before it', async () => {
    const [late, first] = [anOrderThatIs('authorized'), anOrderThatIs('authorized')];
    assert.equal(await inTurn(late, 'authorize', 'void', 'void'), ['authorized', 'voided', 'voided']);
    assert.equal(await inTurn(late, 'authorize', 'capture', 'void'), ['declined', 'voided', 'voided']);
    assert.equal(await inTurn(first, 'void', 'authorize', 'capture'), ['voided', 'declined', 'voided']);
    assert.is(await refund(first, uniqueName('R'), 1), 'declined');
  });

  test('a void after a capture says so and changes nothing', async () => {
    const order = await captured();
    assert.equal(await inTurn(order, 'void', 'capture', 'void'), ['captured', 'captured', 'captured']);
    assert.is(await refund(order, uniqueName('R'), TOTAL), 'refunded');
    assert.is(await perform(order, 'void'), 'captured');
  });

  test('a capture without an authorization is declined, also once an authorization comes', async () => {
    const order = anOrderThatIs('authorized');
    assert.equal(await inTurn(order, 'capture', 'authorize', 'capture'), ['declined', 'authorized', 'declined']);
    assert.is(await perform(order, 'void'), 'voided');
  });

  test('refunds: in part, each once, never more than was captured', async () => {
    const order = await captured();
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(uniqueName) as [string, string, string, string];
    assert.is(await refund(order, a, 6_000), 'refunded');
    assert.is(await refund(order, b, 4_001), 'declined');
    assert.is(await refund(order, a, 6_000), 'refunded', 'a repeat');
    assert.is(await refund(order, c, 4_000), 'refunded');
    assert.is(await refund(order, d, 1), 'declined');
    assert.is(await refund(order, b, 4_001), 'declined', 'a repeat');
  });

  test('a refund in another currency, or without a capture, is declined for good', async () => {
    const order = anOrderThatIs('authorized');
    const [early, other] = [uniqueName('R'), uniqueName('R')];
    assert.is(await refund(order, early, 1), 'declined');
    assert.equal(await inTurn(order, 'authorize', 'capture'), ['authorized', 'captured']);
    assert.is(await refund(order, early, 1), 'declined');
    assert.is(await refund(order, other, 1, 'USD'), 'declined');
    assert.is(await refund(order, uniqueName('R'), TOTAL), 'refunded');
  });

  test('two orders may use the same name for a refund', async () => {
    const ref = uniqueName('R');
    for (const order of [await captured(), await captured()]) {
      const own = `${order}/${ref}`;
      assert.equal([await refund(order, own, TOTAL), await refund(order, own, TOTAL)], ['refunded', 'refunded']);
    }
  });

  test('ids with special characters arrive unchanged', async () => {
    for (let i = 0; ; i++) {
      const order = orderId(`Bestellung ${i} für "Zoë" %3A\u{1f600}/${uniqueName('')}`);
      if (decide(order) !== 'authorized') continue;
      assert.equal(await inTurn(order, 'authorize', 'capture', 'void'), ['authorized', 'captured', 'captured']);
      return;
    }
  });

  test('amounts are exact to the last cent', async () => {
    const order = anOrderThatIs('authorized');
    const minor = Number.MAX_SAFE_INTEGER;
    await perform(order, 'authorize', { minor });
    await perform(order, 'capture', { minor });
    assert.is(await refund(order, uniqueName('R'), minor - 1), 'refunded');
    assert.is(await refund(order, uniqueName('R'), 2), 'declined');
    assert.is(await refund(order, uniqueName('R'), 1), 'refunded');
  });

  // -------------------------------------------------------------- at once

  const times = <T>(count: number, each: (i: number) => Promise<T>) =>
    Promise.all(Array.from({ length: count }, (_, i) => each(i)));
  const only = (answers: readonly PaymentOutcome[], outcome: PaymentOutcome) =>
    assert.equal([...new Set(answers)], [outcome]);
  const count = (answers: readonly PaymentOutcome[], outcome: PaymentOutcome) =>
    answers.filter((answer) => answer === outcome).length;

  test(`${AT_ONCE} equal requests at once have one effect`, async () => {
    const order = anOrderThatIs('authorized');
    only(await times(AT_ONCE, () => perform(order, 'authorize')), 'authorized');
    only(await times(AT_ONCE, () => perform(order, 'capture')), 'captured');
    const ref = uniqueName('R');
    only(await times(AT_ONCE, () => refund(order, ref, TOTAL)), 'refunded');
    assert.is(await refund(order, uniqueName('R'), 1), 'declined');
  });

  test(`${AT_ONCE} refunds at once return what was captured and no more`, async () => {
    const order = await captured();
    const answers = await times(AT_ONCE, () => refund(order, uniqueName('R'), 1_000));
    assert.equal([count(answers, 'refunded'), count(answers, 'declined')], [10, AT_ONCE - 10]);
  });

  test('a void and a capture at once: one wins, and both answers name the winner', async () => {
    await times(RACES, async () => {
      const order = anOrderThatIs('authorized');
      await perform(order, 'authorize');
      const [first, ...others] = await times(4, (i) => perform(order, i % 2 === 0 ? 'capture' : 'void'));
      assert.ok(first === 'captured' || first === 'voided', first);
      only(others, first);
      assert.is(await refund(order, uniqueName('R'), TOTAL), first === 'captured' ? 'refunded' : 'declined');
    });
  });

  test('a void and an authorization at once: nothing can be captured afterwards', async () => {
    await times(RACES, async () => {
      const order = anOrderThatIs('authorized');
      const [voided] = await Promise.all([perform(order, 'void'), perform(order, 'authorize')]);
      assert.is(voided, 'voided');
      assert.equal(await inTurn(order, 'authorize', 'capture'), ['declined', 'voided']);
    });
  });

  test.run();
}
