/** Reads of orders that have left their owner's memory: which entries count, who joins a read, what a change forbids. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId, orderId } from '../../../actors/ids.js';
import { absentOrder, type OrderState } from '../../../actors/order/order.js';
import type { Cache } from '../../../actors/ports/cache.js';
import { ReadCache } from '../../../bus/reads/read-cache.js';
import { A, oneLine } from '../actors/samples.js';

const test = suite('read cache');
const X = orderId('ORD-X');
const Y = orderId('ORD-Y');

const orderAt = (id: typeof X, notes: string): OrderState => ({
  ...absentOrder(id),
  phase: 'confirmed',
  version: 4,
  content: { ...oneLine(A, 1), notes },
});

/** A Postgres that answers on command, a cache that anyone can write, and counts of both. */
function rig(journal = 'J1', texts = new Map<string, string>()) {
  const rows = new Map([X, Y].map((id) => [id, orderAt(id, 'first')]));
  const outcomes: string[] = [];
  const waiting: (() => void)[] = [];
  let asked = 0;
  let holds = false;
  const cache: Cache = {
    get: async (key) => texts.get(key),
    set: async (key, text) => void texts.set(key, text),
  };
  const orderCache = new ReadCache<OrderState | undefined>(
    'order',
    journalId(journal),
    cache,
    { monotonic: () => 0 },
    {
      cached: (_, outcome) => void outcomes.push(outcome),
    },
  );
  const read = async (id = X) => {
    const { value } = await orderCache.read(id, async () => {
      asked++;
      const row = rows.get(id);
      if (holds) await new Promise<void>((resolve) => waiting.push(resolve));
      return { version: row?.version ?? 0, value: row };
    });
    return value;
  };
  const keyOf = (id: string) => [...texts.keys()].find((key) => key.endsWith(id)) ?? assert.unreachable(`no ${id}`);
  return {
    texts,
    outcomes,
    read,
    keyOf: (id: string) => keyOf(id) as string,
    /** Changes the row in Postgres; the order leaves memory with it. */
    changes(id: typeof X, notes: string) {
      rows.set(id, orderAt(id, notes));
      orderCache.forget(id);
    },
    remove: (id: typeof X) => rows.delete(id),
    hold() {
      holds = true;
    },
    async release() {
      holds = false;
      for (let i = 0; i < 10; i++) await Promise.resolve(); // Every read has reached Postgres by now.
      for (const each of waiting.splice(0)) each();
    },
    get asked() {
      return asked;
    },
  };
}

const notesOf = async (reading: Promise<OrderState | undefined>) => (await reading)?.content.notes;

test('the first read asks Postgres and fills the cache; the next ones get the same from the cache', async () => {
  const at = rig();
  const first = await at.read();
  assert.equal(await at.read(), JSON.parse(JSON.stringify(first)));
  assert.is(await notesOf(at.read()), 'first');
  assert.equal([at.asked, at.outcomes], [1, ['unknown', 'hit', 'hit']]);
});

test('an entry has its format, version, checksum and question', async () => {
  const at = rig();
  await at.read();
  assert.match(at.texts.get(at.keyOf(X)) ?? '', /^order\/2 4 [\w-]{43} ORD-X\n\{"id":"ORD-X",/);
});

for (const [what, spoil] of [
  ['garbage', () => 'garbage'],
  ['nothing at all', () => ''],
  ['another order', (_: string, other: string) => other],
  [
    'another order under its stamp',
    (own: string, other: string) => own.split('\n')[0] + other.slice(other.indexOf('\n')),
  ],
  ['half of it', (own: string) => own.slice(0, own.length / 2)],
  ['a letter changed', (own: string) => own.replace('first', 'forst')],
  ['more than it', (own: string) => `${own} `],
  ['another format', (own: string) => own.replace('order/2', 'order/1')],
] as const) {
  test(`${what} in its place does not count, and is replaced`, async () => {
    const at = rig();
    await Promise.all([at.read(X), at.read(Y)]);
    const own = at.texts.get(at.keyOf(X)) ?? '';
    at.texts.set(at.keyOf(X), spoil(own, at.texts.get(at.keyOf(Y)) ?? ''));
    assert.is((await at.read())?.id, X);
    assert.is(at.asked, 3);
    assert.is(at.texts.get(at.keyOf(X)), own);
    assert.is(at.outcomes.at(-1), 'refused');
  });
}

test('an older entry under the same key does not count, though it is right', async () => {
  const at = rig();
  await at.read();
  const older = at.texts.get(at.keyOf(X)) ?? '';
  at.changes(X, 'second');
  assert.is(await notesOf(at.read()), 'second');
  at.texts.set(at.keyOf(X), older);
  assert.is(await notesOf(at.read()), 'second');
  assert.is(at.outcomes.at(-1), 'refused');
});

test('a lost entry is a miss, and is filled again', async () => {
  const at = rig();
  await at.read();
  at.texts.clear();
  await at.read();
  await at.read();
  assert.equal([at.asked, at.outcomes], [2, ['unknown', 'miss', 'hit']]);
});

test('an absent order is looked up each time', async () => {
  const at = rig();
  at.remove(X);
  assert.is(await at.read(), undefined);
  assert.is(await at.read(), undefined);
  assert.equal([at.asked, at.texts.size], [2, 0]);
});

test('many reads of one order at once are one query', async () => {
  const at = rig();
  at.hold();
  const all = Array.from({ length: 100 }, () => at.read());
  await at.release();
  assert.equal(new Set(await Promise.all(all.map(notesOf))), new Set(['first']));
  assert.is(at.asked, 1);
});

test('a read that began before a change fills no cache, and no later read joins it', async () => {
  const at = rig();
  at.hold();
  const before = at.read();
  await Promise.resolve();
  await Promise.resolve();
  at.changes(X, 'second');
  const after = at.read();
  await at.release();
  assert.equal([await notesOf(before), await notesOf(after)], ['first', 'second']);
  assert.is(await notesOf(at.read()), 'second');
  assert.not.match(at.texts.get(at.keyOf(X)) ?? '', /first/);
});

test('a failed read fails for all that joined it, and leaves nothing behind', async () => {
  const at = rig();
  const cache = new ReadCache<OrderState | undefined>(
    'order',
    journalId('J'),
    { get: async () => undefined, set: async () => {} },
    { monotonic: () => 0 },
    { cached() {} },
  );
  const away = () => Promise.reject(new Error('away'));
  const failed = await Promise.allSettled([cache.read(X, away), cache.read(X, away)]);
  assert.equal(
    failed.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  const told = await cache.read(X, async () => ({ version: 4, value: await at.read() }));
  assert.is(told.value?.id, X);
});

test('a later incarnation of the node starts without any of it', async () => {
  const at = rig();
  await at.read();
  const next = rig('J2', at.texts);
  await next.read();
  assert.is(next.asked, 1);
  assert.is(at.texts.size, 2);
});

test.run();
