/**
 * An archive's form: a file of gzip members, which zcat and DuckDB read as one file of JSON lines, a line an order. Each
 * member is a block of some orders and can be read by itself.
 *
 * A line is one object: `order`, the row as `decodeOrder` reads it; `turns`, its history, a list for each turn; and
 * `operations`, what products did for it, which stays in `inventory_operations` too.
 */
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { OrderId } from '../../actors/ids.js';
import type { HistoryRow, StoredOrder } from '../../actors/ports/snapshot-rows.js';
import { decodeOrder, decodeTurn, ORDER_BODY, TURN_BODY } from '../snapshots/order-rows.js';
import { OPERATION_BODY } from '../snapshots/product-rows.js';
import { BadArchive } from './archive-place.js';

/** An order of table alias `o` as one line. */
export const LINE = `json_build_object('order', ${ORDER_BODY},
  'turns', (select json_agg(${TURN_BODY} order by version) from order_turns where order_turns.order_id = o.order_id),
  'operations', (select coalesce(json_agg(${OPERATION_BODY} order by product_id, version), '[]')
    from inventory_operations where ref = o.order_id))`;

export interface ArchivedOrder {
  readonly stored: StoredOrder;
  readonly history: readonly HistoryRow[];
}

interface Line {
  readonly order: { readonly id: OrderId; readonly user: string; readonly version: number };
  readonly turns: readonly object[];
  readonly operations: readonly object[];
}

export const pack = (lines: readonly string[]): Promise<Buffer> => promisify(gzip)(`${lines.join('\n')}\n`);

/** @throws BadArchive */
export async function unpack(block: Buffer, name: string): Promise<readonly string[]> {
  const text = await promisify(gunzip)(block).catch((error: Error) => {
    throw new BadArchive(`the archive ${name} is damaged or cut: ${error.message}`);
  });
  return text.toString().split('\n').slice(0, -1);
}

/** @throws BadArchive */
export function parse(line: string, name: string): Line {
  try {
    const parsed = JSON.parse(line) as Line;
    if (typeof parsed.order.id === 'string' && Array.isArray(parsed.turns)) return parsed;
  } catch {
    // It is told below.
  }
  throw new BadArchive(`the archive ${name} is damaged: it has a line that is no order`);
}

export function decodeLine(line: string, name: string): ArchivedOrder {
  const { order, turns } = parse(line, name);
  return {
    stored: { ...decodeOrder(JSON.stringify(order)), archived: true },
    history: turns.flatMap((turn) => decodeTurn(JSON.stringify(turn))),
  };
}
