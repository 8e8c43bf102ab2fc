// The rate limit of a caller: the same in this process and in a real Redis. All edges share one budget in Redis, and
// each counts by itself while Redis is gone.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limits } from '../../actors/limits.js';
import type { RateLimits } from '../../actors/ports/rate-limits.js';
import { rateLimits } from '../../storage/redis/rate-limits.js';
import { connectRedis, type Redis } from '../../storage/redis/redis.js';
import { until } from '../deadlines.js';
import { realRedis } from '../servers/real-redis.js';

const WITHIN_MS = 15_000;
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const clock = { monotonic: () => performance.now() };
const LONG = { requests: 3, seconds: 600 };

/** @param make creates edges that count together, each time under a new name */
function everyRateLimit(name: string, make: (rules: { requests: number; seconds: number }) => RateLimits): void {
  const test = suite(`rate limits: ${name}`);

  test('the limit allows its number of requests, and each reply has the rest', async () => {
    const { take } = make(LONG);
    const all = [await take('a'), await take('a'), await take('a'), await take('a'), await take('a')];
    assert.equal(
      all.map(({ isAllowed, remaining, limit }) => [isAllowed, remaining, limit]),
      [
        [true, 2, 3],
        [true, 1, 3],
        [true, 0, 3],
        [false, 0, 3],
        [false, 0, 3],
      ],
    );
    for (const { resetMs } of all) assert.ok(resetMs > 500_000 && resetMs <= 600_000, `${resetMs}`);
  });

  test('each caller has its own budget', async () => {
    const { take } = make(LONG);
    for (let i = 0; i < 4; i++) await take('a');
    assert.is((await take('b')).remaining, 2);
    assert.is((await take('ü 😀 \r\n*')).remaining, 2);
  });

  test('of many requests at once exactly the limit is allowed', async () => {
    const { take } = make({ requests: 20, seconds: 600 });
    const all = await Promise.all(Array.from({ length: 100 }, () => take('a')));
    assert.is(all.filter(({ isAllowed }) => isAllowed).length, 20);
  });

  test('the next window begins when one is over', async () => {
    const { take } = make({ requests: 1, seconds: 1 });
    await take('a');
    assert.not((await take('a')).isAllowed);
    assert.ok(await until(async () => (await take('a')).isAllowed, WITHIN_MS));
  });

  test.run();
}

// uvu starts at the first `run` that is followed by an await, so all servers are started before it.
const server = await realRedis();
const open: Redis[] = [];
let names = 0;
for (let i = 0; i < 2 && !('skipped' in server); i++) {
  const redis = connectRedis(server.url, silent);
  open.push(redis);
  assert.ok(await until(() => redis.connection.status === 'ready', WITHIN_MS), 'no connection');
}
const [one, other] = open;

everyRateLimit('in this process', (rules) => rateLimits({ ...rules, name: '' }, clock));

const bounded = suite('rate limits: their bounds');
bounded('callers without end are not remembered without end: it fails open', async () => {
  const { take } = rateLimits({ requests: 1, seconds: 600, name: '' }, clock);
  await take('first');
  assert.not((await take('first')).isAllowed);
  for (let i = 0; i < limits.countedCallers; i++) await take(`c${i}`);
  assert.ok((await take('first')).isAllowed);
});
bounded.run();

if ('skipped' in server || one === undefined || other === undefined) {
  console.log(`SKIP rate limits in Redis: ${'skipped' in server ? server.skipped : 'no connection'}`);
} else {
  everyRateLimit('in Redis', (rules) => rateLimits({ ...rules, name: `n${++names}` }, clock, one));

  const test = suite('rate limits: two edges and one Redis');

  test('edges share one budget under one name', async () => {
    const [a, b] = [one, other].map((redis) => rateLimits({ ...LONG, name: 'shared' }, clock, redis));
    const elsewhere = rateLimits({ ...LONG, name: 'another' }, clock, other);
    const taken = [await a?.take('x'), await b?.take('x'), await a?.take('x'), await b?.take('x')];
    assert.equal(
      taken.map((each) => [each?.isAllowed, each?.remaining]),
      [
        [true, 2],
        [true, 1],
        [true, 0],
        [false, 0],
      ],
    );
    assert.is((await elsewhere.take('x')).remaining, 2);
  });

  test('the user of deploy/security may do nothing but this, and only with our keys', async () => {
    for (const words of [
      ['FLUSHALL'],
      ['KEYS', '*'],
      ['CONFIG', 'GET', '*'],
      ['ACL', 'LIST'],
      ['DEL', 'holdfast:x'],
      ['GETRANGE', 'other:x', '0', '1'],
      ['EVAL', "return redis.call('get', 'holdfast:x')", '0'],
      ['SUBSCRIBE', 'holdfast:x'],
    ] as [string, ...string[]][]) {
      const refused = await one.connection.call(...words).catch((error: Error) => error.message);
      assert.match(String(refused), /NOPERM|no permissions|can't run this command/i, words.join(' '));
    }
  });

  test('without Redis each edge counts by itself, and they share again when it is back', async () => {
    const [a, b] = [one, other].map((redis) => rateLimits({ ...LONG, name: 'alone' }, clock, redis));
    for (let i = 0; i < 4; i++) await a?.take('x');
    await server.kill();
    assert.equal([(await a?.take('x'))?.remaining, (await b?.take('x'))?.remaining], [2, 2]);
    for (let i = 0; i < 3; i++) await a?.take('x');
    assert.not((await a?.take('x'))?.isAllowed, 'it is counted here');
    await server.start();
    let caller = 0;
    const isTogether = async () => {
      const name = `y${++caller}`;
      return (await a?.take(name))?.remaining === 2 && (await b?.take(name))?.remaining === 1;
    };
    assert.ok(await until(isTogether, WITHIN_MS, 100));
  });

  test('a stopped Redis delays nobody', async () => {
    const limited = rateLimits({ requests: 1_000_000, seconds: 600, name: 'stopped' }, clock, one);
    process.kill(server.pid, 'SIGSTOP');
    try {
      const began = performance.now();
      for (let i = 0; i < 2_000; i++) assert.ok((await limited.take('x')).isAllowed);
      assert.ok(performance.now() - began < 10_000, 'most of them did not wait at all');
      assert.is(one.breaker, 'open');
    } finally {
      process.kill(server.pid, 'SIGCONT');
    }
  });

  test.after(async () => {
    for (const each of open) each.end();
    await server.stop();
  });
  test.run();
}
