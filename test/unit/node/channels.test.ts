/** Letters between partitions: numbered, repeated until confirmed, remembered over a restart. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limits } from '../../../actors/limits.js';
import { Channels } from '../../../actors/node/channels.js';
import type { NumberedLetter } from '../../../actors/ports/letters.js';
import { A, hold } from '../actors/samples.js';

const test = suite('channels');
const letter = (to: number, number: number): NumberedLetter => ({
  from: 0,
  to,
  number,
  correlation: 'c',
  letter: hold(A, 1),
});
const withLetters = (...letters: NumberedLetter[]) => {
  const channels = new Channels();
  for (const each of letters) channels.add(each);
  return channels;
};

test('numbers begin at 1 and are dense in each channel (C1)', () => {
  const channels = withLetters(letter(5, 1), letter(5, 2), letter(6, 1));
  assert.equal(
    [5, 6, 7].map((to) => channels.last(to)),
    [2, 1, 0],
  );
});

test('a letter is kept until it is confirmed (C3)', () => {
  const channels = withLetters(letter(5, 1), letter(5, 2), letter(5, 3));
  assert.is(channels.confirm(5, 2), 2);
  assert.equal(channels.unconfirmed(), [letter(5, 3)]);
});

test('a confirmation that is late, or from another partition, changes nothing', () => {
  const channels = withLetters(letter(5, 1), letter(5, 2));
  channels.confirm(5, 2);
  assert.equal([channels.confirm(5, 1), channels.confirm(9, 1), channels.last(5)], [0, 0, 2]);
});

test('a number is never used twice, even if all before it are confirmed', () => {
  const channels = withLetters(letter(5, 1));
  channels.confirm(5, 1);
  assert.is(channels.last(5), 1);
});

test('letters wait in a channel while they are not confirmed', () => {
  const channels = withLetters(letter(5, 1), letter(5, 2));
  assert.equal([channels.waiting(5), channels.waiting(6)], [2, 0]);
  channels.confirm(5, 1);
  assert.is(channels.waiting(5), 1);
});

const numbers = (letters: readonly NumberedLetter[]) => letters.map(({ number }) => number);

test('a letter is sent once it is appended, and once until its channel stands still (C4)', () => {
  const channels = withLetters(letter(5, 1), letter(5, 2));
  assert.equal(channels.toSend(5, 0), []);
  channels.appended(letter(5, 1));
  assert.equal([numbers(channels.toSend(5, 0)), numbers(channels.toSend(5, 0))], [[1], []]);
  channels.appended(letter(5, 2));
  assert.equal(numbers(channels.toSend(5, 100)), [2]);
  assert.equal(
    channels.toRepeat(550, 500, () => true),
    [],
  );
  assert.equal(numbers(channels.toRepeat(600, 500, () => true)), [1, 2]);
  channels.confirm(5, 1, 700);
  assert.equal(
    channels.toRepeat(1_150, 500, () => true),
    [],
  );
  assert.equal(numbers(channels.toRepeat(1_200, 500, () => true)), [2]);
  assert.equal(
    channels.toRepeat(2_000, 500, () => false),
    [],
    'its receiver is here',
  );
});

test('no more letters than the window are under way; a confirmation sends the next (C4)', () => {
  const { letterWindow } = limits;
  const channels = withLetters(...Array.from({ length: letterWindow + 3 }, (_, i) => letter(5, i + 1)));
  channels.appended(letter(5, letterWindow + 3));
  assert.is(channels.toSend(5, 0).length, letterWindow);
  channels.confirm(5, 2, 0);
  assert.equal(numbers(channels.toSend(5, 0)), [letterWindow + 1, letterWindow + 2]);
  assert.is(channels.toRepeat(1_000, 500, () => true).length, letterWindow);
});

test('letters from a row are sent at once, and so are those whose receiver has moved', () => {
  const sent = { 5: { last: 7, unconfirmed: [letter(5, 6), letter(5, 7)] } };
  const channels = new Channels({ seen: {}, sent });
  assert.equal(numbers(channels.toRepeat(0, 500, () => true)), [6, 7]);
  assert.equal(
    channels.toRepeat(1, 500, () => true),
    [],
  );
  channels.moved(5);
  assert.equal(numbers(channels.toRepeat(1, 500, () => true)), [6, 7]);
});

test('the letters after a number, oldest first', () => {
  const channels = withLetters(letter(5, 1), letter(5, 2), letter(5, 3));
  assert.equal([numbers(channels.after(5, 1)), channels.after(5, 3), channels.after(6, 0)], [[2, 3], [], []]);
});

test('a letter that is known already, as in a replay, is not added again', () => {
  assert.equal(withLetters(letter(5, 1), letter(5, 2), letter(5, 1)).unconfirmed(), [letter(5, 1), letter(5, 2)]);
});

test('the watermark is 0 until it is moved, and can be set back with a turn that is taken back (C2)', () => {
  const channels = new Channels();
  assert.is(channels.seen(3), 0);
  channels.moveSeen(3, 1);
  assert.is(channels.seen(3), 1);
  channels.moveSeen(3, 0);
  assert.is(channels.seen(3), 0);
});

test('a row restores watermarks, numbers and letters', () => {
  const channels = withLetters(letter(5, 1), letter(5, 2), letter(6, 1));
  channels.moveSeen(3, 8);
  channels.confirm(5, 1);
  channels.confirm(6, 1);
  const again = new Channels(JSON.parse(JSON.stringify(channels.row())));
  assert.equal(again.row(), channels.row());
  assert.equal([again.seen(3), again.last(5), again.last(6)], [8, 2, 1]);
  assert.equal(again.unconfirmed(), [letter(5, 2)]);
  assert.not(again.dirty);
});

test('a row is a copy: what happens later does not change it', () => {
  const channels = withLetters(letter(5, 1));
  const row = channels.row();
  channels.add(letter(5, 2));
  assert.equal(row.sent[5], { last: 1, unconfirmed: [letter(5, 1)] });
});

test('every change marks the row, and a call without a change does not', () => {
  const marks = (change: (channels: Channels) => void) => {
    const channels = withLetters(letter(5, 1));
    channels.dirty = false;
    change(channels);
    return channels.dirty;
  };
  assert.ok(marks((c) => c.add(letter(5, 2))));
  assert.ok(marks((c) => c.confirm(5, 1)));
  assert.ok(marks((c) => c.moveSeen(1, 1)));
  assert.not(marks((c) => c.confirm(5, 0)));
});

test.run();
