// The cache in this process: the contract, and its limit in bytes.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memoryCache } from '../../storage/memory/memory-cache.js';
import { cacheContract } from './cache.suite.js';

const clock = { monotonic: () => performance.now() };
cacheContract('in this process', memoryCache(clock));

const test = suite('the bytes of the cache in this process');

test('the least recently used entry goes first, and the cache never exceeds its limit', async () => {
  const cache = memoryCache(clock, 100_000);
  const held = async () => {
    let bytes = 0;
    for (let i = 0; i < 200; i++) bytes += (await cache.get(`k${i}`))?.length ?? 0;
    return bytes;
  };
  await cache.set('used', 'u'.repeat(1_000), 60_000);
  for (let i = 0; i < 200; i++) {
    await cache.set(`k${i}`, 'x'.repeat(1_000), 60_000);
    assert.ok((await cache.get('used')) !== undefined, `forgotten after ${i}, though it is asked for all the time`);
  }
  assert.is(await cache.get('k0'), undefined);
  assert.ok((await cache.get('k199')) !== undefined);
  const bytes = await held();
  assert.ok(bytes > 10_000 && 2 * bytes <= 100_000, `${bytes} characters are held`);
});

test('an entry that is set again counts once, and a deleted one not at all', async () => {
  const cache = memoryCache(clock, 100_000);
  await cache.set('first', 'f', 60_000);
  for (let i = 0; i < 500; i++) await cache.set('same', 'x'.repeat(1_000), 60_000);
  assert.is(await cache.get('first'), 'f');
});

test.run();
