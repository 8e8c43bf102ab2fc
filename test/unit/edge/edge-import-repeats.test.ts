/**
 * A CSV file that is sent again under its key: saved by a spreadsheet, corrected, or reordered. A received row is
 * never received again, and every other row is.
 */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limits } from '../../../actors/limits.js';
import { ANYONE } from '../../../actors/principal.js';
import type { ApiRequest } from '../../../http/api/api-request.js';
import { writeOf } from '../../../http/api/write-id.js';
import { LineNames } from '../../../http/inventory/line-names.js';
import { type Fixture, startFixture } from './edge-fixture.js';
import { FakeOwners, realClock } from './fake-owners.js';

const test = suite<{ f: Fixture }>('the edge: a CSV file again');
test.before.each(async (context) => {
  context.f = await startFixture();
});
test.after.each(({ f }) => f.stop());

const HEADER = 'product_id,name,unit_price,stock';
const send = async (f: Fixture, lines: readonly string[], key: string) => {
  const headers = { 'content-type': 'text/csv', 'idempotency-key': key };
  const reply = await f.post('/api/inventory/import', `${lines.join('\n')}\n`, headers);
  const failed = (reply.at('data.failed_rows') ?? []) as { line: number; code: string }[];
  return { reply, imported: reply.at('data.imported'), failed: failed.map(({ line, code }) => [line, code]) };
};
const stockOf = (f: Fixture) =>
  Object.fromEntries([...f.owners.productStates.values()].map(({ id, onHand }) => [id, onHand]));

test('a file that a spreadsheet has saved again is the same file', async ({ f }) => {
  await send(f, [HEADER, 'A,Chair,89.90,4', 'B,Desk,499,12.0', 'B,Desk,499,3'], 'k');
  for (const again of [
    [HEADER, 'A,Chair,89.9,4', 'B,Desk,499.00,12', 'B,Desk,499,3'],
    ['stock,unit_price,name,product_id', '4,89.9,Chair,A', '12,499,Desk,B', '3,499,Desk,B'],
    [`${HEADER},currency,allow_backorder`, 'A,Chair,89.9,4,,', 'B,Desk,499,12,,', 'B,Desk,499,3,,'],
    [`\ufeff${HEADER},`, 'A,Chair,89.9,4,', ',,,,', '"B","Desk",499,12,', 'B,Desk,499,3,\r'],
    [HEADER, 'B,Desk,499,3', 'B,Desk,499,12', 'A,Chair,89.9,4'],
  ]) {
    const { imported, failed } = await send(f, again, 'k');
    assert.equal([imported, failed], [3, []], again.join('\n'));
    assert.equal(stockOf(f), { A: 4, B: 15 });
  }
});

test('a failed row may be removed or corrected, and the others stand', async ({ f }) => {
  const first = await send(f, [HEADER, 'A,Chair,89.90,many', 'B,Desk,499,12', 'A,Chair,89.90,4'], 'k');
  assert.equal([first.imported, first.failed], [2, [[2, 'invalid']]]);
  assert.equal((await send(f, [HEADER, 'B,Desk,499,12', 'A,Chair,89.90,4'], 'k')).imported, 2);
  assert.equal(stockOf(f), { A: 4, B: 12 });
  const corrected = await send(f, [HEADER, 'A,Chair,89.90,7', 'B,Desk,499,12', 'A,Chair,89.90,4'], 'k');
  assert.equal([corrected.imported, corrected.failed], [3, []]);
  assert.equal(stockOf(f), { A: 11, B: 12 });
});

test('a row that its product refused is received once it is corrected', async ({ f }) => {
  await send(f, [HEADER, 'A,Chair,1,1'], 'before');
  const refused = await send(f, [HEADER, `A,Chair,1,${limits.stock}`, 'B,Desk,1,2'], 'k');
  assert.equal(refused.failed, [[2, 'too_much_stock']]);
  assert.equal((await send(f, [HEADER, 'A,Chair,1,5', 'B,Desk,1,2'], 'k')).failed, []);
  assert.equal(stockOf(f), { A: 6, B: 2 });
});

