// Text that would act as SQL, an array, a pattern or a search query inside a statement, in every field where a client
// may send text. Never a 5xx: the text comes back unchanged, a list shows literal matches only, and the tables
// stay intact.

import { randomBytes } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { cursorOf } from '../../http/api/cursor.js';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { until } from '../deadlines.js';
import { databaseUrl } from './rig/addresses.js';
import { checkVerify } from './rig/ledger-check.js';
import { RealSystem } from './rig/real-system.js';

const HOSTILE = [
  "' OR '1'='1",
  "' OR 1=1 --",
  "'; DROP TABLE orders; --",
  "x'); DELETE FROM products; --",
  '1; SELECT pg_sleep(20)',
  "'||pg_sleep(20)--",
  "' UNION SELECT order_id, user_id FROM orders --",
  '$$; TRUNCATE orders CASCADE; $$',
  "\\'; UPDATE products SET on_hand = 1e9; --",
  '$1',
  '%',
  '_',
  '%%plain%%',
  'NULL',
  '{plain,NULL}',
  '{"a":"b"}',
  '"orders"',
  'ends in \\',
  "E'\\x41'",
  "plain' | !x <-> y:* & (z",
  'created_at desc',
  '/* plain */',
] as const;
const PLAIN = ['ann', 'ben', 'cem'];
const WRONG_WORDS = [
  'status',
  'payment_status',
  'fulfillment_status',
  'currency',
  'from',
  'to',
  'min_total',
  'max_total',
];
const NO_NUMBERS = ['page', 'page_size', 'limit', 'cursor'];
const NOBODY_READS = ['sort', 'order', 'order_by', 'sort_by', 'filter', 'where', 'fields'];
/** How cursors name the list of all orders. */
const EVERYTHING = 'orders {}';
const SHOWN_MS = 15_000;

interface Shown {
  readonly status: number;
  readonly text: string;
  /** A member of the list's data. */
  all(name: string): unknown[];
}

const test = suite('SQL that comes in');
const built = await RealSystem.build({ AUTH: 'keys', ADMIN_KEY: randomBytes(32).toString('hex') });
if ('skipped' in built) console.log(`SKIP SQL that comes in: ${built.skipped}`);
else scenarios(built);

