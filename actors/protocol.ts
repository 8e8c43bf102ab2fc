/**
 * Every actor on one page: its id, its commands, its events and its refusals.
 *
 *   order    OrderId     runs one order's state machine            order.ts
 *   product  ProductId   serialises one product's stock            inventory.ts
 *
 * Commands come from an edge (`place`, `import`, the acts, `receive`, `adjust`), from the runtime (`timeOut`, `sendLate`,
 * `paymentAnswered`, `closeAct`, `fill`), or from another actor. A command from another actor is a letter. Events and
 * letters are stored in the journal: their shapes change only by addition.
 */
import type { Address, OrderId, ProductId, UserId, WriteId } from './ids.js';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

// ---------------------------------------------------------------- order

/** The content of a client's request, normalised: one line per product, ids as text. */
export interface OrderContent {
  readonly user: UserId;
  /** The client sent its user id as a number, and gets it back as a number. */
  readonly userIsNumber: boolean;
  readonly lines: readonly Line[];
  readonly currency?: string;
  readonly email?: string;
  readonly shippingAddress?: Json;
  readonly billingAddress?: Json;
  readonly notes?: string;
  readonly paymentMethod?: string;
}

/** An amount as another system gave it: a decimal with all its digits, however fine. */
export interface Cost {
  readonly currency: string;
  readonly amount: string;
}

/** What is told of an order that was made elsewhere, beside its content (imported-order.ts). */
export interface ImportedFacts {
  /** Who told of it, such as `boutique`. */
  readonly origin: string;
  /** When it was made; wall clock, milliseconds. */
  readonly placedAt?: number;
  readonly tracking?: string;
  readonly shipping?: Cost;
  /** By line: minor units of the order's currency; null where the price cannot be told in it. */
  readonly prices: readonly (number | null)[];
  /** Minor units. Absent where a price is not known, and without lines. */
  readonly total?: number;
  /** The items as they were given, where lines and prices do not tell them exactly. */
  readonly items?: readonly ImportedItem[];
}

export interface ImportedItem extends Line {
  readonly cost?: Cost;
}

/** A product's answer to a hold. */
export type HoldAnswer =
  | {
      readonly product: ProductId;
      readonly answer: 'held';
      readonly unitPrice: number;
      readonly currency: string;
      /** The part of the quantity that is promised and not in stock. */
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

/**
 * The key and the content of a request to change an order. The order remembers both, so that a repeat changes nothing.
 */
export interface Act {
  readonly ref: WriteId;
  readonly fingerprint: string;
  /**
   * How many events were decided with the act, its own first. Its first answer is the order after them. Absent for one;
   * older versions also left it out for several.
   */
  readonly events?: number;
}

export interface Line {
  readonly product: ProductId;
  readonly quantity: number;
}

/** Statuses as clients know them. */
export type OrderStatus = 'pending' | 'confirmed' | 'shipped' | 'delivered' | 'cancelled' | 'failed';

/**
 * A person's request to change a placed order. No lines means everything that is left; given lines are one per product.
 */
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
  /** The goods go into stock again, unless `restock` is false. */
  | { readonly type: 'receiveReturn'; readonly act: Act; readonly returned: string; readonly restock?: boolean }
  /** Minor units of `currency`; without it, of the order's. No amount means everything that is left. */
  | {
      readonly type: 'refund';
      readonly act: Act;
      readonly minor?: number;
      readonly currency?: string;
      readonly reason?: string;
    }
  | { readonly type: 'extendHold'; readonly act: Act }
  /** Erases its personal data, once nothing is under way. `unshipped`: also of a confirmed order that was not shipped yet. */
  | { readonly type: 'forget'; readonly act: Act; readonly unshipped?: boolean }
  /** Moves the whole order to a status: ships, delivers or cancels everything. */
  | { readonly type: 'move'; readonly act: Act; readonly to: OrderStatus };

export type OrderCommand =
  | { readonly type: 'place'; readonly content: OrderContent; readonly correlation: string }
  | {
      readonly type: 'import';
      readonly content: OrderContent;
      readonly facts: ImportedFacts;
      readonly correlation: string;
    }
  /** Several answers that arrive together are one command. */
  | { readonly type: 'holdsAnswered'; readonly answers: readonly HoldAnswer[] }
  /** Stock has come in for backordered lines. */
  | { readonly type: 'stockArrived'; readonly lines: readonly Line[] }
  | {
      readonly type: 'paymentAnswered';
      readonly operation: PaymentOperation;
      readonly ref: string;
      readonly outcome: PaymentOutcome;
    }
  /** Now the holds that were kept back are to be sent. */
  | { readonly type: 'sendLate' }
  | { readonly type: 'timeOut' }
  /** An act under a client's key was refused or had nothing to do. From now on every repeat gets this answer. */
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
      /** The gremlin delays the holds of these products. */
      readonly late?: { readonly products: readonly ProductId[]; readonly delayMs: number };
    }
  /** The order was made and paid elsewhere. */
  | {
      readonly type: 'imported';
      readonly content: OrderContent;
      readonly facts: ImportedFacts;
      readonly correlation: string;
    }
  /** It was told of again, with another content in these fields. Nothing changes. */
  | { readonly type: 'import_differed'; readonly fields: readonly string[] }
  | { readonly type: 'late_sent' }
  /** Some lines are answered, others not yet. After a failure: an answer came late, and its hold is given back. */
  | { readonly type: 'answered'; readonly answers: readonly HoldAnswer[] }
  /** The last lines are answered, and every line is held. */
  | {
      readonly type: 'held';
      readonly answers: readonly HoldAnswer[];
      readonly currency: string;
      readonly total: number;
    }
  | { readonly type: 'hold_extended'; readonly act: Act }
  /** The provider has authorized the charge; `captured` when the money has moved as well. */
  | { readonly type: 'paid'; readonly captured: boolean; readonly captureOn?: 'ship' }
  | { readonly type: 'confirmed' }
  | { readonly type: 'captured' }
  /** The provider did not capture a charge that it had authorized. */
  | { readonly type: 'capture_failed' }
  | {
      readonly type: 'failed';
      readonly reason: FailureReason;
      readonly answers: readonly HoldAnswer[];
      readonly shortages: readonly Shortage[];
      /** A provider may have authorized the charge: it must be voided. */
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
      /** Absent when the order itself decided the refund: by a cancellation, or by the return that `returned` names. */
      readonly act?: Act;
      readonly returned?: string;
      readonly reason?: string;
    }
  | { readonly type: 'refunded'; readonly id: string }
  | { readonly type: 'refund_failed'; readonly id: string }
  /** The personal data is erased, also in the events before (personal-data.ts). */
  | { readonly type: 'forgotten'; readonly act: Act }
  /**
   * An act was refused or had nothing to do. Nothing changes; the order only remembers the answer under the act's key.
   */
  | { readonly type: 'act_answered'; readonly act: Act; readonly refused?: OrderRefusal };

