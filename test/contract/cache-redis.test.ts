// The cache in a real Redis: the contract, and its behaviour when Redis is killed, stopped, emptied, or holds foreign
// entries. The cache answers in any case, within its time, and reconnects by itself.
import { createServer } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Cache } from '../../actors/ports/cache.js';
import { freePort } from '../../deploy/servers/free-ports.js';
import { connectRedis, type Redis } from '../../storage/redis/redis.js';
import { redisCache } from '../../storage/redis/redis-cache.js';
import { until } from '../deadlines.js';
import { realRedis } from '../servers/real-redis.js';
import { cacheContract } from './cache.suite.js';

const HOUR_MS = 3_600_000;
const BACK_MS = 15_000;
/** The longest time of one call, on a busy machine. */
const GENEROUS_MS = 2_000;
const lines: string[] = [];
const note = (fields: object, line: string) => void lines.push(`${line} ${JSON.stringify(fields)}`);
const logger = { debug: note, info: note, warn: note, error: note };

// uvu starts at the first `run` that is followed by an await, so all servers are started before it.
const server = await realRedis(['--requirepass', 'se:cr@t']);
if ('skipped' in server) console.log(`SKIP the cache in Redis: ${server.skipped}`);
else {
  const url = server.url.replace('//', `//:${encodeURIComponent('se:cr@t')}@`);
  const open: Redis[] = [];
  const connected = async (where = url): Promise<{ redis: Redis; cache: Cache }> => {
    const redis = connectRedis(where, logger);
    open.push(redis);
    assert.ok(await until(() => redis.connection.status === 'ready', BACK_MS), 'no connection');
    return { redis, cache: redisCache(redis) };
  };
  const { redis, cache } = await connected();
  const as = (name: string, ...words: string[]) => redis.connection.call(name, ...words);
  const fails = (answer: Promise<void>) =>
    answer.then(
      () => false,
      () => true,
    );
  const isOpen = () => redis.breaker !== 'closed';

  const test = suite('the cache in Redis, and what becomes of Redis');

  /** Repeats the read until it matches; each answer is in time and at worst a miss. */
  const missesUntil = async (holds: () => boolean) => {
    let slowest = 0;
    const held = await until(async () => {
      const began = performance.now();
      assert.is(await cache.get('kept'), undefined);
      await cache.set('other', 'x', HOUR_MS);
      slowest = Math.max(slowest, performance.now() - began);
      return holds();
    }, BACK_MS);
    assert.ok(held, 'the breaker did not open');
    assert.ok(slowest < GENEROUS_MS, `two calls took ${slowest} ms`);
  };
  const isBack = () =>
    until(async () => {
      await cache.set('kept', 'again', HOUR_MS);
      return (await cache.get('kept')) === 'again' && redis.breaker === 'closed';
    }, BACK_MS);

  test('a value of another type and an oversized value are a miss and no failure', async () => {
    await as('RPUSH', 'a list', 'x');
    for (let i = 0; i < 20; i++) assert.is(await cache.get('a list'), undefined);
    await as('SET', 'huge', 'x'.repeat(5_000_000));
    assert.ok(((await cache.get('huge'))?.length ?? 0) < 1_000_000);
    assert.is(redis.breaker, 'closed');
  });

  test('an emptied Redis gives misses', async () => {
    await cache.set('kept', 'text', HOUR_MS);
    await as('FLUSHALL');
    assert.is(await cache.get('kept'), undefined);
    assert.is(redis.breaker, 'closed');
  });

  test('a stopped Redis costs a few timeouts, then none, and is used again when it continues', async () => {
    await cache.set('kept', 'text', HOUR_MS);
    process.kill(server.pid, 'SIGSTOP');
    try {
      await missesUntil(isOpen);
      const began = performance.now();
      for (let i = 0; i < 1_000; i++) await cache.get('kept');
      assert.ok(performance.now() - began < GENEROUS_MS, 'an open breaker makes no calls');
    } finally {
      process.kill(server.pid, 'SIGCONT');
    }
    assert.ok(await isBack(), 'not found again');
  });

  test('Redis is killed and started again, empty', async () => {
    lines.length = 0;
    await server.kill();
    await missesUntil(isOpen);
    assert.ok(await fails(redis.ping()));
    await server.start();
    assert.ok(await isBack(), 'not found again');
    assert.ok(lines.length >= 2 && lines.length < 10, `it said:\n${lines.join('\n')}`);
    assert.not.match(lines.join(), /cr@t/);
  });

  test('a Redis that was never reachable behaves like one that has gone', async () => {
    const none = connectRedis('redis://127.0.0.1:1/3?enableOfflineQueue=true', logger);
    open.push(none);
    for (let i = 0; i < 20; i++) assert.is(await redisCache(none).get('x'), undefined);
    assert.is(none.breaker, 'open');
  });

  test('a wrong password behaves like a Redis that does not answer', async () => {
    const wrong = connectRedis(server.url.replace('//', '//:wrong@'), logger);
    open.push(wrong);
    assert.is(await redisCache(wrong).get('x'), undefined);
    assert.ok(await fails(wrong.ping()));
  });

  test('over TLS the server name is sent', async () => {
    const asked: string[] = [];
    const many = createServer({
      SNICallback(name, answer) {
        asked.push(name);
        answer(new Error('no such name'));
      },
    });
    many.on('tlsClientError', () => {});
    const port = await freePort();
    await new Promise<void>((resolve) => many.listen(port, '127.0.0.1', resolve));
    const named = connectRedis(`rediss://localhost:${port}`, logger);
    assert.ok(await until(() => asked.length > 0, BACK_MS), 'nobody is asked for');
    named.end();
    many.close();
    assert.equal([...new Set(asked)], ['localhost']);
  });

  test('a number in the path selects the database', async () => {
    const { cache: third } = await connected(`${url}/3`);
    await third.set('in the third', 'x', HOUR_MS);
    assert.is(await third.get('in the third'), 'x');
    assert.is(await cache.get('in the third'), undefined);
  });

  test.after(async () => {
    for (const each of open) each.end();
    await server.stop();
  });
  cacheContract('in Redis', cache);
  test.run();
}
