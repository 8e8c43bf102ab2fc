/**
 * The mock payment provider's ledger in Postgres.
 *
 * A call runs one database function (0006_payments.sql). It locks the order first, so it decides on current data.
 * Unique keys and a check also enforce the port's laws, whoever writes.
 */
import type { PaymentLedger } from '../../actors/ports/payments.js';
import type { PaymentOutcome } from '../../actors/protocol.js';
import type { PostgresClient } from './postgres.js';

const PERFORM = 'select payment_perform($1, $2, $3, $4, $5, $6) as outcome';

export function postgresPaymentLedger(client: PostgresClient): PaymentLedger {
  return {
    async record({ order, operation, ref, minor, currency }, decision) {
      const parameters = [order, operation, ref, minor, currency, decision];
      const [row] = await client.query<{ outcome: PaymentOutcome }>('record a payment', PERFORM, parameters);
      if (row === undefined) throw new Error('record a payment: Postgres answered without a row');
      return row.outcome;
    },
  };
}
