/**
 * Every actor on one page: its id, the commands it takes, the events that happen to it, and the
 * refusals it answers with.
 *
 *   order    OrderId     runs one order's state machine            order.ts
 *   product  ProductId   serialises one product's stock            inventory.ts
 *
 * Commands come from an edge (`place`, the acts, `receive`, `adjust`), from the runtime (`timeOut`, `sendLate`,
 * `paymentAnswered`, `closeAct`, `fill`), or from another actor; the last kind are letters. Events and letters are
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
  readonly lines: readonly Line[];
  readonly currency?: string;
  readonly email?: string;
  readonly shippingAddress?: Json;
  readonly billingAddress?: Json;
  readonly notes?: string;
  readonly paymentMethod?: string;
}

/** A product's answer to a hold. */
export type HoldAnswer =
  | {
      readonly product: ProductId;
      readonly answer: 'held';
      readonly unitPrice: number;
      readonly currency: string;
      /** How much of it is promised beyond what is in stock. */
      readonly backordered?: number;
    }
  | {
      readonly product: ProductId;
      readonly answer: 'short';
      readonly available: number;
      /** Answers of older versions have neither. */
      readonly unitPrice?: number;
      readonly currency?: string;
    }
  | { readonly product: ProductId; readonly answer: 'unknown' };

export type PaymentOperation = 'authorize' | 'capture' | 'void' | 'refund';
export type PaymentOutcome = 'authorized' | 'declined' | 'captured' | 'voided' | 'refunded';

/** The name of a request to change an order, and its content: remembered with its effect, so that a repeat changes nothing. */
export interface Act {
  readonly ref: WriteId;
  readonly fingerprint: string;
  /** Where more than one: how many events were decided with it, its own first. Its first answer is the order after them. */
  readonly events?: number;
}

export interface Line {
  readonly product: ProductId;
  readonly quantity: number;
}

/** Statuses as clients know them. */
export type OrderStatus = 'pending' | 'confirmed' | 'shipped' | 'delivered' | 'cancelled' | 'failed';

/** What a person asks of an order that stands. No lines means everything that is left; given ones are one a product. */
export type OrderAct =
  | { readonly type: 'cancel'; readonly act: Act; readonly reason?: string }
  | {
      readonly type: 'ship';
      readonly act: Act;
      readonly lines?: readonly Line[];
      readonly tracking?: string;
      readonly carrier?: string;
    }
  | { readonly type: 'deliver'; readonly act: Act; readonly fulfillment?: string }
  | {
      readonly type: 'requestReturn';
      readonly act: Act;
      readonly lines?: readonly Line[];
      readonly reason?: string;
    }
  /** Put in stock again, unless it is said not to be. */
  | { readonly type: 'receiveReturn'; readonly act: Act; readonly returned: string; readonly restock?: boolean }
  /** No amount means all that is left; minor units. */
  | { readonly type: 'refund'; readonly act: Act; readonly minor?: number; readonly reason?: string }
  | { readonly type: 'extendHold'; readonly act: Act }
  /** To that status as a whole: a shipment, a delivery or a cancellation of everything. */
  | { readonly type: 'move'; readonly act: Act; readonly to: OrderStatus };

export type OrderCommand =
  | { readonly type: 'place'; readonly content: OrderContent; readonly correlation: string }
  /** Several answers that arrive together are one command. */
  | { readonly type: 'holdsAnswered'; readonly answers: readonly HoldAnswer[] }
  /** What was short when it was held has come in. */
  | { readonly type: 'stockArrived'; readonly lines: readonly Line[] }
  | {
      readonly type: 'paymentAnswered';
      readonly operation: PaymentOperation;
      readonly ref: string;
      readonly outcome: PaymentOutcome;
    }
  /** The time of the holds that were sent late has come. */
  | { readonly type: 'sendLate' }
  | { readonly type: 'timeOut' }
  /** An act under a client's key was refused, or had nothing to do: its key is answered for good. */
  | { readonly type: 'closeAct'; readonly act: Act; readonly refused?: OrderRefusal }
  | OrderAct;

export type FailureReason = 'out_of_stock' | 'unknown_product' | 'payment_declined' | 'timed_out' | 'total_too_large';

export interface Shortage {
  readonly product: ProductId;
  readonly asked: number;
  readonly available: number;
}

