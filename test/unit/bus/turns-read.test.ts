/** What a reader of EVENTS takes: each message once, after what it names. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId } from '../../../actors/ids.js';
import type { EventsBefore } from '../../../actors/ports/events.js';
import {
  type Gap,
  type JournalsRead,
  type TurnMessage,
  TurnsRead,
  withAllUnsure,
} from '../../../bus/events/turns-read.js';

const test = suite('turns read');
const [A, B, C] = [journalId('A'), journalId('B'), journalId('C')];
const NOTHING: JournalsRead = { journals: {}, ended: {} };

const message = (journal = A, turn = 1, more: Partial<TurnMessage> = {}): TurnMessage => ({
  ...{ journal, turn, previous: turn - 1, after: [], isSeal: false, storedMs: turn },
  ...more,
});
const after = (...before: EventsBefore) => ({ after: before });
const nameOf = ({ journal, turn, isSeal }: TurnMessage) => `${journal}${turn}${isSeal ? ' end' : ''}`;

function reader(known = NOTHING) {
  const gaps: Gap[] = [];
  const turns = new TurnsRead<TurnMessage>(known, (gap) => gaps.push(gap));
  const take = (...messages: TurnMessage[]) => messages.flatMap((each) => turns.take(each)).map(nameOf);
  return { turns, gaps, take };
}

test('a message counts once, however often it comes, and a cursor remembers it', () => {
  const first = reader();
  assert.equal(first.take(message(A, 1), message(A, 1), message(A, 3, { previous: 1 }), message(A, 1)), ['A1', 'A3']);
  const next = reader(JSON.parse(JSON.stringify(first.turns.read)));
  assert.equal(next.take(message(A, 3, { previous: 1 }), message(A, 4, { previous: 3 })), ['A4']);
  assert.equal([first.gaps, next.gaps], [[], []]);
});

test('a seal has the number of the last message, and counts once', () => {
  const { turns, take } = reader();
  const seal = message(A, 2, { isSeal: true, previous: 2 });
  assert.equal(take(message(A, 1), message(A, 2), seal, seal), ['A1', 'A2', 'A2 end']);
  assert.equal(reader(turns.read).take(seal), []);
});

test('a message waits for what it names, and so does all after it in its journal', () => {
  const { take } = reader({ journals: { A: 1 }, ended: {} });
  assert.equal(take(message(B, 1, after([A, 3])), message(B, 2)), []);
  assert.equal(take(message(A, 2)), ['A2']);
  assert.equal(take(message(A, 3)), ['A3', 'B1', 'B2']);
});

test('what nobody has ever seen of a journal is not waited for', () => {
  assert.equal(reader().take(message(B, 1, after([A, 3]))), ['B1']);
});

test('messages that wait for each other through a third are all told', () => {
  const { take } = reader({ journals: { A: 1, B: 0 }, ended: {} });
  assert.equal(take(message(C, 1, after([B, 1])), message(B, 1, after([A, 2])), message(A, 2)), ['A2', 'B1', 'C1']);
});

test('a message whose previous one is not known shows a gap, once', () => {
  const { gaps, take } = reader();
  assert.equal(take(message(A, 1), message(A, 9, { previous: 7 }), message(A, 10)), ['A1', 'A9', 'A10']);
  assert.equal(gaps, [{ journal: A, known: 1, missing: 7 }]);
});

test('messages of versions that did not tell what is before them show no gap', () => {
  const { gaps, take } = reader();
  assert.equal(take(message(A, 1), message(A, 9, { previous: undefined })), ['A1', 'A9']);
  assert.equal(gaps, []);
});

test('what makes too much wait is told as a gap, and then all goes on', () => {
  const waits = (more: Partial<TurnMessage>, count: number) => {
    const { gaps, take, turns } = reader({ journals: { A: 1, C: 1 }, ended: {} });
    // C waits as well: it is not lost.
    assert.equal(take(message(B, 1, { ...after([C, 2], [A, 3]), storedMs: 1 })), []);
    assert.equal(take(message(C, 2, { ...after([A, 3]), storedMs: 1 })), []);
    for (let n = 2; n < count; n++) assert.equal(take(message(B, n, { storedMs: 1, ...more })), []);
    assert.equal([turns.waiting, gaps], [count, []]);
    assert.equal(take(message(B, count - 1, { storedMs: 1, ...more })), [], 'the same again takes no room');
    assert.is(turns.waiting, count);
    return { gaps, take, turns };
  };
  const text = 'x'.repeat(1_048_576);
  const cases = [
    { ...waits({}, 10_000), next: message(B, 10_000, { storedMs: 1 }) },
    { ...waits({ text }, 66), next: message(B, 66, { storedMs: 1, text }) },
    { ...waits({}, 5), next: message(B, 5, { storedMs: 600_002 }) },
  ];
  for (const { gaps, take, turns, next } of cases) {
    const told = take(next);
    assert.equal(told.slice(0, 3), ['C2', 'B1', 'B2']);
    assert.equal([told.at(-1), told.length, turns.waiting], [nameOf(next), next.turn + 1, 0]);
    assert.equal(gaps, [{ journal: A, known: 1, missing: 3 }]);
    assert.equal(take(message(A, 5, { previous: 3 })), ['A5']);
    assert.is(gaps.length, 1, 'it was told');
  }
});

test('after a loss was told nothing waits for a known journal, until that has a message again', () => {
  const { gaps, take, turns } = reader({ journals: { A: 7, C: 2 }, ended: {} });
  assert.equal(take(message(B, 1, after([A, 9]))), []);
  assert.equal(turns.doubt().map(nameOf), ['B1']);
  assert.equal(take(message(B, 2, after([A, 12])), message(C, 6, { previous: 5 })), ['B2', 'C6']);
  assert.equal(gaps, [], 'the gap of C is part of the loss');
  assert.equal(take(message(B, 3, after([C, 7])), message(C, 7)), ['C7', 'B3'], 'C is sure again');
  assert.equal(take(message(C, 11, { previous: 10 })), ['C11']);
  assert.equal(gaps, [{ journal: C, known: 7, missing: 10 }]);
});

test('a cursor keeps which journals are unsure', () => {
  const first = reader({ journals: { A: 7, B: 2 }, ended: {} });
  assert.is(first.turns.read.unsure, undefined);
  first.turns.doubt();
  assert.equal(first.take(message(B, 3)), ['B3']);
  const next = reader(JSON.parse(JSON.stringify(first.turns.read)));
  assert.equal(next.take(message(B, 4, after([A, 9])), message(A, 12, { previous: 11 })), ['B4', 'A12']);
  assert.equal(next.gaps, []);
  assert.is(next.turns.read.unsure, undefined);
  assert.equal(withAllUnsure(next.turns.read).unsure?.slice().sort(), ['A', 'B']);
});

test('journals that ended long ago are forgotten, and the number of those that are kept is bounded', () => {
  const { turns } = reader();
  for (let i = 0; i < 1_500; i++) {
    turns.take(message(journalId(`J${i}`), 1, { storedMs: i }));
    turns.take(message(journalId(`J${i}`), 1, { storedMs: i, isSeal: true }));
  }
  assert.is(Object.keys(turns.read.journals).length, 1_000);
  turns.take(message(A, 1, { storedMs: 25 * 3_600_000 }));
  turns.take(message(A, 1, { storedMs: 25 * 3_600_000, isSeal: true }));
  assert.equal(Object.keys(turns.read.journals), ['A']);
});

test('property: repeated and reordered between journals, each is told once, in order, after what it names', () => {
  const journals = ['A', 'B', 'C'].map((name) => journalId(name));
  /** A history: turn by turn of some journal, each may name the turns that the others have by then. */
  const history = fc.array(fc.record({ of: fc.nat(2), names: fc.boolean() }), { maxLength: 40 }).map((steps) => {
    const at = new Map(journals.map((journal) => [journal, 0]));
    return steps.map(({ of, names }) => {
      const journal = journals[of] ?? A;
      const turn = (at.get(journal) ?? 0) + 1;
      at.set(journal, turn);
      return message(journal, turn, names ? after(...[...at].filter(([other, n]) => other !== journal && n > 0)) : {});
    });
  });
  fc.assert(
    fc.property(history, fc.array(fc.nat(), { minLength: 60, maxLength: 60 }), (messages, picks) => {
      const { turns, take } = reader({ journals: { A: 0, B: 0, C: 0 }, ended: {} });
      // Journals overtake each other at random; some messages come twice.
      const queues = journals.map((journal) => messages.filter((each) => each.journal === journal));
      const told: string[] = [];
      for (const pick of [...picks, ...Array.from({ length: 200 }, (_, i) => i)]) {
        const queue = queues[pick % 3] ?? [];
        const [next] = queue;
        if (next === undefined) continue;
        told.push(...take(next));
        if (pick % 5 !== 0 || pick < 200) queue.shift();
      }
      assert.equal(told.slice().sort(), messages.map(nameOf).sort());
      const place = new Map(told.map((name, i) => [name, i]));
      for (const each of messages) {
        const mine = place.get(nameOf(each)) ?? -1;
        for (const [journal, n] of [[each.journal, each.turn - 1] as const, ...each.after]) {
          assert.ok(
            n === 0 || (place.get(`${journal}${n}`) ?? Number.NaN) < mine,
            `${journal}${n} before ${nameOf(each)}`,
          );
        }
      }
      assert.is(turns.read.ended.A, undefined);
    }),
  );
});

test.run();
