/** A product's past from the cache, at the version that its owner names, with any cache content and a lagging Postgres. */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { redisCache } from '../../../storage/redis/redis-cache.js';
import { A, answerOf, B, MovedProducts, momentOf, type Question, readModel, settle } from './moved-products.js';

const test = suite('product reads');
const first: Question = { kind: 'ledger', product: A, limit: 20 };
const QUESTIONS: readonly Question[] = [
  first,
  { kind: 'ledger', product: A, limit: 3 },
  { kind: 'ledger', product: A, before: 5, limit: 20 },
  { kind: 'ledger', product: A, before: 1, limit: 20 },
  { kind: 'ledger', product: A, before: 1_000, limit: 20 },
  { kind: 'at', product: A, at: momentOf(4) },
  { kind: 'at', product: A, at: 0 },
  { kind: 'audit', product: A, page: 1, pageSize: 4 },
  { kind: 'audit', product: A, page: 3, pageSize: 4 },
  { kind: 'audit', product: A, page: 99, pageSize: 4 },
];

/** The right answer for a product at this version. */
const truth = (asked: Question, version: number): Promise<unknown> =>
  answerOf(readModel(new Map([[asked.product, version]])), asked);

function standing(version = 10): MovedProducts {
  const at = new MovedProducts();
  at.stands(A, version);
  at.stands(B, version);
  return at;
}

const keyOf = (at: MovedProducts, has: string): string =>
  [...at.texts.keys()].find((key) => key.includes(has)) ?? assert.unreachable(`no ${has}`) ?? '';

for (const asked of QUESTIONS) {
  test(`read from Postgres once, then from the cache, with the same answer: ${JSON.stringify(asked)}`, async () => {
    const at = standing();
    for (let i = 0; i < 3; i++) assert.equal(await at.ask(asked), await truth(asked, 10));
    assert.equal([at.asked, at.outcomes], [1, ['unknown', 'hit', 'hit']]);
  });

  test(`after a movement, never the answer from before it: ${JSON.stringify(asked)}`, async () => {
    const at = standing();
    await at.ask(asked);
    at.stands(A, 12);
    for (let i = 0; i < 2; i++) assert.equal(await at.ask(asked), await truth(asked, 12));
  });
}

