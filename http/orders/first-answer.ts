/**
 * Rebuilds the order as the first answer to an act showed it: after the events that were decided with the act. The
 * history names the act and its versions. So a repeat gets the same bytes, whatever happened later.
 */
import type { OrderId, WriteId } from '../../actors/ids.js';
import { absentOrder, type OrderState } from '../../actors/order/order.js';
import { evolveOrder } from '../../actors/order/order-fold.js';
import type { Owners } from '../../actors/ports/owners.js';
import type { Queries } from '../../actors/ports/queries.js';
import type { HistoryRow } from '../../actors/ports/snapshot-rows.js';
import type { Act, OrderEvent } from '../../actors/protocol.js';
import { fromReadModel } from '../api/failure.js';

/** @returns undefined if the history does not name the act. @throws Unavailable */
export async function asAnswered(
  owners: Pick<Owners, 'flushed'>,
  queries: Pick<Queries, 'history'>,
  order: OrderId,
  ref: WriteId,
): Promise<OrderState | undefined> {
  await owners.flushed(order);
  let state = absentOrder(order);
  let own: HistoryRow | undefined;
  for (const row of await fromReadModel(() => queries.history(order))) {
    const { event, at } = row;
    if (own !== undefined && !isDecidedWith(own, row)) break;
    state = evolveOrder(state, event, at);
    if (actOf(event)?.ref === ref) own = row;
  }
  return own === undefined ? undefined : state;
}

const actOf = (event: OrderEvent): Act | undefined => ('act' in event ? event.act : undefined);

/**
 * Whether a later event was decided with the act. Older versions did not store how many were. Theirs are those of the
 * same turn, up to the next act.
 */
function isDecidedWith(own: HistoryRow, { event, version, turn }: HistoryRow): boolean {
  const events = actOf(own.event)?.events;
  if (events !== undefined) return version < own.version + events;
  return turn === own.turn && actOf(event) === undefined;
}
