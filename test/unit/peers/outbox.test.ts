/** What goes to one address in one round is one message, and no message is longer than the link carries. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CutMessages } from '../../../bus/peers/cut-messages.js';
import { type CutPart, type MessagePart, type PeerMessage, readMessage } from '../../../bus/peers/messages.js';
import { Outbox } from '../../../bus/peers/outbox.js';

const test = suite('outbox');
const PARTS: readonly MessagePart[] = ['letters', 'confirmations', 'asks', 'got', 'answers', 'cancels'];

function rig(mostBytes: number) {
  const texts: string[] = [];
  const due: (() => void)[] = [];
  let cuts = 0;
  const outbox = new Outbox({
    line: { send: (text) => void texts.push(text), close() {} },
    mostBytes: () => mostBytes,
    ...{ from: 'E1', name: 'a', nextCut: () => ++cuts },
    flushSoon: (flush) => void due.push(flush),
  });
  return {
    outbox,
    texts,
    round() {
      for (const run of due.splice(0)) run();
    },
  };
}

/** The messages in the texts, joined where they were cut. */
function messagesIn(texts: readonly string[], cut = new CutMessages()): PeerMessage[] {
  return texts.flatMap((text) => {
    const message = readMessage(text);
    if (!('cut' in message)) return [message];
    const whole = cut.take(message);
    return whole === undefined ? [] : [readMessage(whole) as PeerMessage];
  });
}

test('everything of one round is one message, and what ends waits comes first', () => {
  const { outbox, texts, round } = rig(10_000);
  outbox.put('asks', '{"id":1}');
  outbox.put('got', '7');
  outbox.put('asks', '{"id":2}');
  outbox.put('confirmations', '{}');
  assert.equal(texts, []);
  round();
  assert.equal(texts, ['{"v":1,"from":"E1","name":"a","confirmations":[{}],"got":[7],"asks":[{"id":1},{"id":2}]}']);
  round();
  outbox.put('cancels', '9');
  round();
  assert.equal(texts.slice(1), ['{"v":1,"from":"E1","name":"a","cancels":[9]}']);
});

test('whatever is sent arrives once and in order, in messages that the link carries', () => {
  const item = fc.record({
    part: fc.constantFrom(...PARTS),
    text: fc.oneof(
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.string({ unit: 'binary', maxLength: 3_000, size: 'max' }),
      fc.constantFrom('"\\'.repeat(700), '😀'.repeat(500), '\ud800'.repeat(300)),
    ),
  });
  fc.assert(
    fc.property(fc.array(item, { maxLength: 30 }), fc.integer({ min: 700, max: 3_000 }), (items, mostBytes) => {
      const { outbox, texts, round } = rig(mostBytes);
      for (const { part, text } of items) outbox.put(part, JSON.stringify({ failed: text }));
      round();
      for (const text of texts) assert.ok(Buffer.byteLength(text) <= mostBytes, `${Buffer.byteLength(text)} bytes`);
      const messages = messagesIn(texts.map((text) => Buffer.from(text).toString()));
      for (const part of PARTS) {
        const sent = items.filter((each) => each.part === part).map(({ text }) => ({ failed: text }));
        assert.equal(
          messages.flatMap((message): unknown[] => [...(message[part] ?? [])]),
          sent,
        );
      }
    }),
    { numRuns: 500 },
  );
});

const partOf = (of: number, at: number, text: string, parts = 3): CutPart => ({
  from: 'E1',
  cut: { of, at, parts, text },
});

test('the parts of a message may come in any order, and more than once', () => {
  const cut = new CutMessages();
  for (const at of [2, 2, 0]) assert.is(cut.take(partOf(1, at, `${at}`)), undefined);
  assert.is(cut.take({ from: 'E2', cut: { of: 1, at: 1, parts: 3, text: 'other' } }), undefined);
  assert.is(cut.take(partOf(1, 1, '1')), '012');
  assert.is(cut.take(partOf(1, 1, '1')), undefined);
});

test('messages that stay incomplete are dropped when they take too much memory, the oldest first', () => {
  const cut = new CutMessages(10);
  cut.take(partOf(1, 0, 'aaaa'));
  cut.take(partOf(2, 0, 'bbbb'));
  cut.take(partOf(3, 0, 'cccc')); // The first is dropped.
  assert.is(cut.take(partOf(2, 1, '')), undefined);
  assert.is(cut.take(partOf(2, 2, '')), 'bbbb');
  cut.take(partOf(1, 1, ''));
  assert.is(cut.take(partOf(1, 2, '')), undefined);
});

test.run();
