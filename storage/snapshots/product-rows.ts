/** Products and their operations as rows: their columns, the one statement that writes them, and the decoding. */

import { decimalText } from '../../actors/money.js';
import type { Mark, OperationRow, ProductChange, StoredProduct } from '../../actors/ports/snapshot-rows.js';
import type { ProductState } from '../../actors/product/inventory.js';
import { minorOf } from '../postgres/amounts.js';
import { type Column, encode, msOf, names, texts, timeOf, unnest, values } from '../postgres/column-arrays.js';
import type { Parameter } from '../postgres/postgres.js';
import { GATE, IF_OPEN } from './journal-lock.js';
import { queued } from './search-queue.js';

interface Row {
  readonly product: ProductChange;
  readonly fresh: boolean;
}

const FRESH: Column<Row> = { name: 'is_fresh', type: 'boolean', of: ({ fresh }) => fresh };

const PRODUCT: readonly Column<Row>[] = [
  { name: 'product_id', type: 'id', of: ({ product }) => product.state.id },
  { name: 'name', type: 'text', of: ({ product }) => product.state.name },
  {
    name: 'unit_price',
    type: 'numeric',
    of: ({ product: { state } }) => decimalText(state.unitPrice, state.currency),
  },
  { name: 'currency', type: 'text', of: ({ product }) => product.state.currency },
  { name: 'on_hand', type: 'bigint', of: ({ product }) => product.state.onHand },
  { name: 'held', type: 'bigint', of: ({ product }) => product.state.held },
  { name: 'backordered', type: 'bigint', of: ({ product }) => product.state.backordered },
  { name: 'allow_backorder', type: 'boolean', of: ({ product }) => product.state.backorders.allowed },
  { name: 'backorder_limit', type: 'bigint', of: ({ product }) => product.state.backorders.limit },
  {
    name: 'waiting',
    type: 'json',
    of: ({ product: { state } }) => (state.waiting.length === 0 ? null : JSON.stringify(state.waiting)),
  },
  { name: 'updated_at', type: 'bigint', as: timeOf('updated_at'), of: ({ product }) => product.state.updatedAt },
  { name: 'version', type: 'bigint', of: ({ product }) => product.version },
  { name: 'epoch', type: 'bigint', of: ({ product }) => product.epoch },
  { name: 'n', type: 'bigint', of: ({ product }) => product.n },
  { name: 'partition', type: 'bigint', of: ({ product }) => product.partition },
];

const OPERATION: readonly Column<OperationRow>[] = [
  { name: 'ref', type: 'id', of: (row) => row.ref },
  // The ref of an order's operation is the order's id, so a boolean is enough.
  { name: 'order_id', type: 'boolean', as: 'case when r.order_id then r.ref end', of: (row) => row.order !== null },
  { name: 'product_id', type: 'id', of: (row) => row.product },
  { name: 'operation_type', type: 'word', of: (row) => row.type },
  { name: 'operation_no', type: 'bigint', of: (row) => row.no },
  { name: 'quantity', type: 'bigint', of: (row) => row.quantity },
  { name: 'version', type: 'bigint', of: (row) => row.version },
  { name: 'on_hand_after', type: 'bigint', of: (row) => row.onHandAfter },
  { name: 'held_after', type: 'bigint', of: (row) => row.heldAfter },
  { name: 'backordered_after', type: 'bigint', of: (row) => row.backorderedAfter },
  { name: 'reason', type: 'text', of: (row) => row.reason },
  { name: 'fingerprint', type: 'text', of: (row) => row.fingerprint },
  { name: 'correlation_id', type: 'id', of: (row) => row.correlation },
  { name: 'created_at', type: 'bigint', as: timeOf('created_at'), of: (row) => row.at },
];

// ---------------------------------------------------------------- the statement

const OPERATION_AT = 2 + 2 * (PRODUCT.length + 1);
/** An array literal of the products whose names may be new, or null. */
const SEARCHED = `$${OPERATION_AT + 2 * OPERATION.length}::text`;
const overwritten = PRODUCT.slice(1).map(({ name }) => `${name} = excluded.${name}`);

