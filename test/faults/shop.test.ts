// A shop's checkouts pass through the real process while Postgres and the process itself are killed. Every order that a
// client was told of is stored once and exactly, no checkout fails for us, and the card's number is nowhere.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { freePort } from '../../deploy/servers/free-ports.js';
import { connectPostgres, type PostgresClient } from '../../storage/postgres/postgres.js';
import { until } from '../deadlines.js';
import { CARD, Frontend, type Reply, type Shop, startShop, TRACE } from '../servers/shop-stand-ins.js';
import { databaseUrl } from './rig/addresses.js';
import { RealSystem } from './rig/real-system.js';

const CLIENTS = 8;
const STORED_MS = 60_000;

const test = suite('a shop in front');
let system: RealSystem | undefined;
let shop: Shop;
let frontend: Frontend;
let port = 0;

test.before(async () => {
  port = await freePort();
  shop = await startShop();
  const built = await RealSystem.build({
    ...{ ROLES: 'edge,actors,boutique', BOUTIQUE_PORT: String(port), LOG_FORMAT: 'boutique' },
    ...{ CHECKOUT_UPSTREAM: shop.address, EMAIL_UPSTREAM: shop.address },
  });
  if ('skipped' in built) return console.log(`SKIP a shop in front: ${built.skipped}`);
  system = built;
  await system.start();
  frontend = new Frontend(`127.0.0.1:${port}`);
});

test.after(async () => {
  frontend?.close();
  shop.stop();
  await system?.demolish();
});

