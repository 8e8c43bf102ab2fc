/** Lists and searches for the edge: newest first, in a stable order, with exact totals. */
import type { OrderId, ProductId } from '../actors/ids.js';
import type { OrderFilter, Page, Queries } from '../actors/ports.js';
import { decodeOrder, decodeTurn, ORDER_BODY, TURN_BODY } from './order-rows.js';
import type { Parameter, PostgresClient } from './postgres.js';
import { decodeOperation, decodeProduct, OPERATION_BODY, PRODUCT_BODY } from './product-rows.js';

const ORDER = `select ${ORDER_BODY} as body from orders o where o.order_id = $1`;
const TURNS = `select ${TURN_BODY} as body from order_turns where order_id = $1 order by version`;

// Each filter is a text of its own, so that each gets a plan of its own.
const USER = 'user_id = $1';
const statusIs = (status: OrderFilter['status'], at: number) =>
  // Said twice for the planner: the index on status leaves out the confirmed.
  `status = $${at}${status === 'confirmed' ? '' : " and status <> 'confirmed'"}`;

const where = (conditions: readonly string[]) => (conditions.length > 0 ? `where ${conditions.join(' and ')}` : '');

interface List<T> {
  readonly what: string;
  readonly table: string;
  /** Of the row, under the table's first letter as its alias. */
  readonly body: string;
  readonly order: string;
  readonly decode: (body: string) => T;
}

const ORDERS = {
  what: 'list orders',
  table: 'orders',
  body: ORDER_BODY,
  order: 'created_at desc, order_id desc',
  decode: (body: string) => decodeOrder(body).state,
};

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

const OPERATIONS_OF_ONE = { ...OPERATIONS, order: 'version desc' };

export function postgresQueries(client: PostgresClient): Queries {
  /** Counts first: a page past the end costs no more than that. */
  async function list<T>(
    { what, table, body, order, decode }: List<T>,
    conditions: readonly string[],
    parameters: readonly Parameter[],
    { page, pageSize }: Page,
  ): Promise<{ readonly rows: readonly T[]; readonly total: number }> {
    const count = `select count(*) as total from ${table} ${where(conditions)}`;
    const [counted] = await client.query<{ total: number }>(what, count, parameters);
    const total = counted?.total ?? 0;
    const offset = (page - 1) * pageSize;
    if (offset >= total) return { rows: [], total };
    const limit = `limit $${parameters.length + 1}::bigint offset $${parameters.length + 2}::bigint`;
    // The page is cut before bodies are made: a skipped row costs its index entry only.
    const text = `select ${body} as body from
      (select * from ${table} ${where(conditions)} order by ${order} ${limit}) ${table.charAt(0)} order by ${order}`;
    const rows = await client.query<{ body: string }>(what, text, [...parameters, pageSize, offset]);
    return { rows: rows.map((row) => decode(row.body)), total };
  }

  return {
    async order(id: OrderId) {
      const [row] = await client.query<{ body: string }>('read an order', ORDER, [id]);
      return row && decodeOrder(row.body).state;
    },

    async orders({ user, status }, page) {
      const conditions = [
        ...(user === undefined ? [] : [USER]),
        ...(status === undefined ? [] : [statusIs(status, user === undefined ? 1 : 2)]),
      ];
      const parameters = [user, status].filter((value) => value !== undefined);
      const { rows, total } = await list(ORDERS, conditions, parameters, page);
      return { orders: rows, total };
    },

    async products(page) {
      const { rows, total } = await list(PRODUCTS, [], [], page);
      return { products: rows, total };
    },

    async history(order: OrderId) {
      const rows = await client.query<{ body: string }>('read a history', TURNS, [order]);
      return rows.flatMap(({ body }) => decodeTurn(body));
    },

    async operations(product: ProductId | undefined, page) {
      const { rows, total } =
        product === undefined
          ? await list(OPERATIONS, [], [], page)
          : await list(OPERATIONS_OF_ONE, ['product_id = $1'], [product], page);
      return { operations: rows, total };
    },
  };
}
