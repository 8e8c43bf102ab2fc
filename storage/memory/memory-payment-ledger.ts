/** The mock payment provider's ledger in memory. A call never awaits, so calls cannot interleave. */
import type { OrderId } from '../../actors/ids.js';
import type { PaymentLedger, PaymentRequest } from '../../actors/ports/payments.js';
import type { PaymentOutcome } from '../../actors/protocol.js';

interface Account {
  decided?: 'authorized' | 'declined';
  ended?: 'captured' | 'voided';
  captured: { readonly minor: number; readonly currency: string };
  returned: number;
  /** The answers by ref: refunds, and requests that were declined for good. */
  readonly answered: Map<string, 'refunded' | 'declined'>;
}

export function memoryPaymentLedger(): PaymentLedger {
  const accounts = new Map<OrderId, Account>();
  return {
    async record(request, decision) {
      const account: Account = accounts.get(request.order) ?? {
        captured: { minor: 0, currency: '' },
        returned: 0,
        answered: new Map(),
      };
      accounts.set(request.order, account);
      return perform(account, request, decision);
    },
  };
}

function perform(account: Account, request: PaymentRequest, decision: 'authorized' | 'declined'): PaymentOutcome {
  const { operation, ref, minor, currency } = request;
  const { ended, answered } = account;
  switch (operation) {
    case 'authorize':
      if (ended === 'voided') return 'declined';
      account.decided ??= decision;
      return account.decided;
    case 'capture':
      if (ended !== undefined) return ended;
      if (answered.has(ref) || account.decided !== 'authorized') return remember(account, ref, 'declined');
      account.captured = { minor, currency };
      account.ended = 'captured';
      return 'captured';
    case 'void':
      account.decided ??= 'declined';
      account.ended ??= 'voided';
      return account.ended;
    case 'refund': {
      const before = answered.get(ref);
      if (before !== undefined) return before;
      const fits = ended === 'captured' && currency === account.captured.currency;
      if (!fits || account.returned + minor > account.captured.minor) return remember(account, ref, 'declined');
      account.returned += minor;
      return remember(account, ref, 'refunded');
    }
  }
}

function remember(account: Account, ref: string, outcome: 'refunded' | 'declined'): PaymentOutcome {
  account.answered.set(ref, outcome);
  return outcome;
}
