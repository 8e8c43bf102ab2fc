/**
 * The orders of which every word of a search means something (word-meanings.ts): all of them, or the newest until there
 * are enough. Orders that have a text are among them, and in the index of words too: they are listed once.
 */
import type { OrderFilter, OrderKey } from '../../actors/ports/queries.js';
import type { Parameter, PostgresClient } from '../postgres/postgres.js';
import { supposedRows } from './counts.js';
import { type Given, givenTo, ofOrders, type Source } from './order-filter.js';
import { condition, isNothing, type Meaning, meaningOf, meaningsOf, type Way, waysTo } from './word-meanings.js';

/** Up to so many orders, as the planner supposes, a word's are gathered. */
const GATHERED = 50_000;
/** Up to so many, the other words are looked for row by row. */
const FEW = 1_000;
/** To look at a row costs as much as so many keys of a set. */
const KEYS_A_ROW = 10;

export interface Meant {
  /** How many have the rarest word. */
  readonly supposed: number;
  /** That is the only word there is, nothing else is asked for, and it is in more than are gathered. */
  readonly isSurelyMany: boolean;
  /** All of them. @param given takes a parameter. */
  gathered(given: Given): Source;
  /** Newest first, until there are enough. */
  walked(given: Given): Source;
}

/** @returns undefined where a word means nothing. */
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
  const { rows, all } = await weighed(client, meanings);
  const frequency = (meaning: Meaning) => rows.get(meaning) ?? all;
  const [rarest, ...others] = meanings.toSorted((one, other) => frequency(one) - frequency(other));
  const supposed = rarest === undefined ? all : frequency(rarest);

  const walked = (given: Given): Source => {
    const each = meanings.map((meaning) => condition(meaning, given));
    return ofOrders({ table: 'orders o', at: 'o.created_at', id: 'o.order_id' }, each, filter, after, given);
  };
  const gathered = (given: Given): Source => {
    if (rarest === undefined) return walked(given);
    // Where the rarest has many, sets of others that are not far larger meet it at once.
    const met = others.filter((meaning) => supposed > FEW && frequency(meaning) <= supposed * KEYS_A_ROW);
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

/** Orders with one word, and with the others, where that is not implied. */
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

/** How many orders the planner supposes of each word, and how many there are. */
async function weighed(
  client: PostgresClient,
  meanings: readonly Meaning[],
): Promise<{ readonly rows: ReadonlyMap<Meaning, number>; readonly all: number }> {
  const parameters: Parameter[] = [];
  const ways = meanings.map((meaning) => waysTo(meaning, givenTo(parameters)).map((way) => keysBy(way)));
  // Two plans at least: of one alone there would be none to tell apart.
  const orders = 'select order_id, created_at from orders';
  const text = [...ways.flat(), orders, orders].join(' union all ');
  const supposed = [...(await supposedRows(client, 'weigh meanings', text, parameters))];
  const all = supposed.at(-1) ?? 0;
  const sum = (some: readonly string[]) => supposed.splice(0, some.length).reduce((total, each) => total + each, 0);
  return { rows: new Map(meanings.map((meaning, i) => [meaning, Math.min(all, sum(ways[i] ?? []))])), all };
}
