/**
 * The mock payment provider.
 *
 * Law: whether it authorizes is a pure function of the order, so that every node gives the same answer to a repeat.
 * With latency it has a memory, as a real provider has: the ledger, which keeps the port's laws. Without latency every
 * answer is a pure function: the turn asks it, and the order records what was paid.
 */
import { fnv1a32, type OrderId } from '../../actors/ids.js';
import type { PaymentLedger, Payments } from '../../actors/ports/payments.js';
import type { Clock } from '../../actors/ports/runtime.js';

/** The share of the latency by which an answer may come earlier or later. */
const JITTER = 0.1;

/** A provider that answers at once, inside the turn. @param successRate 0 to 1 */
export const instantPayments =
  (successRate: number) =>
  (order: OrderId): 'authorized' | 'declined' =>
    fnv1a32(order) / 2 ** 32 < successRate ? 'authorized' : 'declined';

/** The same provider for operations between turns. It remembers nothing, so it refuses no operation of an order. */
export function forgetfulPayments(successRate: number): Payments {
  const decide = instantPayments(successRate);
  const answers = { capture: 'captured', void: 'voided', refund: 'refunded' } as const;
  return {
    perform: async ({ operation, order }) => (operation === 'authorize' ? decide(order) : answers[operation]),
  };
}

export function mockPayments(options: {
  readonly successRate: number;
  readonly latencyMs: number;
  readonly ledger: PaymentLedger;
  readonly clock: Clock;
}): Payments {
  const { latencyMs, ledger, clock } = options;
  const decide = instantPayments(options.successRate);
  return {
    async perform(request) {
      const takesMs = latencyMs * (1 - JITTER + 2 * JITTER * clock.random());
      if (latencyMs > 0) await new Promise<void>((resolve) => clock.after(takesMs, resolve));
      return ledger.record(request, decide(request.order));
    },
  };
}