test('a received row that was changed later is refused anywhere in the file, and nothing is added', async ({ f }) => {
  await send(f, [HEADER, 'A,Chair,1,4', 'B,Desk,1,2', 'B,Desk,1,3'], 'k');
  const changed = await send(f, [HEADER, 'B,Desk,1,2', 'B,Desk,1,3', 'A,Chair,1,5'], 'k');
  assert.equal([changed.imported, changed.failed], [2, [[4, 'idempotency_mismatch']]]);
  assert.match(String(changed.reply.at('data.failed_rows.0.errors.0.message')), 'adjust it');
  const first = await send(f, [HEADER, 'B,Desk,1,9', 'B,Desk,1,3'], 'k');
  assert.equal([first.imported, first.failed], [1, [[2, 'idempotency_mismatch']]], 'the row on the second place');
  const oneOfTwo = await send(f, [HEADER, 'B,Desk,1,2', 'B,Desk,1,9', 'B,Desk,1,10'], 'k');
  assert.equal(oneOfTwo.failed, [
    [3, 'idempotency_mismatch'],
    [4, 'idempotency_mismatch'],
  ]);
  assert.equal(stockOf(f), { A: 4, B: 5 });
});

test('a reordered file of any length is the same file', async ({ f }) => {
  const products = Array.from({ length: 1_200 }, (_, i) => `P${i}`);
  const rowsOf = (...stocks: number[]) => stocks.flatMap((stock) => products.map((id) => `${id},N,1,${stock}`));
  await send(f, [HEADER, ...rowsOf(1, 2)], 'k');
  const { imported, failed } = await send(f, [HEADER, ...rowsOf(2, 1)], 'k');
  assert.equal([imported, failed], [2_400, []]);
  const long = Array.from({ length: 300 }, (_, i) => `Q,N,1,${i}`);
  await send(f, [HEADER, ...long], 'k');
  const turned = await send(f, [HEADER, ...long.toReversed()], 'k');
  assert.equal([turned.imported, turned.failed], [300, []]);
});

test('past the limit of rows to compare the answer claims nothing and advises nothing', async ({ f }) => {
  const products = Array.from({ length: 1_200 }, (_, i) => `P${i}`);
  await send(f, [HEADER, ...products.map((id) => `${id},N,1,1`)], 'k');
  const rows = [2, 1].flatMap((stock) => products.map((id) => `${id},N,1,${stock}`));
  const { reply, imported } = await send(f, [HEADER, ...rows], 'k');
  assert.is(imported, 2_200);
  const failed = reply.at('data.failed_rows') as { errors: { message: string }[] }[];
  assert.is(failed.length, 200);
  for (const { errors } of failed) {
    assert.match(errors[0]?.message ?? '', 'is not known');
    assert.not(/not received|another key/.test(errors[0]?.message ?? ''));
  }
  const again = await send(f, [HEADER, ...rows], 'k');
  assert.equal([again.imported, again.failed], [2_400, []], 'a repeat completes the file');
});

test('a key that an earlier version used, which named rows by line, receives nothing', async ({ f }) => {
  f.owners.hasOldFiles = true;
  const write = writeOf('import/900', '', 'old', {}, () => '');
  const { ref, fingerprint } = write;
  const command = { type: 'receive', ref, fingerprint, name: 'A', unitPrice: 1, currency: 'USD', quantity: 1 } as const;
  await f.owners.stock({ product: 'A' as never, command, correlation: '', fresh: false });
  const { reply } = await send(f, [HEADER, 'A,A,1,1', 'B,B,1,1'], 'old');
  assert.equal([reply.status, reply.at('code'), stockOf(f)], [422, 'idempotency_mismatch', { A: 1 }]);
  assert.is((await send(f, [HEADER, 'B,B,1,1'], 'new')).imported, 1);
});

