/**
 * What an order has of a person: e-mail, addresses, notes, tracking ids, and the reasons that people wrote. The user's id is a
 * pseudonym and stays, and so do lines, amounts, carriers and times.
 *
 * Law: the state after `forgotten` is the fold of the order's history, whether the earlier events are still as they were decided
 * or have lost their personal data. So rows, memory and history agree at every moment.
 */
import type { TurnRow } from '../ports/snapshot-rows.js';
import type { OrderContent, OrderEvent } from '../protocol.js';
import type { Life, OrderState } from './order.js';

export function hasPersonalData({ content, life }: OrderState): boolean {
  const { email, shippingAddress, billingAddress, notes } = content;
  if ([email, shippingAddress, billingAddress, notes].some((each) => each !== undefined)) return true;
  const { cancelled, imported, fulfillments, returns, refunds } = life;
  return (
    cancelled?.reason !== undefined ||
    imported?.tracking !== undefined ||
    fulfillments.some(({ tracking }) => tracking !== undefined) ||
    [...returns, ...refunds].some(({ reason }) => reason !== undefined)
  );
}

export function withoutPersonalData<S extends OrderState>(state: S): S {
  return { ...state, content: contentWithout(state.content), life: lifeWithout(state.life) };
}

/** The version of the last event that says so among these turns; undefined: there is none. */
export function forgottenAt(turns: readonly Pick<TurnRow, 'version' | 'events'>[]): number | undefined {
  for (const { version, events } of turns.toReversed()) {
    if (!events.includes('"type":"forgotten"')) continue;
    const place = decoded(events).findLastIndex(({ type }) => type === 'forgotten');
    if (place >= 0) return version + place;
  }
  return undefined;
}

/** The turn without the personal data of its events before this version. */
export function erasedTurn<T extends Pick<TurnRow, 'version' | 'events'>>(turn: T, upTo: number): T {
  if (turn.version >= upTo) return turn;
  const events = decoded(turn.events).map((event, i) => (turn.version + i < upTo ? erasedEvent(event) : event));
  return { ...turn, events: JSON.stringify(events).slice(1, -1) };
}

export function erasedEvent(event: OrderEvent): OrderEvent {
  switch (event.type) {
    case 'placed':
      return { ...event, content: contentWithout(event.content) };
    case 'imported':
      return { ...event, content: contentWithout(event.content), facts: without(event.facts, 'tracking') };
    case 'shipped':
      return without(event, 'tracking');
    case 'cancelled':
    case 'return_requested':
    case 'refund_requested':
      return without(event, 'reason');
    default:
      return event;
  }
}

export const lifeWithout = (life: Life): Life => ({
  ...life,
  ...(life.cancelled !== undefined && { cancelled: { was: life.cancelled.was } }),
  ...(life.imported !== undefined && { imported: without(life.imported, 'tracking') }),
  fulfillments: life.fulfillments.map((each) => without(each, 'tracking')),
  returns: life.returns.map((each) => without(each, 'reason')),
  refunds: life.refunds.map((each) => without(each, 'reason')),
});

// ---------------------------------------------------------------- machinery

const decoded = (events: string): OrderEvent[] => JSON.parse(`[${events}]`) as OrderEvent[];

function contentWithout(content: OrderContent): OrderContent {
  const { email: _, shippingAddress: __, billingAddress: ___, notes: ____, ...rest } = content;
  return rest;
}

function without<T extends object>(given: T, name: 'tracking' | 'reason'): T {
  if (!(name in given)) return given;
  const rest = { ...given };
  delete (rest as { tracking?: string; reason?: string })[name];
  return rest;
}
