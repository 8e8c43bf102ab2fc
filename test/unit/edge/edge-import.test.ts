/** Stock from a CSV file over real HTTP: every row is received or reported, independently of the others. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limits } from '../../../actors/limits.js';
import { type Fixture, startFixture } from './edge-fixture.js';

const test = suite<{ f: Fixture }>('the edge: a CSV file');
test.before.each(async (context) => {
  context.f = await startFixture();
});
test.after.each(({ f }) => f.stop());

const HEADER = 'product_id,name,unit_price,stock';
const send = (f: Fixture, lines: readonly string[], headers: Record<string, string> = {}) =>
  f.post('/api/inventory/import', `${lines.join('\n')}\n`, { 'content-type': 'text/csv', ...headers });
const linesOf = (failed: unknown) => (failed as { line: number }[]).map(({ line }) => line);
const rows = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `n${from + i},"Name, ${from + i}",1.5,2`);

test('wrong rows are reported with line and field, the others are received', async ({ f }) => {
  const reply = await send(f, [HEADER, ...rows(0, 3), 'n3,,1,1', 'n4,A', 'n5,A,1.234,1', 'n6,A,1,-1', ...rows(7, 9)]);
  assert.equal([reply.status, reply.at('data.rows'), reply.at('data.imported')], [200, 9, 5]);
  assert.equal(linesOf(reply.at('data.failed_rows')), [5, 6, 7, 8]);
  assert.is(reply.at('data.failed_rows.0.errors.0.field'), 'name');
  assert.is(reply.at('data.failed_rows.2.errors.0.field'), 'unit_price');
  assert.is((await f.get('/api/inventory/n8')).at('data.on_hand'), 2);
});

test('an oversized row does not affect other rows', async ({ f }) => {
  const long = `long,${'x'.repeat(limits.importRecordChars)},1,1`;
  const reply = await send(f, [HEADER, ...rows(0, 500), long, ...rows(501, 3_000)]);
  assert.equal([reply.at('data.rows'), reply.at('data.imported')], [3_000, 2_999]);
  assert.equal(linesOf(reply.at('data.failed_rows')), [502]);
});

test('an invalid product id is shown no longer than an id may be', async ({ f }) => {
  const reply = await send(f, [HEADER, `${'😀'.repeat(3_000)},A,1,1`]);
  assert.equal([reply.at('data.imported'), reply.at('data.failed_rows.0.line')], [0, 2]);
  assert.is(reply.at('data.failed_rows.0.product_id'), '😀'.repeat(limits.idChars));
});

test('an unclosed quotation mark is reported with its start', async ({ f }) => {
  const reply = await send(f, [HEADER, ...rows(0, 2), 'n2,"open,1,1', 'n3,B,1,1']);
  assert.is(reply.at('data.imported'), 2);
  assert.match(String(reply.at('data.failed_rows.0.errors.0.message')), /begins on line 4/);
});

test('the same file under its key completes and adds nothing twice; the key is in the reply', async ({ f }) => {
  const key = { 'idempotency-key': 'note-1' };
  for (const _ of [1, 2]) assert.is((await send(f, [HEADER, ...rows(0, 3)], key)).at('data.imported'), 3);
  assert.is((await f.get('/api/inventory/n1')).at('data.on_hand'), 2);
  const drawn = await send(f, [HEADER, ...rows(0, 1)]);
  const again = { 'idempotency-key': String(drawn.at('data.idempotency_key')) };
  await send(f, [HEADER, ...rows(0, 1)], again);
  assert.is((await f.get('/api/inventory/n0')).at('data.on_hand'), 4);
});

test('files of spreadsheets are read: capitals, rows of empty cells, columns without a name', async ({ f }) => {
  const reply = await send(f, [
    ',,,,,,',
    `${HEADER},allow_backorder,,`,
    'n0,A,1,1,TRUE,,',
    ',,,,,,',
    'n1,B,1,1,FALSE',
    '"","","","","",,',
    'n2,C,1,1,True,,,,',
    'n3,D,1,1,yes,,',
    'n4,E,1,1,,,note',
    'n5,F,1,1',
  ]);
  assert.equal([reply.status, reply.at('data.rows'), reply.at('data.imported')], [200, 6, 3], reply.text);
  assert.equal(linesOf(reply.at('data.failed_rows')), [8, 9, 10]);
  assert.is(f.owners.productStates.get('n0' as never)?.backorders.allowed, true);
  assert.is(f.owners.productStates.get('n1' as never)?.backorders.allowed, false);
});

test('another separator is named, with the way out', async ({ f }) => {
  for (const [sign, name] of [
    [';', 'semicolons'],
    ['\t', 'tabs'],
  ] as const) {
    const reply = await send(
      f,
      [HEADER, 'n0,A,1,1'].map((line) => line.replaceAll(',', sign)),
    );
    assert.is(reply.status, 400);
    assert.match(String(reply.at('message')), name);
    assert.match(String(reply.at('message')), 'CSV with commas');
  }
});

test('a line for Excel before the columns is named, with the way out', async ({ f }) => {
  for (const line of ['sep=,', 'SEP=;', '"sep=,"', 'sep=\t']) {
    const reply = await send(f, [line, HEADER, 'n0,A,1,1']);
    assert.equal([reply.status, reply.at('errors.0.field')], [400, 'body']);
    assert.match(String(reply.at('message')), 'begins with sep=: remove that line');
  }
});

test('a file that is wrong as a whole is refused, and nothing is received', async ({ f }) => {
  const wrong: [readonly string[], string][] = [
    [['a,b'], 'product_id'],
    [[`${HEADER},colour`, 'n0,A,1,1,red'], 'colour'],
    [[`${HEADER},stock`], 'body'],
    [[HEADER], 'body'],
  ];
  for (const [lines, field] of wrong) {
    const reply = await send(f, lines);
    assert.equal([reply.status, reply.at('errors.0.field')], [400, field], lines.join());
  }
  const bytes = Buffer.concat([Buffer.from(`${HEADER}\nn0,`), Buffer.from([0xff, 0xfe]), Buffer.from(',1,1\n')]);
  const reply = await fetch(`${f.base}/api/inventory/import`, {
    method: 'POST',
    headers: { 'content-type': 'text/csv' },
    body: bytes,
  });
  assert.is(reply.status, 400);
  assert.is((await f.get('/api/inventory/n0')).status, 404);
  assert.is((await send(f, [HEADER], { 'content-type': 'application/json' })).status, 415);
});

test.run();
