/**
 * The export of orders: a list as CSV or NDJSON, newest first, of any length.
 *
 * Law: one page is in memory at a time, and none is read before the client has taken the one before. Between pages
 * nothing is held in Postgres. The place of a row is its order's id and time, which never change: so an export goes on
 * behind any row (`after`), on any node. An export takes its place before it first waits, and keeps it to the end of its
 * reply, so there are never more of them than places.
 */
import { type OrderId, orderId, userId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { OrderState } from '../../actors/order/order.js';
import type { OrderFilter, OrderKey, Queries } from '../../actors/ports/queries.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { sees } from '../../actors/principal.js';
import type { ApiRequest } from '../api/api-request.js';
import { Failure, fromReadModel, invalidField } from '../api/failure.js';
import { orderFilter } from '../api/list-queries.js';
import type { ExportQuery } from '../api/number-queries.js';
import type { Answer } from '../api/reply.js';
import { prefersSecond } from '../wire/accept.js';
import { sendParts } from '../wire/streamed-reply.js';
import { CSV_HEADER, csvRow } from './export-csv.js';
import { orderJson } from './order-view.js';

interface ExportOptions {
  readonly queries: Pick<Queries, 'order' | 'ordersAfter'>;
  readonly clock: Clock;
  /** True during a stop: exports break off. */
  readonly stopping: () => boolean;
  readonly logger: Logger;
}

type Page = Awaited<ReturnType<Queries['ordersAfter']>>;

const FORMATS = {
  csv: { contentType: 'text/csv; charset=utf-8', header: CSV_HEADER, row: csvRow },
  ndjson: { contentType: 'application/x-ndjson', header: '', row: (state: OrderState) => `${orderJson(state)}\n` },
} as const;

const TRIES = 3;
const AGAIN_MS = 500;

export class Export {
  private running = 0;
  constructor(private readonly options: ExportOptions) {}

  orders = async (request: ApiRequest, query: ExportQuery): Promise<Answer> => {
    const { principal, req } = request;
    const {
      format = prefersSecond(req, 'application/x-ndjson', 'text/csv') ? 'csv' : 'ndjson',
      after,
      ...rest
    } = query;
    const user = rest.user_id ?? principal.userId;
    const filter = orderFilter({ ...rest, ...(user !== undefined && { user_id: user }) });
    const { contentType, header, row } = FORMATS[format];
    const leave = this.enter();
    try {
      const isSeen = user === undefined || sees(principal, userId(user));
      const key = after === undefined ? undefined : await this.keyOf(request, after);
      // Read before the head of the reply is sent: until then a failure has a reply of its own.
      const first = isSeen ? await fromReadModel(() => this.page(filter, key)) : NOTHING;
      // A continued file has its header already.
      const parts = this.parts(request, filter, first, after === undefined ? header : '', row);
      return {
        status: 200,
        body: '',
        stream: (res) => void sendParts(res, parts, limits.exportStallMs).finally(leave),
        unstreamed: leave,
        contentType,
        headers: ['Vary', 'Accept', 'Content-Disposition', `attachment; filename="orders.${format}"`],
      };
    } catch (error) {
      leave();
      throw error;
    }
  };

  /** @returns what gives the place back, once, however often it is called. @throws Failure when no place is free */
  private enter(): () => void {
    if (this.running >= limits.exports) throw tooMany();
    this.running++;
    let isIn = true;
    return () => {
      if (isIn) this.running--;
      isIn = false;
    };
  }

  private async *parts(
    request: ApiRequest,
    filter: OrderFilter,
    first: Page,
    header: string,
    row: (state: OrderState) => string,
  ): AsyncGenerator<string> {
    try {
      if (header !== '') yield header;
      for (let page = first; ; ) {
        let text = '';
        for (const state of page.orders) text += row(state);
        if (text !== '') yield text;
        const last = page.orders.at(-1);
        if (!page.more || last === undefined) return;
        page = await this.next(filter, { at: last.createdAt, id: last.id });
      }
    } catch (error) {
      const { requestId } = request;
      this.options.logger.warn({ requestId, cause: String(error) }, 'An export broke off.');
      throw error;
    }
  }

  /** A moment without Postgres does not end an export. */
  private async next(filter: OrderFilter, key: OrderKey): Promise<Page> {
    const { clock, stopping } = this.options;
    for (let tries = 1; ; tries++) {
      if (stopping()) throw new Error('this node is stopping');
      try {
        return await this.page(filter, key);
      } catch (error) {
        if (tries >= TRIES) throw error;
        await new Promise<void>((resolve) => void clock.after(AGAIN_MS * tries * (0.5 + Math.random()), resolve));
      }
    }
  }

  private page = (filter: OrderFilter, key: OrderKey | undefined): Promise<Page> =>
    this.options.queries.ordersAfter(filter, key, limits.exportPage);

  private async keyOf({ principal }: ApiRequest, after: string): Promise<OrderKey> {
    const id: OrderId = orderId(after);
    const state = await fromReadModel(() => this.options.queries.order(id));
    if (state === undefined || !sees(principal, state.content.user))
      throw invalidField('after', 'must be the order_id of the last whole row that you have');
    return { at: state.createdAt, id };
  }
}

const NOTHING: Page = { orders: [], more: false };

const tooMany = (): Failure =>
  new Failure(503, 'busy', `This node makes ${limits.exports} exports at once, and does already: try again later.`, {
    headers: ['Retry-After', '10'],
  });
