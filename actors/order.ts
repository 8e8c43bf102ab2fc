/**
 * An order: one state machine, one outcome.
 *
 *   absent --place--> holding --all held--> charging --authorized--> confirmed
 *                        |                     |
 *                        |                     +--declined, timed out--> failed
 *                        +--short, unknown, timed out------------------> failed
 *
 * A provider that is a pure function of the order is asked at once: then charging takes no time.
 *
 * Invariants:
 *  O1. Every line is held or none is: a failed order gives back each line that was held, also one
 *      whose answer comes after the failure (it waits for that answer before it may leave memory).
 *  O2. One outcome: `confirmed` and `failed` are never left for one another.
 *  O3. Money is asked for only when every line is held; an order that fails after a provider could
 *      have been asked is voided, whatever the provider answered.
 *  O4. The same id with another order is refused; with the same order it changes nothing.
 */
import type { OrderId, ProductId } from './ids.js';
import { DEFAULT_CURRENCY } from './money.js';
import type {
  Decision,
  FailureReason,
  HoldAnswer,
  Letter,
  OrderCommand,
  OrderContent,
  OrderEvent,
  OrderRefusal,
  PaymentOperation,
  Shortage,
} from './protocol.js';
import { sameContent } from './same-content.js';

export type Phase = 'absent' | 'holding' | 'charging' | 'confirmed' | 'failed';
export type PaymentStatus = 'pending' | 'authorized' | 'paid' | 'declined' | 'voided';

export interface OrderLine {
  readonly product: ProductId;
  readonly quantity: number;
  /** `asked`: no answer yet. `held` stands also for a line that has been committed. */
  readonly hold: 'asked' | 'held' | 'short' | 'unknown' | 'released';
  /** Minor units; known once held. */
  readonly unitPrice?: number;
}

