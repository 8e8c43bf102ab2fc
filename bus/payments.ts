/**
 * The mock payment provider.
 *
 * Law: its answer is a pure function of the order, so that a repeat is the same answer on every node; what
 * it did for an order is remembered in the ledger, and a void is final there.
 */
import { fnv1a32, type OrderId } from '../actors/ids.js';
import type { Clock, PaymentLedger, Payments } from '../actors/ports.js';

/** A provider that answers at once, inside the turn. @param successRate 0 to 1 */
export const instantPayments =
  (successRate: number) =>
  (order: OrderId): 'authorized' | 'declined' =>
    fnv1a32(order) / 2 ** 32 < successRate ? 'authorized' : 'declined';

export function mockPayments(options: {
  readonly successRate: number;
  readonly latencyMs: number;
  readonly ledger: PaymentLedger;
  readonly clock: Clock;
}): Payments {
  const { latencyMs, ledger, clock } = options;
  const answer = instantPayments(options.successRate);

  return {
    async perform(operation, order) {
      if (latencyMs > 0) await new Promise<void>((resolve) => clock.after(latencyMs, resolve));
      if (operation === 'capture') return ledger.record(order, 'captured');
      if (operation === 'void') return ledger.record(order, 'voided');
      const stands = await ledger.record(order, answer(order));
      // Voided before it came, or captured since: an authorize has only two answers.
      if (stands === 'voided') return 'declined';
      return stands === 'captured' ? 'authorized' : stands;
    },
  };
}
