/**
 * The personal data of forgotten orders leaves the turns that are stored already. The statement that writes the order's row
 * rewrites them too (order-rows.ts): so a history never differs from its row, and a crash leaves both as they were, or erased.
 */
import type { OrderId } from '../../actors/ids.js';
import { erasedTurn, forgottenAt } from '../../actors/order/personal-data.js';
import type { OrderChange } from '../../actors/ports/snapshot-rows.js';
import { plain, texts } from '../postgres/column-arrays.js';
import type { Parameter, PostgresClient } from '../postgres/postgres.js';

export interface Erasure {
  /** By order: the version of its event `forgotten`. */
  readonly orders: ReadonlyMap<OrderId, number>;
  /** Their stored turns as they are to be. */
  readonly turns: readonly ErasedTurn[];
}

interface ErasedTurn {
  readonly order: OrderId;
  readonly version: number;
  /** A JSON array, without its brackets. */
  readonly events: string;
}

const STORED = `select order_id as "order", version, events::text as events from order_turns where order_id = any($1::text[])`;

/** @returns undefined for nearly every statement: it forgets no order */
export async function erasureOf(client: PostgresClient, rows: readonly OrderChange[]): Promise<Erasure | undefined> {
  const orders = new Map<OrderId, number>();
  for (const { state, history } of rows) {
    const at = state.life.forgotten && forgottenAt(history);
    if (at !== undefined) orders.set(state.id, at);
  }
  if (orders.size === 0) return undefined;
  const stored = await client.query<ErasedTurn>('read the turns of forgotten orders', STORED, [
    texts([...orders.keys()], (id) => id),
  ]);
  const turns = stored.flatMap((row) => {
    const turn = { ...row, events: row.events.slice(row.events.indexOf('[') + 1, row.events.lastIndexOf(']')) };
    const erased = erasedTurn(turn, orders.get(row.order) ?? 0);
    return erased.events === turn.events ? [] : [erased];
  });
  return { orders, turns };
}

export const erasedParameters = ({ orders, turns }: Erasure): Parameter[] => [
  texts(turns, ({ order }) => order),
  plain(turns, ({ version }) => version),
  texts(turns, ({ events }) => `[${events}]`),
  texts([...orders.keys()], (id) => id),
];
