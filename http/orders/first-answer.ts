/**
 * Rebuilds the order as the first answer to an act showed it: after the events that were decided with the act. The
 * history names the act and its versions. So a repeat gets the same bytes, whatever happened later.
 */
import type { OrderId, WriteId } from '../../actors/ids.js';
import { absentOrder, type OrderState } from '../../actors/order/order.js';
import { evolveOrder } from '../../actors/order/order-fold.js';
import type { Owners } from '../../actors/ports/owners.js';
import type { Queries } from '../../actors/ports/queries.js';
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
  let end: number | undefined;
  for (const { event, version, at } of await fromReadModel(() => queries.history(order))) {
    if (end !== undefined && version > end) break;
    state = evolveOrder(state, event, at);
    if ('act' in event && event.act?.ref === ref) end = version + (event.act.events ?? 1) - 1;
  }
  return end === undefined ? undefined : state;
}
