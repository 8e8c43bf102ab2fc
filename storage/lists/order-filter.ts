/**
 * Builds the SQL for a list of orders. One table drives the query: `order_search` for a search by words, `order_items`
 * for a filter by product, otherwise `orders`. Each table has the order's time, so each can be walked newest first.
 * SQL text is made of constants only; a client's values are always parameters.
 */
import type { OrderFilter, OrderKey } from '../../actors/ports/queries.js';
import { wordsOf } from '../../actors/search-words.js';
import type { Parameter } from '../postgres/postgres.js';
import type { Countable } from './counts.js';

/** The `from` and `where` clauses of a query, as constant text. */
export interface Source {
  readonly from: string;
  /** `at` and `id` name the columns of the driving table with the order's time and id. */
  readonly at: string;
  readonly id: string;
}

/** A source with the parameters of its text. */
export interface Matching extends Source, Countable {}

/** Adds a parameter to the statement. Returns its placeholder, such as `$1::text`. */
export type Given = (value: Parameter, type?: string) => string;

export const givenTo =
  (parameters: Parameter[]): Given =>
  (value, type = 'text') =>
    `$${parameters.push(value)}::${type}`;

export interface ListQuestion extends Matching {
  /** One index holds exactly these orders, newest first. */
  readonly isIndexed: boolean;
  /** The search has words and no other filter. */
  readonly isWordsAlone: boolean;
  /** The same orders with redundant conditions. Fast when few orders match; the planner's estimate is then far too low. */
  readonly few: Matching;
}

const TABLES = { o: 'orders o', i: 'order_items i', s: 'order_search s' } as const;

/** Whether the last word is checked in the rows that the other words find, and not in the index. */
interface LastOnRows {
  readonly all: boolean;
  /** The same choice for `few`, where the words of the product count as other words. */
  readonly few: boolean;
}

export function asked(
  filter: OrderFilter,
  words: WordsQuery | undefined,
  lastOnRows: LastOnRows,
  after?: OrderKey,
): ListQuestion {
  const all = built(filter, words && searched(words, lastOnRows.all), false, after);
  const few = words && { all: words.allOfFew, rest: words.restOfFew, last: words.last };
  return { ...all, few: built(filter, few && searched(few, lastOnRows.few), true, after) };
}

/** The searched words as tsquery texts. The last word also matches as a prefix. */
interface WordsQuery {
  readonly all: string;
  readonly last: string;
  /** All words but the last; the last word when there is only one. */
  readonly rest: string;
  /** The same with the words of the product's id. Its orders have those words too, so the index finds fewer rows. */
  readonly allOfFew: string;
  readonly restOfFew: string;
}

/** @param words contain only letters, digits and marks. @param isBegun the last word matches as a prefix. */
export const tsquery = (words: readonly string[], isBegun: boolean): string =>
  words.map((word, i) => `'${word}'${isBegun && i === words.length - 1 ? ':*' : ''}`).join(' & ');

/** @returns undefined when the client gave no word: such a search finds nothing, whatever words the product has. */
export function wordsQuery(words: readonly string[], product = ''): WordsQuery | undefined {
  if (words.length === 0) return undefined;
  const [others, last] = [words.slice(0, -1), tsquery(words.slice(-1), true)];
  const ofProduct = wordsOf(product);
  return {
    all: tsquery(words, true),
    last,
    rest: tsquery(others, false) || last,
    allOfFew: tsquery([...ofProduct, ...words], true),
    restOfFew: tsquery([...ofProduct, ...others], false) || last,
  };
}

/** Three plans: what the index finds for the last word alone, for the other words, and for `restOfFew`. */
export const WORDS_ALONE = `select from order_search s where s.words @@ $1::tsquery
  union all select from order_search s where s.words @@ $2::tsquery
  union all select from order_search s where s.words @@ $3::tsquery`;

/**
 * The orders of a table that has their ids and times, under the filter's conditions and the given ones.
 * @param conditions refer to the order as `o`.
 */
export function ofOrders(
  { table, at, id }: { readonly table: string; readonly at: string; readonly id: string },
  conditions: readonly string[],
  filter: OrderFilter,
  after: OrderKey | undefined,
  given: Given,
): Source {
  const onOrder = [...conditions, ...ofOrder(filter, given)];
  const all = [...onOrder, ...inTimeOf(filter, after, at, id, given)];
  const join = onOrder.length > 0 && id !== 'o.order_id' ? ` join orders o on o.order_id = ${id}` : '';
  return { from: `from ${table}${join}${where(all)}`, at, id };
}

