/**
 * The payment provider, with its own account of the money that moved, apart from the ledger that decides each answer.
 * A stubborn provider declines some captures and refunds for good, by a hash of their refs.
 */
import { fnv1a32, type OrderId } from '../../actors/ids.js';
import type { PaymentLedger, PaymentRequest } from '../../actors/ports/payments.js';
import type { PaymentOutcome } from '../../actors/protocol.js';
import { memoryPaymentLedger } from '../../storage/memory/memory-payment-ledger.js';

interface Account {
  authorized: boolean;
  voided: boolean;
  /** Minor units. */
  captured: number | undefined;
  /** An operation had an amount of 0. */
  askedForNothing: boolean;
  /** By ref. */
  readonly refunds: Map<string, number>;
}

export class Provider implements PaymentLedger {
  readonly accounts = new Map<OrderId, Account>();
  private readonly ledger = memoryPaymentLedger();

  constructor(private readonly stubbornness: number) {}

  of(order: OrderId): Account {
    const account = this.accounts.get(order) ?? {
      authorized: false,
      voided: false,
      captured: undefined,
      askedForNothing: false,
      refunds: new Map(),
    };
    this.accounts.set(order, account);
    return account;
  }

  async record(request: PaymentRequest, decision: 'authorized' | 'declined'): Promise<PaymentOutcome> {
    const { order, operation, ref, minor } = request;
    const account = this.of(order);
    account.askedForNothing ||= minor === 0;
    if (this.declines(request, account)) return 'declined';
    const outcome = await this.ledger.record(request, decision);
    if (outcome === 'authorized') account.authorized = true;
    if (outcome === 'voided') account.voided = true;
    if (operation === 'capture' && outcome === 'captured') account.captured ??= minor;
    if (outcome === 'refunded') account.refunds.set(ref, minor);
    return outcome;
  }

  private declines({ operation, ref }: PaymentRequest, { voided }: Account): boolean {
    if (operation === 'authorize' || operation === 'void' || voided) return false;
    return fnv1a32(`stubborn ${ref}`) / 2 ** 32 < this.stubbornness;
  }
}
