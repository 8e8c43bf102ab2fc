/** What waits for other journals is not lost from a reader's place: the place stays before it. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId } from '../../../actors/ids.js';
import { type TurnMessage, TurnsRead } from '../../../bus/events/turns-read.js';

const test = suite('turns that wait');
const [a, b] = [journalId('A'), journalId('B')];
const message = (more: Partial<TurnMessage>): TurnMessage => ({
  ...{ journal: a, turn: 1, previous: 0, after: [], isSeal: false, storedMs: 0 },
  ...more,
});

test('a message that waits keeps the place at its own time, until it is given out', () => {
  const turns = new TurnsRead<TurnMessage>({ journals: { B: 1 }, ended: {} }, () => {});
  assert.is(turns.waitsSinceMs, Number.POSITIVE_INFINITY);
  assert.equal(turns.take(message({ turn: 1, after: [[b, 3]], storedMs: 100 })), []);
  assert.equal(turns.take(message({ turn: 2, previous: 1, storedMs: 200 })), []);
  assert.is(turns.waitsSinceMs, 100);
  const told = turns.take(message({ journal: b, turn: 3, previous: 1, storedMs: 300 }));
  assert.equal(
    told.map(({ journal, turn }) => `${journal}${turn}`),
    ['B3', 'A1', 'A2'],
  );
  assert.is(turns.waitsSinceMs, Number.POSITIVE_INFINITY);
});

test.run();
