/**
 * What the rows of a snapshot lack: later events of the journals, and letters that are numbered but not handled. Rows,
 * events and letters together are one consistent state: that at the journals' ends.
 */
import type { TurnRecord } from '../../actors/node/record.js';
import type { NumberedLetter } from '../../actors/ports/letters.js';
import type { PartitionRow } from '../../actors/ports/snapshot-rows.js';
import type { OrderEvent, ProductEvent } from '../../actors/protocol.js';
import { texts } from '../postgres/column-arrays.js';
import type { Session } from '../postgres/postgres.js';
import { type Happened, OPERATION } from './event-rows.js';
import { judgeMoving, type Move, type MovingOrder, orderOf } from './moving-orders.js';
import { LONG_MS } from './sql-laws.js';
import type { Findings } from './verdict.js';

const PAGE = 1_000;

const HISTORY = `select order_id as id, data from order_history where order_id = any($1::text[]) order by order_id, version`;
const MOVES = `select ref as id, product_id as product, operation_type as type, operation_no as no, quantity from inventory_operations
  where ref = any($1::text[]) and order_id is not null`;

/** Letters that are numbered, and above their receiver's watermark. */
export function lettersUnderWay(
  rows: ReadonlyMap<number, PartitionRow>,
  turns: readonly TurnRecord[],
): NumberedLetter[] {
  const seen = new Map<string, number>();
  const letters = new Map<string, NumberedLetter>();
  const handled = (to: number, by: Readonly<Record<number, number>> = {}) => {
    for (const [from, last] of Object.entries(by)) {
      const channel = `${from} ${to}`;
      seen.set(channel, Math.max(last, seen.get(channel) ?? 0));
    }
  };
  const add = (letter: NumberedLetter) => letters.set(`${letter.from} ${letter.to} ${letter.number}`, letter);
  for (const row of rows.values()) {
    handled(row.partition, row.seen);
    for (const { unconfirmed } of Object.values(row.sent)) unconfirmed.forEach(add);
  }
  for (const turn of turns) {
    turn.letters.forEach(add);
    for (const [partition, part] of Object.entries(turn.parts)) handled(Number(partition), part.seen);
  }
  return [...letters.values()].filter(({ from, to, number }) => number > (seen.get(`${from} ${to}`) ?? 0));
}

/** Judges every moving order. @returns their ids. */
export async function judgeMovingOrders(
  session: Session,
  beyond: readonly Happened[],
  letters: readonly NumberedLetter[],
  findings: Findings,
): Promise<string[]> {
  const orders = new Map<string, { events: OrderEvent[]; moves: Move[]; underWay: NumberedLetter[] }>();
  const of = (id: string) => {
    const known = orders.get(id) ?? { events: [], moves: [], underWay: [] };
    orders.set(id, known);
    return known;
  };
  for (const { event } of beyond) {
    if (event.of.kind === 'order') of(event.of.id).events.push(event.event as OrderEvent);
    else {
      const moved = event.event as ProductEvent;
      if (moved.type === 'received' || moved.type === 'adjusted') continue;
      const no = 'no' in moved ? (moved.no ?? 1) : 1;
      of(moved.order).moves.push({ product: event.of.id, type: OPERATION[moved.type], no, quantity: moved.quantity });
    }
  }
  for (const letter of letters) {
    const order = orderOf(letter);
    if (order !== undefined) of(order).underWay.push(letter);
  }
  const ids = [...orders.keys()];
  for (let i = 0; i < ids.length; i += PAGE) {
    for (const stored of await storedOrders(session, ids.slice(i, i + PAGE))) {
      const { events, moves, underWay } = of(stored.id);
      const history = [...stored.history, ...events];
      judgeMoving({ id: stored.id, history, moves: [...stored.moves, ...moves], underWay }, findings);
    }
  }
  return ids;
}

type Stored = Pick<MovingOrder, 'id'> & { history: OrderEvent[]; moves: Move[] };

async function storedOrders(session: Session, ids: readonly string[]): Promise<Stored[]> {
  const list = [texts(ids, (id) => id)];
  const stored = new Map<string, Stored>(ids.map((id) => [id, { id, history: [], moves: [] }]));
  const events = await session.query<{ id: string; data: string }>('read histories', HISTORY, list, LONG_MS);
  for (const { id, data } of events) stored.get(id)?.history.push(JSON.parse(data) as OrderEvent);
  const moves = await session.query<Move & { id: string }>('read operations', MOVES, list, LONG_MS);
  for (const { id, ...move } of moves) stored.get(id)?.moves.push(move);
  return [...stored.values()];
}