function scenarios(system: RealSystem): void {
  /** The order of each hostile text, and the orders with plain text. */
  const orderOf = new Map<string, string>();
  const plain: string[] = [];
  let tables: unknown;

  async function ask(path: string, body?: object, headers: Readonly<Record<string, string>> = {}): Promise<Shown> {
    const reply = await fetch(system.url + path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { 'content-type': 'application/json', ...system.credential, ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(SHOWN_MS),
    });
    const text = await reply.text();
    assert.ok(reply.status < 500, `${reply.status} to ${path} ${JSON.stringify(body ?? '')}: ${text}`);
    const all = (name: string) =>
      (JSON.parse(text) as { data: Record<string, unknown>[] }).data.map((one) => one[name]);
    return { status: reply.status, text, all };
  }
  const done = async (path: string, body: object): Promise<string> => {
    const { status, text } = await ask(path, body);
    assert.ok(status < 300, `${status} to ${path} ${JSON.stringify(body)}: ${text}`);
    return text;
  };
  const ids = async (query: string) => (await ask(`/api/orders?page_size=100&${query}`)).all('id').sort();
  const in_ = encodeURIComponent;

  async function look(): Promise<unknown> {
    const client = connectPostgres(await databaseUrl(system), { max: 1 });
    try {
      return await client.query(
        'look at the tables',
        `select table_name, column_name, data_type from information_schema.columns where table_schema = 'public' order by 1, 2`,
      );
    } finally {
      await client.end();
    }
  }

  test.after(() => system.demolish());

  test('hostile text is stored and shown unchanged, in every field', async () => {
    await system.start();
    await system.stock([...PLAIN, ...HOSTILE], 1_000);
    tables = await look();
    const placed = async (body: object) =>
      (JSON.parse(await done('/api/orders', body)) as { data: { id: string } }).data.id;
    for (const user of PLAIN)
      plain.push(await placed({ user_id: user, product_id: user, quantity: 2, notes: 'thanks' }));
    for (const text of HOSTILE) {
      const freeText = { user_email: text, shipping_address: { [text]: text }, billing_address: text, notes: text };
      const id = await placed({
        ...{ user_id: text, items: [{ product_id: text, quantity: 5 }], payment_method: text, ...freeText },
        idempotency_key: text.replaceAll(' ', '+'),
      });
      orderOf.set(text, id);
      const shown = JSON.parse((await ask(`/api/orders/${id}`)).text) as { data: Record<string, unknown> };
      for (const [field, value] of Object.entries({ user_id: text, ...freeText })) {
        assert.equal(shown.data[field], value, `${field} of ${text}`);
      }
      await done(`/api/orders/${id}/ship`, { tracking_id: text, carrier: text });
      await done(`/api/orders/${id}/returns`, { lines: [{ product_id: text, quantity: 1 }], reason: text });
      await done(`/api/orders/${id}/returns/${id}-R1/receive`, {});
      await done(`/api/orders/${id}/refunds`, { amount: 1, reason: text });
      await done(`/api/inventory/${in_(text)}/adjust`, { delta: -1, reason: text });
      const [product] = [{ product_id: text, name: text, unit_price: 9.99, stock: 1 }];
      await done('/api/inventory', { products: [product] });
      await done('/api/inventory/check', { items: [{ product_id: text, quantity: 1 }] });
      const csv = (value: string) => `"${value.replaceAll('"', '""')}"`;
      const file = `product_id,name,unit_price,stock\n${csv(text)},${csv(text)},9.99,1\n`;
      const imported = await fetch(`${system.url}/api/inventory/import`, {
        method: 'POST',
        headers: { 'content-type': 'text/csv', ...system.credential },
        body: file,
      });
      assert.match(await imported.text(), '"imported":1');
      const sold = await ask(`/api/inventory/${in_(text)}`);
      const { data } = JSON.parse(sold.text) as { data: Record<string, unknown> };
      assert.equal([data.name, data.on_hand], [text, 997], sold.text);
    }
  });

  test('a list filtered by hostile text shows literal matches and nothing more', async () => {
    const everything = [...plain, ...orderOf.values()].sort();
    assert.ok(await until(async () => (await ids('')).length === everything.length, SHOWN_MS));
    assert.equal(await ids(''), everything);
    for (const [text, id] of orderOf) {
      const value = in_(text);
      assert.equal(await ids(`user_id=${value}`), [id], `user_id ${text}`);
      assert.equal(await ids(`product_id=${value}`), [id], `product_id ${text}`);
      assert.equal((await ask(`/api/users/${value}/orders`)).all('id'), [id], `the orders of user ${text}`);
      for (const name of WRONG_WORDS)
        assert.is((await ask(`/api/orders?${name}=${value}`)).status, 400, `${name}=${text}`);
      for (const name of NO_NUMBERS)
        assert.is((await ask(`/api/orders?${name}=${value}`)).status, 400, `${name}=${text}`);
      for (const name of NOBODY_READS)
        assert.is((await ask(`/api/orders?${name}=${value}`)).status, 400, `${name}=${text}`);
      const isLetter = /[\p{L}\p{N}]/u.test(text);
      const found = async () => ids(`q=${value}`);
      if (isLetter)
        assert.ok(await until(async () => (await found()).includes(id), SHOWN_MS), `q=${text} finds nothing`);
      else assert.equal(await found(), [], `q=${text}`);
      const hits = await found();
      assert.equal(
        plain.filter((one) => hits.includes(one)),
        [],
        `q=${text}`,
      );
    }
  });

  test('so do a product, its ledger and its audit under a hostile id', async () => {
    for (const text of HOSTILE) {
      const value = in_(text);
      for (const path of [
        `/api/inventory/${value}/ledger?limit=100`,
        `/internal/inventory/audit?page_size=100&product_id=${value}`,
      ]) {
        const products = (await ask(path)).all('product_id');
        assert.ok(products.length > 5 && products.every((product) => product === text), `${path}: ${products}`);
      }
      assert.is((await ask(`/api/inventory/${value}/ledger?at=${value}`)).status, 400);
      assert.is((await ask(`/api/inventory/${value}/ledger?cursor=${value}`)).status, 400);
    }
  });

  test('a forged cursor with hostile text and a valid checksum leads no further than a real one', async () => {
    const listed = await ask('/api/orders?limit=100');
    const [newest, ...older] = listed.all('id') as [string, ...string[]];
    const at = Date.parse(String(listed.all('created_at')[0]));
    for (const text of HOSTILE) {
      const behind = await ask(`/api/orders?limit=100&cursor=${cursorOf(EVERYTHING, [at, text])}`);
      // The newest order has the cursor's time: it is listed again if its id sorts before the text.
      assert.equal(behind.all('id'), newest < text ? [newest, ...older] : older, text);
      for (const place of [[text, newest], [at, newest, text], [at], [text]]) {
        const cursor = cursorOf(EVERYTHING, place);
        assert.is((await ask(`/api/orders?cursor=${cursor}`)).status, 400, JSON.stringify(place));
      }
      const ofLedger = cursorOf(`ledger ${PLAIN[0]}`, [text]);
      assert.is((await ask(`/api/inventory/${PLAIN[0]}/ledger?cursor=${ofLedger}`)).status, 400);
    }
  });

  test('a hostile id, key or credential finds nothing', async () => {
    for (const text of HOSTILE) {
      const value = in_(text);
      assert.is((await ask(`/api/orders/${value}`)).status, 404);
      assert.is((await ask(`/api/orders/${value}/history`)).status, 404);
      assert.is((await ask(`/api/orders/${value}/cancel`, { reason: text })).status, 404);
      assert.is((await ask(`/api/orders/${plain[0]}/returns/${value}/receive`, {})).status, 404);
      const shipped = await ask(`/api/orders/${plain[0]}/ship`, {}, { 'if-match': text });
      assert.ok([400, 412].includes(shipped.status), `no entity tag, or one of no version: ${shipped.text}`);
      assert.is((await ask('/api/orders', undefined, { authorization: `Bearer ${text}` })).status, 401);
      assert.is((await ask(`/api/orders/${plain[0]}`, undefined, { 'x-correlation-id': text })).status, 200);
    }
  });

  test('the tables are intact', async () => {
    assert.equal(await look(), tables);
    assert.is((await ids('')).length, plain.length + HOSTILE.length);
    assert.is((await ask('/api/inventory?page_size=100')).all('product_id').length, PLAIN.length + HOSTILE.length);
    await checkVerify(system);
  });

  test.run();
}