test('an entry has its format, version, checksum, question and product', async () => {
  const at = standing();
  await at.ask(first);
  await at.ask({ kind: 'ledger', product: B, before: 7, limit: 3 });
  assert.match(at.texts.get(keyOf(at, 'ledger//20')) ?? '', /^product\/2 10 [\w-]{43} ledger\/\/20 A\n\{"operations":/);
  assert.match(at.texts.get(keyOf(at, 'ledger/7')) ?? '', /^product\/2 6 [\w-]{43} ledger\/7\/3 B 20\n/);
});

test('while Postgres lags behind the owner it is read each time, and its older answer is not cached', async () => {
  const at = standing();
  at.move(A);
  for (let i = 0; i < 3; i++) assert.equal(await at.ask(first), await truth(first, 10));
  assert.equal([at.asked, at.texts.size], [3, 0]);
  at.flush(A);
  for (let i = 0; i < 3; i++) assert.equal(await at.ask(first), await truth(first, 11));
  assert.is(at.asked, 4);
});

test('a product whose keeper is on another node is read from Postgres each time, its fixed past from the cache', async () => {
  const at = standing();
  const page: Question = { kind: 'ledger', product: A, before: 11, limit: 4 };
  await at.ask(page);
  at.kept.delete(A); // The partition has left.
  at.flushed.set(A, 12);
  for (let i = 0; i < 3; i++) assert.equal(await at.ask(first), await truth(first, 12));
  assert.equal(await at.ask(page), await truth(page, 10));
  assert.is(at.asked, 4);
  at.stands(A, 13); // It has come back.
  for (let i = 0; i < 2; i++) assert.equal(await at.ask(first), await truth(first, 13));
  assert.is(at.asked, 5);
});

test('a past before a version is fixed: its entry still counts after the product has moved on', async () => {
  const at = standing();
  const page: Question = { kind: 'ledger', product: A, before: 11, limit: 4 };
  await at.ask(page);
  at.move(A, 5);
  at.moving.add(A);
  assert.equal(await at.ask(page), await truth(page, 10));
  assert.is(at.asked, 1);
});

test('a version that is not appended yet is not named, and Postgres answers', async () => {
  const at = standing();
  await at.ask(first);
  at.moving.add(A);
  for (let i = 0; i < 2; i++) assert.equal(await at.ask(first), await truth(first, 10));
  assert.is(at.asked, 3);
  at.moving.delete(A);
  await at.ask(first);
  assert.is(at.asked, 3);
});

test('a keeper that was taken over meanwhile names no version: Postgres answers', async () => {
  const at = standing();
  let isAsleep = false;
  at.look = () => (isAsleep ? Promise.reject(new Error('sealed')) : Promise.resolve());
  at.begin();
  for (let i = 0; i < 2; i++) await at.ask(first);
  assert.is(at.asked, 1);
  isAsleep = true;
  at.stands(A, 12);
  at.move(A, -2); // The sleeper's memory.
  for (let i = 0; i < 2; i++) assert.equal(await at.ask(first), await truth(first, 12));
  assert.is(at.asked, 3);
});

test('without a running owner Postgres answers; a later incarnation ignores earlier knowledge', async () => {
  const at = standing();
  await at.ask(first);
  at.isAlive = false;
  assert.equal(await at.ask(first), await truth(first, 10));
  at.isAlive = true;
  at.begin();
  await at.ask(first);
  assert.equal([at.asked, at.texts.size], [3, 2]);
});

// ---------------------------------------------------------------- entries in the cache

/** An entry by a writer who knows the format: the checksum fits its content. */
function forged(entry: string, change: (body: string) => string): string {
  const [head = '', body = ''] = [entry.split('\n')[0], entry.slice(entry.indexOf('\n') + 1)];
  const [format, version, , ...question] = head.split(' ');
  const changed = change(body);
  const checksum = createHash('sha256').update(changed).digest('base64url');
  return `${[format, version, checksum, ...question].join(' ')}\n${changed}`;
}

const LIES: readonly (readonly [string, (own: string, others: { product: string; question: string }) => string])[] = [
  ['garbage', () => 'garbage'],
  ['nothing', () => ''],
  ['a number', () => '{"operations":[],"more":false}'],
  ["another product's", (_, { product }) => product],
  ["another question's", (_, { question }) => question],
  [
    "another question's under its head",
    (own, { question }) => own.split('\n')[0] + question.slice(question.indexOf('\n')),
  ],
  [
    "another product's with its own head and checksum",
    (own, { product }) => forged(own, () => product.split('\n')[1] ?? ''),
  ],
  [
    'another balance with a checksum that fits',
    (own) => forged(own, (body) => body.replace('"onHandAfter":50', '"onHandAfter":51')),
  ],
  ['half of it', (own) => own.slice(0, own.length / 2)],
  ['more than it', (own) => `${own} `],
  ['another version', (own) => own.replace('product/2 10', 'product/2 11')],
];
for (const [what, lie] of LIES) {
  test(`${what} in its place does not count, and is replaced`, async () => {
    const at = standing();
    const other: Question = { kind: 'ledger', product: A, limit: 3 };
    for (const asked of [first, other, { ...first, product: B }]) await at.ask(asked);
    const key = keyOf(at, 'ledger//20 A');
    const own = at.texts.get(key) ?? '';
    const others = {
      product: at.texts.get(keyOf(at, 'ledger//20 B')) ?? '',
      question: at.texts.get(keyOf(at, 'ledger//3')) ?? '',
    };
    const put = lie(own, others);
    assert.is.not(put, own, 'it is a lie');
    at.texts.set(key, put);
    assert.equal(await at.ask(first), await truth(first, 10));
    assert.equal([at.outcomes.at(-1), at.asked, at.texts.get(key)], ['refused', 4, own]);
  });
}

test('an older entry under the same key does not count, though it was right once', async () => {
  const at = standing();
  await at.ask(first);
  const older = new Map(at.texts);
  at.stands(A, 11);
  await at.ask(first);
  for (const [key, text] of older) at.texts.set(key, text);
  assert.equal(await at.ask(first), await truth(first, 11));
  assert.is(at.outcomes.at(-1), 'refused');
});

test('a slow cache answers at the version of the question; a failing one is a miss', async () => {
  let answer = (): void => {};
  const texts = new Map<string, string>();
  const slow = new MovedProducts({
    get: (key) => new Promise((resolve) => (answer = () => resolve(texts.get(key)))),
    set: async (key, text) => void texts.set(key, text),
  });
  slow.stands(A, 10);
  await slow.ask(first);
  const asked = slow.ask(first);
  await settle();
  slow.stands(A, 11);
  answer();
  assert.equal(await asked, await truth(first, 10));
  assert.equal(await slow.ask(first), await truth(first, 11));

  const away = { call: () => Promise.reject(new Error('away')) } as unknown as Parameters<typeof redisCache>[0];
  const failing = new MovedProducts(redisCache(away));
  failing.stands(A, 10);
  for (let i = 0; i < 3; i++) assert.equal(await failing.ask(first), await truth(first, 10));
  assert.equal(failing.outcomes, ['unknown', 'miss', 'miss']);
});

// ---------------------------------------------------------------- concurrent reads

test('many equal reads at once are one query, and a further one while Postgres lags', async () => {
  const at = standing();
  at.holds = true;
  const hundred = () => Promise.all(Array.from({ length: 100 }, () => at.ask(first)));
  const all = hundred();
  await at.release();
  for (const each of await all) assert.equal(each, await truth(first, 10));
  assert.is(at.asked, 1);
  at.move(A);
  for (const each of await hundred()) assert.equal(each, await truth(first, 10));
  assert.is(at.asked, 3);
});

test('a read after a movement does not join a query from before it', async () => {
  const at = standing();
  at.holds = true;
  const before = at.ask(first);
  await settle();
  at.stands(A, 11);
  const after = Promise.all([at.ask(first), at.ask(first)]);
  await at.release();
  assert.equal(await before, await truth(first, 10));
  for (const each of await after) assert.equal(each, await truth(first, 11));
  assert.is(at.asked, 2);
  assert.equal(await at.ask(first), await truth(first, 11));
});

// ---------------------------------------------------------------- any interleaving

const anyProduct = fc.constantFrom(A, A, A, B);
const anyQuestion: fc.Arbitrary<Question> = fc.constantFrom<Question[]>(
  first,
  first,
  { ...first, product: B },
  { kind: 'ledger', product: A, limit: 2 },
  { kind: 'ledger', product: A, before: 4, limit: 2 },
  { kind: 'at', product: A, at: momentOf(5) },
  { kind: 'audit', product: A, page: 2, pageSize: 2 },
);
const anyStep = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('ask' as const), question: anyQuestion }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('move', 'flush', 'append', 'appended'), product: anyProduct }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('answer' as const), which: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('swap' as const), by: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'live' as const }) },
);

