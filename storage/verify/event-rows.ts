/**
 * Compares each event of the journals with its row: in `order_history` for orders, in `inventory_operations` for
 * products. A row must be identical to its event. An event without a row yet must be the actor's next version; the
 * caller gets it back as an event on its way into the rows.
 */
import { isDeepStrictEqual } from 'node:util';
import type { JournaledEvent, TurnRecord } from '../../actors/node/record.js';
import { erasedEvent } from '../../actors/order/personal-data.js';
import type { OrderEvent, ProductEvent } from '../../actors/protocol.js';
import { msOf, plain, texts } from '../postgres/column-arrays.js';
import type { Session } from '../postgres/postgres.js';
import { LONG_MS } from './sql-laws.js';
import type { Findings } from './verdict.js';

export interface Happened {
  readonly event: JournaledEvent;
  readonly at: number;
  readonly correlation: string;
  readonly epoch: number;
  readonly n: number;
}

/** Reads whole histories: an order's rows lie together, one per turn. */
const HISTORY = `select h.order_id as id, h.version, h.type, ${msOf('h.at')} as at, h.correlation_id as correlation, h.data
  from order_history h where h.order_id = any($1::text[])`;

const OPERATIONS = `select w.id, w.version, o.operation_type as type, ${msOf('o.created_at')} as at, o.correlation_id as correlation,
    o.ref, o.order_id, o.quantity, o.reason, o.fingerprint
  from unnest($1::text[], $2::bigint[]) as w(id, version) join inventory_operations o on o.product_id = w.id and o.version = w.version`;

/** What archived orders had when their rows went. */
const ARCHIVED = `select order_id as id, version from archived_orders where order_id = any($1::text[])`;

const STANDING = {
  order: `select order_id as id, version, epoch, n, ${msOf('updated_at')} as at from orders where order_id = any($1::text[])
    union all select order_id, version, 0, 0, 0 from archived_orders a where order_id = any($1::text[])
      and (select true from orders o where o.order_id = a.order_id) is null`,
  product: `select product_id as id, version, epoch, n, ${msOf('updated_at')} as at from products where product_id = any($1::text[])`,
};

interface Key {
  readonly id: string;
  readonly version: number;
}

interface Row extends Key {
  readonly type: string;
  readonly at: number;
  readonly correlation: string;
}

type HistoryRow = Row & { readonly data: string };
type OperationRow = Row &
  Record<'ref' | 'order_id' | 'reason' | 'fingerprint', string | null> & { readonly quantity: number };

export function* eventsOf(turn: TurnRecord, epochOf: (event: JournaledEvent) => number): Generator<Happened> {
  for (const { correlation, events } of turn.cascades) {
    for (const event of events) yield { event, at: turn.at, correlation, epoch: epochOf(event), n: turn.n };
  }
}

/** Compares events that must have rows. Those of an archived order are in its archive. */
export async function compare(session: Session, happened: readonly Happened[], findings: Findings): Promise<void> {
  const of = (kind: 'order' | 'product') => happened.filter(({ event }) => event.of.kind === kind);
  const orders = of('order');
  const products = of('product');
  const ids = [...new Set(orders.map(({ event }) => event.of.id))];
  const histories = await rowsOf<HistoryRow>(session, 'read histories', HISTORY, [texts(ids, (id) => id)]);
  const archived = await archivedVersions(session, ids);
  const operations = await rowsOf<OperationRow>(session, 'read operations', OPERATIONS, [
    texts(products, ({ event }) => event.of.id),
    plain(products, ({ event }) => event.version),
  ]);
  const forgotten = new Map<string, number>();
  for (const { id, type, version } of histories.values())
    if (type === 'forgotten') forgotten.set(id, Math.max(version, forgotten.get(id) ?? 0));
  for (const each of happened) {
    const { event } = each;
    const key = keyOf(event.of.id, event.version);
    const isAway = event.of.kind === 'order' && !histories.has(key);
    if (isAway && event.version <= (archived.get(event.of.id) ?? 0)) continue;
    const wrong =
      event.of.kind === 'order'
        ? differsFromHistory(each, asStored(event, forgotten), histories.get(key))
        : differsFromOperation(each, event.event as ProductEvent, operations.get(key));
    if (wrong !== undefined) findings.add('durable', `${event.of.kind} ${event.of.id}`, wrong);
  }
}

/**
 * Splits the events: those with rows are compared, those without are returned in their order.
 * @param steadySinceMs the moment from which an actor's times never go back.
 */
