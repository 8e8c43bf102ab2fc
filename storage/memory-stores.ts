/** The small twins: the settlement, the mock payment provider's memory and the gremlin's switch. */
import type { GremlinStanding } from '../actors/gremlin.js';
import type { OrderId } from '../actors/ids.js';
import type { Clock, GremlinSwitch, PaymentLedger, Settlements } from '../actors/ports.js';
import type { PaymentOutcome } from '../actors/protocol.js';
import type { Settlement } from '../actors/settlement.js';
import { standing } from './payment-ledger.js';

export function memorySettlements(): Settlements {
  let stands: Settlement | undefined;
  return {
    settled: async () => stands,
    async settle(mine) {
      stands ??= mine;
      return stands;
    },
  };
}

export function memoryPaymentLedger(): PaymentLedger {
  const ledger = new Map<OrderId, Set<PaymentOutcome>>();
  return {
    async record(order, outcome) {
      const effects = ledger.get(order) ?? new Set();
      ledger.set(order, effects);
      const decided = effects.has('authorized') || effects.has('declined');
      if (outcome === 'voided') {
        if (!decided) effects.add('declined');
        effects.add('voided');
      } else if (outcome === 'captured') {
        if (!effects.has('voided')) effects.add('captured');
      } else if (!decided) {
        effects.add(outcome);
      }
      return standing(outcome, effects);
    },
  };
}

export function memoryGremlinSwitch(clock: Pick<Clock, 'now'>): GremlinSwitch {
  let stands: GremlinStanding | undefined;
  const standing = () => {
    const restMs = (stands?.until ?? 0) - clock.now();
    return stands && restMs > 0 ? { ...stands, restMs } : undefined;
  };
  return {
    async enable(id, setting, forMs) {
      const since = clock.now();
      stands = { id, setting, since, until: since + forMs, restMs: forMs };
      return stands;
    },
    async disable() {
      stands = undefined;
    },
    standing: async () => standing(),
  };
}
