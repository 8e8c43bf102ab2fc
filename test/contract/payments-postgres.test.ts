// The mock provider's memory in Postgres; its constraints hold for any writer.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { mockPayments } from '../../bus/payments/mock-provider.js';
import { systemClock } from '../../bus/system-clock.js';
import { sqlState } from '../../storage/postgres/postgres.js';
import { postgresPaymentLedger } from '../../storage/postgres/postgres-payment-ledger.js';
import { anOrderThatIs, ask, paymentsContract, SUCCESS_RATE } from './payments.suite.js';
import { testDatabase } from './rig/storage-database.js';

const UNIQUE = '23505';
const CHECK = '23514';

const database = await testDatabase();
if (database !== undefined) {
  const { client, stop } = database;
  const ledger = postgresPaymentLedger(client);
  const payments = mockPayments({ successRate: SUCCESS_RATE, latencyMs: 2, ledger, clock: systemClock() });

  const test = suite('payment effects in Postgres');
  test('no second decision, no second end, no second refund, and no refund beyond the capture', async () => {
    const order = anOrderThatIs('authorized');
    await payments.perform(ask(order, 'authorize'));
    await payments.perform(ask(order, 'capture'));
    await payments.perform(ask(order, 'refund', { ref: 'R', minor: 1 }));
    const refusal = (text: string) =>
      client.query('tamper', text, [order]).then(
        () => 'taken',
        (error: unknown) => sqlState(error),
      );
    const insert = (effect: string) =>
      refusal(
        `insert into payment_effects (order_id, effect, ref, minor, currency) values ($1, '${effect}', 'R', 1, 'EUR')`,
      );
    assert.is(await insert('declined'), UNIQUE);
    assert.is(await insert('voided'), UNIQUE);
    assert.is(await insert('refunded'), UNIQUE);
    const back = (sum: number) =>
      refusal(`update payment_effects set returned = ${sum} where order_id = $1 and effect = 'captured'`);
    assert.is(await back(10_001), CHECK);
    assert.is(await back(-1), CHECK);
  });
  test.run();

  paymentsContract('Postgres', payments, stop);
}
