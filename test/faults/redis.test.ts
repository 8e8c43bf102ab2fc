// Redis emptied, filled with foreign, older and broken entries, stopped, and killed, while clients read orders and
// ledgers. Every answer stays the same and in time, the breaker opens and closes, and /health reports the state.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { patientMs, until } from '../deadlines.js';
import { realRedis } from '../servers/real-redis.js';
import { MovedStock } from './rig/moved-stock.js';
import { RealSystem } from './rig/real-system.js';

const ORDERS = 60;
const READERS = 4;
const LEFT_MS = 10_000;
const SOME = 200;
const FAULT_MS = 20_000;
/** For reads while Redis is stopped: at most 100 ms for Redis, the rest for Postgres and this machine. */
const READ_P99_MS = 300;

const test = suite('redis');
const redis = await realRedis();
const built =
  'skipped' in redis ? redis : await RealSystem.build({ REDIS_URL: 'skipped' in redis ? '' : redis.url.slice(8) });

/** By id: the order as its placing was answered. */
const placed = new Map<string, string>();
/** By path: every read of the test, and its answer. */
const truths = new Map<string, string>();
interface Read {
  readonly path: string;
  readonly at: number;
  readonly tookMs: number;
  readonly data: string;
}

const dataOf = (text: string): string => JSON.stringify((JSON.parse(text) as { data: unknown }).data);
const percentile = (values: readonly number[], p: number) =>
  [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * p)] ?? Number.NaN;

