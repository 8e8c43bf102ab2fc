/** A turn's message for EVENTS takes everything that fits and nothing else, though its text is written late. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { orderId, productId } from '../../../actors/ids.js';
import { cascadeEvents, eventFrame } from '../../../actors/node/cloud-events.js';
import { PublicBatch, type PublicCascade } from '../../../actors/node/public-batch.js';
import { eventJson } from '../../../actors/node/record.js';
import type { OrderEvent } from '../../../actors/protocol.js';

const test = suite('public batch');

const FRAME = eventFrame(1_700_000_000_000, '/holdfast/é');
const byteLength = (text: string) => Buffer.byteLength(text);

const word = fc.oneof(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }), fc.string({ minLength: 1 }));
const event: fc.Arbitrary<OrderEvent> = fc.oneof(
  fc.constant<OrderEvent>({ type: 'confirmed' }),
  fc.record({ type: fc.constant('delivered' as const), ids: fc.array(word, { maxLength: 4 }) }),
  word.map((product) => ({
    type: 'answered' as const,
    answers: [{ product: productId(product), answer: 'held' as const, unitPrice: 1, currency: 'BHD' }],
  })),
) as fc.Arbitrary<OrderEvent>;
const cascade: fc.Arbitrary<PublicCascade> = fc
  .tuple(word, word, fc.array(event, { maxLength: 4 }))
  .map(([correlation, id, events]) => ({
    correlation,
    events: events.map((each, i) => {
      return { of: { kind: 'order', id: orderId(id) }, version: i + 1, event: each, json: eventJson(each) } as const;
    }),
  }));

test('events that fit are taken, and the text has exactly those', () => {
  fc.assert(
    fc.property(fc.array(cascade, { maxLength: 20 }), fc.integer({ min: 2, max: 12_000 }), (cascades, most) => {
      const batch = new PublicBatch(FRAME, most, byteLength);
      const taken: string[] = [];
      for (const each of cascades) {
        const text = cascadeEvents(each, FRAME);
        const fits = byteLength(`[${[...taken, text].join(',')}]`) <= most;
        assert.is(batch.take(each), fits);
        if (fits && text !== '') taken.push(text);
      }
      assert.is(batch.text, taken.length === 0 ? '' : `[${taken.join(',')}]`);
      assert.ok(byteLength(batch.text) <= most);
    }),
  );
});

test.run();
