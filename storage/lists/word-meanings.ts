/**
 * What a searched word can mean besides a word in an order's text: users, products or order ids. Orders without any
 * text (plain-orders.ts) are found by these meanings only.
 */
import { texts } from '../postgres/column-arrays.js';
import type { PostgresClient } from '../postgres/postgres.js';
import { type Given, tsquery } from './order-filter.js';

/** A word's users or products are listed by id up to this number. Past it their words are checked row by row. */
const NAMED = 200;
/**
 * So many words, the longest, are looked up: they have the fewest users and products. All others are checked row by
 * row. Work and answer of a look-up would grow with the square of its words.
 */
const ASKED = 8;

/** A user or product that a word means, and the places of all searched words that mean it. */
interface Named {
  readonly id: string;
  readonly places: ReadonlySet<number>;
}

export interface Meaning {
  /** The word's place in the search. A filter that is no word has a negative place. */
  readonly place: number;
  /** Whether it was looked up: only then its orders may be gathered. */
  readonly isAsked: boolean;
  /** Undefined when there are more than `NAMED`, or when it was not looked up. */
  readonly users: readonly Named[] | undefined;
  readonly products: readonly Named[] | undefined;
  /** A range of order ids. The second id is not in the range. */
  readonly ids: readonly [string, string] | undefined;
  readonly query: string;
}

export const isNothing = ({ users, products, ids }: Meaning): boolean =>
  users?.length === 0 && products?.length === 0 && ids === undefined;

/** A filter by user or product, expressed as a meaning. */
export const meaningOf = (what: 'user' | 'product', id: string): Meaning => {
  const named = [{ id, places: new Set<number>() }];
  const [users, products] = what === 'user' ? [named, []] : [[], named];
  return { place: what === 'user' ? -1 : -2, isAsked: true, users, products, ids: undefined, query: '' };
};

/** The meaning of each word. The last word is matched as a prefix. */
export async function meaningsOf(client: PostgresClient, words: readonly string[]): Promise<readonly Meaning[]> {
  const searched = words.map((word, place) => ({ word, place, isLast: place === words.length - 1 }));
  const queries = searched.map(({ word, isLast }) => tsquery([word], isLast));
  const asked = searched.toSorted((one, other) => other.word.length - one.word.length).slice(0, ASKED);
  const { users, products } = await lookedUp(
    client,
    asked.map(({ place }) => queries[place] ?? ''),
  );
  const placesOf = (has: string) => new Set(asked.flatMap(({ place }, i) => (has[i] === '1' ? [place] : [])));
  const all = ({ found }: LookedUp) => found.map(([id, has]) => ({ id, places: placesOf(has) }));
  const [allUsers, allProducts] = [all(users), all(products)];
  return searched.map(({ place, ...word }) => {
    const at = asked.findIndex((each) => each.place === place);
    const few = ({ many }: LookedUp, named: readonly Named[]) =>
      at < 0 || many.includes(at) ? undefined : named.filter(({ places }) => places.has(place));
    return {
      ...{ place, isAsked: at >= 0, query: queries[place] ?? '', ids: idsOf(word) },
      ...{ users: few(users, allUsers), products: few(products, allProducts) },
    };
  });
}

/** One way to find the orders of a meaning: a table with its alias, and a condition. */
export interface Way {
  readonly table: string;
  readonly as: 'o' | 'i';
  readonly where: string;
  /** Whether every order found this way also has the other meaning. */
  implies(other: Meaning): boolean;
}

export function waysTo({ users, products, ids, query }: Meaning, given: Given): readonly Way[] {
  const ways: Way[] = [];
  const never = () => false;
  const all = (named: readonly Named[]) => (other: Meaning) => named.every(({ places }) => places.has(other.place));
  if (users === undefined) {
    const where = `u.words @@ ${given(query, 'tsquery')}`;
    ways.push({ table: 'search_users u join orders o on o.user_id = u.user_id', as: 'o', where, implies: never });
  } else if (users.length > 0) {
    ways.push({ table: 'orders o', as: 'o', where: `o.user_id = any(${list(users, given)})`, implies: all(users) });
  }
  if (products === undefined) {
    const table = 'search_products p join order_items i on i.product_id = p.product_id';
    ways.push({ table, as: 'i', where: `p.words @@ ${given(query, 'tsquery')}`, implies: never });
  } else if (products.length > 0) {
    const where = `i.product_id = any(${list(products, given)})`;
    ways.push({ table: 'order_items i', as: 'i', where, implies: all(products) });
  }
  if (ids !== undefined) {
    const where = `o.order_id >= ${given(ids[0])} and o.order_id < ${given(ids[1])}`;
    ways.push({ table: 'orders o', as: 'o', where, implies: never });
  }
  return ways;
}