if ('skipped' in redis || 'skipped' in built) {
  console.log(`SKIP redis: ${'skipped' in redis ? redis.skipped : 'skipped' in built ? built.skipped : ''}`);
} else {
  const system = built;
  test.after(async () => {
    await system.demolish();
    await redis.stop();
  });

  const counted = async (outcome: string, of: 'order' | 'product' = 'order') => {
    const value = await system.metric(`holdfast_cache_reads_total\\{read="${of}",outcome="${outcome}"\\}`);
    return Number.isNaN(value) ? 0 : value;
  };
  const breakerIs = (open: 0 | 1) => async () => (await system.metric('holdfast_redis_breaker_open')) === open;
  const health = async () =>
    JSON.parse((await system.ask('/health'))?.text ?? '{}') as {
      status: string;
      dependencies: { redis: { status: string; breaker?: string } };
    };

  const pathOf = (id: string) => `/api/orders/${id}`;
  const read = async (path: string): Promise<Read> => {
    const reply = await system.ask(path);
    assert.is(reply?.status, 200, `${path}: ${reply?.text}\n${system.lastWords()}`);
    return { path, at: performance.now(), tookMs: reply?.tookMs ?? 0, data: dataOf(reply?.text ?? '{}') };
  };
  const isTrue = ({ path, data }: Read) => assert.is(data, truths.get(path), `${path} is another one now`);
  const readAll = async () => {
    for (const path of truths.keys()) isTrue(await read(path));
  };
  const keys = async (of: 'order' | 'product' = 'order') =>
    (await redis.command('KEYS', `holdfast:*:${of}:*`)).split('\r\n').filter((key) => key.startsWith('holdfast:'));
  const textAt = async (key: string) =>
    (await redis.command('GET', key)).replace(/^\$\d+\r\n/, '').replace(/\r\n\+OK\r\n$/, '');

  /** Readers that run until `stop`; each answer is checked. */
  function readers() {
    const reads: Read[] = [];
    let goesOn = true;
    const paths = [...truths.keys()];
    const one = async (first: number) => {
      for (let i = first; goesOn; i++) {
        const answer = await read(paths[i % paths.length] ?? '');
        isTrue(answer);
        reads.push(answer);
      }
    };
    const all = Promise.all(Array.from({ length: READERS }, (_, i) => one(i * 7)));
    all.catch(() => {}); // `stop` reports the failure.
    return {
      reads,
      async stop() {
        goesOn = false;
        await all;
      },
    };
  }

  test('orders that have left memory are read from Postgres once, then from Redis', async () => {
    await system.start();
    await system.stock(['CACHED'], 1_000_000);
    for (let i = 0; i < ORDERS; i++) {
      const order = {
        user_id: `reader-${i}`,
        notes: `the ${i}. „order“`,
        items: [{ product_id: 'CACHED', quantity: 1 + (i % 3) }],
      };
      const reply = await system.post('/api/orders', order);
      assert.is(reply.status, 201, reply.text);
      placed.set((JSON.parse(reply.text) as { data: { id: string } }).data.id, dataOf(reply.text));
    }
    const left = async () => (await system.metric('holdfast_orders_in_memory')) === 0;
    assert.ok(await until(left, LEFT_MS, 50), 'the orders do not leave memory');
    for (const [id, data] of placed) truths.set(pathOf(id), data);
    await readAll();
    assert.is(await counted('unknown'), ORDERS);
    assert.ok(await until(async () => (await keys()).length === ORDERS, LEFT_MS), 'Redis was not filled');
    await readAll();
    assert.is(await counted('hit'), ORDERS);
    assert.equal((await health()).dependencies.redis, { status: 'up', breaker: 'closed' });
  });

  test('FLUSHALL', async () => {
    assert.match(await redis.command('FLUSHALL'), /OK/);
    await readAll();
    assert.is(await counted('miss'), ORDERS);
    await readAll();
  });

  test('foreign, older, changed and broken entries', async () => {
    const all = await keys();
    assert.is(all.length, ORDERS);
    const values = await Promise.all(all.map(textAt));
    for (const [i, key] of all.entries()) {
      const [own = '', other = ''] = [values[i], values[(i + 1) % values.length]];
      const spoilt = [
        other,
        own.replace('"confirmed"', '"failed"'),
        own.split('\n')[0] + other.slice(other.indexOf('\n')),
        own.slice(0, -1),
        'garbage',
        '{"id":1}',
      ][i % 6];
      assert.not.equal(spoilt, own, 'it is spoilt');
      await redis.command('SET', key, spoilt ?? '');
    }
    const before = await counted('refused');
    await readAll();
    assert.is((await counted('refused')) - before, ORDERS);
    const hits = await counted('hit');
    await readAll();
    assert.is((await counted('hit')) - hits, ORDERS, 'what was spoilt is replaced');
  });

  test('a changed order is never answered in its older state, even if its older entry is put back', async () => {
    const changed = [...placed.keys()].slice(0, 10);
    const older = new Map<string, string>();
    for (const key of await keys()) if (changed.some((id) => key.endsWith(id))) older.set(key, await textAt(key));
    assert.is(older.size, changed.length);
    for (const id of changed) {
      const reply = await system.post(`/api/orders/${id}/cancel`, {});
      assert.is(reply.status, 200, reply.text);
      const shown = await read(pathOf(id));
      assert.match(shown.data, /"status":"cancelled"/);
    }
    const left = async () => (await system.metric('holdfast_orders_in_memory')) === 0;
    assert.ok(await until(left, LEFT_MS, 50), 'the orders do not leave memory');
    for (const id of changed) truths.set(pathOf(id), (await read(pathOf(id))).data);
    for (const id of changed) assert.match(truths.get(pathOf(id)) ?? '', /"status":"cancelled"/);
    for (const [key, text] of older) await redis.command('SET', key, text);
    const before = await counted('refused');
    await readAll();
    assert.is((await counted('refused')) - before, changed.length);
  });

  test("a product's ledger is read from Postgres once, then from Redis, whatever other entries Redis holds", async () => {
    const stock = await MovedStock.made(system);
    for (const [path, data] of await stock.truths()) truths.set(path, data);
    const products = truths.size - ORDERS;
    await redis.command('FLUSHALL'); // Drops the entries of other reads.
    await readAll();
    const isFilled = async () => (await keys('product')).length === products;
    assert.ok(await until(isFilled, LEFT_MS), `${(await keys('product')).length} of ${products} are kept`);
    const hits = await counted('hit', 'product');
    await readAll();
    assert.is((await counted('hit', 'product')) - hits, products);

    assert.match(await redis.command('FLUSHALL'), /OK/);
    const misses = await counted('miss', 'product');
    await readAll();
    assert.is((await counted('miss', 'product')) - misses, products);

    assert.ok(await until(isFilled, LEFT_MS));
    const all = [...(await keys()), ...(await keys('product'))];
    const texts = await Promise.all(all.map(textAt));
    for (const [i, key] of all.entries()) await redis.command('SET', key, texts[(i + 1) % texts.length] ?? '');
    const refused = await counted('refused', 'product');
    await readAll();
    assert.is((await counted('refused', 'product')) - refused, products, 'each had the value of another');

    const older = new Map(
      await Promise.all((await keys('product')).map(async (key) => [key, await textAt(key)] as const)),
    );
    await stock.move();
    for (const [path, data] of await stock.truths()) truths.set(path, data);
    await readAll();
    for (const [key, text] of older) await redis.command('SET', key, text);
    for (let i = 0; i < 2; i++) await readAll();
  });

  /** Runs the readers through a fault of Redis and its end. */
  async function through(fault: () => Promise<void> | void, heal: () => Promise<void> | void, budgetMs?: number) {
    const { reads, stop } = readers();
    try {
      assert.ok(await until(() => reads.length > SOME, FAULT_MS), 'nobody reads');
      const faultyAt = performance.now();
      await fault();
      const reached = () => reads.filter(({ at }) => at > faultyAt).length > SOME;
      assert.ok(await until(async () => reached() && (await breakerIs(1)()), FAULT_MS, 50), 'the breaker did not open');
      const { status, dependencies } = await health();
      assert.equal([status, dependencies.redis.status], ['degraded', 'down']);
      assert.is((await system.ask('/readyz'))?.status, 200, 'orders need no Redis');
      const healedAt = performance.now();
      await heal();
      const hits = await counted('hit');
      const isBack = async () => (await breakerIs(0)()) && (await counted('hit')) > hits + SOME;
      assert.ok(await until(isBack, FAULT_MS, 50), `Redis was not found again\n${system.lastWords()}`);
      assert.is((await health()).status, 'ok');
      await stop();
      const times = reads.filter(({ at }) => at > faultyAt && at < healedAt).map(({ tookMs }) => tookMs);
      const [p50, p99, most] = [percentile(times, 0.5), percentile(times, 0.99), Math.max(...times)].map((ms) =>
        ms.toFixed(1),
      );
      console.log(`${times.length} reads meanwhile: p50 ${p50}, p99 ${p99}, longest ${most} ms`);
      if (budgetMs !== undefined) assert.ok(percentile(times, 0.99) < patientMs(budgetMs), `p99 ${p99} ms`);
    } finally {
      await stop();
    }
  }

  test('SIGSTOP and SIGCONT', () =>
    through(
      () => void process.kill(redis.pid, 'SIGSTOP'),
      () => void process.kill(redis.pid, 'SIGCONT'),
      READ_P99_MS,
    ));

  test('kill -9, and a new Redis that is empty', () => through(redis.kill, redis.start));

  test('a node that starts without Redis serves, and uses Redis when it comes', async () => {
    await system.end('SIGTERM');
    await redis.kill();
    await system.start();
    await readAll();
    await readAll();
    await redis.start();
    const isUsed = async () => {
      await readAll();
      return (await counted('hit')) > ORDERS;
    };
    assert.ok(await until(isUsed, FAULT_MS), 'Redis was not found');
    const lineCount = system.output.split('Redis (REDIS_URL) does not answer').length - 1;
    assert.ok(lineCount >= 3 && lineCount < 10, `${lineCount} lines about three faults`);
  });
}

test.run();
