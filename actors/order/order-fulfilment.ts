/**
 * The decisions of a placed order: cancelling, shipping, delivering, returning, refunding. These are the cells of the
 * chart (order-chart.ts) for acts of people, and for the answers of the payment provider and of the products.
 */
import { DEFAULT_CURRENCY } from '../money.js';
import type { Letter, Line, OrderEvent } from '../protocol.js';
import {
  type Answer,
  captureOwed,
  isSettled,
  nothing,
  type OrderContext,
  type OrderState,
  type Phase,
  paymentOwed,
  type Row,
} from './order.js';
import { evolveOrder } from './order-fold.js';
import { releases } from './order-placing.js';
import { hasPersonalData } from './personal-data.js';
import { statusOf } from './transitions.js';

export const illegal = (): Answer => ({ refused: 'illegal_transition' });

// ---------------------------------------------------------------- cancelling

/** order.O1: held lines are released; a charge that may be under way is voided. */
export const cancelPending: Row<'cancel'> = (state, { act, reason }, context) => {
  const voidOwed = state.phase === 'charging';
  const cancelled: OrderEvent = { type: 'cancelled', act, was: 'pending', ...defined({ reason }), voidOwed };
  return { events: settle(state, [cancelled], context), letters: releases(state.id, state.lines) };
};

/** order.O3: the charge is voided or refunded; the goods go back into stock. */
export const cancelConfirmed: Row<'cancel'> = (state, { act, reason }, context) => {
  if (state.life.fulfillments.length > 0) return illegal();
  const voidOwed = state.payment === 'authorized';
  const events: OrderEvent[] = [{ type: 'cancelled', act, was: 'confirmed', ...defined({ reason }), voidOwed }];
  // A capture under way is not refunded here: the answer to the void says whether the capture came first.
  if (voidOwed) events.push(...givenUp(state));
  const rest = voidOwed ? 0 : refundable(state);
  if (rest > 0) events.push(refundOf(state, rest));
  return {
    events: settle(state, events, context),
    letters: state.lines.map(({ product, quantity }) => ({
      to: { kind: 'product', id: product },
      command: { type: 'uncommit', order: state.id, quantity },
    })),
  };
};

/** The order is cancelled already. */
export const cancelAgain: Row<'cancel'> = ({ life }, { reason }) =>
  sameIfGiven(reason, life.cancelled?.reason) ? nothing : { refused: 'done_otherwise' };

// ---------------------------------------------------------------- shipping and delivering

/** order.O5: never ships more than is left and in stock. */
export const ship: Row<'ship'> = (state, { act, lines, tracking, carrier }, context) => {
  const left = leftToShip(state);
  const everything = left.filter(({ quantity }) => quantity > 0);
  if (everything.length === 0) {
    if (lines !== undefined) return { refused: 'more_than_ordered' };
    const isSame = state.life.fulfillments.some(
      (each) => sameIfGiven(tracking, each.tracking) && sameIfGiven(carrier, each.carrier),
    );
    return isSame ? nothing : { refused: 'done_otherwise' };
  }
  if (isUnpaid(state) && state.life.fulfillments.length === 0) return illegal();
  const shipped = lines ?? everything;
  const backordered = (product: Line['product']) =>
    state.lines.find((line) => line.product === product)?.backordered ?? 0;
  for (const { product, quantity } of shipped) {
    const most = quantityIn(left, product);
    if (quantity > most) return { refused: 'more_than_ordered' };
    if (quantity > most - backordered(product)) return { refused: 'backordered' };
  }
  const id = nextId(state, 'F', state.life.fulfillments);
  const event: OrderEvent = { type: 'shipped', act, id, lines: shipped, ...defined({ tracking, carrier }) };
  return { events: settle(state, [event], context), letters: [] };
};

export const deliver: Row<'deliver'> = (state, { act, fulfillment }) => {
  const { fulfillments } = state.life;
  if (fulfillment !== undefined && !fulfillments.some(({ id }) => id === fulfillment)) {
    return { refused: 'unknown_fulfillment' };
  }
  if (fulfillments.length === 0) return illegal();
  const ids = fulfillments
    .filter(({ id, deliveredAt }) => deliveredAt === undefined && (fulfillment ?? id) === id)
    .map(({ id }) => id);
  return ids.length === 0 ? nothing : { events: [{ type: 'delivered', act, ids }], letters: [] };
};

export const stockArrived: Row<'stockArrived'> = (_, { lines }) => ({
  events: [{ type: 'stock_arrived', lines }],
  letters: [],
});

// ---------------------------------------------------------------- returning and refunding

