/** What of a message of EVENTS goes to Kafka, byte by byte. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { orderId, productId, userId } from '../../../actors/ids.js';
import { eventBatch } from '../../../actors/node/cloud-events.js';
import { eventRecords, orderVersions } from '../../../bus/kafka/event-records.js';

const test = suite('kafka: event records');
const topics = { orders: 'o', inventory: 'i' };

test('a batch becomes one record an event, keyed by its actor', () => {
  const batch = eventBatch(
    {
      at: 1_764_000_000_000,
      cascades: [
        {
          correlation: 'c"1',
          events: [
            {
              of: { kind: 'order', id: orderId('ORD-ü"\\') },
              version: 1,
              event: {
                type: 'placed',
                content: {
                  ...{ user: userId('7'), userIsNumber: false, notes: 'a "quoted" [note], {really}\\' },
                  lines: [{ product: productId('P,1'), quantity: 2 }],
                },
              } as never,
            },
            {
              of: { kind: 'product', id: productId('P,1') },
              version: 9,
              event: { type: 'held', order: 'ORD-ü"\\', quantity: 2 } as never,
            },
            { of: { kind: 'order', id: orderId('ORD-2') }, version: 3, event: { type: 'confirmed' } },
          ],
        },
      ],
    },
    '/holdfast/s"1',
  );
  const records = eventRecords(batch, topics);
  assert.equal(
    records.map(({ topic, key, timestampMs }) => [topic, key, timestampMs]),
    [
      ['o', 'ORD-ü"\\', 1_764_000_000_000],
      ['i', 'P,1', 1_764_000_000_000],
      ['o', 'ORD-2', 1_764_000_000_000],
    ],
  );
  const events = JSON.parse(batch) as Record<string, unknown>[];
  for (const [i, { data, datacontenttype, ...attributes }] of events.entries()) {
    const { headers, value } = records[i] ?? { headers: [], value: '' };
    const named = Object.entries(attributes).map(([name, text]) => [`ce_${name}`, text]);
    assert.equal(Object.fromEntries(headers), Object.fromEntries([...named, ['content-type', datacontenttype]]));
    const { id, type, time } = attributes;
    assert.equal(JSON.parse(value), { id, type, time, ...(data as object) });
  }
});

test('the trace of an event is a header too, under its own name', () => {
  const trace = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
  const of = (more: string) => `[{"id":"order/A/1","type":"order.paid.v1","subject":"A","time":"x"${more},"data":{}}]`;
  const named = (text: string) => eventRecords(text, topics)[0]?.headers.filter(([name]) => name.includes('trace'));
  assert.equal(named(of(`,"traceparent":"${trace}"`)), [
    ['ce_traceparent', trace],
    ['traceparent', trace],
  ]);
  assert.equal(named(of('')), []);
});

test('an amount keeps all its digits', () => {
  const event =
    '{"specversion":"1.0","id":"order/A/1","type":"order.held.v1","subject":"A","time":"2026-01-01T00:00:00.000Z","data":{"total_amount":90071992547409.91,"n":1.10}}';
  const [record] = eventRecords(`[${event}]`, topics);
  assert.match(record?.value ?? '', '"total_amount":90071992547409.91,"n":1.10}');
});

test('data without fields, an empty batch, and what is no batch', () => {
  const [record] = eventRecords(
    '[{"id":"order/A/1","type":"order.paid.v1","subject":"A","time":"x","data":{}}]',
    topics,
  );
  assert.is(record?.value, '{"id":"order/A/1","type":"order.paid.v1","time":"x"}');
  assert.is(record?.timestampMs, 0);
  assert.is(eventRecords('[ {"id": "a", "data": { } } ]', topics)[0]?.value, '{"id":"a","type":"","time":""}');
  assert.equal(eventRecords('[]', topics), []);
  assert.throws(() => eventRecords('{"id":1}', topics), /no JSON array/);
  assert.throws(() => eventRecords('[7]', topics), /no JSON object/);
  assert.throws(() => eventRecords('[{"id":"a]', topics), /no end/);
});

test('the orders of a batch are found, each with its last version', () => {
  const ids = ['order/A/1', 'product/P/7', 'order/B\\"/x/12', 'order/A/3', 'order/A/2'];
  const batch = `[${ids.map((id) => `{"specversion":"1.0","id":"${id}","data":{}}`).join(',')}]`;
  assert.equal(
    [...orderVersions(batch)],
    [
      ['A', 3],
      ['B"/x', 12],
    ],
  );
});

test('an order is told by the ids of events alone: data with such an id name none', () => {
  const event = {
    id: 'order/A\n/1',
    type: 'order.placed.v1',
    data: { shipping_address: { id: 'order/NOPE/1' }, items: [{ id: 'order/NOPE/2' }], id: 'order/NOPE/3' },
  };
  assert.equal([...orderVersions(JSON.stringify([event, { ...event, id: 'product/order/NOPE/4' }]))], [['A\n', 1]]);
  assert.equal([...orderVersions('[{"data":{"id":"order/NOPE/1"}},{"id":7}]')], []);
});

test.run();
