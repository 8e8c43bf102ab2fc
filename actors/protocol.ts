/**
 * Every actor on one page: its id, the commands it takes, the events that happen to it, and the
 * refusals it answers with.
 *
 *   order    OrderId     runs one order's state machine            order.ts
 *   product  ProductId   serialises one product's stock            inventory.ts
 *
 * Commands come from an edge (`place`, `receive`, `adjust`), from the runtime (`timeOut`,
 * `paymentAnswered`), or from another actor; the last kind are letters. Events and letters are
 * stored in the journal: their shapes change only by addition.
 */
import type { Address, OrderId, ProductId, UserId, WriteId } from './ids.js';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

// ---------------------------------------------------------------- order

/** What a client asked for, normalised: one line a product, ids as text. */
export interface OrderContent {
  readonly user: UserId;
  /** The client sent its user id as a number; echoed so. */
  readonly userIsNumber: boolean;
  readonly lines: readonly { readonly product: ProductId; readonly quantity: number }[];
  readonly currency?: string;
  readonly email?: string;
  readonly shippingAddress?: Json;
  readonly billingAddress?: Json;
  readonly notes?: string;
  readonly paymentMethod?: string;
}

/** A product's answer to a hold. */
export type HoldAnswer =
  | { readonly product: ProductId; readonly answer: 'held'; readonly unitPrice: number; readonly currency: string }
  | { readonly product: ProductId; readonly answer: 'short'; readonly available: number }
  | { readonly product: ProductId; readonly answer: 'unknown' };

export type PaymentOperation = 'authorize' | 'capture' | 'void' | 'refund';
export type PaymentOutcome = 'authorized' | 'declined' | 'captured' | 'voided' | 'refunded';

export type OrderCommand =
  | { readonly type: 'place'; readonly content: OrderContent; readonly correlation: string }
  /** Several answers that arrive together are one command. */
  | { readonly type: 'holdsAnswered'; readonly answers: readonly HoldAnswer[] }
  | {
      readonly type: 'paymentAnswered';
      readonly operation: PaymentOperation;
      /** Of the operation that is answered: a late answer may be about one that is not owed any more. */
      readonly ref: string;
      readonly outcome: PaymentOutcome;
    }
  | { readonly type: 'timeOut' };

export type FailureReason = 'out_of_stock' | 'unknown_product' | 'payment_declined' | 'timed_out';

export interface Shortage {
  readonly product: ProductId;
  readonly asked: number;
  readonly available: number;
}

export type OrderEvent =
  | { readonly type: 'placed'; readonly content: OrderContent; readonly correlation: string }
  /** Some lines are answered, others not yet; or, after a failure, an answer came late and what it held is given back. */
  | { readonly type: 'answered'; readonly answers: readonly HoldAnswer[] }
  /** The last lines are answered, and every line is held. */
  | {
      readonly type: 'held';
      readonly answers: readonly HoldAnswer[];
      readonly currency: string;
      readonly total: number;
    }
  /** The provider has promised the money; `captured` when it has moved as well. */
  | { readonly type: 'paid'; readonly captured: boolean }
  | { readonly type: 'confirmed' }
  | { readonly type: 'captured' }
  | {
      readonly type: 'failed';
      readonly reason: FailureReason;
      readonly answers: readonly HoldAnswer[];
      readonly shortages: readonly Shortage[];
      /** A provider may hold money for it: it must be told to let go. */
      readonly voidOwed: boolean;
    }
  | { readonly type: 'voided' };

/** `other_body`: the same key with another order. `not_yours`: the id belongs to another user's order. */
export type OrderRefusal = 'other_body' | 'not_yours';

// ---------------------------------------------------------------- product

export interface ReceiveCommand {
  readonly type: 'receive';
  readonly ref: WriteId;
  /** Of the whole request, so that the same key with another body is refused. */
  readonly fingerprint: string;
  readonly name: string;
  /** Minor units. */
  readonly unitPrice: number;
  readonly currency: string;
  readonly quantity: number;
}

export interface AdjustCommand {
  readonly type: 'adjust';
  readonly ref: WriteId;
  readonly fingerprint: string;
  readonly delta: number;
  readonly reason: string;
}

export type ProductCommand =
  | ReceiveCommand
  | AdjustCommand
  | { readonly type: 'hold'; readonly order: OrderId; readonly quantity: number; readonly currency?: string }
  | { readonly type: 'release'; readonly order: OrderId; readonly quantity: number }
  | { readonly type: 'commit'; readonly order: OrderId; readonly quantity: number };

export type ProductEvent =
  | {
      readonly type: 'received';
      readonly ref: WriteId;
      readonly fingerprint: string;
      readonly name: string;
      readonly unitPrice: number;
      readonly currency: string;
      readonly quantity: number;
    }
  | {
      readonly type: 'adjusted';
      readonly ref: WriteId;
      readonly fingerprint: string;
      readonly delta: number;
      readonly reason: string;
    }
  | { readonly type: 'held'; readonly order: OrderId; readonly quantity: number }
  | { readonly type: 'released'; readonly order: OrderId; readonly quantity: number }
  | { readonly type: 'committed'; readonly order: OrderId; readonly quantity: number };

/** `currency_fixed`: a product's currency never changes. `below_held`: stock would fall below what is held. */
export type ProductRefusal = 'unknown_product' | 'currency_fixed' | 'below_held' | 'too_much_stock' | 'other_body';

// ---------------------------------------------------------------- letters

export type Letter =
  | { readonly to: Extract<Address, { kind: 'order' }>; readonly command: OrderCommand }
  | { readonly to: Extract<Address, { kind: 'product' }>; readonly command: ProductCommand };

export type ActorEvent =
  | { readonly of: Extract<Address, { kind: 'order' }>; readonly event: OrderEvent }
  | { readonly of: Extract<Address, { kind: 'product' }>; readonly event: ProductEvent };

/** What a `decide` answers: what happened and whom to tell, or why not. */
export type Decision<Event, Refusal extends string> =
  | { readonly events: readonly Event[]; readonly letters: readonly Letter[] }
  | { readonly refused: Refusal };
