/** A payment provider for tests: it performs each request once, declines if told, and keeps every answer. */
import * as assert from 'uvu/assert';
import type { OrderId } from '../../../actors/ids.js';
import type { PaymentOwed } from '../../../actors/order/order.js';
import type { PaymentOperation, PaymentOutcome } from '../../../actors/protocol.js';

interface ProviderAnswer {
  readonly operation: PaymentOperation;
  readonly ref: string;
  readonly outcome: PaymentOutcome;
}

interface Account {
  readonly answers: ProviderAnswer[];
  isVoided: boolean;
  authorized: number;
  captured: number;
  refunded: number;
}

export class FickleProvider {
  private readonly accounts = new Map<OrderId, Account>();

  /** A repeated request gets the same answer. */
  perform(order: OrderId, { operation, ref, minor }: PaymentOwed, willing: boolean): void {
    const account = this.accountOf(order);
    if (account.answers.some((answer) => answer.ref === ref)) return;
    account.answers.push({ operation, ref, outcome: decide(account, operation, minor, willing) });
  }

  answersTo(order: OrderId): readonly ProviderAnswer[] {
    return this.accountOf(order).answers;
  }

  /** The buyer's money that the provider keeps. */
  kept(order: OrderId): number {
    const { captured, refunded } = this.accountOf(order);
    return captured - refunded;
  }

  check(order: OrderId): void {
    const { authorized, captured, refunded } = this.accountOf(order);
    assert.ok(refunded <= captured && captured <= authorized, `${order}: refunded ${refunded} of ${captured} (O3)`);
  }

  private accountOf(order: OrderId): Account {
    const known = this.accounts.get(order);
    if (known !== undefined) return known;
    const account: Account = { answers: [], isVoided: false, authorized: 0, captured: 0, refunded: 0 };
    this.accounts.set(order, account);
    return account;
  }
}

function decide(account: Account, operation: PaymentOperation, minor: number, willing: boolean): PaymentOutcome {
  switch (operation) {
    case 'authorize':
      if (account.isVoided || !willing) return 'declined';
      account.authorized = minor;
      return 'authorized';
    case 'capture':
      if (account.isVoided) return 'voided';
      if (!willing) return 'declined';
      account.captured = minor;
      return 'captured';
    case 'void':
      if (account.captured > 0) return 'captured';
      account.isVoided = true;
      return 'voided';
    case 'refund':
      // Not refused here, so that a refund beyond the payment shows in the sums.
      if (!willing) return 'declined';
      account.refunded += minor;
      return 'refunded';
  }
}
