/**
 * Lists of orders that stay fast at a million: newest first, by page number or by key.
 *
 * Few matches are gathered and sorted, many are walked until the page is full, and a count that stops tells the
 * two apart: the planner, which supposes that matches lie evenly in time, would take the wrong way now and then.
 */
import type { OrderState } from '../../actors/order/order.js';
import type { Counted, OrderFilter, OrderKey, Queries } from '../../actors/ports/queries.js';
import { wordsOf } from '../../actors/search-words.js';
import type { PostgresClient } from '../postgres/postgres.js';
import { decodeOrder, ORDER_BODY } from '../snapshots/order-rows.js';
import { capped, countUpTo, inTime, supposedCount, supposedRows } from './counts.js';
import { type Meant, meantBy } from './meant-orders.js';
import {
  asked,
  givenTo,
  type ListQuestion,
  type Matching,
  type Source,
  WORDS_ALONE,
  wordsQuery,
} from './order-filter.js';

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
  async function weighed(filter: OrderFilter, after?: OrderKey): Promise<Weighed> {
    const searched = searchedWords(filter);
    const words = wordsQuery(searched, filter.product);
    if (words === undefined) return { list: asked(filter, words, { all: false, few: false }, after), meant: undefined };
    const parameters = [words.last, words.rest, words.restOfFew];
    const [[last = 0, rest = 0, restOfFew = 0], meant] = await Promise.all([
      supposedRows(client, 'weigh words', WORDS_ALONE, parameters),
      meantBy(client, searched, filter, after),
    ]);
    return { list: asked(filter, words, { all: rest * TIMES < last, few: restOfFew * TIMES < last }, after), meant };
  }

  /** A page of what is walked newest first until it is full. */
  async function walked(matching: Matching, meant: Meant | undefined, limit: number, offset: number) {
    const { sources, parameters } = together(matching, meant, 'walked');
    const page = newest(parameters.length);
    // The page is cut before bodies are made: a skipped row costs its key only.
    const text = `with page as materialized (${joined(sources, page, mostOf(parameters.length))})
      select o.order_id as id, ${ORDER_BODY} as body from page join orders o on o.order_id = page.order_id
      order by page.created_at desc, page.order_id desc`;
    return statesOf(await client.query<Row>('list orders', text, [...parameters, limit, offset]));
  }

  /** A page of what is gathered first, where that is no more than `most`. */
  async function gathered(
    matching: Matching,
    meant: Meant | undefined,
    most: number,
    limit: number,
    offset: number,
  ): Promise<Gathered> {
    const { sources, parameters } = together(matching, meant, 'gathered');
    const text = `with matching as materialized (${joined(sources, `limit ${most + 1}`, `limit ${most + 1}`)}),
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
      const { list, meant } = await weighed(filter);
      const foresight = await foreseen(list, meant);
      if (meant === undefined || isSurelyMany(list, foresight)) return counted(list, foresight);
      const { sources, parameters } = together(foresight.matching, meant, 'gathered');
      const most = `limit ${exact + 1}`;
      const all = { from: `from (${joined(sources, most, most)}) both_of_them`, parameters };
      return capped(await countUpTo(client, 'count orders', all, exact + 1), foresight.supposed, exact);
    },

    async orders(filter, { page, pageSize }) {
      const { list, meant } = await weighed(filter);
      const offset = (page - 1) * pageSize;
      const foresight = await foreseen(list, meant);
      const { matching, supposed } = foresight;
      // Counting looks at less than gathering does.
      if (meant === undefined ? list.isIndexed || supposed > exact : isSurelyMany(list, foresight)) {
        const count = await counted(list, foresight);
        if (list.isIndexed || count.isEstimate)
          return { orders: await walked(list, meant, pageSize, offset), ...count };
      }
      const { found, orders } = await gathered(matching, meant, exact, pageSize, offset);
      return { orders: orders ?? (await walked(list, meant, pageSize, offset)), ...capped(found, supposed, exact) };
    },

    async ordersAfter(filter, after, limit) {
      const { list, meant } = await weighed(filter, after);
      const { matching, supposed } = await foreseen(list, meant);
      // One more tells whether there is more.
      const mayBeFew = !list.isIndexed && supposed <= FEW * SURELY;
      const few = mayBeFew ? (await gathered(matching, meant, FEW, limit + 1, 0)).orders : undefined;
      const orders = few ?? (await walked(list, meant, limit + 1, 0));
      return { orders: orders.slice(0, limit), more: orders.length > limit };
    },
  };

  async function counted(list: ListQuestion, foresight: Foresight): Promise<Counted> {
    const { matching, supposed } = foresight;
    if (isSurelyMany(list, foresight)) return capped(undefined, supposed, exact);
    return capped(await countUpTo(client, 'count orders', matching, exact + 1), supposed, exact);
  }

  /** One index alone tells of a frequent word, and how frequent it is: what it finds is spread over all rows. */
  function isSurelyMany({ isWordsAlone }: ListQuestion, { ofWords, isMeantByMany }: Foresight): boolean {
    return isMeantByMany || (isWordsAlone && ofWords > exact * SURELY_OF_WORDS);
  }

  async function foreseen(list: ListQuestion, meant: Meant | undefined): Promise<Foresight> {
    const ofWords = await supposedCount(client, 'count orders', list);
    const supposed = Math.max(ofWords, meant?.supposed ?? 0);
    const isMeantByMany = meant?.isSurelyMany === true;
    return { ofWords, isMeantByMany, supposed, matching: ofWords > exact ? list : list.few };
  }
}

interface Weighed {
  readonly list: ListQuestion;
  /** Orders that are found without the index of words too. */
  readonly meant: Meant | undefined;
}

interface Foresight {
  /** Of the list itself, without what its words mean. */
  readonly ofWords: number;
  readonly isMeantByMany: boolean;
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

/** A list and what its words mean, with the parameters of both. */
function together({ parameters: own, ...source }: Matching, meant: Meant | undefined, way: 'gathered' | 'walked') {
  const parameters = [...own];
  const sources: readonly Source[] = meant === undefined ? [source] : [source, meant[way](givenTo(parameters))];
  return { sources, parameters };
}

/** Keys of orders that one of them has, each once. @param cut what is taken of all. @param most of each of two. */
function joined(sources: readonly Source[], cut: string, most: string): string {
  const keys = ({ from, at, id }: Source) => `select ${id} as order_id, ${at} as created_at ${from}`;
  const [one, other] = sources.map(keys);
  if (other === undefined) return `${one} ${cut}`;
  return `select order_id, created_at from ((${one} ${most}) union (${other} ${most})) of_both ${cut}`;
}

/** The page: its limit and offset come after the other parameters. */
const newest = (parameters: number): string =>
  `${NEWEST} limit $${parameters + 1}::bigint offset $${parameters + 2}::bigint`;

/** As many as the pages up to this one have. */
const mostOf = (parameters: number): string =>
  `${NEWEST} limit $${parameters + 1}::bigint + $${parameters + 2}::bigint`;

const NEWEST = 'order by created_at desc, order_id desc';

/** Each once, and the last one, which may be unfinished. */
function searchedWords({ words = '' }: OrderFilter): readonly string[] {
  const all = wordsOf(words);
  return [...new Set(all.slice(0, -1)), ...all.slice(-1)];
}

const statesOf = (rows: readonly Row[]): OrderState[] =>
  rows.flatMap(({ id, body }) => (id === null ? [] : [decodeOrder(body).state]));
