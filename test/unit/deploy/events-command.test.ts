/** `holdfast events`: its arguments, which events it prints, and how a line looks. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type EventsCommand, eventsCommand, isAskedFor, lineOf, readEvents } from '../../../deploy/commands/events.js';
import { typed } from './memory-terminal.js';

const test = suite('events command');
const NOW = Date.parse('2026-11-29T18:00:00Z');
const read = (...words: string[]): EventsCommand => readEvents(typed([eventsCommand], 'events', ...words), false, NOW);
const order = {
  ...{ id: 'order/ORD-1/1', type: 'order.placed.v1', subject: 'ORD-1', time: '2026-11-29T18:00:00.000Z' },
  data: { order_id: 'ORD-1', user_id: 'ada', notes: 'ring twice', items: [{ product_id: 'PROD-001', quantity: 2 }] },
};
const product = {
  ...{ id: 'product/PROD-001/7', type: 'inventory.held.v1', subject: 'PROD-001', time: '2026-11-29T18:00:00.000Z' },
  data: { product_id: 'PROD-001', order_id: 'ORD-1', quantity: 2 },
};

test('--since takes a time or a span', () => {
  assert.is(read('--since', '2026-11-29T17:00:00Z').sinceMs, NOW - 3_600_000);
  assert.is(read('--since', '10m').sinceMs, NOW - 600_000);
  assert.is(read('--since', '3d').sinceMs, NOW - 3 * 86_400_000);
  assert.is(read().sinceMs, undefined);
  for (const wrong of ['yesterday', '10', '5w', ''])
    assert.throws(() => read('--since', wrong), /--since takes a time/);
  assert.throws(() => read('--what'), /unknown option '--what'/);
  assert.throws(() => read('word'), /it does not take "word"/);
  assert.throws(() => read('--folow'), /Did you mean --follow\?/);
});

test('an order and a product are found by subject and in the data of the other', () => {
  for (const event of [order, product]) {
    assert.ok(isAskedFor(event, read()));
    assert.ok(isAskedFor(event, read('--order', 'ORD-1')));
    assert.ok(isAskedFor(event, read('--product', 'PROD-001')));
    assert.not(isAskedFor(event, read('--order', 'ORD-11')));
    assert.not(isAskedFor(event, read('--product', 'PROD-00')));
  }
});

test('a type may leave out its version, or be a kind', () => {
  for (const type of ['order', 'order.placed', 'order.placed.v1']) assert.ok(isAskedFor(order, read('--type', type)));
  for (const type of ['order.paid', 'inventory']) assert.not(isAskedFor(order, read('--type', type)));
  assert.throws(() => read('--type', 'order.place'), /--type .*"order.place" is none, the nearest is order.placed,/);
});

test('a line has the time, the type, the subject and the other facts', () => {
  assert.is(
    lineOf(order),
    '2026-11-29T18:00:00.000Z  order.placed  ORD-1  user_id=ada  notes="ring twice"  items=[{"product_id":"PROD-001","quantity":2}]',
  );
  assert.is(lineOf(product), '2026-11-29T18:00:00.000Z  inventory.held  PROD-001  order_id=ORD-1  quantity=2');
});

test.run();