/** The condition that an order has this meaning. It counts, since Postgres might hash the whole table for an `exists`. */
export function condition({ users, products, ids, query }: Meaning, given: Given): string {
  const some: string[] = [];
  const items = 'select count(*) from order_items i';
  if (ids !== undefined) some.push(`o.order_id >= ${given(ids[0])} and o.order_id < ${given(ids[1])}`);
  if (users === undefined) {
    const has = `u.words @@ ${given(query, 'tsquery')}`;
    some.push(`(select count(*) from search_users u where u.user_id = o.user_id and ${has}) > 0`);
  } else if (users.length > 0) some.push(`o.user_id = any(${list(users, given)})`);
  if (products === undefined) {
    const has = `p.words @@ ${given(query, 'tsquery')}`;
    some.push(
      `(${items} join search_products p on p.product_id = i.product_id where i.order_id = o.order_id and ${has}) > 0`,
    );
  } else if (products.length > 0)
    some.push(`(${items} where i.order_id = o.order_id and i.product_id = any(${list(products, given)})) > 0`);
  return `(${some.join(' or ')})`;
}

// ---------------------------------------------------------------- machinery

interface LookedUp {
  /** The words with more than `NAMED` users or products, as places among the words looked up. */
  readonly many: readonly number[];
  /** Each user or product of the other words once, with a `1` for each word that means it. */
  readonly found: readonly (readonly [id: string, has: string])[];
}

async function lookedUp(
  client: PostgresClient,
  queries: readonly string[],
): Promise<{ readonly users: LookedUp; readonly products: LookedUp }> {
  const nothing: LookedUp = { many: [], found: [] };
  if (queries.length === 0) return { users: nothing, products: nothing };
  const has = queries.map((_, i) => `(words @@ $${i + 1}::tsquery)::int`).join(', ');
  // Each word has its own subquery, so the planner can use the word's frequency.
  const each = (what: 'user' | 'product') =>
    queries.map(
      (_, i) => `(select ${i} as word, ${what}_id as id, concat(${has}) as has from search_${what}s
        where words @@ $${i + 1}::tsquery limit ${NAMED + 1})`,
    );
  const answer = (from: string) => `json_build_object(
    'many', (select coalesce(json_agg(word), '[]') from (select word from ${from} group by word having count(*) > ${NAMED}) frequent),
    'found', (select coalesce(json_agg(json_build_array(id, has)), '[]') from (select distinct id, has from ${from}
      where word in (select word from ${from} group by word having count(*) <= ${NAMED})) named))`;
  const text = `with users as materialized (${each('user').join(' union all ')}),
      products as materialized (${each('product').join(' union all ')})
    select json_build_object('users', ${answer('users')}, 'products', ${answer('products')}) as body`;
  const [row] = await client.query<{ body: string }>('look for meanings', text, queries);
  if (row === undefined) throw new Error('Postgres told no meanings');
  return JSON.parse(row.body) as Record<'users' | 'products', LookedUp>;
}

interface SearchedWord {
  readonly word: string;
  /** The last word is matched as a prefix. */
  readonly isLast: boolean;
}

const ID_CHARS = 26;
const BEGUN_ID = /^[0-7][0-9a-hjkmnp-tv-z]{0,25}$/;

/** The range of order ids that Holdfast generates. Ids chosen by clients are found in the index of words. */
function idsOf({ word, isLast }: SearchedWord): readonly [string, string] | undefined {
  if (isLast ? 'ord'.startsWith(word) : word === 'ord') return ['ORD-0', 'ORD-8'];
  if (!BEGUN_ID.test(word)) return undefined;
  const from = `ORD-${word.toUpperCase()}`;
  if (isLast) return [from, `${from}~`];
  return word.length === ID_CHARS ? [from, `${from}\x01`] : undefined;
}

const list = (named: readonly Named[], given: Given): string =>
  given(
    texts(named, ({ id }) => id),
    'text[]',
  );