// ---------------------------------------------------------------- machinery

function built(
  filter: OrderFilter,
  words: Searched | undefined,
  areFew: boolean,
  after?: OrderKey,
): Omit<ListQuestion, 'few'> {
  const { status, payment, fulfillment, product, currency, from, to, minTotal, maxTotal } = filter;
  const parameters: Parameter[] = [];
  const given = givenTo(parameters);
  const isSearch = filter.words !== undefined;
  const table = isSearch ? 's' : product !== undefined ? 'i' : 'o';
  const [at, id] = [`${table}.created_at`, `${table}.order_id`];
  const onOrder = ofOrder(filter, given);
  const conditions = [...onOrder];
  if (words !== undefined) conditions.push(`s.words @@ ${given(words.inIndex, 'tsquery')}`);
  // `is true` keeps Postgres from using the index for this condition.
  if (words?.onRows !== undefined) conditions.push(`(s.words @@ ${given(words.onRows, 'tsquery')}) is true`);
  if (isSearch && words === undefined) conditions.push('false');
  if (product !== undefined) conditions.push(`i.product_id = ${given(product)}`);
  conditions.push(...inTimeOf(filter, after, at, id, given));

  const hasRange = minTotal !== undefined || maxTotal !== undefined;
  const hasState = [status, payment, fulfillment, currency].some((value) => value !== undefined);
  const tables: string[] = [TABLES[table]];
  if (table === 's' && product !== undefined) tables.push('join order_items i on i.order_id = s.order_id');
  if (table !== 'o' && onOrder.length > 0) tables.push(`join orders o on o.order_id = ${id}`);
  // The indexes of both tables are sorted by time. This condition lets Postgres merge them.
  if (areFew && table === 'i' && hasState) conditions.push('o.created_at = i.created_at');
  const isIndexed = !isSearch && !hasRange && onOrder.length + (product === undefined ? 0 : 1) <= 1;
  const isWordsAlone = isSearch && tables.length === 1 && from === undefined && to === undefined;
  return { from: `from ${tables.join(' ')}${where(conditions)}`, at, id, parameters, isIndexed, isWordsAlone };
}

const where = (conditions: readonly string[]): string =>
  conditions.length === 0 ? '' : ` where ${conditions.join(' and ')}`;

/** The conditions on columns of `orders`. */
function ofOrder(filter: OrderFilter, given: Given): readonly string[] {
  const { user, status, payment, fulfillment, currency, minTotal, maxTotal } = filter;
  const conditions: string[] = [];
  const order = (value: Parameter | undefined, column: string) => {
    if (value !== undefined) conditions.push(`o.${column} ${given(value)}`);
  };
  order(user, 'user_id =');
  order(status, 'status =');
  order(payment, 'payment_status =');
  order(fulfillment, 'fulfillment_status =');
  order(currency, 'currency =');
  // An unknown total (null) lies within no bound.
  const total = (value: Parameter | undefined, is: string) => {
    if (value !== undefined) conditions.push(`o.total_amount ${is} ${given(value, 'numeric')}`);
  };
  total(minTotal, '>=');
  total(maxTotal, '<=');
  return conditions;
}

function inTimeOf(
  { from, to }: OrderFilter,
  after: OrderKey | undefined,
  at: string,
  id: string,
  given: Given,
): readonly string[] {
  const conditions: string[] = [];
  const time = (ms: number) => `to_timestamp(${given(ms, 'float8')} / 1000)`;
  if (from !== undefined) conditions.push(`${at} >= ${time(from)}`);
  if (to !== undefined) conditions.push(`${at} < ${time(to)}`);
  if (after !== undefined) {
    const [since, than] = [time(after.at), given(after.id)];
    conditions.push(`${at} <= ${since} and (${at} < ${since} or ${id} < ${than} collate "C")`);
  }
  return conditions;
}

interface Searched {
  readonly inIndex: string;
  readonly onRows?: string;
}

const searched = ({ all, rest, last }: Pick<WordsQuery, 'all' | 'rest' | 'last'>, lastOnRows: boolean): Searched =>
  lastOnRows ? { inIndex: rest, onRows: last } : { inIndex: all };
