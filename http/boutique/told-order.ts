/** An order as a shop tells of it, as an import of ours. */
import { isOurOrderId, type OrderId, orderId, productId, userId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import { type GivenMoney, type Import, importOf } from '../../actors/order/imported-order.js';
import type { Json } from '../../actors/protocol.js';
import {
  type Address,
  type Money,
  type OrderResult,
  readConfirmation,
  readPlaceOrderRequest,
  readPlaceOrderResponse,
} from './shop-protos.js';
import type { Passed } from './shop-server.js';

export interface ToldOrder extends Import {
  readonly id: OrderId;
}

export interface Telling {
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

/** @throws where the bytes are no such message */
export function tellingIn(passed: Passed, at: number): Telling {
  if (passed.service === 'email') {
    const { email, order } = readConfirmation(passed.request);
    return { order, email, origin: 'boutique-email', at };
  }
  const { shop, request, answer } = passed;
  const { user_id: user, email } = readPlaceOrderRequest(shop, request);
  return { order: readPlaceOrderResponse(shop, answer).order, user, email, origin: ORIGIN[shop], at };
}

/** From the JSON of a ToldOrder. @returns undefined where the text is no such */
export function toldIn(text: string): ToldOrder | undefined {
  try {
    const told = JSON.parse(text) as Partial<ToldOrder> | null;
    const isWhole = typeof told?.id === 'string' && Array.isArray(told.content?.lines) && told.facts !== undefined;
    return isWhole ? (told as ToldOrder) : undefined;
  } catch {
    return undefined; // The error quotes what the shop sent.
  }
}

/** As the shop gave it, cut to the length of an id. */
export const idOf = ({ order }: Telling): string => cut(order?.order_id ?? '', limits.idChars);

/** Texts that are too long are cut. @throws UnusableOrder */
export function toldOrder({ order, origin, user, email, at }: Telling): ToldOrder {
  const id = order?.order_id ?? '';
  if (order === undefined || id === '') throw new UnusableOrder('it names no order');
  if (!isId(id) || isOurOrderId(id)) throw new UnusableOrder('its order_id is no possible id of an imported order');
  if ((order.items?.length ?? 0) > limits.linesPerOrder)
    throw new UnusableOrder(`it has more than ${limits.linesPerOrder} items`);
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

const ORIGIN = { hipstershop: 'boutique', oteldemo: 'otel-demo' } as const;

/** As the ids of the API: 1 to 255 characters, no control characters, no lone surrogates, no blanks around. */
const isId = (text: string): boolean =>
  text.length >= 1 && text.length <= limits.idChars && !/\p{Cc}|\p{Cs}/u.test(text) && text.trim() === text;

/** An empty text is the same as none on this wire. */
const textOf = (text: string | undefined): string | undefined =>
  text === undefined || text === '' ? undefined : cut(text, limits.textChars);

/** With no half of a character: Postgres takes none. */
const cut = (text: string, chars: number): string => text.slice(0, chars).replace(/\p{Cs}/gu, '\ufffd');

const CURRENCY_CHARS = 16;

const moneyOf = (money: Money | undefined): GivenMoney | undefined =>
  money && {
    currency: cut(money.currency_code ?? '', CURRENCY_CHARS),
    units: BigInt(money.units ?? 0),
    nanos: money.nanos ?? 0,
  };

/**
 * The zip code as text, whichever shop tells it: the same order told by both has the same address. Its fields are cut until
 * the whole has the length that the API allows.
 */
function addressOf({ zip_code, ...rest }: Address): Json {
  const zip = zip_code === undefined || zip_code === '' ? {} : { zip_code: String(zip_code) };
  const fields: [string, string][] = Object.entries({ ...rest, ...zip });
  for (let chars: number = limits.textChars; ; chars = Math.floor(chars / 2)) {
    const address = Object.fromEntries(fields.map(([name, text]) => [name, cut(text, chars)]));
    if (JSON.stringify(address).length <= limits.addressJsonChars) return address;
  }
}