test('no answer is older than Postgres was at its request, and each is true of one version', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { maxLength: 60, size: 'max' }), async (steps) => {
      const at = standing(3);
      const older: string[] = [];
      const answers: Promise<void>[] = [];
      at.holds = true;
      const check = async (asked: Question) => {
        const from = at.flushed.get(asked.product) ?? 0;
        const answer = await at.ask(asked);
        const upTo = at.kept.get(asked.product) ?? 0;
        for (let version = from; version <= upTo; version++) {
          if (isDeepStrictEqual(await truth(asked, version), answer)) return;
        }
        assert.unreachable(`${JSON.stringify(asked)} from ${from} to ${upTo}: ${JSON.stringify(answer)}`);
      };
      for (const step of steps) {
        if (step.do === 'ask') {
          const answer = check(step.question);
          answer.catch(() => {}); // Awaited at the end.
          answers.push(answer);
        } else if (step.do === 'answer') at.waiting.splice(step.which % Math.max(1, at.waiting.length), 1)[0]?.();
        else if (step.do === 'swap') {
          const [keys, texts] = [[...at.texts.keys()], [...at.texts.values()]];
          older.push(...texts);
          for (const [i, key] of keys.entries()) at.texts.set(key, older[(i + step.by) % older.length] ?? '');
        } else if (step.do === 'live') at.begin();
        else if (step.do === 'flush') at.flush(step.product);
        else if (step.do === 'append') at.moving.add(step.product);
        else if (step.do === 'appended') at.moving.delete(step.product);
        else at.move(step.product);
        await settle();
      }
      for (let i = 0; i < 3; i++) await at.release();
      await Promise.all(answers);
    }),
    { numRuns: 500 },
  );
});

test.run();
