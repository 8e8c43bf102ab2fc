/**
 * An order: one state machine with one outcome, and the acts that follow the outcome.
 *
 *   absent --place--> holding --all held--> charging --authorized--> confirmed --ship all--> shipped --deliver all--> delivered
 *                        |  |                 |  |                       |
 *                        |  +--cancel---------|--+-----------cancel------+--> cancelled
 *                        |                    +--declined, timed out--> failed
 *                        +--short, unknown, timed out-----------------> failed
 *
 * A provider that is a pure function of the order answers at once: then charging takes no time. An order that costs
 * nothing is not charged: it is confirmed once every line is held, and no provider ever hears of it. Shipments,
 * deliveries, returns and refunds may cover a part of the order. They change `life`; once everything is shipped or
 * delivered, they change the phase too. An order that was made elsewhere is imported: it begins as confirmed and paid.
 *
 * Invariants:
 *  O1. Every line is held or none is. An order that fails or is cancelled gives back each held line, also a line whose
 *      answer comes later. The order waits for that answer before it may leave memory.
 *  O2. An order has one outcome: a phase changes only along the arrows (transitions.ts).
 *  O3. Money is requested only when every line is held. If an order ends without its goods after a provider could have
 *      been asked, the charge is voided, or refunded if the money has moved. Never more is refunded than was paid.
 *  O4. A repeat of the same order under its id changes nothing; another order under the id is refused. The same holds
 *      for every act under its key, and a refusal stays a refusal.
 *  O5. Never more is shipped than was ordered and is in stock; never more is returned than was shipped.
 *  O6. An imported order touches no stock and no payment provider: its goods and its money are another system's.
 *
 * The chart as a table is in order-chart.ts. Its cells are in order-placing.ts (up to the outcome) and
 * order-fulfilment.ts (after it). The fold is in order-fold.ts.
 */
import { type OrderId, type ProductId, paymentRef } from '../ids.js';
import type {
  Act,
  Decision,
  FailureReason,
  ImportedFacts,
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
  /** The provider authorized the charge and then would not capture it. */
  | 'failed'
  | 'voided'
  | 'partially_refunded'
  | 'refunded';

export interface OrderLine extends Line {
  /**
   * `late`: the hold is not sent yet. `asked`: no answer yet. `held`: held, or committed since. `elsewhere`: of an
   * imported order, whose goods are not of this stock.
   */
  readonly hold: 'late' | 'asked' | 'held' | 'short' | 'unknown' | 'released' | 'elsewhere';
  /** Minor units of the order's currency; known once the product has answered. */
  readonly unitPrice?: number;
  /** The part of the quantity that is not in stock yet. */
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
  /** Known once received: true when the goods went into stock again, false when they were written off. */
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

/** An act under a client's key that was answered and had no effect. */
interface AnsweredAct extends Act {
  /** Undefined when there was nothing to do. */
  readonly refused?: OrderRefusal;
  /** Wall clock, milliseconds. The act is no change, so it does not move the order's `updatedAt`. */
  readonly at: number;
}

/** What happens to an order beside and after its outcome. All orders without such events share one empty value. */
export interface Life {
  readonly acts: readonly Act[];
  /** Absent when there are none, as in most orders. */
  readonly answered?: readonly AnsweredAct[];
  readonly fulfillments: readonly Fulfillment[];
  readonly returns: readonly OrderReturn[];
  readonly refunds: readonly Refund[];
  readonly captureOn: 'confirm' | 'ship';
  /** The hold was extended: the order does not get less time after a restart. */
  readonly extended?: true;
  /** Its personal data was erased: a repeat of the placing is compared without it. */
  readonly forgotten?: true;
  readonly cancelled?: { readonly was: 'pending' | 'confirmed'; readonly reason?: string };
  /** The order was made elsewhere. */
  readonly imported?: Omit<ImportedFacts, 'prices' | 'total'> & {
    /** The fields that another content under the same id had otherwise. Absent when there was none. */
    readonly differed?: readonly string[];
  };
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
  /** The requested currency, or else the currency of the first product that answered with one. */
  readonly currency: string | undefined;
  /** Minor units; known once every line is held. */
  readonly total: number | undefined;
  /** The delay until the holds of late lines are sent; 0 when no line is late. */
  readonly lateMs: number;
  readonly life: Life;
  readonly correlation: string;
  /** Wall clock, milliseconds. */
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** What a decision may know besides the state. It comes in with the turn. */
export interface OrderContext {
  /**
   * The answer of a provider that is a pure function of the order. Undefined, or an undefined result: it must be asked.
   */
  readonly instantPayment?: ((order: OrderId) => 'authorized' | 'declined' | undefined) | undefined;
  readonly captureOn?: Life['captureOn'] | undefined;
  /** The delay of a hold, which the gremlin sets; 0 normally. */
  readonly holdDelayMs?: ((order: OrderId, product: ProductId) => number) | undefined;
}

type Command<T extends OrderCommand['type']> = Extract<OrderCommand, { type: T }>;
export type Answer = Decision<OrderEvent, OrderRefusal>;
export type Row<T extends OrderCommand['type']> = (
  state: OrderState,
  command: Command<T>,
  context: OrderContext,
) => Answer;

/** The number of events that changed what a client sees of the order; `act_answered` does not count. */
export const revision = ({ version, life }: OrderState): number => version - (life.answered?.length ?? 0);

/** The time of the order's last event. */
export const lastAt = ({ updatedAt, life }: OrderState): number => Math.max(updatedAt, life.answered?.at(-1)?.at ?? 0);

/** The act as the order remembers it; undefined when it does not. */
export const remembered = ({ life }: OrderState, { ref }: Act): (Act & Partial<AnsweredAct>) | undefined =>
  life.acts.find((act) => act.ref === ref) ?? life.answered?.find((act) => act.ref === ref);

export const nothing: Answer = { events: [], letters: [] };

/** One empty value for all orders. */
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
  /** The same in every repeat of the operation, and different for every other operation. */
  readonly ref: string;
  readonly minor: number;
}

/** The operation that a payment provider still has to perform; undefined when there is none. */
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

/** The order is decided: requests that wait for its outcome can be answered. */
export const hasOutcome = ({ phase }: OrderState): boolean =>
  phase !== 'absent' && phase !== 'holding' && phase !== 'charging';

/** No payment is owed and no answer or stock is awaited: the order may leave memory once it is flushed. */
export const isSettled = (state: OrderState): boolean =>
  hasOutcome(state) &&
  paymentOwed(state) === undefined &&
  !state.lines.some((line) => line.hold === 'asked' || line.backordered > 0);

/** Whether the order is pending: it fails as timed_out when its time is over. */
export const timerRuns = (state: OrderState): boolean => state.phase === 'holding' || state.phase === 'charging';
