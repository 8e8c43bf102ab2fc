// The contract of a cache, for every implementation: the last text set or a miss, and an answer in any case.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limits } from '../../actors/limits.js';
import type { Cache } from '../../actors/ports/cache.js';
import { until } from '../deadlines.js';

const HOUR_MS = 3_600_000;

export function cacheContract(name: string, cache: Cache, after: () => Promise<void> = async () => {}): void {
  const test = suite(`cache contract: ${name}`);
  let keys = 0;
  const fresh = () => `contract:${process.pid}:${Date.now()}:${++keys}`;

  test('a key that was never set is a miss', async () => {
    assert.is(await cache.get(fresh()), undefined);
  });

  test('a text comes back unchanged, and each key has its own', async () => {
    const texts = ['a', '{"ü":"😀\\u0000"}', ' \r\n$5\r\n', 'x'.repeat(limits.cacheEntryBytes)];
    const all = texts.map((text) => [fresh(), text] as const);
    for (const [key, text] of all) await cache.set(key, text, HOUR_MS);
    for (const [key, text] of all) assert.ok((await cache.get(key)) === text, `${text.slice(0, 30)} came back changed`);
  });

  test('the last text set wins', async () => {
    const key = fresh();
    await cache.set(key, 'first', HOUR_MS);
    await cache.set(key, 'second', HOUR_MS);
    assert.is(await cache.get(key), 'second');
  });

  test('an oversized text is not kept; the size counts in bytes', async () => {
    const key = fresh();
    await cache.set(key, 'ü'.repeat(limits.cacheEntryBytes / 2 + 1), HOUR_MS);
    assert.is(await cache.get(key), undefined);
  });

  test('a text is a miss after its time', async () => {
    const [short, long] = [fresh(), fresh()];
    await cache.set(short, 'short', 30);
    await cache.set(long, 'long', HOUR_MS);
    assert.ok(await until(async () => (await cache.get(short)) === undefined, 5_000));
    assert.is(await cache.get(long), 'long');
  });

  test('many calls at once are each answered', async () => {
    const all = Array.from({ length: 200 }, fresh);
    await Promise.all(all.map((key) => cache.set(key, key, HOUR_MS)));
    assert.equal(await Promise.all(all.map((key) => cache.get(key))), all);
  });

  test.after(after);
  test.run();
}
