/** Letters between partitions: numbered, repeated until confirmed, remembered over a restart. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
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
    [5, 6, 7].map((to) => channels.nextNumber(to)),
    [3, 2, 1],
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
  assert.equal([channels.confirm(5, 1), channels.confirm(9, 1), channels.nextNumber(5)], [0, 0, 3]);
});

test('a number is never used twice, even if all before it are confirmed', () => {
  const channels = withLetters(letter(5, 1));
  channels.confirm(5, 1);
  assert.is(channels.nextNumber(5), 2);
});

test('a channel is busy while one of its letters is not confirmed', () => {
  const channels = withLetters(letter(5, 1));
  assert.equal([channels.isBusy(5), channels.isBusy(6)], [true, false]);
  channels.confirm(5, 1);
  assert.not(channels.isBusy(5));
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
  assert.equal([again.seen(3), again.nextNumber(5), again.nextNumber(6)], [8, 3, 2]);
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
