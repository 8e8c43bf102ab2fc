/**
 * The JSON of a product's stock and of its movements, as clients see them.
 */

import { withoutTrace } from '../../actors/correlation.js';
import { amountText } from '../../actors/money.js';
import type { OperationRow } from '../../actors/ports/snapshot-rows.js';
import { available, type ProductState, type Stock } from '../../actors/product/inventory.js';
import { isoTime } from '../orders/order-view.js';

export function productJson(state: ProductState): string {
  const { id, name, unitPrice, currency } = state;
  const rest = JSON.stringify({
    currency,
    on_hand: state.onHand,
    held: state.held,
    available: available(state),
    backordered: state.backordered,
    allow_backorder: state.backorders.allowed,
    ...(state.backorders.limit !== undefined && { backorder_limit: state.backorders.limit }),
    updated_at: isoTime(state.updatedAt),
  });
  return `{"product_id":${JSON.stringify(id)},"name":${JSON.stringify(name)},"unit_price":${amountText(unitPrice, currency)},${rest.slice(1)}`;
}

export const operationJson = (row: OperationRow): string =>
  JSON.stringify({
    ref: row.ref,
    order_id: row.order,
    product_id: row.product,
    operation_type: row.type,
    operation_no: row.no,
    quantity: row.quantity,
    created_at: isoTime(row.at),
    version: row.version,
    on_hand_after: row.onHandAfter,
    held_after: row.heldAfter,
    backordered_after: row.backorderedAfter,
    available_after: available(stockAfter(row)),
    ...(row.reason !== null && { reason: row.reason }),
    correlation_id: withoutTrace(row.correlation),
  });

/** The balance after the last operation up to a moment; zero before the first operation. */
export function balanceJson(product: string, at: number, last: OperationRow | undefined): string {
  const stock = last === undefined ? NO_STOCK : stockAfter(last);
  const { onHand, held, backordered } = stock;
  const numbers = JSON.stringify({ on_hand: onHand, held, available: available(stock), backordered });
  const operation = last === undefined ? 'null' : operationJson(last);
  return `{"product_id":${JSON.stringify(product)},"at":"${isoTime(at)}",${numbers.slice(1, -1)},"last_operation":${operation}}`;
}

const NO_STOCK: Stock = { onHand: 0, held: 0, backordered: 0 };

const stockAfter = ({ onHandAfter, heldAfter, backorderedAfter }: OperationRow): Stock => ({
  onHand: onHandAfter,
  held: heldAfter,
  backordered: backorderedAfter,
});
