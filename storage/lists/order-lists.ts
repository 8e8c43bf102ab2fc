/**
 * Lists of orders that stay fast at a million: newest first, by page number or by key.
 *
 * Few matches are gathered and sorted, many are walked until the page is full, and a count that stops tells the
 * two apart: the planner, which supposes that matches lie evenly in time, would take the wrong way now and then.
 */
import type { OrderState } from '../../actors/order/order.js';
import type { Counted, OrderFilter, OrderKey, Queries } from '../../actors/ports/queries.js';
import type { PostgresClient } from '../postgres/postgres.js';
import { decodeOrder, ORDER_BODY } from '../snapshots/order-rows.js';
import { capped, countUpTo, inTime, supposedCount, supposedRows } from './counts.js';
import { asked, type ListQuestion, type Matching, WORDS_ALONE, wordsQuery } from './order-filter.js';

/** Below it, what comes after a key is gathered. */
const FEW = 5_000;
/** The planner is not wrong by more where it supposes many. */
const SURELY = 10;
/** Nor by more of a word alone: it has counted the words of some 30,000 orders. */
const SURELY_OF_WORDS = 4;
/** How many times more the beginning of a word must have before it is looked for in rows instead of the index. */
const TIMES = 6;

/** @param exact up to here counts are. */
export function orderLists(
  client: PostgresClient,
  exact: number,
): Pick<Queries, 'orders' | 'ordersAfter' | 'countOrders'> {
  /**
   * The index gathers everything that begins with the last word before it looks at the others: `7:*` or
   * `com:*` may be all orders. Where the others find far less, the last word is looked for in their rows.
   */
  async function weighed(filter: OrderFilter, after?: OrderKey): Promise<ListQuestion> {
    const words = wordsQuery(filter);
    if (words === undefined) return asked(filter, words, { all: false, few: false }, after);
    const parameters = [words.last, words.rest, words.restOfFew];
    const [last = 0, rest = 0, restOfFew = 0] = await supposedRows(client, 'weigh words', WORDS_ALONE, parameters);
    return asked(filter, words, { all: rest * TIMES < last, few: restOfFew * TIMES < last }, after);
  }

  /** A page of what is walked newest first until it is full. */
  async function walked({ from, at, id, parameters }: Matching, limit: number, offset: number): Promise<OrderState[]> {
    // The page is cut before bodies are made: a skipped row costs its key only.
    const text = `with page as materialized (
        select ${id} as order_id, ${at} as created_at ${from} ${newest(parameters.length)})
      select o.order_id as id, ${ORDER_BODY} as body from page join orders o on o.order_id = page.order_id
      order by page.created_at desc, page.order_id desc`;
    return statesOf(await client.query<Row>('list orders', text, [...parameters, limit, offset]));
  }

  /** A page of what is gathered first, where that is no more than `most`. */
  async function gathered(
    { from, at, id, parameters }: Matching,
    most: number,
    limit: number,
    offset: number,
  ): Promise<Gathered> {
    const text = `with matching as materialized (select ${id} as order_id, ${at} as created_at ${from} limit ${most + 1}),
        page as materialized (select * from matching ${newest(parameters.length)})
      select o.order_id as id, all_of_them.found, case when all_of_them.found <= ${most} then ${ORDER_BODY} end as body
      from (select count(*) as found from matching) all_of_them
        left join page on true left join orders o on o.order_id = page.order_id
      order by page.created_at desc, page.order_id desc`;
    const rows = await inTime(client.query<Row>('list orders', text, [...parameters, limit, offset]));
    const found = rows?.[0]?.found;
    return rows === undefined || found === undefined || found > most ? { found } : { found, orders: statesOf(rows) };
  }

  return {
    async countOrders(filter) {
      const list = await weighed(filter);
      return counted(list, await foreseen(list));
    },

    async orders(filter, { page, pageSize }) {
      const list = await weighed(filter);
      const offset = (page - 1) * pageSize;
      const foresight = await foreseen(list);
      const { matching, supposed } = foresight;
      // Counting looks at less than gathering does.
      if (list.isIndexed || supposed > exact) {
        const count = await counted(list, foresight);
        if (list.isIndexed || count.isEstimate) return { orders: await walked(list, pageSize, offset), ...count };
      }
      const { found, orders } = await gathered(matching, exact, pageSize, offset);
      return { orders: orders ?? (await walked(list, pageSize, offset)), ...capped(found, supposed, exact) };
    },

    async ordersAfter(filter, after, limit) {
      const list = await weighed(filter, after);
      const { matching, supposed } = await foreseen(list);
      // One more tells whether there is more.
      const mayBeFew = !list.isIndexed && supposed <= FEW * SURELY;
      const few = mayBeFew ? (await gathered(matching, FEW, limit + 1, 0)).orders : undefined;
      const orders = few ?? (await walked(list, limit + 1, 0));
      return { orders: orders.slice(0, limit), more: orders.length > limit };
    },
  };

  async function counted(list: ListQuestion, { matching, supposed }: Foresight): Promise<Counted> {
    // One index alone tells of a frequent word, and how frequent it is: what it finds is spread over all rows.
    if (list.isWordsAlone && supposed > exact * SURELY_OF_WORDS) return capped(undefined, supposed, exact);
    return capped(await countUpTo(client, 'count orders', matching, exact + 1), supposed, exact);
  }

  async function foreseen(list: ListQuestion): Promise<Foresight> {
    const supposed = await supposedCount(client, 'count orders', list);
    return { supposed, matching: supposed > exact ? list : list.few };
  }
}

interface Foresight {
  readonly supposed: number;
  readonly matching: Matching;
}

interface Row {
  readonly id: string | null;
  readonly body: string;
  readonly found?: number;
}

interface Gathered {
  /** Undefined where to gather them took too long. */
  readonly found: number | undefined;
  /** Absent where there are more. */
  readonly orders?: OrderState[];
}

/** The page: its limit and offset come after the other parameters. */
const newest = (parameters: number): string =>
  `order by created_at desc, order_id desc limit $${parameters + 1}::bigint offset $${parameters + 2}::bigint`;

const statesOf = (rows: readonly Row[]): OrderState[] =>
  rows.flatMap(({ id, body }) => (id === null ? [] : [decodeOrder(body).state]));
