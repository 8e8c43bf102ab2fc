/**
 * An order: one state machine, one outcome, and what follows it.
 *
 *   absent --place--> holding --all held--> charging --authorized--> confirmed --ship all--> shipped --deliver all--> delivered
 *                        |  |                 |  |                       |
 *                        |  +--cancel---------|--+-----------cancel------+--> cancelled
 *                        |                    +--declined, timed out--> failed
 *                        +--short, unknown, timed out-----------------> failed
 *
 * A provider that is a pure function of the order is asked at once: then charging takes no time. An order that costs
 * nothing is not charged: it is confirmed once all is held, and no provider ever hears of it. Shipments,
 * deliveries, returns and refunds may be of a part; they change `life`, and the phase once they are of all.
 *
 * Invariants:
 *  O1. Every line is held or none is: an order that fails or is cancelled gives back each line that was
 *      held, also one whose answer comes later (it waits for that answer before it may leave memory).
 *  O2. One outcome: phases are left only along the arrows (transitions.ts).
 *  O3. Money is asked for only when every line is held; an order that ends without its goods after a provider
 *      could have been asked is voided, or, where the money has moved, refunded. Never more is refunded than was paid.
 *  O4. The same id with another order is refused; with the same order it changes nothing. So is every act, and
 *      what was refused stays refused.
 *  O5. Never more is shipped than was ordered and is there, never more returned than was shipped.
 *
 * The chart as a table is in order-chart.ts, its rows in order-placing.ts (up to the outcome) and order-fulfilment.ts
 * (after it), the fold in order-fold.ts.
 */
import { type OrderId, type ProductId, paymentRef } from '../ids.js';
import type {
  Act,
  Decision,
  FailureReason,
  Line,
  OrderCommand,
  OrderContent,
  OrderEvent,
  OrderRefusal,
  PaymentOperation,
  Shortage,
} from '../protocol.js';

export type Phase = 'absent' | 'holding' | 'charging' | 'confirmed' | 'shipped' | 'delivered' | 'cancelled' | 'failed';
export type PaymentStatus =
  | 'pending'
  | 'authorized'
  | 'paid'
  | 'declined'
  /** Promised, and then not to be had. */
  | 'failed'
  | 'voided'
  | 'partially_refunded'
  | 'refunded';

export interface OrderLine extends Line {
  /** `late`: not sent yet. `asked`: no answer yet. `held` stands also for a line that has been committed. */
  readonly hold: 'late' | 'asked' | 'held' | 'short' | 'unknown' | 'released';
  /** Minor units of the order's currency; known once its product has answered. */
  readonly unitPrice?: number;
  /** Of the quantity: not in stock yet. */
  readonly backordered: number;
}

export interface Fulfillment {
  readonly id: string;
  readonly lines: readonly Line[];
  readonly tracking?: string;
  readonly carrier?: string;
  /** Wall clock, milliseconds; so are all times here. */
  readonly shippedAt: number;
  readonly deliveredAt?: number;
}

export interface OrderReturn {
  readonly id: string;
  readonly lines: readonly Line[];
  readonly reason?: string;
  readonly status: 'requested' | 'received' | 'refunded';
  /** Known once received: put in stock again, or written off. */
  readonly restocked?: boolean;
  readonly requestedAt: number;
}

export interface Refund {
  readonly id: string;
  readonly minor: number;
  readonly status: 'owed' | 'done' | 'failed';
  readonly returned?: string;
  readonly reason?: string;
  readonly requestedAt: number;
}

/** An act under a client's key that had no effect. */
interface AnsweredAct extends Act {
  /** Undefined: there was nothing to do. */
  readonly refused?: OrderRefusal;
  /** Wall clock, milliseconds: it is no change, and the order's times do not tell it. */
  readonly at: number;
}

/** What happens to an order beside and after its outcome: one empty value for all that have nothing of it. */
export interface Life {
  readonly acts: readonly Act[];
  /** Absent where there are none, as in most. */
  readonly answered?: readonly AnsweredAct[];
  readonly fulfillments: readonly Fulfillment[];
  readonly returns: readonly OrderReturn[];
  readonly refunds: readonly Refund[];
  readonly captureOn: 'confirm' | 'ship';
  /** Its hold was extended: it gets no less time after a restart. */
  readonly extended?: true;
  readonly cancelled?: { readonly was: 'pending' | 'confirmed'; readonly reason?: string };
}

export const NO_LIFE: Life = { acts: [], fulfillments: [], returns: [], refunds: [], captureOn: 'confirm' };

