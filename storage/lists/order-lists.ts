/**
 * Lists of orders, newest first, by page number or by key. They stay fast with a million orders.
 *
 * Few matches are gathered and sorted; many matches are walked newest first until the page is full. A capped count
 * decides which. The planner alone would sometimes choose wrong: it assumes that matches are spread evenly over time.
 */
import type { OrderState } from '../../actors/order/order.js';
import type { Counted, OrderFilter, OrderKey, Queries } from '../../actors/ports/queries.js';
import { wordsOf } from '../../actors/search-words.js';
import type { PostgresClient } from '../postgres/postgres.js';
import { decodeOrder, ORDER_BODY } from '../snapshots/order-rows.js';
import { capped, countUpTo, supposedCount, supposedRows, unlessCanceled } from './counts.js';
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

/** A list by key gathers its matches when there are at most this many. */
const FEW = 5_000;
/** When the planner expects many matches, its estimate is too high by at most this factor. */
const PLANNER_ERROR = 10;
/** The same factor for a search by words alone: statistics cover the words of about 30,000 orders. */
const PLANNER_ERROR_OF_WORDS = 4;
/** The last word, a prefix, is checked in rows when it has this many times more orders than the other words. */
const PREFIX_FACTOR = 6;

/** @param exact counts up to this number are exact. */
export function orderLists(
  client: PostgresClient,
  exact: number,
): Pick<Queries, 'orders' | 'ordersAfter' | 'countOrders'> {
  /**
   * The index reads all entries that begin with the last word before it intersects them with the other words. `7:*` or
   * `com:*` may match all orders. When the other words find far fewer, the last word is checked in their rows instead.
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
    return {
      list: asked(filter, words, { all: rest * PREFIX_FACTOR < last, few: restOfFew * PREFIX_FACTOR < last }, after),
      meant,
    };
  }

  /** Walks the matches newest first until the page is full. */
  async function walked(matching: Matching, meant: Meant | undefined, limit: number, offset: number) {
    const { sources, parameters } = together(matching, meant, 'walked');
    const page = newest(parameters.length);
    // The page is cut before the bodies are built: a skipped row costs only its key.
    const text = `with page as materialized (${joined(sources, page, mostOf(parameters.length))})
      select o.order_id as id, ${ORDER_BODY} as body from page join orders o on o.order_id = page.order_id
      order by page.created_at desc, page.order_id desc`;
    return statesOf(await client.query<Row>('list orders', text, [...parameters, limit, offset]));
  }

  /** Gathers all matches and cuts the page out of them, if there are at most `most`. */
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
    const rows = await unlessCanceled(client.query<Row>('list orders', text, [...parameters, limit, offset]));
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
      // Counting reads less than gathering does, so it goes first when many matches are expected.
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
      // One row more than the limit shows whether there are more.
      const mayBeFew = !list.isIndexed && supposed <= FEW * PLANNER_ERROR;
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

  /** A frequent word's orders are spread over the whole table, so counting them is slow. The estimate alone decides. */
  function isSurelyMany({ isWordsAlone }: ListQuestion, { ofWords, isMeantByMany }: Foresight): boolean {
    return isMeantByMany || (isWordsAlone && ofWords > exact * PLANNER_ERROR_OF_WORDS);
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
  /** The orders that the meanings of the words find, without the index of words. */
  readonly meant: Meant | undefined;
}

interface Foresight {
  /** The planner's estimate for the list itself, without the meanings of its words. */
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
  /** Undefined when gathering timed out. */
  readonly found: number | undefined;
  /** Absent when there are more matches than may be gathered. */
  readonly orders?: OrderState[];
}

/** The list and the meanings of its words as two sources, with the parameters of both. */
function together({ parameters: own, ...source }: Matching, meant: Meant | undefined, way: 'gathered' | 'walked') {
  const parameters = [...own];
  const sources: readonly Source[] = meant === undefined ? [source] : [source, meant[way](givenTo(parameters))];
  return { sources, parameters };
}

/**
 * The keys of the orders that are in any source, each once.
 * @param cut the order and limit of the result. @param most the order and limit of each source, when there are two.
 */
function joined(sources: readonly Source[], cut: string, most: string): string {
  const keys = ({ from, at, id }: Source) => `select ${id} as order_id, ${at} as created_at ${from}`;
  const [one, other] = sources.map(keys);
  if (other === undefined) return `${one} ${cut}`;
  return `select order_id, created_at from ((${one} ${most}) union (${other} ${most})) of_both ${cut}`;
}

/** Cuts the page. Its limit and offset are the last two parameters. */
const newest = (parameters: number): string =>
  `${NEWEST} limit $${parameters + 1}::bigint offset $${parameters + 2}::bigint`;

/** Cuts all pages up to and including this one. */
const mostOf = (parameters: number): string =>
  `${NEWEST} limit $${parameters + 1}::bigint + $${parameters + 2}::bigint`;

const NEWEST = 'order by created_at desc, order_id desc';

/** The searched words, each once, and the last word at the end: it may be unfinished. */
function searchedWords({ words = '' }: OrderFilter): readonly string[] {
  const all = wordsOf(words);
  return [...new Set(all.slice(0, -1)), ...all.slice(-1)];
}

const statesOf = (rows: readonly Row[]): OrderState[] =>
  rows.flatMap(({ id, body }) => (id === null ? [] : [decodeOrder(body).state]));
