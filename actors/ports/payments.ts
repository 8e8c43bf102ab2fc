/** The payment provider. Types only; a contract suite tests each promise. */
import type { OrderId } from '../ids.js';
import type { PaymentOperation, PaymentOutcome } from '../protocol.js';

export interface PaymentRequest {
  readonly operation: PaymentOperation;
  readonly order: OrderId;
  /** The idempotency key of this one operation: `<order>:authorize`, `:capture`, `:void`, or a refund's own id. */
  readonly ref: string;
  readonly minor: number;
  readonly currency: string;
  /** What led to it (actors/correlation.ts). A provider is told the trace alone, if there is one. */
  readonly correlation?: string;
}

/**
 * The payment provider: it moves the money.
 *
 *  M1. An operation has at most one effect, by its ref, however often it is requested. A repeat gets the first outcome.
 *  M2. A void is final: a later authorize is `declined`, a later capture gets `voided`.
 *  M3. A void after a capture gets `captured`: the money has moved, and only a refund brings it back.
 *  M4. A capture without an authorization is `declined`, for good.
 *  M5. The sum of refunds is at most the captured amount, in its currency. A refund beyond it is `declined`, for good.
 */
export interface Payments {
  perform(request: PaymentRequest): Promise<PaymentOutcome>;
}

/** The mock provider's own memory, which keeps payments.M1 to payments.M5; a real provider has its own. */
export interface PaymentLedger {
  /** @param decision the outcome of an authorization, unless an earlier operation rules it out. */
  record(request: PaymentRequest, decision: 'authorized' | 'declined'): Promise<PaymentOutcome>;
}
