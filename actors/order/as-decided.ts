/**
 * An order as it was decided: the state in the reply to the request that placed it, and to every repeat.
 *
 * Law: this state is the fold of the order's events up to the first one that gave it an outcome. So memory and history
 * give the same state, whatever follows in the same turn or millisecond: the versions of events decide, never clocks.
 */
import type { OrderId } from '../ids.js';
import type { OrderEvent } from '../protocol.js';
import { absentOrder, hasOutcome, type OrderState } from './order.js';
import { evolveOrder, evolveOrderBy } from './order-fold.js';

const OUTCOMES: ReadonlySet<OrderEvent['type']> = new Set(['confirmed', 'imported', 'failed', 'cancelled']);

/** The decided state, when these events gave the order its outcome; else undefined. */
export function decidedBy(
  before: OrderState,
  events: readonly OrderEvent[],
  after: OrderState,
  at: number,
): OrderState | undefined {
  if (hasOutcome(before) || !hasOutcome(after)) return undefined;
  const upTo = events.findIndex(({ type }) => OUTCOMES.has(type)) + 1;
  return upTo === events.length ? after : evolveOrderBy(before, events.slice(0, upTo), at);
}

/** The decided state from the order's events, oldest first; undefined while it has no outcome. */
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
 * Whether the order has only as many events as its outcome needs at least, so none has followed the outcome. False says
 * nothing. A confirmed order was placed, held, paid and confirmed, or it was imported. Any other had one event after it
 * was placed.
 */
export function isJustDecided(state: OrderState): boolean {
  if (state.life.imported !== undefined) return state.version === 1 && !isRewritten(state);
  if (state.phase !== 'confirmed') return state.version === 2 && hasOutcome(state) && !isRewritten(state);
  const { payment } = state;
  return state.version === 4 && (payment === 'paid' || payment === 'authorized') && !isRewritten(state);
}

/** A row has U+FFFD where a client's text had a NUL; the order's history has the text as it was sent. */
const isRewritten = ({ content: { email, notes, paymentMethod } }: OrderState): boolean =>
  [email, notes, paymentMethod].some((text) => text?.includes('\ufffd'));