export interface OrderState {
  readonly id: OrderId;
  /** Number of its events. */
  readonly version: number;
  readonly phase: Phase;
  readonly content: OrderContent;
  readonly lines: readonly OrderLine[];
  readonly payment: PaymentStatus;
  readonly voidOwed: boolean;
  readonly reason: FailureReason | undefined;
  readonly shortages: readonly Shortage[];
  /** As it was asked for, or else that of the first product that answered with one. */
  readonly currency: string | undefined;
  /** Minor units; known once held. */
  readonly total: number | undefined;
  /** After how long the lines that are late are sent; 0 where none is. */
  readonly lateMs: number;
  readonly life: Life;
  readonly correlation: string;
  /** Wall clock, milliseconds. */
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** What a decision may know besides the state; it comes in with the turn. */
export interface OrderContext {
  /** Answers at once where the provider is a pure function of the order; undefined where, or for whom, it must be asked. */
  readonly instantPayment?: ((order: OrderId) => 'authorized' | 'declined' | undefined) | undefined;
  readonly captureOn?: Life['captureOn'] | undefined;
  /** By how much a hold is to be late; 0 as a rule. */
  readonly holdDelayMs?: ((order: OrderId, product: ProductId) => number) | undefined;
}

type Command<T extends OrderCommand['type']> = Extract<OrderCommand, { type: T }>;
export type Answer = Decision<OrderEvent, OrderRefusal>;
export type Row<T extends OrderCommand['type']> = (
  state: OrderState,
  command: Command<T>,
  context: OrderContext,
) => Answer;

/** The number of events that changed what is seen of the order; what was only answered is none of them. */
export const revision = ({ version, life }: OrderState): number => version - (life.answered?.length ?? 0);

/** When its last event was. */
export const lastAt = ({ updatedAt, life }: OrderState): number => Math.max(updatedAt, life.answered?.at(-1)?.at ?? 0);

/** What the order remembers of an act. */
export const remembered = ({ life }: OrderState, { ref }: Act): (Act & Partial<AnsweredAct>) | undefined =>
  life.acts.find((act) => act.ref === ref) ?? life.answered?.find((act) => act.ref === ref);

export const nothing: Answer = { events: [], letters: [] };

/** One empty value for all. */
const NO_CONTENT: OrderContent = { user: '' as OrderContent['user'], userIsNumber: false, lines: [] };
const NO_LINES: readonly OrderLine[] = [];
const NO_SHORTAGES: readonly Shortage[] = [];

export const absentOrder = (id: OrderId): OrderState => ({
  id,
  version: 0,
  phase: 'absent',
  content: NO_CONTENT,
  lines: NO_LINES,
  payment: 'pending',
  voidOwed: false,
  reason: undefined,
  shortages: NO_SHORTAGES,
  currency: undefined,
  total: undefined,
  lateMs: 0,
  life: NO_LIFE,
  correlation: '',
  createdAt: 0,
  updatedAt: 0,
});

// ---------------------------------------------------------------- what follows from the state

export interface PaymentOwed {
  readonly operation: PaymentOperation;
  /** The same in all its repeats, and of no other operation. */
  readonly ref: string;
  readonly minor: number;
}

/** What a payment provider still has to be asked; undefined when nothing. */
export function paymentOwed(state: OrderState): PaymentOwed | undefined {
  const { id, phase, payment, voidOwed, life } = state;
  const minor = state.total ?? 0;
  if (phase === 'charging') return { operation: 'authorize', ref: paymentRef(id, 'authorize'), minor };
  if (voidOwed) return { operation: 'void', ref: paymentRef(id, 'void'), minor };
  if (captureOwed(state)) return { operation: 'capture', ref: paymentRef(id, 'capture'), minor };
  if (payment !== 'paid' && payment !== 'partially_refunded') return undefined;
  const refund = life.refunds.find(({ status }) => status === 'owed');
  return refund && { operation: 'refund', ref: refund.id, minor: refund.minor };
}

export function captureOwed({ phase, payment, life }: OrderState): boolean {
  if (payment !== 'authorized') return false;
  if (phase === 'shipped' || phase === 'delivered') return true;
  return phase === 'confirmed' && (life.captureOn === 'confirm' || life.fulfillments.length > 0);
}

/** Decided: whoever waits for the answer to a placed order is told. */
export const hasOutcome = ({ phase }: OrderState): boolean =>
  phase !== 'absent' && phase !== 'holding' && phase !== 'charging';

/** Nothing is owed and nothing expected: it may leave memory once it is flushed. */
export const isSettled = (state: OrderState): boolean =>
  hasOutcome(state) &&
  paymentOwed(state) === undefined &&
  !state.lines.some((line) => line.hold === 'asked' || line.backordered > 0);

/** A pending order fails as timed_out when its time is up. */
export const timerRuns = (state: OrderState): boolean => state.phase === 'holding' || state.phase === 'charging';
