/** The fold: how each event changes an order. A fold cannot refuse. */
import type { Act, Line, OrderEvent } from '../protocol.js';
import type { Fulfillment, Life, OrderLine, OrderReturn, OrderState, Refund } from './order.js';
import { answered, currencyOf } from './order-placing.js';
import { withoutPersonalData } from './personal-data.js';

/** A row applies its event to a copy of the state. */
type Fold<T extends OrderEvent['type']> = (
  order: Draft,
  event: Extract<OrderEvent, { type: T }>,
  /** Wall clock, milliseconds. */
  at: number,
) => void;

type Draft = { -readonly [K in keyof OrderState]: OrderState[K] };

const fold: { readonly [T in OrderEvent['type']]: Fold<T> } = {
  placed(order, { content, correlation, late }, at) {
    order.phase = 'holding';
    order.content = content;
    order.correlation = correlation;
    order.lines = content.lines.map(({ product, quantity }) => ({
      product,
      quantity,
      hold: late?.products.includes(product) ? 'late' : 'asked',
      backordered: 0,
    }));
    order.lateMs = late?.delayMs ?? 0;
    order.currency = content.currency;
    order.createdAt = at;
  },
  imported(order, { content, facts, correlation }, at) {
    const { prices, total, ...rest } = facts;
    order.phase = 'confirmed';
    order.payment = 'paid';
    order.content = content;
    order.correlation = correlation;
    order.lines = content.lines.map(({ product, quantity }, i) => {
      const unitPrice = prices[i] ?? undefined;
      const line = { product, quantity, hold: 'elsewhere', backordered: 0 } as const;
      return unitPrice === undefined ? line : { ...line, unitPrice };
    });
    order.currency = content.currency;
    order.total = total;
    order.life = { ...order.life, imported: rest };
    // Another system's clock may be ahead. No order is newer than the turn that has it.
    order.createdAt = Math.min(rest.placedAt ?? at, at);
  },
  import_differed(order, { fields }) {
    const { imported } = order.life;
    if (imported === undefined) return;
    order.life = { ...order.life, imported: { ...imported, differed: [...(imported.differed ?? []), ...fields] } };
  },
  late_sent(order) {
    order.lines = order.lines.map((line) => (line.hold === 'late' ? { ...line, hold: 'asked' } : line));
    order.lateMs = 0;
  },
  answered(order, { answers }) {
    order.currency = currencyOf(order, answers);
    const lines = answered(order.lines, answers, order.currency);
    order.lines = order.phase === 'holding' ? lines : givenBack(lines);
  },
  held(order, { answers, currency, total }) {
    order.phase = 'charging';
    order.lines = answered(order.lines, answers, currency);
    order.currency = currency;
    order.total = total;
  },
  hold_extended(order, { act }) {
    order.life = { ...remembering(order.life, act), extended: true };
  },
  paid(order, { captured, captureOn }) {
    order.payment = captured ? 'paid' : 'authorized';
    if (captureOn !== undefined) order.life = { ...order.life, captureOn };
  },
  confirmed(order) {
    order.phase = 'confirmed';
  },
  captured(order) {
    order.payment = 'paid';
    order.voidOwed = false;
  },
  capture_failed(order) {
    order.payment = 'failed';
    order.life = { ...order.life, refunds: giveUp(order.life) };
  },
  failed(order, { reason, answers, shortages, voidOwed }) {
    order.currency = currencyOf(order, answers);
    order.phase = 'failed';
    order.reason = reason;
    order.shortages = shortages;
    order.voidOwed = voidOwed;
    order.lateMs = 0;
    order.lines = givenBack(answered(order.lines, answers, order.currency));
    if (reason === 'payment_declined') order.payment = 'declined';
  },
  voided(order) {
    order.voidOwed = false;
    if (order.total === 0) order.payment = 'pending';
    else if (order.payment !== 'declined') order.payment = 'voided';
  },
  cancelled(order, { act, was, reason, voidOwed }) {
    order.phase = 'cancelled';
    order.voidOwed = voidOwed;
    // Older versions also paid orders that cost nothing. Such a cancelled order shows as not charged.
    if (order.total === 0) order.payment = 'pending';
    order.lateMs = 0;
    order.lines = givenBack(order.lines);
    order.life = { ...remembering(order.life, act), cancelled: reason === undefined ? { was } : { was, reason } };
  },
  stock_arrived(order, { lines }) {
    order.lines = order.lines.map((line) => {
      const quantity = lines.find(({ product }) => product === line.product)?.quantity ?? 0;
      return quantity === 0 ? line : { ...line, backordered: Math.max(0, line.backordered - quantity) };
    });
  },
  shipped(order, { act, id, lines, tracking, carrier }, at) {
    const fulfillment: Fulfillment = {
      ...{ id, lines, shippedAt: at },
      ...(tracking !== undefined && { tracking }),
      ...(carrier !== undefined && { carrier }),
    };
    const fulfillments = [...order.life.fulfillments, fulfillment];
    if (pieces(fulfillments) === sum(order.lines)) order.phase = 'shipped';
    order.life = { ...remembering(order.life, act), fulfillments };
  },
  delivered(order, { act, ids }, at) {
    const fulfillments = order.life.fulfillments.map((each) =>
      ids.includes(each.id) ? { ...each, deliveredAt: at } : each,
    );
    const isWhole = order.phase === 'shipped' && fulfillments.every(({ deliveredAt }) => deliveredAt !== undefined);
    if (isWhole) order.phase = 'delivered';
    order.life = { ...remembering(order.life, act), fulfillments };
  },
  return_requested(order, { act, id, lines, reason }, at) {
    const requested: OrderReturn = {
      ...{ id, lines, status: 'requested', requestedAt: at },
      ...(reason !== undefined && { reason }),
    };
    order.life = { ...remembering(order.life, act), returns: [...order.life.returns, requested] };
  },
  return_received(order, { act, id, restocked }) {
    const received = { status: 'received', restocked } as const;
    const returns = order.life.returns.map((each) => (each.id === id ? { ...each, ...received } : each));
    order.life = { ...remembering(order.life, act), returns };
  },
  refund_requested(order, { id, minor, act, returned, reason }, at) {
    const refund: Refund = {
      ...{ id, minor, status: 'owed', requestedAt: at },
      ...(returned !== undefined && { returned }),
      ...(reason !== undefined && { reason }),
    };
    const life = act === undefined ? order.life : remembering(order.life, act);
    order.life = { ...life, refunds: [...life.refunds, refund] };
  },
  refunded(order, { id }) {
    const refunds = withStatus(order.life.refunds, id, 'done');
    const done = refunds.reduce((all, { minor, status }) => all + (status === 'done' ? minor : 0), 0);
    const returnId = refunds.find((refund) => refund.id === id)?.returned;
    const returns = order.life.returns.map((each) =>
      each.id === returnId ? { ...each, status: 'refunded' as const } : each,
    );
    order.payment = done >= (order.total ?? 0) ? 'refunded' : 'partially_refunded';
    order.life = { ...order.life, refunds, returns };
  },
  refund_failed(order, { id }) {
    order.life = { ...order.life, refunds: withStatus(order.life.refunds, id, 'failed') };
  },
  forgotten(order, { act }) {
    const { content, life } = withoutPersonalData(order);
    order.content = content;
    order.life = { ...remembering(life, act), forgotten: true };
  },
  act_answered(order, { act, refused }, at) {
    const answered = { ...act, ...(refused !== undefined && { refused }), at };
    order.life = { ...order.life, answered: [...(order.life.answered ?? []), answered] };
  },
};

