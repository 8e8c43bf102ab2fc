/**
 * Finds orders by the meanings of the searched words (word-meanings.ts): every word must mean something of the order.
 * A query collects all such orders, or walks the newest ones until a page is full. An order with a text is also in the
 * index of words; the list still shows it once.
 */
import type { OrderFilter, OrderKey } from '../../actors/ports/queries.js';
import type { Parameter, PostgresClient } from '../postgres/postgres.js';
import { supposedRows } from './counts.js';
import { type Given, givenTo, ofOrders, type Source } from './order-filter.js';
import { condition, isNothing, type Meaning, meaningOf, meaningsOf, type Way, waysTo } from './word-meanings.js';

/** A word's orders are gathered when the planner expects at most this many; otherwise they are walked. */
const GATHERED = 50_000;
/** If the rarest word has at most this many orders, the other words are checked row by row. */
const FEW = 1_000;
/** Checking one row costs as much as reading this many keys of a set. */
const KEYS_A_ROW = 10;

export interface Meant {
  /** The planner's estimate of the orders with the rarest word. */
  readonly supposed: number;
  /** The search is a single word without other filters, and the planner expects more orders than are gathered. */
  readonly isSurelyMany: boolean;
  /** All matching orders. @param given adds a parameter to the statement. */
  gathered(given: Given): Source;
  /** The matching orders, to be walked newest first until a page is full. */
  walked(given: Given): Source;
}

/** @returns undefined when a word means nothing: then no order matches. */
export async function meantBy(
  client: PostgresClient,
  words: readonly string[],
  { user, product, ...filter }: OrderFilter,
  after: OrderKey | undefined,
): Promise<Meant | undefined> {
  const ofWords = await meaningsOf(client, words);
  if (ofWords.some(isNothing)) return undefined;
  const meanings = [
    ...ofWords,
    ...(user === undefined ? [] : [meaningOf('user', user)]),
    ...(product === undefined ? [] : [meaningOf('product', product)]),
  ];
  const { rows, all } = await weighed(
    client,
    meanings.filter(({ isAsked }) => isAsked),
  );
  const frequency = (meaning: Meaning) => rows.get(meaning) ?? all;
  const [rarest, ...others] = meanings.toSorted(
    (one, other) => Number(other.isAsked) - Number(one.isAsked) || frequency(one) - frequency(other),
  );
  const supposed = rarest === undefined ? all : frequency(rarest);

  const walked = (given: Given): Source => {
    const each = meanings.map((meaning) => condition(meaning, given));
    return ofOrders({ table: 'orders o', at: 'o.created_at', id: 'o.order_id' }, each, filter, after, given);
  };
  const gathered = (given: Given): Source => {
    if (rarest === undefined) return walked(given);
    // When the rarest word has many orders, other words of similar size are intersected as sets, not checked row by row.
    const met = others.filter(
      (meaning) => meaning.isAsked && supposed > FEW && frequency(meaning) <= supposed * KEYS_A_ROW,
    );
    const rest = others.filter((meaning) => !met.includes(meaning));
    const sets = [keysOf(rarest, rest, given), ...met.map((meaning) => keysOf(meaning, [], given))];
    const keys = { table: `(${sets.join(' intersect ')}) c`, at: 'c.created_at', id: 'c.order_id' };
    return ofOrders(keys, [], filter, after, given);
  };
  const isAlone = meanings.length <= 1 && after === undefined && Object.keys(filter).length === 1;
  const areMany = supposed > GATHERED;
  return { supposed, isSurelyMany: isAlone && areMany, gathered, walked: areMany ? walked : gathered };
}

// ---------------------------------------------------------------- machinery

/** The keys of orders with one word. The other words are checked too, unless this word implies them. */
function keysOf(meaning: Meaning, others: readonly Meaning[], given: Given): string {
  const ways = waysTo(meaning, given).map((way) => {
    const rest = others.filter((other) => !way.implies(other)).map((other) => condition(other, given));
    return keysBy(way, rest);
  });
  return `(${ways.join(' union ')})`;
}

function keysBy({ table, as, where }: Way, rest: readonly string[] = []): string {
  const join = as === 'i' && rest.length > 0 ? ' join orders o on o.order_id = i.order_id' : '';
  return `select ${as}.order_id, ${as}.created_at from ${table}${join} where ${[where, ...rest].join(' and ')}`;
}

/** The planner's estimates: the orders of each word, and all orders. */
async function weighed(
  client: PostgresClient,
  meanings: readonly Meaning[],
): Promise<{ readonly rows: ReadonlyMap<Meaning, number>; readonly all: number }> {
  const parameters: Parameter[] = [];
  const ways = meanings.map((meaning) => waysTo(meaning, givenTo(parameters)).map((way) => keysBy(way)));
  // `orders` stands twice so that the `union all` has at least two branches: EXPLAIN shows no sub-plans for one.
  const orders = 'select order_id, created_at from orders';
  const text = [...ways.flat(), orders, orders].join(' union all ');
  const supposed = [...(await supposedRows(client, 'weigh meanings', text, parameters))];
  const all = supposed.at(-1) ?? 0;
  const sum = (some: readonly string[]) => supposed.splice(0, some.length).reduce((total, each) => total + each, 0);
  return { rows: new Map(meanings.map((meaning, i) => [meaning, Math.min(all, sum(ways[i] ?? []))])), all };
}
