/**
 * The mock payment provider's memory.
 *
 * An order gets one decision, `authorized` or `declined`, ever: a unique index arbitrates. A void
 * that comes first takes the decision itself, as declined, so that no authorization can follow it;
 * one that comes later stands beside it, and from then on the order answers as declined.
 */
import type { OrderId } from '../actors/ids.js';
import type { PaymentLedger } from '../actors/ports.js';
import type { PaymentOutcome } from '../actors/protocol.js';
import type { PostgresClient } from './postgres.js';

const RECORD = `insert into payment_effects (order_id, effect)
  select $1, effect from unnest(case when $2 = 'voided' then array['declined', 'voided'] else array[$2] end) effect
  where $2 <> 'captured' or not exists (select from payment_effects where order_id = $1 and effect = 'voided')
  on conflict do nothing`;

const EFFECTS = 'select effect from payment_effects where order_id = $1';

export function postgresPaymentLedger(client: PostgresClient): PaymentLedger {
  return {
    async record(order: OrderId, outcome: PaymentOutcome) {
      await client.query('record a payment', RECORD, [order, outcome]);
      const rows = await client.query<{ effect: PaymentOutcome }>('read what was paid', EFFECTS, [order]);
      return standing(outcome, new Set(rows.map(({ effect }) => effect)));
    },
  };
}

/** What an order that has these effects answers to one more attempt. */
export function standing(outcome: PaymentOutcome, effects: ReadonlySet<PaymentOutcome>): PaymentOutcome {
  if (outcome === 'voided') return 'voided';
  if (effects.has('voided')) return 'declined';
  if (outcome === 'captured') return 'captured';
  return effects.has('authorized') ? 'authorized' : 'declined';
}