/** order.O5: never takes back more than was shipped. */
export const requestReturn: Row<'requestReturn'> = (state, { act, lines, reason }) => {
  const left = leftToReturn(state);
  const returned = lines ?? left.filter(({ quantity }) => quantity > 0);
  if (returned.length === 0 || returned.some(({ product, quantity }) => quantity > quantityIn(left, product))) {
    return { refused: 'more_than_shipped' };
  }
  const id = nextId(state, 'R', state.life.returns);
  return { events: [{ type: 'return_requested', act, id, lines: returned, ...defined({ reason }) }], letters: [] };
};

/** The goods have arrived: they go into stock or are written off, and their price is owed to the client. */
export const receiveReturn: Row<'receiveReturn'> = (state, { act, returned, restock: requested }, context) => {
  const known = state.life.returns.find(({ id }) => id === returned);
  if (known === undefined) return { refused: 'unknown_return' };
  if (known.status !== 'requested') {
    return sameIfGiven(requested, known.restocked) ? nothing : { refused: 'done_otherwise' };
  }
  const restock = requested ?? true;
  const events: OrderEvent[] = [{ type: 'return_received', act, id: returned, restocked: restock }];
  const minor = Math.min(priceOf(state, known.lines), refundable(state));
  if (minor > 0) {
    events.push({ ...refundOf(state, minor), returned });
  }
  const letters = restock ? known.lines.map((line) => restocked(state, line)) : [];
  return { events: settle(state, events, context), letters };
};

/** order.O3: never refunds more than was paid. */
export const refund: Row<'refund'> = (state, { act, minor, currency = state.currency, reason }, context) => {
  // The currency was not known yet when the amount was counted.
  if (currency !== state.currency) return { refused: 'more_than_paid' };
  const rest = refundable(state);
  const amount = minor ?? rest;
  if (amount === 0 || amount > rest) return { refused: 'more_than_paid' };
  const event: OrderEvent = { ...refundOf(state, amount), act, ...defined({ reason }) };
  return { events: settle(state, [event], context), letters: [] };
};

// ---------------------------------------------------------------- what the provider answers

export const moneyMoved: Row<'paymentAnswered'> = (state, { operation, ref, outcome }) => {
  if (operation === 'capture' && state.payment === 'authorized') {
    if (outcome === 'captured') return { events: [{ type: 'captured' }], letters: [] };
    return outcome === 'declined' || outcome === 'voided'
      ? { events: [{ type: 'capture_failed' }], letters: [] }
      : nothing;
  }
  return operation === 'refund' ? refunded(state, ref, outcome) : nothing;
};

/** The order has ended without its goods: the authorization is voided, or the captured money is refunded. */
export const undone: Row<'paymentAnswered'> = (state, { operation, ref, outcome }) => {
  if (operation === 'refund') return refunded(state, ref, outcome);
  if (operation !== 'void' || !state.voidOwed) return nothing;
  if (outcome === 'voided') return { events: [{ type: 'voided' }], letters: [] };
  if (outcome !== 'captured') return nothing;
  return { events: [{ type: 'captured' }, refundOf(state, state.total ?? 0)], letters: [] };
};

// ---------------------------------------------------------------- others

export const extendHold: Row<'extendHold'> = (_, { act }) => ({
  events: [{ type: 'hold_extended', act }],
  letters: [],
});

/** An order that is not done may still need its address. */
export const forget: Row<'forget'> = (state, { act, unshipped }) => {
  if (!hasPersonalData(state)) return nothing;
  if (!isSettled(state) || (state.phase === 'confirmed' && unshipped !== true)) return illegal();
  return { events: [{ type: 'forgotten', act }], letters: [] };
};

export const closeAct: Row<'closeAct'> = (_, { act, refused }) => ({
  events: [refused === undefined ? { type: 'act_answered', act } : { type: 'act_answered', act, refused }],
  letters: [],
});

/** A move to a status decides the same as the act on the whole order. */
export const moveTo: Row<'move'> = (state, { act, to }, context) => {
  if (statusOf(state.phase) === to) return nothing;
  const row = MOVES[state.phase];
  if (to === 'cancelled' && row.cancel !== undefined) return row.cancel(state, { type: 'cancel', act }, context);
  if (to === 'shipped' && row.ship) return ship(state, { type: 'ship', act }, context);
  if (to === 'delivered' && row.deliver) return deliver(state, { type: 'deliver', act }, context);
  return illegal();
};

interface Moves {
  readonly cancel?: Row<'cancel'>;
  readonly ship?: boolean;
  readonly deliver?: boolean;
}

