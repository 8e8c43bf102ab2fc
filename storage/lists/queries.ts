/** The queries of the edge: single orders, lists of orders (order-lists.ts), products, histories and operations. */
import type { OrderId, ProductId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { Counted, Page, Queries } from '../../actors/ports/queries.js';
import { type ArchivedOrders, archivedOrders } from '../archive/archive-reader.js';
import { texts } from '../postgres/column-arrays.js';
import type { Parameter, PostgresClient } from '../postgres/postgres.js';
import { decodeOrder, decodeTurn, ORDER_BODY, TURN_BODY } from '../snapshots/order-rows.js';
import { decodeOperation, decodeProduct, OPERATION_BODY, PRODUCT_BODY } from '../snapshots/product-rows.js';
import { countCapped } from './counts.js';
import { orderLists } from './order-lists.js';
import { orderNumbers } from './order-numbers.js';

const ORDER = `select ${ORDER_BODY} as body from orders o where o.order_id = $1`;
const TURNS = `select ${TURN_BODY} as body from order_turns where order_id = $1 order by version`;

const PRODUCTS_AFTER = `select ${PRODUCT_BODY} as body from products p where product_id > $1 order by product_id limit $2::bigint`;

const LEDGER = `select ${OPERATION_BODY} as body from inventory_operations
  where product_id = $1 and version < $2::bigint order by version desc limit $3::bigint`;

// Rows are named by their product since the version before the one whose times never go back (migration 0010). Only a
// system that is older than that migration has this time.
const MAY_HAVE_LINE_NAMES = 'select exists (select from settlement where steady_since is not null) as may';

// One index look-up per ref.
const HAS_WRITE = `select exists (select from unnest($1::text[]) wanted
  cross join lateral (select from inventory_operations o where o.ref = wanted limit 1) found) as has`;

// Versions are dense and times never go back, so a binary search finds the version: 20 look-ups for a million operations.
const STOCK_AT = `with recursive halved as (
    select 0::bigint as low, coalesce(max(version), 0) + 1 as high from inventory_operations where product_id = $1
    union all
    select case when is_before then middle else low end, case when is_before then high else middle end
    from (select low, high, (low + high) / 2 as middle from halved where high - low > 1) h
      cross join lateral (select exists (select from inventory_operations
        where product_id = $1 and version = middle and created_at <= to_timestamp($2::float8 / 1000)) as is_before) look)
  select (select max(high) - 1 from halved) as version, (select ${OPERATION_BODY} from inventory_operations
    where product_id = $1 and version = (select min(low) from halved where high - low <= 1) and version > 0) as body`;

// Versions are dense, so the highest version is the total, and a page is a range of versions.
const OPERATIONS_OF_ONE = `with top as (
    select coalesce(max(version), 0) as version from inventory_operations where product_id = $1)
  select top.version as total, page.body from top left join lateral (
    select version, ${OPERATION_BODY} as body from inventory_operations
    where product_id = $1 and version <= top.version - $2::bigint and version > top.version - $2::bigint - $3::bigint) page on true
  order by page.version desc`;

const where = (conditions: readonly string[]) => (conditions.length > 0 ? `where ${conditions.join(' and ')}` : '');

interface List<T> {
  readonly what: string;
  readonly table: string;
  /** The SQL of one row's JSON. The table's alias is its first letter. */
  readonly body: string;
  readonly order: string;
  readonly decode: (body: string) => T;
}

const PRODUCTS = {
  what: 'list products',
  table: 'products',
  body: PRODUCT_BODY,
  order: 'product_id',
  decode: (body: string) => decodeProduct(body).state,
};

const OPERATIONS = {
  what: 'list operations',
  table: 'inventory_operations',
  body: OPERATION_BODY,
  order: 'product_id, version desc',
  decode: decodeOperation,
};

/**
 * @param lists a client of its own for lists, which take longer than a look-up by id. It plans each statement anew.
 * @param exact counts of orders up to this number are exact.
 */
export function postgresQueries(
  client: PostgresClient,
  lists: PostgresClient,
  exact: number = limits.exactCount,
  archives: ArchivedOrders = archivedOrders(client),
): Queries {
  /** Counts first: a page past the end costs no more than the count. */
  async function list<T>(
    { what, table, body, order, decode }: List<T>,
    conditions: readonly string[],
    parameters: readonly Parameter[],
    { page, pageSize }: Page,
  ): Promise<{ readonly rows: readonly T[] } & Counted> {
    const counted = await countCapped(lists, what, { from: `from ${table} ${where(conditions)}`, parameters });
    const offset = (page - 1) * pageSize;
    if (offset >= counted.total) return { rows: [], ...counted };
    const limit = `limit $${parameters.length + 1}::bigint offset $${parameters.length + 2}::bigint`;
    // The page is cut before the bodies are built: a skipped row costs only its index entry.
    const text = `select ${body} as body from
      (select * from ${table} ${where(conditions)} order by ${order} ${limit}) ${table.charAt(0)} order by ${order}`;
    const rows = await lists.query<{ body: string }>(what, text, [...parameters, pageSize, offset]);
    return { rows: rows.map((row) => decode(row.body)), ...counted };
  }

  return {
    async order(id: OrderId) {
      const [row] = await client.query<{ body: string }>('read an order', ORDER, [id]);
      return row === undefined ? (await archives.read(id))?.stored.state : decodeOrder(row.body).state;
    },

    isGone: (id) => archives.isGone(id),

    ...orderLists(lists, exact),
    ...orderNumbers(lists),

    async products(page) {
      const { rows, ...counted } = await list(PRODUCTS, [], [], page);
      return { products: rows, ...counted };
    },

    async productsAfter(after, limit) {
      // No id is empty, so '' starts at the first. One row more than the limit shows whether there are more.
      const rows = await lists.query<{ body: string }>(PRODUCTS.what, PRODUCTS_AFTER, [after ?? '', limit + 1]);
      return { products: rows.slice(0, limit).map(({ body }) => PRODUCTS.decode(body)), more: rows.length > limit };
    },

    countProducts: () => countCapped(lists, PRODUCTS.what, { from: `from ${PRODUCTS.table}`, parameters: [] }),

    async history(order: OrderId) {
      const rows = await client.query<{ body: string }>('read a history', TURNS, [order]);
      if (rows.length === 0) return (await archives.read(order))?.history ?? [];
      return rows.flatMap(({ body }) => decodeTurn(body));
    },

    async operations(product: ProductId | undefined, page) {
      if (product === undefined) {
        const { rows, ...counted } = await list(OPERATIONS, [], [], page);
        return { operations: rows, ...counted };
      }
      const parameters = [product, (page.page - 1) * page.pageSize, page.pageSize];
      const rows = await client.query<{ total: number; body: string | null }>(
        'list operations',
        OPERATIONS_OF_ONE,
        parameters,
      );
      const operations = rows.flatMap(({ body }) => (body === null ? [] : [decodeOperation(body)]));
      return { operations, total: rows[0]?.total ?? 0, isEstimate: false };
    },

    async ledger(product, before, limit) {
      const parameters = [product, before ?? Number.MAX_SAFE_INTEGER, limit + 1];
      const rows = await client.query<{ body: string }>('read a ledger', LEDGER, parameters);
      return { operations: rows.slice(0, limit).map(({ body }) => decodeOperation(body)), more: rows.length > limit };
    },

    async mayHaveLineNames() {
      const [row] = await client.query<{ may: boolean }>('look for an older version', MAY_HAVE_LINE_NAMES);
      return row?.may === true;
    },

    async hasWrite(refs) {
      const [row] = await client.query<{ has: boolean }>('look for writes', HAS_WRITE, [texts(refs, (ref) => ref)]);
      return row?.has === true;
    },

    async stockAt(product, at) {
      const [row] = await client.query<{ version: number; body: string | null }>('read a past balance', STOCK_AT, [
        product,
        at,
      ]);
      return {
        operation: typeof row?.body === 'string' ? decodeOperation(row.body) : undefined,
        version: row?.version ?? 0,
      };
    },
  };
}