test('where no earlier version ran, no line is asked for', async ({ f }) => {
  for (const key of ['k', 'k', 'l']) assert.is((await send(f, [HEADER, 'A,A,1,1'], key)).imported, 1);
  assert.is(f.owners.refsAsked, 0);
});

test('the lines of a large file are asked for beside other requests', async () => {
  const owners = Object.assign(new FakeOwners(), { hasOldFiles: true });
  const headers = { 'idempotency-key': 'k', 'content-length': String(limits.importBytes) };
  const request = { req: { headers }, principal: ANYONE } as unknown as ApiRequest;
  let rounds = 0;
  const done = new LineNames(owners, realClock).refuse(request).then(() => true);
  while (!(await Promise.race([done, new Promise<false>((resolve) => setImmediate(resolve, false))]))) rounds++;
  assert.is(owners.refsAsked, limits.importRows);
  assert.ok(rounds >= limits.importRows / 250, `${rounds} rounds of the event loop`);
});

// A row: its product, its quantity, and its first result.
interface Line {
  readonly product: string;
  readonly stock: number;
  readonly fate: 'good' | 'wrong' | 'late' | 'late but done';
}

test('for any failures and any corrections, each row is received once', async (context) => {
  const line = fc.record<Line>({
    product: fc.constantFrom('A', 'B', 'C'),
    stock: fc.integer({ min: 1, max: 3 }),
    fate: fc.constantFrom('good', 'good', 'wrong', 'late', 'late but done'),
  });
  const file = fc.array(line, { minLength: 1, maxLength: 9 });
  let run = 0;
  await fc.assert(
    fc.asyncProperty(file, fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), async (lines, random) => {
      const draw = () => Number(random.next().value);
      const { f } = context;
      const key = `run-${++run}`;
      f.owners.productStates.clear();
      const pending = [...lines];
      f.owners.interfereStock = async (request) => {
        const { product, command } = request;
        const quantity = 'quantity' in command ? command.quantity : 0;
        const at = pending.findIndex(
          (each) => each.product === product && each.stock === quantity && each.fate !== 'wrong',
        );
        const fate = at < 0 ? 'good' : pending.splice(at, 1)[0]?.fate;
        if (fate === 'late') return { kind: 'unavailable', why: 'late' };
        if (fate !== 'late but done') return undefined;
        f.owners.interfereStock = undefined;
        await f.owners.stock(request);
        return { kind: 'unavailable', why: 'late' };
      };
      const cell = ({ product, stock, fate }: Line) => `${product},N,1,${fate === 'wrong' ? 'many' : stock}`;
      await send(f, [HEADER, ...lines.map(cell)], key);
      f.owners.interfereStock = undefined;
      // Wrong rows are corrected or removed, and all rows are shuffled.
      const right = lines
        .filter(({ fate }) => fate !== 'wrong' || draw() < 0.5)
        .map((each) => ({ each: { ...each, fate: 'good' } as const, at: draw() }))
        .sort((a, b) => a.at - b.at)
        .map(({ each }) => each);
      if (right.length === 0) return;
      const expected: Record<string, number> = {};
      for (const { product, stock } of right) expected[product] = (expected[product] ?? 0) + stock;
      for (const _ of [1, 2]) {
        const { imported, failed } = await send(f, [HEADER, ...right.map(cell)], key);
        assert.equal([imported, failed], [right.length, []]);
        assert.equal(Object.entries(stockOf(f)).sort(), Object.entries(expected).sort());
      }
      // Rows that were received are changed: each other row is still called received, and no stock is added.
      const changed = right.map((each) => (draw() < 0.3 ? { ...each, stock: each.stock + 10 } : each));
      const result = await send(f, [HEADER, ...changed.map(cell)], key);
      const wrong = changed.flatMap(({ stock }, i) => (stock > 10 ? [[i + 2, 'idempotency_mismatch']] : []));
      assert.equal(result.failed, wrong);
      assert.equal(Object.entries(stockOf(f)).sort(), Object.entries(expected).sort());
    }),
    { numRuns: 60 },
  );
});

test.run();
