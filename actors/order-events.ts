/** What each event makes of an order: the fold. It knows no way to say no. */
import type { Fulfillment, Life, OrderLine, OrderReturn, OrderState, PaymentStatus, Refund } from './order.js';
import { answered, currencyOf } from './order-placing.js';
import type { Act, Line, OrderEvent } from './protocol.js';

type Fold<T extends OrderEvent['type']> = (
  state: OrderState,
  event: Extract<OrderEvent, { type: T }>,
  at: number,
) => OrderState;

const fold: { readonly [T in OrderEvent['type']]: Fold<T> } = {
  placed: (state, { content, correlation, late }, at) => ({
    ...state,
    phase: 'holding',
    content,
    correlation,
    lines: content.lines.map(({ product, quantity }) => ({
      product,
      quantity,
      hold: late?.products.includes(product) ? 'late' : 'asked',
      backordered: 0,
    })),
    lateMs: late?.delayMs ?? 0,
    currency: content.currency,
    createdAt: at,
  }),
  late_sent: (state) => ({
    ...state,
    lines: state.lines.map((line) => (line.hold === 'late' ? { ...line, hold: 'asked' } : line)),
    lateMs: 0,
  }),
  answered: (state, { answers }) => ({
    ...state,
    lines: state.phase === 'holding' ? answered(state.lines, answers) : givenBack(answered(state.lines, answers)),
    currency: currencyOf(state, answers),
  }),
  held: (state, { answers, currency, total }) => ({
    ...state,
    phase: 'charging',
    lines: answered(state.lines, answers),
    currency,
    total,
  }),
  hold_extended: (state, { act }) => ({ ...state, life: { ...remembering(state.life, act), extended: true } }),
  paid: (state, { captured, captureOn }) => ({
    ...state,
    payment: captured ? 'paid' : 'authorized',
    life: captureOn === undefined ? state.life : { ...state.life, captureOn },
  }),
  confirmed: (state) => ({ ...state, phase: 'confirmed' }),
  captured: (state) => ({ ...state, payment: 'paid', voidOwed: false }),
  capture_failed: (state) => ({ ...state, payment: 'failed', life: { ...state.life, refunds: giveUp(state.life) } }),
  failed: (state, { reason, answers, shortages, voidOwed }) => ({
    ...state,
    phase: 'failed',
    reason,
    shortages,
    voidOwed,
    lateMs: 0,
    lines: givenBack(answered(state.lines, answers)),
    payment: reason === 'payment_declined' ? 'declined' : state.payment,
    currency: currencyOf(state, answers),
  }),
  voided: (state) => ({ ...state, voidOwed: false, payment: state.payment === 'declined' ? 'declined' : 'voided' }),
  cancelled: (state, { act, was, reason, voidOwed }) => ({
    ...state,
    phase: 'cancelled',
    voidOwed,
    lateMs: 0,
    lines: givenBack(state.lines),
    life: { ...remembering(state.life, act), cancelled: reason === undefined ? { was } : { was, reason } },
  }),
  stock_arrived: (state, { lines }) => ({
    ...state,
    lines: state.lines.map((line) => {
      const quantity = lines.find(({ product }) => product === line.product)?.quantity ?? 0;
      return quantity === 0 ? line : { ...line, backordered: Math.max(0, line.backordered - quantity) };
    }),
  }),
  shipped: (state, { act, id, lines, tracking, carrier }, at) => {
    const fulfillment: Fulfillment = {
      ...{ id, lines, shippedAt: at },
      ...(tracking !== undefined && { tracking }),
      ...(carrier !== undefined && { carrier }),
    };
    const fulfillments = [...state.life.fulfillments, fulfillment];
    const phase = pieces(fulfillments) === sum(state.lines) ? 'shipped' : state.phase;
    return { ...state, phase, life: { ...remembering(state.life, act), fulfillments } };
  },
  delivered: (state, { act, ids }, at) => {
    const fulfillments = state.life.fulfillments.map((each) =>
      ids.includes(each.id) ? { ...each, deliveredAt: at } : each,
    );
    const isWhole = state.phase === 'shipped' && fulfillments.every(({ deliveredAt }) => deliveredAt !== undefined);
    const phase = isWhole ? 'delivered' : state.phase;
    return { ...state, phase, life: { ...remembering(state.life, act), fulfillments } };
  },
  return_requested: (state, { act, id, lines, reason }, at) => {
    const requested: OrderReturn = {
      ...{ id, lines, status: 'requested', requestedAt: at },
      ...(reason !== undefined && { reason }),
    };
    return { ...state, life: { ...remembering(state.life, act), returns: [...state.life.returns, requested] } };
  },
  return_received: (state, { act, id, restocked }) => {
    const received = { status: 'received', restocked } as const;
    const returns = state.life.returns.map((each) => (each.id === id ? { ...each, ...received } : each));
    return { ...state, life: { ...remembering(state.life, act), returns } };
  },
  refund_requested: (state, { id, minor, act, returned, reason }, at) => {
    const refund: Refund = {
      ...{ id, minor, status: 'owed', requestedAt: at },
      ...(returned !== undefined && { returned }),
      ...(reason !== undefined && { reason }),
    };
    const life = act === undefined ? state.life : remembering(state.life, act);
    return { ...state, life: { ...life, refunds: [...life.refunds, refund] } };
  },
  refunded: (state, { id }) => {
    const refunds = withStatus(state.life.refunds, id, 'done');
    const done = refunds.reduce((all, { minor, status }) => all + (status === 'done' ? minor : 0), 0);
    const payment: PaymentStatus = done >= (state.total ?? 0) ? 'refunded' : 'partially_refunded';
    const of = refunds.find((refund) => refund.id === id)?.returned;
    const returns = state.life.returns.map((each) =>
      each.id === of ? { ...each, status: 'refunded' as const } : each,
    );
    return { ...state, payment, life: { ...state.life, refunds, returns } };
  },
  refund_failed: (state, { id }) => ({
    ...state,
    life: { ...state.life, refunds: withStatus(state.life.refunds, id, 'failed') },
  }),
};

/** @param at wall clock of the turn, milliseconds. */
export function evolveOrder(state: OrderState, event: OrderEvent, at: number): OrderState {
  const row = fold[event.type] as Fold<OrderEvent['type']>;
  const next = row(state, event, at) as { -readonly [K in keyof OrderState]: OrderState[K] };
  next.version = state.version + 1;
  next.updatedAt = at;
  return next;
}

// ---------------------------------------------------------------- machinery

const remembering = (life: Life, act: Act): Life => ({ ...life, acts: [...life.acts, act] });

const givenBack = (lines: readonly OrderLine[]): OrderLine[] =>
  lines.map((line) => (line.hold === 'held' ? { ...line, hold: 'released', backordered: 0 } : line));

const sum = (lines: readonly Line[]): number => lines.reduce((all, { quantity }) => all + quantity, 0);

const pieces = (fulfillments: readonly Fulfillment[]): number =>
  fulfillments.reduce((all, { lines }) => all + sum(lines), 0);

const withStatus = (refunds: readonly Refund[], id: string, status: Refund['status']): Refund[] =>
  refunds.map((refund) => (refund.id === id ? { ...refund, status } : refund));

/** What was to come out of money that never came. */
const giveUp = ({ refunds }: Life): Refund[] =>
  refunds.map((refund) => (refund.status === 'owed' ? { ...refund, status: 'failed' } : refund));
