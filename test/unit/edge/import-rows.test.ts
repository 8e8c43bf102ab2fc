/** Rows of a file that was changed since it was received: those that are compared, and those that are too many. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Failure } from '../../../http/api/failure.js';
import { ImportRows, type Places } from '../../../http/inventory/import-rows.js';

const test = suite('rows of an import');

const COMPARED = 1_000;
const refusals = {
  other: new Failure(422, 'idempotency_mismatch', 'another row'),
  tooMany: new Failure(422, 'idempotency_mismatch', 'not known'),
};

interface ProductRow {
  readonly product: string;
  readonly content: string;
}

test('of more rows that were changed than are compared, nothing is received, and the report says which is known', async () => {
  const stored = new Map(Array.from({ length: COMPARED + 2 }, (_, i) => [`P${i}`, ['first']]));
  const places: Places<ProductRow> = {
    place: async ({ product, content }, at) => {
      const there = stored.get(product) ?? [];
      stored.set(product, there);
      if (there[at - 1] === undefined) there[at - 1] = content;
      return there[at - 1] === content ? 'received' : 'taken';
    },
    look: async ({ product }, at) => stored.get(product)?.[at - 1],
  };
  const rows = new ImportRows<ProductRow>();
  const receive = (product: string, content: string) => rows.receive(product, { product, content }, places, refusals);
  const answers = [];
  for (const product of [...stored.keys()]) answers.push(await receive(product, 'second'));
  assert.equal(answers.slice(0, COMPARED), Array(COMPARED).fill('waits'));
  assert.equal(answers.slice(COMPARED), [refusals.tooMany, refusals.tooMany]);
  // Rows that are as they were, and new ones, have their answer all the same.
  assert.is(await receive('NEW', 'first'), 'received');
  const ended = [];
  for await (const [, failure] of rows.rest(places)) ended.push(failure);
  assert.equal(ended, Array(COMPARED).fill(refusals.other));
  for (const there of stored.values()) assert.equal(there, ['first']);
});

test.run();
