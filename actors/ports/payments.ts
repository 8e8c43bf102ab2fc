/** The payment provider. Types alone; what a port promises is held by its contract suite. */
import type { OrderId } from '../ids.js';
import type { PaymentOperation, PaymentOutcome } from '../protocol.js';

export interface PaymentRequest {
  readonly operation: PaymentOperation;
  readonly order: OrderId;
  /** The idempotency key of this one operation: `<order>:authorize`, `:capture`, `:void`, or a refund's own id. */
  readonly ref: string;
  readonly minor: number;
  readonly currency: string;
}

/**
 * Whoever moves the money.
 *
 *  M1. Each operation has at most one effect, by its ref, however often it is asked; a repeat is told what stands.
 *  M2. A void is final: an authorize that comes after it is `declined`, a capture is told `voided`.
 *  M3. A void that meets a capture is told `captured`: the money has moved, and only a refund brings it back.
 *  M4. A capture without an authorization is `declined`, for good.
 *  M5. Refunds are, in sum, at most what was captured, in its currency; one beyond that is `declined`, for good.
 */
export interface Payments {
  perform(request: PaymentRequest): Promise<PaymentOutcome>;
}

/** The mock provider's own memory, which keeps payments.M1 to payments.M5; a real provider has its own. */
export interface PaymentLedger {
  /** @param decision what an authorization is told, if nothing stands against it. */
  record(request: PaymentRequest, decision: 'authorized' | 'declined'): Promise<PaymentOutcome>;
}