const text = (some: { fresh: boolean; certain: boolean }): string => {
  const insert = `insert into products (${names(PRODUCT)}) select ${values(PRODUCT)} from ${unnest([...PRODUCT, FRESH], 2)} where ${IF_OPEN}`;
  return `with ${GATE},
    ${!some.fresh ? '' : `fresh as (${insert} and is_fresh),`}
    changed as (${insert} and not is_fresh
      on conflict (product_id) do update set ${overwritten.join(', ')}
      where (products.epoch, products.n) < (excluded.epoch, excluded.n)),
    operations as (insert into inventory_operations (${names(OPERATION)})
      select ${values(OPERATION)} from ${unnest(OPERATION, OPERATION_AT)} where ${IF_OPEN}
      ${some.certain ? '' : 'on conflict do nothing'}),
    unsearched as (${queued('product_ids', `select id from unnest(${SEARCHED}::text[]) id where ${IF_OPEN}`)})
    select count(*)::int as open from gate`;
};

const TEXT = {
  changed: text({ fresh: false, certain: true }),
  mixed: text({ fresh: true, certain: true }),
  uncertain: text({ fresh: false, certain: false }),
};

/** The one statement (snapshot-rows.R2) for these products. Its first parameter is the journal. */
export function writeProducts(
  journal: string,
  products: readonly ProductChange[],
  certain: boolean,
): { readonly text: string; readonly parameters: readonly Parameter[] } {
  const rows = products.map((product) => ({ product, fresh: certain && product.isNew }));
  const operations: OperationRow[] = [];
  for (const product of products) for (const operation of product.operations) operations.push(operation);
  const received = products.filter(
    ({ isNew, operations: moved }) => isNew || moved.some(({ type }) => type === 'receive'),
  );
  const parameters = [
    journal,
    ...encode<Row>([...PRODUCT, FRESH], rows),
    ...encode(OPERATION, operations),
    received.length === 0 ? null : texts(received, ({ state }) => state.id),
  ];
  if (!certain) return { text: TEXT.uncertain, parameters };
  return { text: rows.some(({ fresh }) => fresh) ? TEXT.mixed : TEXT.changed, parameters };
}

// ---------------------------------------------------------------- decoding

/** A product of table alias `p` as one JSON object, decoded by `decodeProduct`. */
export const PRODUCT_BODY = `json_build_object('id', p.product_id, 'name', p.name, 'price', p.unit_price::text,
  'currency', p.currency, 'onHand', p.on_hand, 'held', p.held, 'backordered', p.backordered, 'allowed', p.allow_backorder,
  'limit', p.backorder_limit, 'waiting', p.waiting, 'updatedAt', ${msOf('p.updated_at')},
  'version', p.version, 'epoch', p.epoch, 'n', p.n)`;

export function decodeProduct(body: string): StoredProduct {
  const { price, epoch, n, allowed, limit, waiting, ...row } = JSON.parse(body) as Body;
  const state: ProductState = {
    ...row,
    known: true,
    unitPrice: minorOf(price, row.currency),
    backorders: limit === null ? { allowed } : { allowed, limit },
    waiting: waiting ?? [],
  };
  return { state, version: row.version, epoch, n };
}

interface Body extends Mark, Omit<ProductState, 'known' | 'unitPrice' | 'backorders' | 'waiting'> {
  readonly price: string;
  readonly allowed: boolean;
  readonly limit: number | null;
  readonly waiting: ProductState['waiting'] | null;
}

/** An operation as one JSON object with exactly the fields of an `OperationRow`. */
export const OPERATION_BODY = `json_build_object('ref', ref, 'order', order_id, 'product', product_id,
  'version', version, 'type', operation_type, 'no', operation_no, 'quantity', quantity, 'onHandAfter', on_hand_after,
  'heldAfter', held_after, 'backorderedAfter', backordered_after, 'reason', reason, 'fingerprint', fingerprint, 'correlation', correlation_id,
  'at', ${msOf('created_at')})`;

export const decodeOperation = (body: string): OperationRow => JSON.parse(body) as OperationRow;
