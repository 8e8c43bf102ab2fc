// Orders at a steady rate, answered in time. With k6 (https://k6.io):
//   k6 run -e BASE_URL=https://shop.example.com -e API_KEY=hf_... deploy/load/order_test.js
// RATE (1000 a second), DURATION (60s), PRODUCTS (100) and LIMIT_MS (100) may be set in the same way. API_KEY needs the scopes
// orders:write and inventory:write, and no user. It makes products of its own, LOAD-..., and leaves them.
import { check } from 'k6';
import http from 'k6/http';

const { BASE_URL = 'http://127.0.0.1:3000', API_KEY = '', RATE = '1000', DURATION = '60s' } = __ENV;
const { PRODUCTS = '100', LIMIT_MS = '100' } = __ENV;
const STOCK = 10000000;

export const options = {
  scenarios: {
    orders: {
      executor: 'constant-arrival-rate',
      rate: Number(RATE),
      timeUnit: '1s',
      duration: DURATION,
      preAllocatedVUs: Math.max(10, Number(RATE) / 2),
      maxVUs: Math.max(20, Number(RATE) * 2),
    },
  },
  thresholds: {
    'http_req_duration{name:order}': [`p(95)<${LIMIT_MS}`],
    'http_req_failed{name:order}': ['rate==0'],
    checks: ['rate==1'],
    // The rate was kept: an order that found no free VU was not sent.
    dropped_iterations: ['count==0'],
  },
};

function params(name, key) {
  const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': key };
  if (API_KEY !== '') headers.Authorization = `Bearer ${API_KEY}`;
  return { headers, tags: { name }, timeout: '30s' };
}

export function setup() {
  const run = `LOAD-${Date.now()}`;
  const products = Array.from({ length: Number(PRODUCTS) }, (_, i) => ({
    product_id: `${run}-${i}`,
    name: `Load ${i}`,
    unit_price: 9.99,
    currency: 'EUR',
    stock: STOCK,
  }));
  const reply = http.post(`${BASE_URL}/api/inventory`, JSON.stringify({ products }), params('stock', run));
  if (reply.status >= 300) throw new Error(`the products were not taken: ${reply.status} ${reply.body}`);
  return { run };
}

export default async function ({ run }) {
  const key = `${run}-${__VU}-${__ITER}`;
  const product = (__VU * 31 + __ITER * 7) % Number(PRODUCTS);
  const order = { user_id: `load-${__VU}`, items: [{ product_id: `${run}-${product}`, quantity: 1 }] };
  const reply = await http.asyncRequest('POST', `${BASE_URL}/api/orders`, JSON.stringify(order), params('order', key));
  check(reply, { 'the order is confirmed': ({ status, body }) => status === 201 && body.includes('"confirmed"') });
}
