/** Turns one line of a receipt into a command for the owner: money in minor units, defaults from the product's state. */

import { DEFAULT_CURRENCY, isCurrency, minorDigits, toMinor } from '../../actors/money.js';
import type { ProductState } from '../../actors/product/inventory.js';
import type { ReceiveCommand } from '../../actors/protocol.js';
import { invalidField, unknownCurrency } from '../api/failure.js';
import type { ReceiptLine } from '../api/schemas.js';
import { refusalOf } from './stock-writes.js';

/** @param prefix of the field names in messages. @throws Failure */
export function receiptOf(
  line: ReceiptLine,
  before: ProductState,
  prefix: string,
): Omit<ReceiveCommand, 'ref' | 'fingerprint'> {
  const currency = line.currency ?? (before.known ? before.currency : DEFAULT_CURRENCY);
  const isItsOwn = before.known && currency === before.currency;
  if (!isItsOwn && !isCurrency(currency)) throw unknownCurrency(`${prefix}currency`, currency);
  if (before.known && !isItsOwn) throw refusalOf('currency_fixed', before.id, `${prefix}currency`);
  const unitPrice = toMinor(line.unit_price, currency);
  if (unitPrice === undefined) {
    throw invalidField(`${prefix}unit_price`, `has more than the ${minorDigits(currency)} decimals of ${currency}`);
  }
  return {
    ...{ type: 'receive', name: line.name, unitPrice, currency, quantity: line.stock },
    ...backordersOf(line, before),
  };
}

function backordersOf(
  { allow_backorder, backorder_limit }: ReceiptLine,
  { backorders }: ProductState,
): Pick<ReceiveCommand, 'backorders'> {
  if (allow_backorder === undefined && backorder_limit === undefined) return {};
  const limit = backorder_limit ?? backorders.limit;
  const allowed = allow_backorder ?? backorders.allowed;
  return { backorders: limit === undefined ? { allowed } : { allowed, limit } };
}
