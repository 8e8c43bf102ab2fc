// More buyers than pieces, faster and faster: exactly the stock is sold, and everybody gets an answer. With k6 (https://k6.io):
//   k6 run -e BASE_URL=https://shop.example.com -e API_KEY=hf_... deploy/load/oversell_test.js
// STOCK (5000), RATE (500 a second at the end), RAMP (10s) and DURATION (20s) may be set in the same way: keep more orders than
// pieces. API_KEY needs the scopes orders:write and inventory:write, and no user. It makes one product, SALE-..., and leaves it.
import { check } from 'k6';
import http from 'k6/http';
import { Counter } from 'k6/metrics';

const { BASE_URL = 'http://127.0.0.1:3000', API_KEY = '' } = __ENV;
const { STOCK = '5000', RATE = '500', RAMP = '10s', DURATION = '20s' } = __ENV;
/** An order without an outcome is sent again under its key, which gives the outcome, and never a second order. */
const TRIES = 10;

const sold = new Counter('orders_sold');
const refused = new Counter('orders_refused');

export const options = {
  scenarios: {
    sale: {
      executor: 'ramping-arrival-rate',
      startRate: Math.ceil(Number(RATE) / 10),
      timeUnit: '1s',
      stages: [
        { target: Number(RATE), duration: RAMP },
        { target: Number(RATE), duration: DURATION },
      ],
      preAllocatedVUs: Math.max(10, Number(RATE)),
      maxVUs: Math.max(20, Number(RATE) * 4),
    },
  },
  thresholds: {
    orders_sold: [`count==${STOCK}`],
    orders_refused: ['count>0'],
    checks: ['rate==1'],
  },
};

function params(name, key) {
  const headers = { 'Content-Type': 'application/json' };
  if (key !== undefined) headers['Idempotency-Key'] = key;
  if (API_KEY !== '') headers.Authorization = `Bearer ${API_KEY}`;
  return { headers, tags: { name }, timeout: '30s' };
}

export function setup() {
  const product = `SALE-${Date.now()}`;
  const products = [{ product_id: product, name: 'Sale', unit_price: 1, currency: 'EUR', stock: Number(STOCK) }];
  const reply = http.post(`${BASE_URL}/api/inventory`, JSON.stringify({ products }), params('stock', product));
  if (reply.status >= 300) throw new Error(`the product was not taken: ${reply.status} ${reply.body}`);
  return { product };
}

export default async function ({ product }) {
  const key = `${product}-${__VU}-${__ITER}`;
  const order = JSON.stringify({ user_id: key, items: [{ product_id: product, quantity: 1 }] });
  let reply;
  for (let tries = 0; tries < TRIES; tries++) {
    reply = await http.asyncRequest('POST', `${BASE_URL}/api/orders`, order, params('order', key));
    if (reply.status === 201 || reply.status === 409) break;
  }
  check(reply, {
    'sold or sold out': ({ status, body }) =>
      status === 201 ? body.includes('"confirmed"') : status === 409 && body.includes('out_of_stock'),
  });
  if (reply.status === 201) sold.add(1);
  if (reply.status === 409) refused.add(1);
}

export function teardown({ product }) {
  const { on_hand, held } = http.get(`${BASE_URL}/api/inventory/${product}`, params('stock')).json('data');
  check({ on_hand, held }, { 'nothing is left, and nothing is held': (left) => left.on_hand === 0 && left.held === 0 });
  if (on_hand !== 0 || held !== 0) throw new Error(`${product}: ${on_hand} of ${STOCK} left, ${held} held`);
}