/**
 * `other_body`: the same key with another request. `not_yours`: the id belongs to another user's order.
 * `illegal_transition`: not allowed from the present status. `more_than_ordered`, `more_than_shipped`,
 * `more_than_paid`: more than is left. `backordered`: not in stock yet. `done_otherwise`: it was done before with
 * another content. `changed`: the order does not have the requested version. `too_many_acts`: the order can remember no
 * more acts, or no more answers.
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
  /** The fingerprint of the whole request, so that the same key with another body is refused. */
  readonly fingerprint: string;
  readonly name: string;
  /** Minor units. */
  readonly unitPrice: number;
  readonly currency: string;
  readonly quantity: number;
  /** Absent: the product's setting does not change. */
  readonly backorders?: Backorders;
}

/**
 * Whether orders may take more than is in stock, and how much at most in sum. Without `limit` only limits.stock bounds
 * it.
 */
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
  /** A committed order is cancelled: its goods come back, and its backorder ends. */
  | { readonly type: 'uncommit'; readonly order: OrderId; readonly quantity: number }
  /** The buyer's goods go into stock again; `no` counts such returns within the order. */
  | { readonly type: 'return'; readonly order: OrderId; readonly quantity: number; readonly no: number }
  /** There is stock, and orders wait for it: gives stock to at most `most` of them. */
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
  /** `no` from 2: stock for which the order had waited. */
  | { readonly type: 'held'; readonly order: OrderId; readonly quantity: number; readonly no?: number }
  | { readonly type: 'released'; readonly order: OrderId; readonly quantity: number }
  | { readonly type: 'committed'; readonly order: OrderId; readonly quantity: number; readonly no?: number }
  | { readonly type: 'returned'; readonly order: OrderId; readonly quantity: number; readonly no: number }
  /** The order waits for a quantity that is not in stock. */
  | { readonly type: 'backordered'; readonly order: OrderId; readonly quantity: number }
  /** The order no longer waits for this quantity. */
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

/** The result of a `decide`: events and letters, or a refusal. */
export type Decision<Event, Refusal extends string> =
  | { readonly events: readonly Event[]; readonly letters: readonly Letter[] }
  | { readonly refused: Refusal };
