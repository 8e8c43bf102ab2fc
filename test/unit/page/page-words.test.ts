// What the page works out without a browser: frames of a stream, the verdict of a burst, the times of a history.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { answerOf, type Outcome, verdictOf } from '../../../http/page/browser/burst-verdict.js';
import { SseFrames } from '../../../http/page/browser/sse-frames.js';
import { offsetText } from '../../../http/page/browser/words.js';

const test = suite('the words of the page');

const STREAM = ': events\nretry: 1500\nid: 7\n\nid: 8\ndata: {"a":\ndata: 1}\n\n:\n\nevent: gap\r\ndata:lost\r\n\r\n';

test('a stream has the same frames wherever it is cut', () => {
  const whole = new SseFrames().take(STREAM);
  assert.equal(whole, [
    { type: 'message', data: '', id: '7', retryMs: 1_500 },
    { type: 'message', data: '{"a":\n1}', id: '8' },
    { type: 'message', data: '' },
    { type: 'gap', data: 'lost' },
  ]);
  for (let cut = 1; cut < STREAM.length; cut++) {
    const frames = new SseFrames();
    assert.equal([...frames.take(STREAM.slice(0, cut)), ...frames.take(STREAM.slice(cut))], whole, `cut at ${cut}`);
  }
});

test('a frame that is cut waits for its end', () => {
  const frames = new SseFrames();
  assert.equal(frames.take('data: 1\n'), []);
  assert.is(frames.take('\n')[0]?.data, '1');
});

const outcomes = (sold: number, refused: number, waiting = 0): Outcome[] => [
  ...Array<Outcome>(sold).fill('sold'),
  ...Array<Outcome>(refused).fill('refused'),
  ...Array<Outcome>(waiting).fill('waiting'),
];

test('the promise is kept only if the answers and the stock agree', () => {
  const left = (available: number, held = 0) => ({ on_hand: available + held, held, available });
  const kept = verdictOf(outcomes(10, 90), 10, left(0));
  assert.ok(kept.isKept);
  assert.match(kept.sentence, '10 sold, 90 refused, 0 oversold');
  assert.ok(verdictOf(outcomes(4, 96), 10, left(6)).isKept);
  assert.match(verdictOf(outcomes(11, 89), 10, left(0)).sentence, /1 oversold.*broken/);
  assert.match(verdictOf(outcomes(9, 91), 10, left(0)).sentence, 'The stock says that 10 are sold');
  assert.match(verdictOf(outcomes(9, 90, 1), 10, left(0)).sentence, '1 buyers got no answer');
  assert.match(verdictOf(outcomes(10, 90), 10, { on_hand: 0, held: 2, available: -2 }).sentence, '2 oversold');
});

test('a moment of a history is told from the first one', () => {
  const first = '2026-11-21T10:00:00.000Z';
  const shown = [
    '2026-11-21T10:00:00.012Z',
    '2026-11-21T10:00:03.400Z',
    '2026-11-21T10:05:00Z',
    '2026-11-22T10:00:00Z',
  ];
  assert.equal(
    shown.map((then) => offsetText(first, then)),
    ['+12 ms', '+3.4 s', '+5 min', '+24 h'],
  );
});

test('a buyer was refused only if there was too little, or no money', () => {
  const answers = [201, 202, 401, 402, 403, 429, 503].map((status) => answerOf(status, '{"code":"unauthorized"}'));
  assert.equal(answers, ['sold', undefined, 'another', 'refused', 'another', undefined, undefined]);
  assert.is(answerOf(409, '{"status":"error","code":"out_of_stock"}'), 'refused');
  assert.is(answerOf(409, '{"status":"error","code":"archived"}'), 'another');
});

test.run();