/** @param at wall clock of the turn, milliseconds. */
export const evolveOrder = (state: OrderState, event: OrderEvent, at: number): OrderState =>
  evolveOrderBy(state, [event], at);

/** Folds all events of one decision into one copy of the state. */
export function evolveOrderBy(state: OrderState, events: readonly OrderEvent[], at: number): OrderState {
  const next = copyOf(state);
  next.version = state.version + events.length;
  // An `act_answered` changes nothing that a client sees.
  if (events[0]?.type !== 'act_answered') next.updatedAt = at;
  for (const event of events) {
    const row = fold[event.type] as Fold<OrderEvent['type']>;
    row(next, event, at);
  }
  return next;
}

// ---------------------------------------------------------------- machinery

/**
 * Field by field: a spread whose fields are then replaced costs fifteen times as much, for every event of every order.
 */
const copyOf = (order: OrderState): Draft => ({
  id: order.id,
  version: order.version,
  phase: order.phase,
  content: order.content,
  lines: order.lines,
  payment: order.payment,
  voidOwed: order.voidOwed,
  reason: order.reason,
  shortages: order.shortages,
  currency: order.currency,
  total: order.total,
  lateMs: order.lateMs,
  life: order.life,
  correlation: order.correlation,
  createdAt: order.createdAt,
  updatedAt: order.updatedAt,
});

const remembering = (life: Life, act: Act): Life => ({ ...life, acts: [...life.acts, act] });

const givenBack = (lines: readonly OrderLine[]): OrderLine[] =>
  lines.map((line) => (line.hold === 'held' ? { ...line, hold: 'released', backordered: 0 } : line));

const sum = (lines: readonly Line[]): number => lines.reduce((all, { quantity }) => all + quantity, 0);

const pieces = (fulfillments: readonly Fulfillment[]): number =>
  fulfillments.reduce((all, { lines }) => all + sum(lines), 0);

const withStatus = (refunds: readonly Refund[], id: string, status: Refund['status']): Refund[] =>
  refunds.map((refund) => (refund.id === id ? { ...refund, status } : refund));

/** Refunds that were owed of a charge that was never captured. */
const giveUp = ({ refunds }: Life): Refund[] =>
  refunds.map((refund) => (refund.status === 'owed' ? { ...refund, status: 'failed' } : refund));
