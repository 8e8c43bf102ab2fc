/**
 * How an order is decided once it stands: cancelling, shipping, delivering, returning, refunding. The rows of
 * the chart (order-chart.ts) for what people ask, and for what the provider and the keepers answer to it.
 */
import { DEFAULT_CURRENCY } from '../money.js';
import type { Letter, Line, OrderEvent } from '../protocol.js';
import {
  type Answer,
  captureOwed,
  nothing,
  type OrderContext,
  type OrderState,
  type Phase,
  paymentOwed,
  type Row,
} from './order.js';
import { evolveOrder } from './order-fold.js';
import { releases } from './order-placing.js';
import { statusOf } from './transitions.js';

export const illegal = (): Answer => ({ refused: 'illegal_transition' });

// ---------------------------------------------------------------- cancelling

/** order.O1: what is held goes back; a charge that may be under way is voided. */
export const cancelPending: Row<'cancel'> = (state, { act, reason }, context) => {
  const voidOwed = state.phase === 'charging';
  const cancelled: OrderEvent = { type: 'cancelled', act, was: 'pending', ...told({ reason }), voidOwed };
  return { events: settle(state, [cancelled], context), letters: releases(state.id, state.lines) };
};

/** order.O3: the charge is voided or refunded, the goods come back. */
export const cancelConfirmed: Row<'cancel'> = (state, { act, reason }, context) => {
  if (state.life.fulfillments.length > 0) return illegal();
  const voidOwed = state.payment === 'authorized';
  const events: OrderEvent[] = [{ type: 'cancelled', act, was: 'confirmed', ...told({ reason }), voidOwed }];
  // A capture that is under way is not refunded here: the void's answer tells whether it came first.
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

/** It is cancelled already. */
export const cancelAgain: Row<'cancel'> = ({ life }, { reason }) =>
  sameIfSaid(reason, life.cancelled?.reason) ? nothing : { refused: 'done_otherwise' };

// ---------------------------------------------------------------- shipping and delivering

/** order.O5. */
export const ship: Row<'ship'> = (state, { act, lines, tracking, carrier }, context) => {
  const left = leftToShip(state);
  const everything = left.filter(({ quantity }) => quantity > 0);
  if (everything.length === 0) {
    if (lines !== undefined) return { refused: 'more_than_ordered' };
    const isSo = state.life.fulfillments.some(
      (each) => sameIfSaid(tracking, each.tracking) && sameIfSaid(carrier, each.carrier),
    );
    return isSo ? nothing : { refused: 'done_otherwise' };
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
  const event: OrderEvent = { type: 'shipped', act, id, lines: shipped, ...told({ tracking, carrier }) };
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

/** order.O5. */
export const requestReturn: Row<'requestReturn'> = (state, { act, lines, reason }) => {
  const left = leftToReturn(state);
  const returned = lines ?? left.filter(({ quantity }) => quantity > 0);
  if (returned.length === 0 || returned.some(({ product, quantity }) => quantity > quantityIn(left, product))) {
    return { refused: 'more_than_shipped' };
  }
  const id = nextId(state, 'R', state.life.returns);
  return { events: [{ type: 'return_requested', act, id, lines: returned, ...told({ reason }) }], letters: [] };
};

/** The goods are here: in stock again or written off, and their price is owed. */
export const receiveReturn: Row<'receiveReturn'> = (state, { act, returned, restock: said }, context) => {
  const known = state.life.returns.find(({ id }) => id === returned);
  if (known === undefined) return { refused: 'unknown_return' };
  if (known.status !== 'requested') {
    return sameIfSaid(said, known.restocked) ? nothing : { refused: 'done_otherwise' };
  }
  const restock = said ?? true;
  const events: OrderEvent[] = [{ type: 'return_received', act, id: returned, restocked: restock }];
  const minor = Math.min(priceOf(state, known.lines), refundable(state));
  if (minor > 0) {
    events.push({ ...refundOf(state, minor), returned });
  }
  const letters = restock ? known.lines.map((line) => restocked(state, line)) : [];
  return { events: settle(state, events, context), letters };
};

/** order.O3. */
export const refund: Row<'refund'> = (state, { act, minor, reason }, context) => {
  const rest = refundable(state);
  const asked = minor ?? rest;
  if (asked === 0 || asked > rest) return { refused: 'more_than_paid' };
  const event: OrderEvent = { ...refundOf(state, asked), act, ...told({ reason }) };
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

/** Of an order that has ended without its goods: the promise is taken back, or what has moved is refunded. */
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

export const closeAct: Row<'closeAct'> = (_, { act, refused }) => ({
  events: [refused === undefined ? { type: 'act_answered', act } : { type: 'act_answered', act, refused }],
  letters: [],
});

/** By the word: the same as the act for everything. */
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

/** Adds what a provider that is a pure function of the order answers at once to what it is owed. */
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

/** Nothing leaves unpaid; what has begun to leave may be brought to its end. */
const isUnpaid = ({ payment }: OrderState): boolean => payment === 'failed' || payment === 'refunded';

/** Refunds that waited for a capture which is voided now. */
const givenUp = ({ life }: OrderState): OrderEvent[] =>
  life.refunds.filter(({ status }) => status === 'owed').map(({ id }) => ({ type: 'refund_failed', id }));

const hasMoved = ({ payment }: OrderState): boolean => payment === 'paid' || payment === 'partially_refunded';

/** What of the money may still be given back; what is about to be captured counts. */
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

/** Numbered among the order's restocked returns of this product. */
function restocked(state: OrderState, { product, quantity }: Line): Letter {
  const before = state.life.returns.filter(
    (each) => each.restocked === true && each.lines.some((line) => line.product === product),
  );
  return {
    to: { kind: 'product', id: product },
    command: { type: 'return', order: state.id, quantity, no: before.length + 1 },
  };
}

/** Whether what was said, if anything was, is what stands. */
const sameIfSaid = <T>(said: T | undefined, stands: T | undefined): boolean => said === undefined || said === stands;

/** Only what was said. */
function told<T extends { readonly [name: string]: string | undefined }>(
  some: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(some).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