export async function notYetInRows(
  session: Session,
  happened: readonly Happened[],
  steadySinceMs: number,
  findings: Findings,
): Promise<Happened[]> {
  const standing = new Map<string, { version: number; epoch: number; n: number; at: number }>();
  for (const kind of ['order', 'product'] as const) {
    const ids = new Set(happened.filter(({ event }) => event.of.kind === kind).map(({ event }) => event.of.id));
    const parameters = [texts([...ids], (id) => id)];
    const rows = await session.query<Key & { epoch: number; n: number; at: number }>(
      `read each ${kind}`,
      STANDING[kind],
      parameters,
      LONG_MS,
    );
    for (const { id, ...row } of rows) standing.set(`${kind} ${id}`, row);
  }
  const inRows: Happened[] = [];
  const beyond: Happened[] = [];
  const last = new Map<string, { version: number; at: number }>();
  for (const each of happened) {
    const thing = `${each.event.of.kind} ${each.event.of.id}`;
    const row = standing.get(thing);
    const { version } = each.event;
    if (version <= (row?.version ?? 0)) {
      inRows.push(each);
      continue;
    }
    const before = last.get(thing) ?? row ?? { version: 0, at: 0 };
    if (version !== before.version + 1) {
      findings.add(
        'durable',
        thing,
        `the journal's event ${version} follows version ${before.version}, expected ${before.version + 1}`,
      );
    } else if (row !== undefined && (row.epoch > each.epoch || (row.epoch === each.epoch && row.n >= each.n))) {
      const claims = `its row claims to contain record ${row.n} of epoch ${row.epoch}`;
      findings.add('durable', thing, `${claims} but is at version ${row.version}, expected ${version}`);
    }
    if (each.at < before.at && before.at >= steadySinceMs) {
      findings.add('outcome', thing, `the journal's event ${version} is of ${each.at}, expected ${before.at} or later`);
    }
    last.set(thing, { version, at: each.at });
    beyond.push(each);
  }
  await compare(session, inRows, findings);
  return beyond;
}

// ---------------------------------------------------------------- one event, one row

/** The journal has an event as it was decided. The rows have it without personal data, once the order is forgotten. */
function asStored({ of, version, event }: JournaledEvent, forgotten: ReadonlyMap<string, number>): OrderEvent {
  const isErased = version < (forgotten.get(of.id) ?? 0);
  return isErased ? erasedEvent(event as OrderEvent) : (event as OrderEvent);
}

function differsFromHistory(each: Happened, event: OrderEvent, row: HistoryRow | undefined): string | undefined {
  const name = `its event ${each.event.version} in order_history`;
  if (row === undefined) return `${name} is missing, expected ${event.type} as the journal has it`;
  const stored: unknown = JSON.parse(row.data);
  const expected: unknown = JSON.parse(JSON.stringify(event));
  if (row.type !== event.type) return `${name} is ${row.type}, expected ${event.type} as the journal has it`;
  if (!isDeepStrictEqual(stored, expected)) return `${name} (${event.type}) has another content than the journal`;
  return differsInTurn(name, each, row);
}

/** The operation type of each product event. verify has its own table (verify.V1). */
export const OPERATION = {
  received: 'receive',
  adjusted: 'adjust',
  held: 'hold',
  released: 'release',
  committed: 'commit',
  returned: 'return',
  backordered: 'backorder',
  unbackordered: 'unbackorder',
} as const;

function differsFromOperation(each: Happened, event: ProductEvent, row: OperationRow | undefined): string | undefined {
  const name = `its operation ${each.event.version} in inventory_operations`;
  const isWrite = event.type === 'received' || event.type === 'adjusted';
  const expected = {
    type: OPERATION[event.type],
    quantity: event.type === 'adjusted' ? event.delta : event.quantity,
    ref: isWrite ? event.ref : event.order,
    order_id: isWrite ? null : event.order,
    reason: event.type === 'adjusted' ? event.reason : null,
    fingerprint: isWrite ? event.fingerprint : null,
  };
  if (row === undefined)
    return `${name} is missing, expected ${expected.type} of ${expected.quantity} as the journal has it`;
  for (const column of ['type', 'quantity', 'ref', 'order_id', 'reason', 'fingerprint'] as const) {
    if (row[column] === expected[column]) continue;
    return `${name} has the ${column} ${row[column] ?? 'none'}, expected ${expected[column] ?? 'none'} as the journal has it`;
  }
  return differsInTurn(name, each, row);
}

function differsInTurn(name: string, { at, correlation }: Happened, row: Row): string | undefined {
  if (row.at !== at) return `${name} is of ${row.at}, expected ${at} as the journal has it`;
  if (row.correlation === correlation) return undefined;
  return `${name} is correlated with ${row.correlation}, expected ${correlation} as the journal has it`;
}

async function archivedVersions(session: Session, ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const rows = await session.query<Key>('read what is archived', ARCHIVED, [texts(ids, (id) => id)], LONG_MS);
  return new Map(rows.map(({ id, version }) => [id, version]));
}

const keyOf = (id: string, version: number): string => `${version} ${id}`;

async function rowsOf<R extends Row>(session: Session, what: string, text: string, parameters: readonly string[]) {
  if (parameters[0] === '{}') return new Map<string, R>();
  const rows = await session.query<R>(what, text, parameters, LONG_MS);
  return new Map(rows.map((row) => [keyOf(row.id, row.version), row]));
}
