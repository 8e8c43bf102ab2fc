/** An order as a shop tells of it, as an import of ours. */
import { isOurOrderId, type OrderId, orderId, productId, userId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import { type GivenMoney, type Import, importOf } from '../../actors/order/imported-order.js';
import type { Json } from '../../actors/protocol.js';
import type { Address, Money, OrderResult } from './shop-protos.js';

export interface ToldOrder extends Import {
  readonly id: OrderId;
}

interface Telling {
  readonly order: OrderResult | undefined;
  readonly origin: string;
  readonly user?: string | undefined;
  readonly email?: string | undefined;
  /** Wall clock, milliseconds. */
  readonly at: number;
}

/** The order cannot be kept; the message says why, without anything that the shop sent. */
export class UnusableOrder extends Error {
  override readonly name = 'UnusableOrder';
}

/** @throws UnusableOrder */
export function toldOrder({ order, origin, user, email, at }: Telling): ToldOrder {
  const id = order?.order_id ?? '';
  if (order === undefined || id === '') throw new UnusableOrder('it names no order');
  if (!isId(id) || isOurOrderId(id)) throw new UnusableOrder('its order_id is no possible id of an imported order');
  const items = (order.items ?? []).map(({ item, cost }) => {
    const { product_id: product = '', quantity = 0 } = item ?? {};
    if (!isId(product)) throw new UnusableOrder('an item has a product_id that is no possible id');
    if (quantity < 1) throw new UnusableOrder('an item has a quantity below 1');
    return { product: productId(product), quantity, cost: moneyOf(cost) };
  });
  const given = {
    ...{ origin, items, placedAt: at },
    user: user !== undefined && isId(user) ? userId(user) : undefined,
    email: textOf(email),
    address: order.shipping_address && addressOf(order.shipping_address),
    tracking: textOf(order.shipping_tracking_id),
    shipping: moneyOf(order.shipping_cost),
  };
  return { id: orderId(id), ...importOf(given) };
}

// ---------------------------------------------------------------- machinery

/** As the ids of the API: 1 to 255 characters, no control characters, no lone surrogates, no blanks around. */
const isId = (text: string): boolean =>
  text.length >= 1 && text.length <= limits.idChars && !/\p{Cc}|\p{Cs}/u.test(text) && text.trim() === text;

/** An empty text is the same as none on this wire. */
const textOf = (text: string | undefined): string | undefined =>
  text === undefined || text === '' ? undefined : text.slice(0, limits.textChars);

const moneyOf = (money: Money | undefined): GivenMoney | undefined =>
  money && { currency: money.currency_code ?? '', units: BigInt(money.units ?? 0), nanos: money.nanos ?? 0 };

/** The zip code as text, whichever shop tells it: the same order told by both has the same address. */
function addressOf({ zip_code, ...rest }: Address): Json {
  const zip = zip_code === undefined || zip_code === '' ? {} : { zip_code: String(zip_code) };
  return { ...rest, ...zip } as Json;
}
