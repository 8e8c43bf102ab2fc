// What the page counts without a browser: rows of orders under many events, pages of the stock, today's orders, verify's verdict.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Order, Product } from '../../../http/page/browser/answers.js';
import { MOST_ROWS, OrderRows, type Told } from '../../../http/page/browser/order-rows.js';
import { oversoldIn, pageOf, pathOf, rangeText } from '../../../http/page/browser/stock-pages.js';
import { todayOf, todayPath } from '../../../http/page/browser/today.js';
import { verdictText } from '../../../http/page/browser/verdict.js';

const test = suite('the numbers of the page');

const told = (order: string, version: number, kind: string): Told => ({
  ...{ id: `order/${order}/${version}`, type: `order.${kind}.v1`, time: '2026-11-21T10:00:00.000Z' },
  data: { order_id: order, user_id: 'ada', items: [{ product_id: 'PROD-001', quantity: 1 }] },
});

test('an event that a later one overtakes before the drawing is counted, and no order has two rows', () => {
  const rows = new OrderRows();
  rows.take(told('A', 1, 'placed'));
  assert.is(rows.draw().undrawn, 0);
  for (const [version, kind] of [
    [2, 'held'],
    [3, 'paid'],
    [4, 'confirmed'],
    [4, 'confirmed'],
  ] as const)
    rows.take(told('A', version, kind));
  rows.take(told('B', 1, 'placed'));
  const drawn = rows.draw();
  assert.equal(
    drawn.rows.map(({ id, status }) => [id, status]),
    [
      ['B', 'pending'],
      ['A', 'confirmed'],
    ],
  );
  assert.is(drawn.told, 6);
  assert.is(drawn.undrawn, 3);
  assert.is(rows.draw().undrawn, 3);
});

test('of a thousand orders the latest rows stay, and the other events are told as not drawn', () => {
  const rows = new OrderRows();
  for (let i = 0; i < 1_000; i++) rows.take(told(`O${i}`, 1, 'placed'));
  const drawn = rows.draw();
  assert.is(drawn.rows.length, MOST_ROWS);
  assert.is(drawn.rows[0]?.id, 'O999');
  assert.is(drawn.undrawn, 1_000 - MOST_ROWS);
});

test('a list that is older than the events puts no outcome back, and an imported order is confirmed', () => {
  const rows = new OrderRows();
  rows.take(told('A', 1, 'placed'));
  rows.take(told('A', 4, 'confirmed'));
  rows.take(told('B', 1, 'imported'));
  const listed = (id: string) => ({
    id,
    user_id: 'ada',
    created_at: '2026-11-21T10:00:00.000Z',
    status: 'pending',
    order_items: [],
  });
  rows.takeList([listed('A'), listed('C')] as unknown as readonly Order[]);
  const shown = new Map(rows.draw().rows.map(({ id, status }) => [id, status]));
  assert.equal([shown.get('A'), shown.get('B'), shown.get('C')], ['confirmed', 'confirmed', 'pending']);
});

const product = (id: string, on_hand: number, held: number): Product => ({
  ...{ product_id: id, name: id, on_hand, held, available: on_hand - held, backordered: 0, allow_backorder: false },
});

test('only the page that is looked at is asked for, and the oversold are told of it alone', () => {
  assert.is(pathOf({ page: 3, id: '' }), '/api/inventory?page=3&page_size=12');
  assert.is(pathOf({ page: 3, id: 'A/1' }), '/api/inventory/A%2F1');
  const shown = Array.from({ length: 12 }, (_, i) => product(`P${i}`, 10, i === 4 ? 12 : 10));
  const page = pageOf(shown, { page: 2, total: 3_041, total_pages: 254 });
  assert.is(rangeText(page), 'products 13 to 24 of 3,041');
  assert.is(page.pages, 254);
  assert.is(oversoldIn(page.products), 2);
  assert.is(rangeText(pageOf(shown, { page: 1, total: 12, total_pages: 1 })), 'all 12 products');
  assert.is(rangeText(pageOf([], { page: 9, total: 12, total_pages: 1 })), 'no product of 12');
  assert.equal(pageOf(product('A', 1, 0), undefined).products.length, 1);
});

test('today adds up all currencies, and what was shipped was confirmed', () => {
  assert.is(todayPath(new Date('2026-11-21T23:59:59.999Z')), '/api/stats?by=total&from=2026-11-21');
  const rows = [
    { orders: 6, statuses: { confirmed: 2, shipped: 1, failed: 3 } },
    { orders: 4, statuses: { delivered: 1, cancelled: 2, pending: 1 } },
  ];
  assert.equal(todayOf(rows), { confirmed: 4, failed: 3, cancelled: 2, pending: 1 });
});

test('the verdict says what was judged and what to do', () => {
  assert.is(verdictText(null).state, 'unknown');
  assert.match(verdictText(null).next, 'npm run verify');
  const at = '2026-11-21T10:00:00.000Z';
  assert.match(verdictText({ clean: true, at, violations: 0, of: 'last dump' }).sentence, 'last backup');
  const bad = verdictText({ clean: false, at, violations: 2, of: 'verify' });
  assert.is(bad.state, 'violations');
  assert.match(bad.sentence, '2 violations in the stored data');
  assert.match(bad.next, 'HoldfastVerifyViolation');
});

test.run();
