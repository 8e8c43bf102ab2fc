/**
 * An order as it was decided: what whoever placed it is told, the first time and in every repeat.
 *
 * Law: it is the fold of the order's events up to the first one that gave it an outcome. So it is the same wherever
 * it is taken from, and whatever follows in the same turn or the same millisecond: versions tell, never clocks.
 */
import type { OrderId } from '../ids.js';
import type { OrderEvent } from '../protocol.js';
import { absentOrder, hasOutcome, type OrderState } from './order.js';
import { evolveOrder, evolveOrderBy } from './order-fold.js';

/** Of a decision that gave the order its outcome; undefined of any other. */
export function decidedBy(
  before: OrderState,
  events: readonly OrderEvent[],
  after: OrderState,
  at: number,
): OrderState | undefined {
  if (hasOutcome(before) || !hasOutcome(after)) return undefined;
  const upTo = events.findIndex(({ type }) => type === 'confirmed' || type === 'failed' || type === 'cancelled') + 1;
  return upTo === events.length ? after : evolveOrderBy(before, events.slice(0, upTo), at);
}

/** From its events, oldest first; undefined while it has no outcome. */
export function decidedIn(
  id: OrderId,
  history: readonly { readonly event: OrderEvent; readonly at: number }[],
): OrderState | undefined {
  let state = absentOrder(id);
  for (const { event, at } of history) {
    state = evolveOrder(state, event, at);
    if (hasOutcome(state)) return state;
  }
  return undefined;
}

/**
 * Whether it has come to its outcome by the fewest events that lead there, so that none has followed. False says
 * nothing. A confirmed one was placed, held, paid and confirmed; any other had one event after it was placed.
 */
export function isJustDecided(state: OrderState): boolean {
  if (state.phase !== 'confirmed') return state.version === 2 && hasOutcome(state) && !isRewritten(state);
  const { payment } = state;
  return state.version === 4 && (payment === 'paid' || payment === 'authorized') && !isRewritten(state);
}

/** A row has U+FFFD where a client's text had a NUL: its history has what was sent. */
const isRewritten = ({ content: { email, notes, paymentMethod } }: OrderState): boolean =>
  [email, notes, paymentMethod].some((text) => text?.includes('\ufffd'));
