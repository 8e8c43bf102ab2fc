/**
 * The mock payment provider's memory.
 *
 * One call is one function of the database (0006_payments.sql), which locks the order first: what it
 * decides on is what stands. Unique keys and a check keep the port's laws besides, whoever writes.
 */
import type { PaymentLedger } from '../../actors/ports/payments.js';
import type { PaymentOutcome } from '../../actors/protocol.js';
import type { PostgresClient } from './postgres.js';

const PERFORM = 'select payment_perform($1, $2, $3, $4, $5, $6) as outcome';

export function postgresPaymentLedger(client: PostgresClient): PaymentLedger {
  return {
    async record({ order, operation, ref, minor, currency }, decision) {
      const asked = [order, operation, ref, minor, currency, decision];
      const [row] = await client.query<{ outcome: PaymentOutcome }>('record a payment', PERFORM, asked);
      if (row === undefined) throw new Error('record a payment: Postgres answered without a row');
      return row.outcome;
    },
  };
}
