/**
 * Lists of orders that stay fast at a million: newest first, by page number or by key.
 *
 * Few matches are gathered and sorted, many are walked until the page is full, and a count that stops tells the
 * two apart: the planner, which supposes that matches lie evenly in time, would take the wrong way now and then.
 */
import { limits } from '../actors/limits.js';
import type { OrderState } from '../actors/order.js';
import type { OrderFilter, OrderKey, Queries } from '../actors/ports.js';
import { capped, countCapped, countUpTo, type Supposed, supposedCount, supposedRows } from './counts.js';
import { type Asked, asked, WORDS_ALONE } from './order-filter.js';
import { decodeOrder, ORDER_BODY } from './order-rows.js';
import type { PostgresClient } from './postgres.js';

/** Below it, what comes after a key is gathered. */
const FEW = 5_000;
/** How many times more the beginning of a word must have before it is looked for in rows instead of the index. */
const TIMES = 6;
const FAR_MORE = 2 * limits.exactCount;

export function orderLists(client: PostgresClient): Pick<Queries, 'orders' | 'ordersAfter' | 'countOrders'> {
  /**
   * The index gathers everything that begins with the last word before it looks at the others: `7:*` or
   * `com:*` may be all orders. Where the others find far less, the last word is looked for in their rows.
   */
  async function weighed(filter: OrderFilter, after?: OrderKey): Promise<Asked> {
    if (filter.words === undefined) return asked(filter, false, after);
    const [last = 0, rest = 0] = await supposedRows(client, 'weigh words', WORDS_ALONE, [filter.words]);
    return asked(filter, rest * TIMES < last, after);
  }

  /** A page of what is walked newest first until it is full, or of what is gathered first, and then how many that were. */
  async function cut(list: Asked, way: 'walk' | 'gather', limit: number, offset: number): Promise<Cut> {
    const { from, at, id, parameters } = list;
    const matching = `select ${id} as order_id, ${at} as created_at ${from}`;
    const newest = 'order by created_at desc, order_id desc';
    const page = `${newest} limit $${parameters.length + 1}::bigint offset $${parameters.length + 2}::bigint`;
    // The page is cut before bodies are made: a skipped row costs its key only.
    const text =
      way === 'walk'
        ? `with page as materialized (select * from (${matching}) matching ${page})
            select o.order_id as id, 0::bigint as found, ${ORDER_BODY} as body from page join orders o on o.order_id = page.order_id
            order by page.created_at desc, page.order_id desc`
        : `with matching as materialized (${matching} limit ${limits.exactCount + 1}), page as materialized (select * from matching ${page})
            select o.order_id as id, all_of_them.found, ${ORDER_BODY} as body from (select count(*) as found from matching) all_of_them
            left join page on true left join orders o on o.order_id = page.order_id
            order by page.created_at desc, page.order_id desc`;
    const rows = await client.query<Row>('list orders', text, [...parameters, limit, offset]);
    const orders = rows.flatMap(({ id, body }) => (id === null ? [] : [decodeOrder(body).state]));
    return { found: rows[0]?.found ?? 0, orders };
  }

  return {
    countOrders: async (filter) => {
      const list = await weighed(filter);
      const { from, parameters } = list;
      const supposed = await supposedCount(client, 'count orders', from, parameters);
      if (!isCounted(supposed, list)) return { total: supposed.rows, isEstimate: true };
      return countCapped(client, 'count orders', from, parameters);
    },

    async orders(filter, { page, pageSize }) {
      const list = await weighed(filter);
      const { from, parameters, isIndexed } = list;
      const supposed = await supposedCount(client, 'count orders', from, parameters);
      const offset = (page - 1) * pageSize;
      const walk = async () => (await cut(list, 'walk', pageSize, offset)).orders;
      if (!isCounted(supposed, list)) return { orders: await walk(), total: supposed.rows, isEstimate: true };
      if (isIndexed || supposed.rows > limits.exactCount) {
        const count = await countCapped(client, 'count orders', from, parameters);
        if (isIndexed || count.isEstimate) return { orders: await walk(), ...count };
      }
      const { orders, found } = await cut(list, 'gather', pageSize, offset);
      const count = capped(found, supposed.rows);
      return { orders: count.isEstimate ? await walk() : orders, ...count };
    },

    async ordersAfter(filter, after, limit) {
      const list = await weighed(filter, after);
      const { from, parameters, isIndexed } = list;
      const areFew = !isIndexed && (await countUpTo(client, 'count orders', from, parameters, FEW)) < FEW;
      // One more tells whether there is more.
      const { orders } = await cut(list, areFew ? 'gather' : 'walk', limit + 1, 0);
      return { orders: orders.slice(0, limit), more: orders.length > limit };
    },
  };
}

interface Row {
  readonly id: string | null;
  readonly body: string;
  readonly found: number;
}

interface Cut {
  readonly orders: readonly OrderState[];
  /** Where they were gathered: how many, no more than limits.exactCount + 1. */
  readonly found: number;
}

/** What is supposed to be far more than is counted is not counted where that means to look at rows. */
const isCounted = ({ rows, isCountable }: Supposed, { isIndexed }: Asked): boolean =>
  isCountable && (isIndexed || rows < FAR_MORE);
