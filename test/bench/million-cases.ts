// The requests of the benchmark with a million orders. Each case makes many requests with different values, and can run its
// query without HTTP, so that the plans of its statements can be printed.

import { orderId } from '../../actors/ids.js';
import type { StatsFilter } from '../../actors/ports/numbers.js';
import type { OrderFilter, Queries } from '../../actors/ports/queries.js';

/** The fields of one stored order that requests use as values. */
export interface Known {
  readonly id: string;
  readonly user: string;
  readonly email: string;
  readonly product: string;
  /** Wall clock, milliseconds. */
  readonly at: number;
}

export interface Case {
  readonly name: string;
  path(i: number): string;
  /** Runs the same query without the edge. */
  run(queries: Queries): Promise<unknown>;
}

const DAY = 86_400_000;
const PAGE = { page: 1, pageSize: 20 };
const CITIES = ['berlin', 'paris', 'oslo', 'rome', 'madrid', 'lisbon', 'vienna', 'prague'];
const NAMES = ['ada', 'bob', 'cleo', 'dana', 'eli', 'fay', 'gus', 'hana'];
const FAMILIES = ['lopez', 'moore', 'nagy', 'olsen', 'park', 'khan', 'ito'];

export function casesOf(known: readonly Known[]): readonly Case[] {
  const nth = (i: number): Known => {
    const one = known[i % known.length];
    if (one === undefined) throw new Error('there are no orders');
    return one;
  };
  const pick = (words: readonly string[], i: number) => words[i % words.length] ?? '';
  const time = (ms: number) => new Date(ms).toISOString();
  const param = (name: string) =>
    ({
      user: 'user_id',
      product: 'product_id',
      payment: 'payment_status',
      fulfillment: 'fulfillment_status',
      minTotal: 'min_total',
      maxTotal: 'max_total',
      words: 'q',
    })[name] ?? name;
  const query = (filter: OrderFilter) =>
    Object.entries(filter).map(([name, value]): [string, string] => [
      param(name),
      name === 'from' || name === 'to' ? time(Number(value)) : String(value),
    ]);
  const list = (
    name: string,
    filter: (i: number) => OrderFilter,
    more: Readonly<Record<string, string>> = {},
  ): Case => ({
    name,
    path: (i) => `/api/orders?${new URLSearchParams([...query(filter(i)), ...Object.entries(more)])}`,
    run: (queries) => queries.orders(filter(0), { page: Number(more.page ?? 1), pageSize: PAGE.pageSize }),
  });
  const stats = (name: string, filter: StatsFilter): Case => ({
    name,
    path: () =>
      `/api/stats?${Object.entries(filter)
        .map(([field, value]) => `${param(field)}=${value}`)
        .join('&')}`,
    run: (queries) => queries.stats(filter, 100),
  });
  const dayAgo = (days: number) => time(Date.now() - days * DAY).slice(0, 10);
  const total1000 = (i: number) => ({ minTotal: `${1_000 + i}`, maxTotal: `${1_100 + i}` });
  const day = (i: number) => ({ from: nth(i).at, to: nth(i).at + DAY });

  return [
    { name: 'order by id', path: (i) => `/api/orders/${nth(i).id}`, run: (q) => q.order(orderId(nth(0).id)) },
    { name: 'history', path: (i) => `/api/orders/${nth(i).id}/history`, run: (q) => q.history(orderId(nth(0).id)) },
    list('list, page 1', () => ({})),
    list('list, page 500 of 20', () => ({}), { page: '500' }),
    {
      name: 'list by cursor, first 100',
      path: () => '/api/orders?limit=100',
      run: (q) => q.ordersAfter({}, undefined, 100),
    },
    list('of a user', (i) => ({ user: nth(i).user })),
    list('status=failed', () => ({ status: 'failed' })),
    list('status=confirmed', () => ({ status: 'confirmed' })),
    list('status=shipped (none)', () => ({ status: 'shipped' })),
    list('payment_status=declined', () => ({ payment: 'declined' })),
    list('fulfillment_status=shipped (none)', () => ({ fulfillment: 'shipped' })),
    list('of a product', (i) => ({ product: nth(i).product })),
    list('of a popular product', () => ({ product: 'PROD-0001' })),
    list('currency=EUR', () => ({ currency: 'EUR' })),
    list('of a day', day),
    list('older than 80 days', () => ({ to: Date.now() - 80 * DAY })),
    list('min_total=5000 (few)', (i) => ({ minTotal: `${5_000 + i}` })),
    list('total 1000 to 1100', total1000),
    list('user and failed', (i) => ({ user: nth(i).user, status: 'failed' })),
    list('failed in EUR', () => ({ status: 'failed', currency: 'EUR' })),
    list('declined, of a product', (i) => ({ payment: 'declined', product: nth(i).product })),
    list('declined, of a popular product', () => ({ payment: 'declined', product: 'PROD-0001' })),
    list('failed, of a popular product', () => ({ status: 'failed', product: 'PROD-0001' })),
    list('paid, of a popular product', () => ({ payment: 'paid', product: 'PROD-0001' })),
    list('popular product in EUR (none)', () => ({ product: 'PROD-0001', currency: 'EUR' })),
    list('popular product, min_total=1000', (i) => ({ product: 'PROD-0001', minTotal: `${1_000 + i}` })),
    list('popular product, total 1000 to 1100', (i) => ({ product: 'PROD-0001', ...total1000(i) })),
    list('failed and paid (none)', () => ({ status: 'failed', payment: 'paid' })),
    list('confirmed and declined (none)', () => ({ status: 'confirmed', payment: 'declined' })),
    list('not charged, min_total=1000 (none)', (i) => ({ payment: 'not_charged', minTotal: `${1_000 + i}` })),
    list('product, on a day', (i) => ({ product: nth(i).product, ...day(i) })),
    list('confirmed, total 1000 to 1100', (i) => ({ status: 'confirmed', ...total1000(i) })),
    stats('stats by day', { by: 'day' }),
    stats('stats by product', { by: 'product' }),
    stats('stats by product, of 60 days', { by: 'product', from: dayAgo(75), to: dayAgo(15) }),
    stats('stats of a product in total', { by: 'total', product: 'PROD-0001' }),
    list('q: an order id', (i) => ({ words: nth(i).id })),
    list('q: an e-mail address', (i) => ({ words: nth(i).email })),
    list('q: a user id', (i) => ({ words: nth(i).user })),
    list('q: a rare word', (i) => ({ words: nth(i).id.slice(4) })),
    list('q: in every order', () => ({ words: 'utopia' })),
    list('q: a city (5 %)', (i) => ({ words: pick(CITIES, i) })),
    list('q: two names (0.5 %)', (i) => ({ words: `${pick(NAMES, i)} ${pick(FAMILIES, i)}` })),
    list('q: a rare word and a common one', (i) => ({ words: `${nth(i).user.slice(5)} street` })),
    list('q: the beginning of many words', (i) => ({ words: pick(CITIES, i).slice(0, 2) })),
    list('q: nothing has it', (i) => ({ words: `xyzzy${i} utopia` })),
    list('q: a city, of a user', (i) => ({ words: pick(CITIES, i), user: nth(i).user })),
    list('q: a city, failed', (i) => ({ words: pick(CITIES, i), status: 'failed' })),
    list('q: a city, of a product', (i) => ({ words: pick(CITIES, i), product: nth(i).product })),
    list('q: a city, of a popular product', (i) => ({ words: pick(CITIES, i), product: 'PROD-0001' })),
    list('q: a city, confirmed', (i) => ({ words: pick(CITIES, i), status: 'confirmed' })),
    list('q: a city, in EUR', (i) => ({ words: pick(CITIES, i), currency: 'EUR' })),
    list('q: a city, max_total=200', (i) => ({ words: pick(CITIES, i), maxTotal: `${200 + i}` })),
    list('q: a city, min_total=1000', (i) => ({ words: pick(CITIES, i), minTotal: `${1_000 + i}` })),
    list('q: a city, of ten days', (i) => ({ words: pick(CITIES, i), from: nth(i).at, to: nth(i).at + 10 * DAY })),
    list('q: two names, confirmed', (i) => ({ words: `${pick(NAMES, i)} ${pick(FAMILIES, i)}`, status: 'confirmed' })),
    list('q: the beginning of many words, in EUR', (i) => ({ words: pick(CITIES, i).slice(0, 2), currency: 'EUR' })),
    list('q: in every order, in EUR', () => ({ words: 'utopia', currency: 'EUR' })),
    list('q: a city, on a day', (i) => ({ words: pick(CITIES, i), ...day(i) })),
    {
      name: 'orders of a user (/api/users)',
      path: (i) => `/api/users/${nth(i).user}/orders`,
      run: (q) => q.orders({ user: nth(0).user }, PAGE),
    },
    {
      name: 'ledger of a product',
      path: (i) => `/api/inventory/${nth(i).product}/ledger`,
      run: (q) => q.ledger(nth(0).product as Parameters<Queries['ledger']>[0], undefined, 20),
    },
    {
      name: 'balance at a past moment',
      path: (i) => `/api/inventory/${nth(i).product}/ledger?at=${time(nth(i + 1).at)}`,
      run: (q) => q.stockAt(nth(0).product as Parameters<Queries['stockAt']>[0], nth(1).at),
    },
    { name: 'products, page 1', path: () => '/api/inventory', run: (q) => q.products(PAGE) },
  ];
}