export interface OrderState {
  readonly id: OrderId;
  readonly phase: Phase;
  readonly content: OrderContent;
  readonly lines: readonly OrderLine[];
  readonly payment: PaymentStatus;
  readonly voidOwed: boolean;
  readonly reason: FailureReason | undefined;
  readonly shortages: readonly Shortage[];
  readonly currency: string | undefined;
  /** Minor units; known once held. */
  readonly total: number | undefined;
  readonly correlation: string;
  /** Wall clock, milliseconds. */
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** What a decision may know besides the state; it comes in with the turn. */
export interface OrderContext {
  /** Answers at once where the provider is a pure function of the order; undefined where, or for whom, it must be asked. */
  readonly instantPayment?: ((order: OrderId) => 'authorized' | 'declined' | undefined) | undefined;
}

type Command<T extends OrderCommand['type']> = Extract<OrderCommand, { type: T }>;
type Event<T extends OrderEvent['type']> = Extract<OrderEvent, { type: T }>;
type Answer = Decision<OrderEvent, OrderRefusal>;
type Row<T extends OrderCommand['type']> = (state: OrderState, command: Command<T>, context: OrderContext) => Answer;

export const absentOrder = (id: OrderId): OrderState => ({
  id,
  phase: 'absent',
  content: { user: '' as OrderContent['user'], userIsNumber: false, lines: [] },
  lines: [],
  payment: 'pending',
  voidOwed: false,
  reason: undefined,
  shortages: [],
  currency: undefined,
  total: undefined,
  correlation: '',
  createdAt: 0,
  updatedAt: 0,
});

// ---------------------------------------------------------------- decide

const nothing: Answer = { events: [], letters: [] };
const ignore = () => nothing;

const place: Row<'place'> = (state, { content, correlation }) => ({
  events: [{ type: 'placed', content, correlation }],
  letters: content.lines.map(({ product, quantity }) => ({
    to: { kind: 'product', id: product },
    command: { type: 'hold', order: state.id, quantity, ...(content.currency && { currency: content.currency }) },
  })),
});

/** O4. */
const repeat: Row<'place'> = (state, { content }) => {
  if (state.content.user !== content.user) return { refused: 'not_yours' };
  return sameContent(state, content) ? nothing : { refused: 'other_body' };
};

const holdsAnswered: Row<'holdsAnswered'> = (state, { answers }, context) => {
  const shortages = answers.flatMap((a) =>
    a.answer === 'short' ? [{ product: a.product, asked: quantityOf(state, a.product), available: a.available }] : [],
  );
  const lines = answered(state.lines, answers);
  const currency = currencyOf(state, answers);
  if (answers.some((a) => a.answer === 'unknown' || (a.answer === 'held' && a.currency !== currency))) {
    return fail(state, 'unknown_product', answers);
  }
  if (shortages.length > 0) return fail(state, 'out_of_stock', answers, shortages);
  if (lines.some((line) => line.hold === 'asked')) return { events: [{ type: 'answered', answers }], letters: [] };

  const total = lines.reduce((sum, line) => sum + line.quantity * (line.unitPrice ?? 0), 0);
  if (!Number.isSafeInteger(total)) return fail(state, 'payment_declined', answers);
  const held: OrderEvent = { type: 'held', answers, currency: currency ?? DEFAULT_CURRENCY, total };
  const payment = context.instantPayment?.(state.id);
  if (payment === undefined) return { events: [held], letters: [] };
  if (payment === 'authorized') {
    return { events: [held, { type: 'paid', captured: true }, { type: 'confirmed' }], letters: commits(state) };
  }
  return {
    events: [held, { type: 'failed', reason: 'payment_declined', answers: [], shortages: [], voidOwed: false }],
    letters: releases(state.id, lines),
  };
};

/** O1: what was held for an order that has failed meanwhile goes back. */
const answeredTooLate: Row<'holdsAnswered'> = (state, { answers }) => ({
  events: [{ type: 'answered', answers }],
  letters: releases(
    state.id,
    answered(state.lines, answers).filter(({ product }) => answers.some((a) => a.product === product)),
  ),
});

const charged: Row<'paymentAnswered'> = (state, { outcome }) => {
  if (outcome === 'authorized') {
    return { events: [{ type: 'paid', captured: false }, { type: 'confirmed' }], letters: commits(state) };
  }
  return outcome === 'declined' ? fail(state, 'payment_declined', []) : nothing;
};

const captured: Row<'paymentAnswered'> = (state, { outcome }) =>
  outcome === 'captured' && state.payment === 'authorized' ? { events: [{ type: 'captured' }], letters: [] } : nothing;

const voided: Row<'paymentAnswered'> = (state, { outcome }) =>
  outcome === 'voided' && state.voidOwed ? { events: [{ type: 'voided' }], letters: [] } : nothing;

const timedOut: Row<'timeOut'> = (state) => fail(state, 'timed_out', []);

/** The state chart: a row per phase, a cell per command; a missing one does not compile. */
const chart: { readonly [P in Phase]: { readonly [T in OrderCommand['type']]: Row<T> } } = {
  absent: { place, holdsAnswered: ignore, paymentAnswered: ignore, timeOut: ignore },
  holding: { place: repeat, holdsAnswered, paymentAnswered: ignore, timeOut: timedOut },
  charging: { place: repeat, holdsAnswered: ignore, paymentAnswered: charged, timeOut: timedOut },
  confirmed: { place: repeat, holdsAnswered: ignore, paymentAnswered: captured, timeOut: ignore },
  failed: { place: repeat, holdsAnswered: answeredTooLate, paymentAnswered: voided, timeOut: ignore },
};

export function decideOrder(state: OrderState, command: OrderCommand, context: OrderContext): Answer {
  const row = chart[state.phase][command.type] as Row<OrderCommand['type']>;
  return row(state, command, context);
}

// ---------------------------------------------------------------- evolve

type Fold<T extends OrderEvent['type']> = (state: OrderState, event: Event<T>, at: number) => OrderState;

const fold: { readonly [T in OrderEvent['type']]: Fold<T> } = {
  placed: (state, { content, correlation }, at) => ({
    ...state,
    phase: 'holding',
    content,
    correlation,
    lines: content.lines.map((line) => ({ ...line, hold: 'asked' })),
    currency: content.currency,
    createdAt: at,
  }),
  answered: (state, { answers }) => ({
    ...state,
    lines: state.phase === 'failed' ? givenBack(answered(state.lines, answers)) : answered(state.lines, answers),
    currency: currencyOf(state, answers),
  }),
  held: (state, { answers, currency, total }) => ({
    ...state,
    phase: 'charging',
    lines: answered(state.lines, answers),
    currency,
    total,
  }),
  paid: (state, event) => ({ ...state, payment: event.captured ? 'paid' : 'authorized' }),
  confirmed: (state) => ({ ...state, phase: 'confirmed' }),
  captured: (state) => ({ ...state, payment: 'paid' }),
  failed: (state, { reason, answers, shortages, voidOwed }) => ({
    ...state,
    phase: 'failed',
    reason,
    shortages,
    voidOwed,
    lines: givenBack(answered(state.lines, answers)),
    payment: reason === 'payment_declined' ? 'declined' : state.payment,
    currency: currencyOf(state, answers),
  }),
  voided: (state) => ({ ...state, voidOwed: false, payment: state.payment === 'declined' ? 'declined' : 'voided' }),
};

/** @param at wall clock of the turn, milliseconds. */
export function evolveOrder(state: OrderState, event: OrderEvent, at: number): OrderState {
  const row = fold[event.type] as Fold<OrderEvent['type']>;
  const next = row(state, event, at) as { -readonly [K in keyof OrderState]: OrderState[K] };
  next.updatedAt = at;
  return next;
}

// ---------------------------------------------------------------- what follows from the state

/** What a payment provider still has to be asked; undefined when nothing. */
export function paymentOwed(state: OrderState): PaymentOperation | undefined {
  if (state.phase === 'charging') return 'authorize';
  if (state.phase === 'confirmed' && state.payment === 'authorized') return 'capture';
  return state.voidOwed ? 'void' : undefined;
}

export const hasOutcome = (state: OrderState): boolean => state.phase === 'confirmed' || state.phase === 'failed';

/** Nothing is owed and nothing expected: it may leave memory once it is flushed. */
export const isSettled = (state: OrderState): boolean =>
  hasOutcome(state) && paymentOwed(state) === undefined && !state.lines.some((line) => line.hold === 'asked');

/** A pending order fails as timed_out when its time is up. */
export const timerRuns = (state: OrderState): boolean => state.phase === 'holding' || state.phase === 'charging';

// ---------------------------------------------------------------- machinery

function fail(
  state: OrderState,
  reason: FailureReason,
  answers: readonly HoldAnswer[],
  shortages: readonly Shortage[] = [],
): Answer {
  return {
    events: [{ type: 'failed', reason, answers, shortages, voidOwed: state.phase === 'charging' }],
    letters: releases(state.id, answered(state.lines, answers)),
  };
}

const commits = (state: OrderState): Letter[] =>
  state.lines.map(({ product, quantity }) => ({
    to: { kind: 'product', id: product },
    command: { type: 'commit', order: state.id, quantity },
  }));

const releases = (order: OrderId, lines: readonly OrderLine[]): Letter[] =>
  lines
    .filter((line) => line.hold === 'held')
    .map(({ product, quantity }) => ({
      to: { kind: 'product', id: product },
      command: { type: 'release', order, quantity },
    }));

const givenBack = (lines: readonly OrderLine[]): OrderLine[] =>
  lines.map((line) => (line.hold === 'held' ? { ...line, hold: 'released' } : line));

function answered(lines: readonly OrderLine[], answers: readonly HoldAnswer[]): readonly OrderLine[] {
  if (answers.length === 0) return lines;
  return lines.map((line, i) => {
    if (line.hold !== 'asked') return line;
    // Answers mostly come in the order of the lines.
    const a = answers[i]?.product === line.product ? answers[i] : answers.find((each) => each.product === line.product);
    if (a === undefined) return line;
    return a.answer === 'held' ? { ...line, hold: 'held', unitPrice: a.unitPrice } : { ...line, hold: a.answer };
  });
}

const quantityOf = (state: OrderState, product: ProductId): number =>
  state.lines.find((line) => line.product === product)?.quantity ?? 0;

function currencyOf(state: OrderState, answers: readonly HoldAnswer[]): string | undefined {
  if (state.currency !== undefined) return state.currency;
  for (const a of answers) if (a.answer === 'held') return a.currency;
  return undefined;
}
