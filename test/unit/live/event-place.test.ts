/** The text of a place, and what is told at it. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId } from '../../../actors/ids.js';
import {
  both,
  type EventPlace,
  MARGIN_MS,
  placeOf,
  placeText,
  toldOf,
  withPart,
} from '../../../bus/live/event-place.js';

const test = suite('places among events');
const [one, two, three] = [journalId('01KAVTNC1V5QG0RT8SZ3XH6S4D'), journalId('TWO'), journalId('THREE')];
const TIME = 1_764_000_000_000;
const place: EventPlace = {
  created: TIME - 5,
  seq: 99,
  time: TIME,
  turns: new Map([
    [one, 7],
    [two, 4],
  ]),
};
const message = (journal: typeof one, turn: number, storedMs = TIME) => ({ journal, turn, storedMs });

test('a place comes back from its text as it was, also within a message', () => {
  for (const each of [place, withPart(place, two, { turn: 4, events: 2 }), { ...place, turns: new Map() }]) {
    const back = placeOf(placeText(each));
    assert.equal({ ...back, parts: new Map(back?.parts) }, { ...each, parts: new Map(each.parts) });
  }
  assert.match(placeText(place), /^[\w.~]+$/);
});

test('what is no place is refused', () => {
  for (const text of [
    '',
    '17',
    'a.b',
    'a.b.c~',
    'a.b.c~J',
    'a.b.c~J.1.2.3',
    'a.b.c~J J.1',
    'a.b.zzzzzzzzzzz',
    'x'.repeat(9_000),
  ]) {
    assert.is(placeOf(text), undefined, text);
  }
});

test('a message is told by its turn; of a part the events; of a journal without a name by its time', () => {
  const within = withPart(place, two, { turn: 4, events: 2 });
  assert.equal(
    [toldOf(message(one, 7), place), toldOf(message(one, 8), place), toldOf(message(two, 4), within)],
    [Number.POSITIVE_INFINITY, 0, 2],
  );
  assert.is(toldOf(message(three, 1, TIME - MARGIN_MS - 1), place), Number.POSITIVE_INFINITY);
  assert.is(toldOf(message(three, 1, TIME - MARGIN_MS), place), 0);
});

test('two places together have what either has', () => {
  const a = withPart({ ...place, turns: new Map([[one, 9]]) }, two, { turn: 5, events: 1 });
  const b = withPart(
    {
      ...place,
      turns: new Map([
        [one, 3],
        [three, 1],
      ]),
    },
    two,
    { turn: 5, events: 3 },
  );
  const { turns, parts } = both(a, b);
  assert.equal(
    [...turns],
    [
      [one, 9],
      [two, 4],
      [three, 1],
    ],
  );
  assert.equal([...(parts ?? [])], [[two, { turn: 5, events: 3 }]]);
  assert.equal([...(both(a, { ...place, turns: new Map([[two, 5]]) }).parts ?? [])], []);
});

test.run();
