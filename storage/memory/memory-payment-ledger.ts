/** The twin of the mock payment provider's memory. Nothing waits in it, so that each call is alone. */
import type { OrderId } from '../../actors/ids.js';
import type { PaymentLedger, PaymentRequest } from '../../actors/ports/payments.js';
import type { PaymentOutcome } from '../../actors/protocol.js';

interface Account {
  decided?: 'authorized' | 'declined';
  ended?: 'captured' | 'voided';
  captured: { readonly minor: number; readonly currency: string };
  returned: number;
  /** By ref: refunds, and what was declined for good. */
  readonly told: Map<string, 'refunded' | 'declined'>;
}

export function memoryPaymentLedger(): PaymentLedger {
  const accounts = new Map<OrderId, Account>();
  return {
    async record(request, decision) {
      const account: Account = accounts.get(request.order) ?? {
        captured: { minor: 0, currency: '' },
        returned: 0,
        told: new Map(),
      };
      accounts.set(request.order, account);
      return perform(account, request, decision);
    },
  };
}

function perform(account: Account, asked: PaymentRequest, decision: 'authorized' | 'declined'): PaymentOutcome {
  const { operation, ref, minor, currency } = asked;
  const { ended, told } = account;
  switch (operation) {
    case 'authorize':
      if (ended === 'voided') return 'declined';
      account.decided ??= decision;
      return account.decided;
    case 'capture':
      if (ended !== undefined) return ended;
      if (told.has(ref) || account.decided !== 'authorized') return tell(account, ref, 'declined');
      account.captured = { minor, currency };
      account.ended = 'captured';
      return 'captured';
    case 'void':
      account.decided ??= 'declined';
      account.ended ??= 'voided';
      return account.ended;
    case 'refund': {
      const before = told.get(ref);
      if (before !== undefined) return before;
      const fits = ended === 'captured' && currency === account.captured.currency;
      if (!fits || account.returned + minor > account.captured.minor) return tell(account, ref, 'declined');
      account.returned += minor;
      return tell(account, ref, 'refunded');
    }
  }
}

function tell(account: Account, ref: string, outcome: 'refunded' | 'declined'): PaymentOutcome {
  account.told.set(ref, outcome);
  return outcome;
}