const MOVES: { readonly [P in Phase]: Moves } = {
  absent: {},
  holding: { cancel: cancelPending },
  charging: { cancel: cancelPending },
  confirmed: { cancel: cancelConfirmed, ship: true },
  shipped: { deliver: true },
  delivered: {},
  cancelled: {},
  failed: {},
};

// ---------------------------------------------------------------- machinery

/** Adds the provider's answers to owed payments at once, when the provider is a pure function of the order. */
function settle(state: OrderState, events: OrderEvent[], { instantPayment }: OrderContext): OrderEvent[] {
  if (instantPayment?.(state.id) === undefined) return events;
  let after = state;
  for (const event of events) after = evolveOrder(after, event, after.updatedAt);
  for (let owed = paymentOwed(after); owed !== undefined; owed = paymentOwed(after)) {
    const event: OrderEvent =
      owed.operation === 'void'
        ? { type: 'voided' }
        : owed.operation === 'capture'
          ? { type: 'captured' }
          : { type: 'refunded', id: owed.ref };
    events.push(event);
    after = evolveOrder(after, event, after.updatedAt);
  }
  return events;
}

function refunded(state: OrderState, ref: string, outcome: string): Answer {
  const owed = state.life.refunds.find(({ id }) => id === ref);
  if (owed?.status !== 'owed') return nothing;
  if (outcome === 'refunded') return { events: [{ type: 'refunded', id: ref }], letters: [] };
  return outcome === 'declined' ? { events: [{ type: 'refund_failed', id: ref }], letters: [] } : nothing;
}

const nextId = (state: OrderState, kind: 'F' | 'R' | 'P', some: readonly object[]): string =>
  `${state.id}-${kind}${some.length + 1}`;

const refundOf = (state: OrderState, minor: number): Extract<OrderEvent, { type: 'refund_requested' }> => ({
  type: 'refund_requested',
  id: nextId(state, 'P', state.life.refunds),
  minor,
  currency: state.currency ?? DEFAULT_CURRENCY,
});

/** Unpaid orders are not shipped. An order whose shipping has begun may be completed. */
const isUnpaid = ({ payment }: OrderState): boolean => payment === 'failed' || payment === 'refunded';

/** Fails the refunds that waited for a capture, because the charge is voided now. */
const givenUp = ({ life }: OrderState): OrderEvent[] =>
  life.refunds.filter(({ status }) => status === 'owed').map(({ id }) => ({ type: 'refund_failed', id }));

const hasMoved = ({ payment }: OrderState): boolean => payment === 'paid' || payment === 'partially_refunded';

/** How much money may still be refunded. Money that is about to be captured counts. */
export function refundable(state: OrderState): number {
  if (!hasMoved(state) && !captureOwed(state)) return 0;
  const given = state.life.refunds.reduce((sum, { minor, status }) => sum + (status === 'failed' ? 0 : minor), 0);
  return (state.total ?? 0) - given;
}

const priceOf = (state: OrderState, lines: readonly Line[]): number =>
  lines.reduce(
    (sum, { product, quantity }) =>
      sum + quantity * (state.lines.find((line) => line.product === product)?.unitPrice ?? 0),
    0,
  );

const quantityIn = (lines: readonly Line[], product: Line['product']): number =>
  lines.find((line) => line.product === product)?.quantity ?? 0;

const sumIn = (some: readonly { readonly lines: readonly Line[] }[], product: Line['product']): number =>
  some.reduce((sum, { lines }) => sum + quantityIn(lines, product), 0);

export const leftToShip = ({ lines, life }: OrderState): Line[] =>
  lines.map(({ product, quantity }) => ({ product, quantity: quantity - sumIn(life.fulfillments, product) }));

export const leftToReturn = ({ lines, life }: OrderState): Line[] =>
  lines.map(({ product }) => ({
    product,
    quantity: sumIn(life.fulfillments, product) - sumIn(life.returns, product),
  }));

/** The letter that returns a line to stock. `no` counts the order's restocked returns of this product. */
function restocked(state: OrderState, { product, quantity }: Line): Letter {
  const before = state.life.returns.filter(
    (each) => each.restocked === true && each.lines.some((line) => line.product === product),
  );
  return {
    to: { kind: 'product', id: product },
    command: { type: 'return', order: state.id, quantity, no: before.length + 1 },
  };
}

/** Whether the given value, if any was given, equals the stored one. */
const sameIfGiven = <T>(given: T | undefined, stored: T | undefined): boolean =>
  given === undefined || given === stored;

/** Only the fields that are defined. */
function defined<T extends { readonly [name: string]: string | undefined }>(
  some: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(some).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
