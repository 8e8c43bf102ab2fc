/** A message never exceeds the limit of the broker, and takes everything that fits. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MessageRoom } from '../../../actors/node/message-room.js';

const test = suite('message room');

const START = 10;
const byteLength = (text: string) => Buffer.byteLength(text);

test('a text that fits is taken, counted in bytes, and no other is', () => {
  const text = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.string({ maxLength: 40 }));
  const offers = fc.array(fc.record({ text, beside: fc.nat(20) }), { maxLength: 60 });
  fc.assert(
    fc.property(offers, fc.integer({ min: START, max: 900 }), (given, most) => {
      const room = new MessageRoom(START, most, byteLength);
      let bytes = START;
      for (const { text, beside } of given) {
        const fits = bytes + beside + byteLength(text) <= most;
        assert.is(room.has(text, beside), fits);
        if (!fits) continue;
        room.take(text, beside);
        bytes += beside + byteLength(text) + 1;
      }
    }),
  );
});

test('bytes are counted only near the limit', () => {
  let counted = 0;
  const room = new MessageRoom(0, 3_000, (text) => {
    counted++;
    return text.length;
  });
  const text = 'x'.repeat(100);
  for (let i = 0; i < 9; i++) {
    assert.ok(room.has(text, 0));
    room.take(text, 0);
  }
  assert.is(counted, 0);
  for (let i = 0; i < 10; i++) {
    assert.ok(room.has(text, 0));
    room.take(text, 0);
  }
  assert.ok(counted > 0);
});

test.run();
