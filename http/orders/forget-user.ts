/**
 * Erases the personal data of a user's orders, a bounded part a request. Each order is one act of its owner, so it is in line
 * with everything else that happens to the order.
 *
 * Law: what is told as erased is erased in the rows, too. A request that is repeated, on any node, finds the rest.
 */
import { type OrderId, userId, writeId } from '../../actors/ids.js';
import { hasPersonalData } from '../../actors/order/personal-data.js';
import type { Owners } from '../../actors/ports/owners.js';
import type { Queries } from '../../actors/ports/queries.js';
import type { Clock } from '../../actors/ports/runtime.js';
import { noAnswer, Unavailable } from '../../actors/unavailable.js';
import type { ApiRequest, WaitingRoom } from '../api/api-request.js';
import { cursorOf } from '../api/cursor.js';
import { fromReadModel, unavailable } from '../api/failure.js';
import type { ForgetBody } from '../api/forget-schemas.js';
import { orderKey } from '../api/list-queries.js';
import { type Answer, success } from '../api/reply.js';
import { boundedWork } from '../inventory/bounded-work.js';
import { actUnavailable } from './order-act-answer.js';

interface ForgetOptions {
  readonly owners: Pick<Owners, 'act' | 'flushed'>;
  readonly ordersAfter: Queries['ordersAfter'];
  readonly freshLists: (() => Promise<boolean>) | undefined;
  readonly clock: Clock;
  readonly waiting: WaitingRoom;
  readonly waitMs: number;
}

const BATCH = 100;
const AT_ONCE = 8;

type Outcome = 'forgotten' | 'nothing' | 'under way';

export class ForgetUser {
  constructor(private readonly options: ForgetOptions) {}

  forget = async (request: ApiRequest, user: string, { unshipped = false, cursor }: ForgetBody): Promise<Answer> => {
    const { ordersAfter, freshLists, waiting } = this.options;
    const list = `forget ${user} ${unshipped}`;
    const after = orderKey(list, cursor);
    return waiting.during(async () => {
      if (freshLists !== undefined && !(await freshLists()))
        throw unavailable('Not every node tells that its orders are in the lists: try again in a moment.');
      const page = await fromReadModel(() => ordersAfter({ user: userId(user) }, after, BATCH));
      const outcomes = new Map<OrderId, Outcome>();
      await boundedWork(page.orders, AT_ONCE, async (state) => {
        const { id } = state;
        outcomes.set(id, hasPersonalData(state) ? await this.one(request, id, unshipped) : 'nothing');
        return true;
      });
      const of = (wanted: Outcome) => [...outcomes].filter(([, outcome]) => outcome === wanted).map(([id]) => id);
      const last = page.orders.at(-1);
      const next = page.more && last !== undefined ? cursorOf(list, [last.createdAt, last.id]) : null;
      const told = { user_id: user, orders: outcomes.size, forgotten: of('forgotten').length };
      const more = { under_way: of('under way'), next_cursor: next };
      return success(200, JSON.stringify({ ...told, ...more }), 'The personal data of these orders is erased');
    });
  };

  // -------------------------------------------------------------- machinery

  private async one({ cause, req }: ApiRequest, order: OrderId, unshipped: boolean): Promise<Outcome> {
    const { owners, clock, waitMs } = this.options;
    const act = { ref: writeId(clock.id()), fingerprint: '' };
    const command = { type: 'forget', act, ...(unshipped && { unshipped }) } as const;
    const reply = await owners
      .act({ order, command, correlation: cause, fresh: true }, waitMs, req)
      .catch((error: unknown) => {
        if (error instanceof Unavailable) return noAnswer(error);
        throw error;
      });
    if (reply.kind === 'unavailable') throw actUnavailable(reply, order);
    if (reply.kind === 'done') {
      await owners.flushed(order);
      return 'forgotten';
    }
    // One on its way to an archive is erased there (holdfast archive --forget).
    if (['illegal_transition', 'archived', 'gone'].includes(reply.refusal)) return 'under way';
    throw unavailable(`The order ${order} could not be asked (${reply.refusal}): try again in a moment.`);
  }
}
