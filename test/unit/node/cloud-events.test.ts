/** Public events: every type of event as one CloudEvents 1.0 event that parses, with any content. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Address, orderId, productId, userId } from '../../../actors/ids.js';
import {
  cascadeEvents,
  type EventSource,
  eventBatch,
  eventFrame,
  mostEventBytes,
} from '../../../actors/node/cloud-events.js';
import type { ActorFacts } from '../../../actors/node/event-facts.js';
import { eventJson, type JournaledEvent } from '../../../actors/node/record.js';
import { HOSTILE, order, orderEvents, product, productEvents } from './event-samples.js';

const test = suite('cloud-events');
const at = Date.UTC(2025, 0, 2, 3, 4, 5, 6);
const SOURCE = { uri: '/holdfast/"1"', isPersonal: true };
const told = (event: JournaledEvent, source: EventSource = SOURCE) =>
  JSON.parse(eventBatch({ at, cascades: [{ correlation: HOSTILE, events: [event] }] }, source))[0];

for (const [type, [event, data]] of Object.entries(orderEvents)) {
  test(`order.${type}`, () => {
    assert.equal(told({ of: { kind: 'order', id: order }, version: 3, event }), {
      specversion: '1.0',
      id: `order/${HOSTILE}/3`,
      source: '/holdfast/"1"',
      type: `order.${type}.v1`,
      dataschema: `urn:holdfast:order.${type}.v1`,
      subject: HOSTILE,
      time: '2025-01-02T03:04:05.006Z',
      datacontenttype: 'application/json',
      correlationid: HOSTILE,
      data,
    });
  });
}

for (const [type, [event, data]] of Object.entries(productEvents)) {
  test(`inventory.${type}`, () => {
    const found = told({ of: { kind: 'product', id: product }, version: 2, event });
    assert.equal(
      [found.type, found.dataschema, found.id, found.subject, found.data],
      [`inventory.${type}.v1`, `urn:holdfast:inventory.${type}.v1`, `product/${product}/2`, product, data],
    );
  });
}

/** Facts as large as they get: every fact is known, and amounts have all digits of a currency with four. */
const largest = (of: Address, text: string, lines: number): ActorFacts => {
  const most = Number.MAX_SAFE_INTEGER;
  if (of.kind === 'product') {
    return { kind: 'product', id: of.id, facts: { onHand: most, held: most, backordered: most } };
  }
  const line = { product: productId(text), quantity: most, unitPrice: most };
  const facts = { user: userId(text), currency: 'CLF', total: most, lines: Array(lines).fill(line) };
  return { kind: 'order', id: of.id, facts: { ...facts, refunds: [{ id: text, minor: most }] } };
};

for (const [kind, text] of Object.entries({ odd: HOSTILE, long: HOSTILE.repeat(9), tiny: 'a' })) {
  test(`no event is larger than its estimate: ${kind} texts`, () => {
    const frame = eventFrame(at, { uri: text, isPersonal: true });
    const all = [
      ...Object.values(orderEvents).map(([event]) => ({ of: { kind: 'order', id: orderId(text) } as const, event })),
      ...Object.values(productEvents).map(([event]) => ({
        of: { kind: 'product', id: productId(text) } as const,
        event,
      })),
    ];
    for (const { of, event } of all) {
      const json = eventJson(event).replaceAll(JSON.stringify(HOSTILE).slice(1, -1), JSON.stringify(text).slice(1, -1));
      const parsed = { of, version: Number.MAX_SAFE_INTEGER, event: JSON.parse(json), json };
      const one = parsed as JournaledEvent & { readonly json: string };
      for (const before of [undefined, [largest(of, text, 1)], [largest(of, text, 100)]]) {
        const cascade = { correlation: text, events: [one, one], ...(before !== undefined && { before }) };
        const bytes = Buffer.byteLength(cascadeEvents(cascade, frame));
        assert.ok(bytes <= mostEventBytes(cascade, frame), `${event.type}: ${bytes}`);
      }
    }
  });
}

test('a user id is text, also one that came as a number', () => {
  const content = { user: userId('42'), userIsNumber: true, lines: [] };
  const event = { type: 'placed', correlation: 'c', content } as const;
  assert.is(told({ of: { kind: 'order', id: order }, version: 1, event }).data.user_id, '42');
});

test('personal data stay out, unless the source says otherwise', () => {
  const [event] = orderEvents.placed;
  const { data } = told({ of: { kind: 'order', id: order }, version: 1, event }, '/holdfast/1');
  assert.equal(Object.keys(data), ['order_id', 'user_id', 'currency', 'items', 'payment_method']);
});

test('a turn is one array of all its events in order, and empty text without any', () => {
  const event = (version: number): JournaledEvent => ({
    of: { kind: 'order', id: order },
    version,
    event: { type: 'confirmed' },
  });
  const cascades = [
    { correlation: 'a', events: [event(1), event(2)] },
    { correlation: 'b', events: [] },
    { correlation: 'c', events: [event(3)] },
  ];
  const batch = JSON.parse(eventBatch({ at, cascades }, 's')) as { id: string; correlationid: string }[];
  assert.equal(
    batch.map(({ id, correlationid }) => [id, correlationid]),
    [
      [`order/${HOSTILE}/1`, 'a'],
      [`order/${HOSTILE}/2`, 'a'],
      [`order/${HOSTILE}/3`, 'c'],
    ],
  );
  assert.is(eventBatch({ at, cascades: [{ correlation: 'a', events: [] }] }, 's'), '');
});

test.run();
