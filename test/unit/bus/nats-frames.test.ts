/** Frames match the NATS protocol, and a buffer is reused only after its release. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Frames } from '../../../bus/nats/nats-frames.js';

const test = suite('nats frames');

const bytesOf = (text: string) => Buffer.byteLength(text);

test('every text is framed with its length in bytes, with and without headers', () => {
  const frames = new Frames();
  const text = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 200 }), fc.string({ maxLength: 200 }));
  fc.assert(
    fc.property(text, fc.boolean(), (payload, again) => {
      const plain = frames.publish('journal.J1', '_INBOX.x.1', payload);
      assert.is(Buffer.from(plain.bytes).toString(), `PUB journal.J1 _INBOX.x.1 ${bytesOf(payload)}\r\n${payload}\r\n`);
      assert.is(plain.size, bytesOf(payload));
      if (again) frames.giveBack(plain);
      const block = 'NATS/1.0\r\nTurn: 7\r\n\r\n';
      const total = block.length + bytesOf(payload);
      const headed = frames.publish('a', 'b', payload, 'Turn: 7\r\n');
      assert.is(Buffer.from(headed.bytes).toString(), `HPUB a b ${block.length} ${total}\r\n${block}${payload}\r\n`);
      assert.is(headed.size, total);
      frames.giveBack(headed);
    }),
  );
});

test('a lone surrogate is framed as the replacement character', () => {
  const frames = new Frames();
  for (const payload of ['\ud800', 'a\udc00b', '\ud83d\ud83d\ude00\ude00', '\0']) {
    const { bytes, size } = frames.publish('a', 'b', payload);
    const sent = Buffer.from(payload);
    assert.is(size, sent.length);
    assert.equal(Buffer.from(bytes), Buffer.concat([Buffer.from(`PUB a b ${size}\r\n`), sent, Buffer.from('\r\n')]));
  }
});

test('a frame in use keeps its bytes; a released one is reused', () => {
  const frames = new Frames();
  const first = frames.publish('a', 'b', 'one');
  const second = frames.publish('a', 'b', 'two');
  assert.is.not(first.memory, second.memory);
  assert.is(Buffer.from(first.bytes).toString(), 'PUB a b 3\r\none\r\n');
  frames.giveBack(first);
  assert.is(frames.publish('a', 'b', 'three').memory, first.memory);
  assert.is(Buffer.from(second.bytes).toString(), 'PUB a b 3\r\ntwo\r\n');
});

test('a text larger than any before it fits', () => {
  const frames = new Frames();
  frames.giveBack(frames.publish('a', 'b', 'small'));
  const large = '\u{1f600}'.repeat(60_000);
  assert.is(frames.publish('a', 'b', large).size, 240_000);
});

test.run();
