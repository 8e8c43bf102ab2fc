/**
 * What public events tell beside what happened. It follows from the events as from the actors' states, so it does not
 * matter where a cascade begins: the stories are those of the golden journals, and every type of event is in them.
 */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { productId } from '../../../actors/ids.js';
import { eventBatch } from '../../../actors/node/cloud-events.js';
import { type ActorFacts, factsOf, packFacts, unpackFacts } from '../../../actors/node/event-facts.js';
import { type Cascade, decodeRecord, type JournaledEvent } from '../../../actors/node/record.js';
import { absentOrder, type OrderState } from '../../../actors/order/order.js';
import { evolveOrder } from '../../../actors/order/order-fold.js';
import { evolveProduct, type ProductState, unknownProduct } from '../../../actors/product/inventory.js';
import type { OrderEvent, ProductEvent } from '../../../actors/protocol.js';
import { oneLine } from '../actors/samples.js';
import { Rig } from './node-rig.js';

const test = suite('event facts');

const FILES = ['journal-v1', 'life-v1', 'answers-v1', 'moves-v1', 'events-v1'];

/** Every actor's events of a golden file, each once and in order. */
function histories(file: string): Map<string, JournaledEvent[]> {
  const golden = JSON.parse(readFileSync(`test/unit/golden/${file}.json`, 'utf8'));
  const found = new Map<string, JournaledEvent[]>();
  for (const text of (Object.values(golden.journals) as string[][]).flat()) {
    const record = decodeRecord(text, file);
    for (const { events } of record.kind === 'turn' ? record.cascades : []) {
      for (const event of events) {
        const key = `${event.of.kind} ${event.of.id}`;
        found.set(key, [...(found.get(key) ?? []), event]);
      }
    }
  }
  for (const events of found.values()) events.sort((a, b) => a.version - b.version);
  return found;
}

/** The events as one cascade each, with what a node would write of the actor before it. */
function singly(events: readonly JournaledEvent[]): Cascade[] {
  const { of } = events[0] as JournaledEvent;
  let order: OrderState = absentOrder(of.id as OrderState['id']);
  let product: ProductState = unknownProduct(of.id as ProductState['id']);
  return events.map((event) => {
    const facts: ActorFacts =
      of.kind === 'order'
        ? { kind: 'order', id: of.id, facts: factsOf(order) }
        : { kind: 'product', id: of.id, facts: product };
    if (of.kind === 'order') order = evolveOrder(order, event.event as OrderEvent, 0);
    else product = evolveProduct(product, event.event as ProductEvent, 0);
    // What a record holds: packed, as text.
    const before = [unpackFacts(JSON.parse(JSON.stringify(packFacts(facts))))];
    return { correlation: 'c', events: [event], ...(event.version > 1 && { before }) };
  });
}

const told = (cascades: readonly Cascade[]) => JSON.parse(eventBatch({ at: 0, cascades }, '/test'));

for (const file of FILES) {
  test(`${file}: an actor's events tell the same, wherever its cascades begin`, () => {
    let compared = 0;
    for (const events of histories(file).values()) {
      if (events[0]?.version !== 1) continue;
      assert.equal(told(singly(events)), told([{ correlation: 'c', events }]));
      compared += events.length;
    }
    assert.ok(compared > 20);
  });
}

test('records of older versions tell nothing before: then a fact is absent until an event tells it', () => {
  const of = { kind: 'order', id: 'O' } as JournaledEvent['of'];
  const answers = [{ product: productId('A'), answer: 'held', unitPrice: 1999, currency: 'EUR' }] as const;
  const events = [
    { of, version: 2, event: { type: 'hold_extended', act: { ref: 'r', fingerprint: 'f' } } },
    { of, version: 3, event: { type: 'held', answers, currency: 'EUR', total: 1999 } },
    { of, version: 4, event: { type: 'confirmed' } },
  ] as unknown as JournaledEvent[];
  const data = told([{ correlation: 'c', events }]).map((event: { data: object }) => Object.keys(event.data));
  assert.equal(data, [
    ['order_id'],
    ['order_id', 'currency', 'total_amount', 'total_minor', 'answers'],
    ['order_id', 'currency', 'total_amount', 'total_minor'],
  ]);
});

test('a record tells an order that was not placed in it once a cascade, and a product once a cascade', () => {
  const A = productId('A');
  const rig = new Rig({ context: {} }).receive(10, A);
  rig.place('1', oneLine(A, 2));
  rig.turn();
  assert.equal(
    rig.lastRecord.cascades.map(({ before }) => before),
    [[{ kind: 'product', id: 'A', facts: { onHand: 10, held: 0, backordered: 0 } }]],
  );
  rig.paymentAnswered('1', 'authorized').turn();
  const lines = [{ product: A, quantity: 2, unitPrice: 500 }];
  assert.equal(
    rig.lastRecord.cascades.map(({ before }) => before),
    [
      [
        { kind: 'order', id: '1', facts: { user: 'ann', currency: 'USD', total: 1000, lines, refunds: undefined } },
        { kind: 'product', id: 'A', facts: { onHand: 10, held: 2, backordered: 0 } },
      ],
    ],
  );
  const [paid, confirmed, committed] = JSON.parse(eventBatch(rig.lastRecord, '/test'));
  const items = [{ product_id: 'A', quantity: 2, unit_price: 5, unit_price_minor: 500 }];
  const order = { order_id: '1', user_id: 'ann', currency: 'USD', total_amount: 10, total_minor: 1000, items };
  assert.equal(paid.data, { ...order, payment_status: 'authorized' });
  assert.equal(confirmed.data, order);
  assert.equal(committed.data, { product_id: 'A', order_id: '1', quantity: 2, on_hand: 8, held: 0, available: 8 });
});

test.run();