export type OrderEvent =
  | {
      readonly type: 'placed';
      readonly content: OrderContent;
      readonly correlation: string;
      /** Holds that are sent later, by so many milliseconds: somebody plays gremlin. */
      readonly late?: { readonly products: readonly ProductId[]; readonly delayMs: number };
    }
  | { readonly type: 'late_sent' }
  /** Some lines are answered, others not yet; or, after a failure, an answer came late and what it held is given back. */
  | { readonly type: 'answered'; readonly answers: readonly HoldAnswer[] }
  /** The last lines are answered, and every line is held. */
  | {
      readonly type: 'held';
      readonly answers: readonly HoldAnswer[];
      readonly currency: string;
      readonly total: number;
    }
  | { readonly type: 'hold_extended'; readonly act: Act }
  /** The provider has promised the money; `captured` when it has moved as well. */
  | { readonly type: 'paid'; readonly captured: boolean; readonly captureOn?: 'ship' }
  | { readonly type: 'confirmed' }
  | { readonly type: 'captured' }
  /** The provider would not move the money that it had promised. */
  | { readonly type: 'capture_failed' }
  | {
      readonly type: 'failed';
      readonly reason: FailureReason;
      readonly answers: readonly HoldAnswer[];
      readonly shortages: readonly Shortage[];
      /** A provider may hold money for it: it must be told to let go. */
      readonly voidOwed: boolean;
    }
  | { readonly type: 'voided' }
  | {
      readonly type: 'cancelled';
      readonly act: Act;
      readonly was: 'pending' | 'confirmed';
      readonly reason?: string;
      readonly voidOwed: boolean;
    }
  | { readonly type: 'stock_arrived'; readonly lines: readonly Line[] }
  | {
      readonly type: 'shipped';
      readonly act: Act;
      readonly id: string;
      readonly lines: readonly Line[];
      readonly tracking?: string;
      readonly carrier?: string;
    }
  | { readonly type: 'delivered'; readonly act: Act; readonly ids: readonly string[] }
  | {
      readonly type: 'return_requested';
      readonly act: Act;
      readonly id: string;
      readonly lines: readonly Line[];
      readonly reason?: string;
    }
  | { readonly type: 'return_received'; readonly act: Act; readonly id: string; readonly restocked: boolean }
  | {
      readonly type: 'refund_requested';
      readonly id: string;
      readonly minor: number;
      readonly currency: string;
      /** None where the order itself decided it: a cancellation, or the return that it names. */
      readonly act?: Act;
      readonly returned?: string;
      readonly reason?: string;
    }
  | { readonly type: 'refunded'; readonly id: string }
  | { readonly type: 'refund_failed'; readonly id: string }
  /** An act was refused, or had nothing to do. Nothing changes; only the answer is remembered under its key. */
  | { readonly type: 'act_answered'; readonly act: Act; readonly refused?: OrderRefusal };

/**
 * `other_body`: the same key with another request. `not_yours`: the id belongs to another user's order.
 * `illegal_transition`: not from where the order stands. `more_than_ordered`, `more_than_shipped`, `more_than_paid`:
 * beyond what is left. `backordered`: not in stock yet. `done_otherwise`: what stands has another content.
 * `changed`: it does not stand at the version asked for. `too_many_acts`: the order remembers no more of them.
 */
export type OrderRefusal =
  | 'other_body'
  | 'not_yours'
  | 'unknown_order'
  | 'illegal_transition'
  | 'more_than_ordered'
  | 'more_than_shipped'
  | 'more_than_paid'
  | 'backordered'
  | 'unknown_fulfillment'
  | 'unknown_return'
  | 'done_otherwise'
  | 'changed'
  | 'too_many_acts';

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
  /** As it stands where it is not said. */
  readonly backorders?: Backorders;
}

/** Whether orders may take more than there is, and how much of it at most; no limit but that of stock where none is said. */
export interface Backorders {
  readonly allowed: boolean;
  readonly limit?: number;
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
  | { readonly type: 'commit'; readonly order: OrderId; readonly quantity: number }
  /** An order that was committed is cancelled: what it took comes back, what it waits for is forgotten. */
  | { readonly type: 'uncommit'; readonly order: OrderId; readonly quantity: number }
  /** Sent back by its buyer and put in stock again; `no` counts these within the order. */
  | { readonly type: 'return'; readonly order: OrderId; readonly quantity: number; readonly no: number }
  /** There is stock, and orders wait for it: so many of them are given something at once. */
  | { readonly type: 'fill'; readonly most?: number };

export type ProductEvent =
  | {
      readonly type: 'received';
      readonly ref: WriteId;
      readonly fingerprint: string;
      readonly name: string;
      readonly unitPrice: number;
      readonly currency: string;
      readonly quantity: number;
      readonly backorders?: Backorders;
    }
  | {
      readonly type: 'adjusted';
      readonly ref: WriteId;
      readonly fingerprint: string;
      readonly delta: number;
      readonly reason: string;
    }
  /** `no` from 2: what the order had waited for. */
  | { readonly type: 'held'; readonly order: OrderId; readonly quantity: number; readonly no?: number }
  | { readonly type: 'released'; readonly order: OrderId; readonly quantity: number }
  | { readonly type: 'committed'; readonly order: OrderId; readonly quantity: number; readonly no?: number }
  | { readonly type: 'returned'; readonly order: OrderId; readonly quantity: number; readonly no: number }
  /** Promised beyond what is in stock. */
  | { readonly type: 'backordered'; readonly order: OrderId; readonly quantity: number }
  /** The order waits for it no more. */
  | { readonly type: 'unbackordered'; readonly order: OrderId; readonly quantity: number };

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