async function withDatabase<T>(of: RealSystem, use: (client: PostgresClient) => Promise<T>): Promise<T> {
  const client = connectPostgres(await databaseUrl(of, 'owner'), { max: 1 });
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/** By id: how often each order is stored. */
const storedIds = (of: RealSystem) =>
  withDatabase(of, async (client) => {
    const rows = await client.query<{ id: string }>('read orders', 'select order_id as id from orders');
    return rows.map(({ id }) => id).sort();
  }).catch((): string[] => []);

const idOf = ({ answer }: Reply): string | undefined =>
  /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(String(answer))?.[0];

const idsOf = (replies: readonly Reply[]): string[] => replies.flatMap((reply) => idOf(reply) ?? []).sort();

test('a call passes as it is, in both directions, and its order is stored exactly', async () => {
  if (system === undefined) return;
  const reply = await frontend.placeOrder('ann', { deadlineMs: 15_000 });
  assert.is(reply.error, undefined);
  const [confirmed] = shop.confirmed;
  const [call] = shop.calls;
  assert.ok(reply.answer?.equals(confirmed?.answer ?? Buffer.alloc(0)), 'the same bytes, with an unknown field');
  assert.equal(reply.head?.get('x-shop'), ['stand-in']);
  assert.equal(reply.trailer?.get('x-trailer'), [confirmed?.id]);
  assert.equal(call?.metadata.get('traceparent'), [TRACE]);
  assert.ok(
    call !== undefined && call.restMs > 0 && call.restMs <= 15_000,
    `the deadline is passed on: ${call?.restMs}`,
  );
  assert.ok(String(call?.request).includes(CARD), 'the shop itself gets the card');
  const of = system;
  assert.ok(await until(async () => (await storedIds(of)).length === 1, STORED_MS), of.lastWords());
  const shown = JSON.parse((await of.ask(`/api/orders/${confirmed?.id}`))?.text ?? '{}').data;
  assert.equal(
    [shown.user_id, shown.user_email, shown.status, shown.payment_status, shown.total_amount, shown.currency],
    ['ann', 'ann@example.com', 'confirmed', 'paid', 154.47, 'USD'],
  );
  assert.equal([shown.shipping_cost, shown.tracking_id], [8.99, `TRACK-${confirmed?.id.slice(0, 8)}`]);
  assert.is(shown.shipping_address.zip_code, '94043');
  assert.is(shown.imported.items[0].cost.amount, '67.989999999');
  const otel = await frontend.placeOrder('otto', { shop: 'oteldemo' });
  assert.ok(await until(async () => (await storedIds(of)).length === 2, STORED_MS), of.lastWords());
  const text = (await of.ask(`/api/orders/${idOf(otel)}`))?.text ?? '';
  assert.is(JSON.parse(text).data.shipping_address.zip_code, '94043', 'text in one shop, a number in the other');
});

test('a refusal of the shop passes with its code and its words, and nothing is stored for it', async () => {
  if (system === undefined) return;
  shop.refuses = { code: status.FAILED_PRECONDITION, details: 'cart failure: it is empty' };
  const { error } = await frontend.placeOrder('bob');
  shop.refuses = undefined;
  assert.equal([error?.code, error?.details], [status.FAILED_PRECONDITION, 'cart failure: it is empty']);
  assert.equal(error?.metadata.get('x-why'), ['refused']);
});

test('an e-mail about an order passes too; it stores an order once, whoever tells of it first', async () => {
  if (system === undefined) return;
  const of = system;
  const known = shop.confirmed[0]?.id ?? '';
  const fresh = '11111111-2222-3333-4444-555555555555';
  for (const id of [known, fresh]) assert.is((await frontend.confirm(id, 'ann@example.com')).error, undefined);
  assert.is(shop.mails.length, 2);
  assert.ok(await until(async () => (await storedIds(of)).includes(fresh), STORED_MS), of.lastWords());
  assert.is(new Set(await storedIds(of)).size, 3);
  assert.is(JSON.parse((await of.ask(`/api/orders/${known}`))?.text ?? '').data.imported.differed, undefined);
  const { error } = await frontend.placeOrder('no', { shop: 'hipstershop', deadlineMs: -1 });
  assert.is(error?.code, status.DEADLINE_EXCEEDED);
});

test('Postgres and we are killed while checkouts run: what a client was told is stored, once', async () => {
  if (system === undefined) return;
  const of = system;
  const before = await storedIds(of);
  const replies: Reply[] = [];
  let isOver = false;
  let isDown = false;
  /** Answers of calls that began and ended while our process was up. */
  const failed: string[] = [];
  const clients = Array.from({ length: CLIENTS }, async (_, i) => {
    while (!isOver) {
      const wasDown = isDown;
      const reply = await frontend.placeOrder(`user-${i}`);
      replies.push(reply);
      if (reply.error !== undefined && !wasDown && !isDown) failed.push(reply.error.message);
      if (reply.error !== undefined) await until(() => isOver, 50); // A client does not ask a dead port without a pause.
    }
  });
  const more = (count: number) => {
    const from = idsOf(replies).length;
    return until(() => idsOf(replies).length >= from + count, STORED_MS);
  };
  assert.ok(await more(50), 'checkouts run');
  of.signalChild('postgres', 'SIGKILL');
  assert.ok(await more(100), 'checkouts pass while Postgres is away');
  isDown = true;
  await of.end('SIGKILL');
  of.open();
  assert.ok(await more(100), 'checkouts pass again, while the node still starts');
  isDown = false;
  await of.ready(STORED_MS);
  isOver = true;
  await Promise.all(clients);
  assert.equal(failed, [], 'no checkout failed for us');
  const told = idsOf(replies);
  assert.ok(
    await until(
      async () =>
        told.every((id, at, all) => all.indexOf(id) === at) &&
        (await storedIds(of)).length >= before.length + told.length,
      STORED_MS,
    ),
    `${told.length} told, ${(await storedIds(of)).length - before.length} stored\n${of.lastWords()}`,
  );
  const stored = await storedIds(of);
  assert.is(new Set(stored).size, stored.length);
  assert.equal(
    told.filter((id) => !stored.includes(id)),
    [],
  );
  const confirmed = new Set([...shop.confirmed.map(({ id }) => id), ...before]);
  assert.equal(
    stored.filter((id) => !confirmed.has(id)),
    [],
    'nothing is stored that the shop did not confirm',
  );
  const unheard = confirmed.size - before.length - told.length;
  assert.ok(unheard <= CLIENTS + before.length, `${unheard} were confirmed to nobody when we were killed`);
  assert.ok((await of.metric('orders_persisted_total')) > 0);
  assert.is(await of.metric('holdfast_imports_waiting'), 0);
  assert.is((await of.verify()).code, 0);
});

test('the log has the sentences that guides look for, as lines of the shop', async () => {
  if (system === undefined) return;
  const lines = system.output.split('\n').filter((line) => line.startsWith('{'));
  const messages = new Set(
    lines.map((line) => JSON.parse(line)).map(({ severity, message }) => `${severity} ${message}`),
  );
  for (const sentence of [
    'Successfully connected to PostgreSQL database',
    'Database connection established successfully',
    `order ${shop.confirmed[0]?.id} saved to database successfully`,
  ])
    assert.ok(messages.has(`info ${sentence}`), sentence);
});

test('the number of the card is in no table, no file and no line of the log', async () => {
  if (system === undefined) return;
  const of = system;
  const numbers = [CARD, CARD.replaceAll('-', '')];
  for (const number of numbers) assert.not(of.output.includes(number), 'the log');
  await withDatabase(of, async (client) => {
    const tables = await client.query<{ name: string }>(
      'read tables',
      `select quote_ident(tablename) as name from pg_tables where schemaname = 'public'`,
    );
    assert.ok(tables.length > 10);
    for (const { name } of tables) {
      const [found] = await client
        .query<{ count: number }>(
          'look for the card',
          `select count(*)::int as count from ${name} t where t::text like $1`,
          [`%${CARD.slice(0, 9)}%`],
        )
        .catch((error: Error) => (/permission denied/.test(error.message) ? [{ count: 0 }] : Promise.reject(error)));
      assert.is(found?.count, 0, name);
    }
  });
  const names = await readdir(of.dataDir, { recursive: true, withFileTypes: true });
  let files = 0;
  for (const entry of names) {
    if (!entry.isFile()) continue;
    const bytes = await readFile(join(entry.parentPath, entry.name)).catch(() => Buffer.alloc(0));
    files++;
    for (const number of numbers) assert.not(bytes.includes(number), entry.name);
  }
  assert.ok(files > 5, `${files} files`);
});

test.run();
