/**
 * The outputs of an appended turn: rows for the next flush, deadlines to move, and the batch for EVENTS. They are a
 * function of the turn. The driver makes them while it waits for the append's acknowledgement.
 */
import type { OperationRow, RefusedWriteRow, TurnRow } from '../ports/snapshot-rows.js';
import type { ProductState } from '../product/inventory.js';
import type { ProductEvent } from '../protocol.js';
import type { Turn } from './turn.js';
import { type OrderEntry, operation, type ProductEntry } from './world.js';

export interface TurnOutputs {
  readonly operations: readonly { readonly entry: ProductEntry; readonly row: OperationRow }[];
  readonly histories: readonly { readonly entry: OrderEntry; readonly row: TurnRow }[];
  readonly refused: readonly RefusedWriteRow[];
  /** Orders whose holds were given more time. */
  readonly extended: readonly OrderEntry[];
  /** The turn's batch for EVENTS: a JSON array, or empty text when the turn has no events. */
  readonly publicBatch: string;
}

export function turnOutputsOf({ n, at, applied, orderTurns, published, refused }: Turn): TurnOutputs {
  const operations: { entry: ProductEntry; row: OperationRow }[] = [];
  const extended: OrderEntry[] = [];
  for (const { entry, of, version, event, after, correlation } of applied) {
    if (of.kind === 'product') {
      const row = operation(of.id, version, event as ProductEvent, after as ProductState, at, correlation);
      operations.push({ entry: entry as ProductEntry, row });
    } else if (event.type === 'hold_extended') extended.push(entry as OrderEntry);
  }
  const histories = orderTurns.map(({ entry, id: order, version, correlation, events }) => {
    const row = { order, version, at, correlation, n, count: events.length, events: events.join(',') };
    return { entry, row };
  });
  const refusals = refused.map((write) => ({ ...write, at }));
  return { operations, histories, refused: refusals, extended, publicBatch: published.text };
}
