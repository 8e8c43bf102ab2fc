/** Public events: each once and in order, though the broker loses, refuses or never answers. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId, orderId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import { eventBatch } from '../../../actors/node/cloud-events.js';
import { encodeSeal, encodeTurn, type Join, journalLog, packCascade, packEvent } from '../../../actors/node/record.js';
import type { EventLog, EventsBefore } from '../../../actors/ports/events.js';
import type { Log } from '../../../actors/ports/log.js';
import type { Clock, Logger } from '../../../actors/ports/runtime.js';
import { type MemoryEvents, memoryEvents } from '../../../bus/events/memory-events.js';
import { publishTail } from '../../../bus/events/published-turns.js';
import { eventPublisher } from '../../../bus/events/publisher.js';
import { type TurnMessage, TurnsRead } from '../../../bus/events/turns-read.js';
import { patientMs } from '../../deadlines.js';

const test = suite('publisher');
const journal = journalId('J1');
const source = '/holdfast/test';

// ---------------------------------------------------------------- the rig

/** Pauses end at once, after all other work. */
const clock: Clock = {
  now: () => 0,
  monotonic: () => performance.now(),
  after(_delayMs, run) {
    const timer = setImmediate(run);
    return () => clearImmediate(timer);
  },
  soon: (run) => void setImmediate(run),
  id: () => '0',
  random: () => 0.5,
};

const lines: string[] = [];
const note = (_fields: object, line: string) => void lines.push(line);
const logger: Logger = { debug: () => {}, info: () => {}, warn: note, error: note };

const idOf = (n: number) => `ORD-${n}`;
const batchOf = (n: number, at = n) =>
  eventBatch(
    {
      at,
      cascades: [
        {
          correlation: 'c',
          events: [{ of: { kind: 'order', id: orderId(idOf(n)) }, version: 1, event: { type: 'confirmed' } }],
        },
      ],
    },
    source,
  );

/** A journal in memory: turn n stands at position 10 * n; every fourth turn has no events. */
function journalOf(
  turns: number,
  { sealed = false, from = 1, joinsAt = 0 } = {},
): Log & { reads: number; entries: number } {
  const all: { position: number; record: string }[] = [];
  for (let n = from; n <= turns; n++) {
    const events = isEmpty(n) ? [] : [packEvent('order', idOf(n), 1, '{"type":"confirmed"}')];
    const cascades = events.length === 0 ? [] : [packCascade('c', events)];
    const turn = { id: `r${n}`, journal, n, at: n, parts: {}, letters: [], ...(n === joinsAt && { joins }) };
    all.push({ position: n * 10, record: encodeTurn(turn, cascades) });
  }
  if (sealed) {
    all.push({ position: turns * 10 + 5, record: encodeSeal({ id: 's', journal, by: journalId('J2'), at: 0 }) });
  }
  return {
    reads: 0,
    entries: all.length,
    async append() {
      throw new Error('not here');
    },
    async read(log, after) {
      assert.is(log, journalLog(journal));
      this.reads += 1;
      return all.filter((entry) => entry.position > after).slice(0, 7);
    },
    async end() {
      throw new Error('not here');
    },
    async last() {
      throw new Error('not here');
    },
    async trim() {},
  };
}

const joins: readonly Join[] = [{ partition: 3, epoch: 2, after: [[journalId('J0'), 'seal']] }];

const named: EventsBefore = [[journalId('J0'), 7]];
const afters = (events: MemoryEvents) =>
  events.messages(journal).flatMap(({ n, place: { after = [] } }) => (after.length === 0 ? [] : [[n, after]]));

const previousOf = (events: MemoryEvents) => events.messages(journal).map(({ place }) => place.previous);

/** The gaps that a reader sees who has come to turn n. */
function gapsOf(events: MemoryEvents, n: number): [number, number][] {
  const gaps: [number, number][] = [];
  const known = { journals: { [journal]: n }, ended: {} };
  const turns = new TurnsRead<TurnMessage>(known, ({ known: had, missing }) => gaps.push([had, missing]));
  for (const { n: turn, place } of events.messages(journal)) {
    turns.take({ journal, turn, previous: place.previous, after: [], isSeal: false, storedMs: 0 });
  }
  return gaps;
}

const isEmpty = (n: number) => n % 4 === 0;
const turnsWithEvents = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i).filter((n) => !isEmpty(n));

/** EVENTS must hold exactly these turns, in order, each as one batch. */
function holds(events: MemoryEvents, from: number, to: number, seal = false): void {
  const found = events.messages(journal).filter(({ batch }) => batch !== '[]');
  assert.equal(
    found.map(({ n }) => n),
    turnsWithEvents(from, to),
  );
  for (const { n, batch } of found) assert.is(batch, batchOf(n));
  assert.is(events.messages(journal).at(-1)?.batch === '[]', seal);
  const turns = events.messages(journal).map(({ n }) => n);
  const previous = events.messages(journal).map(({ place }) => place.previous);
  assert.equal(previous.slice(1), turns.slice(0, -1), 'each message names the one before it');
}

const startAfter = { n: 0, position: 0 };
const before = async (): Promise<EventsBefore | undefined> => [];
const publisherOn = (
  events: EventLog,
  log: Log,
  look: (joins: readonly Join[]) => Promise<EventsBefore | undefined> = before,
) => eventPublisher({ journal, events, log, source, clock, logger, before: look, startAfter });

/** What publishing a tail needs besides its journal and its event log. */
const rest = { journal, source, clock, logger, before, rechecks: () => 0, stopped: () => false };

function offerAll(publisher: ReturnType<typeof publisherOn>, from: number, to: number): void {
  for (let n = from; n <= to; n++) publisher.offer(n, n * 10, isEmpty(n) ? '' : batchOf(n));
}

async function waitFor(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise<void>((done) => setImmediate(done));
}

/** A test ends within seconds or fails. */
const within = <T>(promise: Promise<T>): Promise<T> =>
  Promise.race([
    promise,
    new Promise<never>((_, reject) => setTimeout(() => reject(new Error('no end in time')), patientMs(5_000)).unref()),
  ]);

// ---------------------------------------------------------------- laws

test('every turn with events is one message, in order', async () => {
  const events = memoryEvents();
  const publisher = publisherOn(events, journalOf(20));
  offerAll(publisher, 1, 20);
  await within(publisher.settled(20));
  holds(events, 1, 20);
  assert.is(publisher.publishedN, 20);
});

test('an empty array offered as a batch is a turn without events, and not a seal', async () => {
  const events = memoryEvents();
  const publisher = publisherOn(events, journalOf(3));
  publisher.offer(1, 10, '[]');
  publisher.offer(2, 20, batchOf(2));
  await within(publisher.settled(2));
  assert.equal(
    events.messages(journal).map(({ n }) => n),
    [2],
  );
});

test('lost acknowledgements, refusals and rejections repeat nothing and lose nothing', async () => {
  const memory = memoryEvents();
  let call = 0;
  const events: EventLog = {
    keptSinceMs: memory.keptSinceMs,
    async last(of) {
      call += 1;
      if (call % 5 === 0) throw new Error('no answer');
      return memory.last(of);
    },
    async publish(...args) {
      call += 1;
      if (call % 7 === 0) throw new Error('no answer, not stored');
      if (call % 11 === 0) return { kind: 'full' };
      const answer = await memory.publish(...args);
      if (call % 3 === 0) throw new Error('stored, but no answer');
      return answer;
    },
  };
  const publisher = publisherOn(events, journalOf(200));
  offerAll(publisher, 1, 100);
  await within(publisher.settled(50));
  offerAll(publisher, 101, 200);
  await within(publisher.settled(200));
  holds(memory, 1, 200);
});

test('past its bound the queue is dropped, and the journal is read', async () => {
  const memory = memoryEvents();
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const events: EventLog = {
    keptSinceMs: memory.keptSinceMs,
    last: memory.last,
    publish: async (...args) => {
      await gate;
      return memory.publish(...args);
    },
  };
  const log = journalOf(60);
  const publisher = publisherOn(events, log);
  const huge = 'x'.repeat(limits.unpublishedBytes / 4);
  publisher.offer(1, 10, batchOf(1));
  for (let n = 2; n <= 40; n++) publisher.offer(n, n * 10, huge); // Never published: the journal's own text is.
  open();
  await within(publisher.settled(38));
  assert.ok(log.reads > 0);
  const read = memory.messages(journal).filter(({ batch }) => batch !== huge);
  assert.equal(
    read.map(({ n }) => n),
    turnsWithEvents(1, read.at(-1)?.n ?? 0),
  );
  for (const { n, batch } of read) assert.is(batch, batchOf(n));
});

test('a broker that has lost its tail is filled up from the journal', async () => {
  const events = memoryEvents();
  const publisher = publisherOn(events, journalOf(40));
  offerAll(publisher, 1, 30);
  await within(publisher.settled(30));
  events.keep(journal, 0, 12);
  publisher.recheck();
  offerAll(publisher, 31, 40);
  await within(publisher.settled(40));
  holds(events, 1, 40);
});

test('a broker that has lost its tail is noticed without a report', async () => {
  const events = memoryEvents();
  const publisher = publisherOn(events, journalOf(40));
  offerAll(publisher, 1, 30);
  await within(publisher.settled(30));
  events.keep(journal, 0, 20);
  offerAll(publisher, 31, 40);
  await within(publisher.settled(40));
  holds(events, 1, 40);
});

test('a broker that has lost the last acknowledged events is filled up again', async () => {
  const events = memoryEvents();
  const publisher = publisherOn(events, journalOf(20));
  offerAll(publisher, 1, 10);
  await within(publisher.settled(10));
  events.keep(journal, 0, 0);
  publisher.recheck();
  offerAll(publisher, 11, 20);
  await within(publisher.settled(20));
  holds(events, 1, 20);
});

test('a message whose acknowledgement was lost is filled up too when the broker loses it', async () => {
  const memory = memoryEvents();
  const events: EventLog = {
    keptSinceMs: memory.keptSinceMs,
    last: memory.last,
    publish: async (...args) => {
      await memory.publish(...args);
      throw new Error('stored, but no answer');
    },
  };
  const publisher = publisherOn(events, journalOf(3));
  offerAll(publisher, 1, 1);
  await within(publisher.settled(1));
  memory.keep(journal, 0, 0);
  publisher.recheck();
  offerAll(publisher, 2, 3);
  await within(publisher.settled(3));
  holds(memory, 1, 3);
});

test('a subject that its retention has emptied goes on at its old position (hazard 11)', async () => {
  const events = memoryEvents();
  let nowMs = 0;
  const publisher = eventPublisher({
    journal,
    events,
    log: journalOf(20),
    source,
    clock: { ...clock, monotonic: () => nowMs },
    logger,
    before,
    startAfter,
  });
  offerAll(publisher, 1, 10);
  await within(publisher.settled(10));
  nowMs = limits.eventsAgeMs;
  events.keep(journal, 0, 0);
  offerAll(publisher, 11, 20);
  await within(publisher.settled(20));
  holds(events, 11, 20);
});

test('a turn that is neither on EVENTS nor in the journal is named, and the rest is published', async () => {
  const events = memoryEvents();
  const publisher = publisherOn(events, journalOf(20, { from: 8 }));
  offerAll(publisher, 1, 10);
  await within(publisher.settled(10));
  events.keep(journal, 0, 2);
  lines.length = 0;
  publisher.recheck();
  offerAll(publisher, 11, 20);
  await within(publisher.settled(20));
  assert.equal(
    events.messages(journal).map(({ n }) => n),
    [1, 2, ...turnsWithEvents(8, 20)],
  );
  assert.ok(lines.some((line) => line.includes('neither on EVENTS nor in the journal')));
  assert.equal(previousOf(events).slice(0, 5), [0, 1, 7, 9, 10], 'the message after them says so');
  assert.equal(gapsOf(events, 2), [[2, 7]]);
  assert.equal(gapsOf(events, 10), [], 'a reader that had them all misses nothing');
});

test('EVENTS made anew: its first message names what is gone, and no turn that had no events', async () => {
  for (const [from, last] of [
    [8, 7], // The journal begins with turn 8, which has no events.
    [9, 7], // All that was published is gone, and turn 8 had no events.
  ] as const) {
    const events = memoryEvents();
    const publisher = publisherOn(events, journalOf(20, { from }));
    offerAll(publisher, 1, 8);
    await within(publisher.settled(8));
    events.keep(journal, 0, 0);
    publisher.recheck(true);
    offerAll(publisher, 9, 20);
    await within(publisher.settled(20));
    assert.equal(previousOf(events).slice(0, 2), [last, 9]);
    assert.equal([gapsOf(events, 3), gapsOf(events, 7), gapsOf(events, 10)], [[[3, last]], [], []]);
  }
});

test('a tail whose first turns are gone says so', async () => {
  const whole = { ...rest, publishedN: 5, upTo: 20 };
  const anew = memoryEvents();
  await within(publishTail({ ...whole, events: anew, log: journalOf(20, { sealed: true, from: 9 }) }));
  assert.equal(previousOf(anew).slice(0, 2), [8, 9], 'EVENTS was made anew');
  assert.equal([gapsOf(anew, 3), gapsOf(anew, 11)], [[[3, 8]], []]);
  const shorter = memoryEvents();
  await shorter.publish(journal, 0, 3, batchOf(3), { previous: 2 });
  await within(publishTail({ ...whole, events: shorter, log: journalOf(20, { sealed: true, from: 11 }) }));
  assert.equal(previousOf(shorter).slice(0, 3), [2, 10, 11]);
  const trimmed = memoryEvents();
  await trimmed.publish(journal, 0, 3, batchOf(3), { previous: 2 });
  const log = journalOf(20, { sealed: true, from: 5 });
  await within(publishTail({ ...whole, publishedN: 4, events: trimmed, log }));
  assert.equal(previousOf(trimmed).slice(0, 2), [2, 3], 'turn 4 had no events');
});

test('a turn with joins waits for what they name, also without events of its own, and so do all after it', async () => {
  for (const joinsAt of [5, 8]) {
    const events = memoryEvents();
    const asked: (readonly Join[])[] = [];
    let isOut = (_: EventsBefore) => {};
    const publisher = publisherOn(events, journalOf(20, { joinsAt }), (names) => {
      asked.push(names);
      return new Promise((resolve) => {
        isOut = resolve;
      });
    });
    for (let n = 1; n <= 20; n++) {
      publisher.offer(n, n * 10, isEmpty(n) ? '' : batchOf(n), n === joinsAt ? joins : undefined);
    }
    await within(publisher.settled(joinsAt - 1));
    for (let i = 0; i < 50; i++) await new Promise<void>((done) => setImmediate(done));
    assert.is(publisher.publishedN, joinsAt - 1);
    assert.equal(asked, [joins]);
    isOut(named);
    await within(publisher.settled(20));
    holds(events, 1, 20);
    assert.equal(afters(events), [[joinsAt === 8 ? 9 : 5, named]], 'the first message from the join on says so');
  }
});

test('what joins name is looked at again after trouble, until a later message stands on EVENTS', async () => {
  const events = memoryEvents();
  let looks = 0;
  const publisher = publisherOn(events, journalOf(12, { joinsAt: 8 }), async () => {
    looks++;
    return named;
  });
  for (let n = 1; n <= 8; n++) publisher.offer(n, n * 10, isEmpty(n) ? '' : batchOf(n), n === 8 ? joins : undefined);
  await within(publisher.settled(8));
  assert.is(looks, 1);
  publisher.recheck();
  await within(waitFor(() => looks === 2));
  offerAll(publisher, 9, 10);
  await within(publisher.settled(10));
  publisher.recheck();
  offerAll(publisher, 11, 12);
  await within(publisher.settled(12));
  assert.is(looks, 2, 'turn 9 stands on EVENTS, so what came before it does too');
  events.keep(journal, 0, 4);
  publisher.recheck();
  await within(waitFor(() => looks === 3));
  await within(waitFor(() => events.messages(journal).length === turnsWithEvents(1, 12).length));
  holds(events, 1, 12);
  assert.equal(afters(events), [[9, named]], 'also when it is published again');
});

test('an event log that retention has emptied is not continued once the journal is sealed (hazard 11)', async () => {
  const events = memoryEvents();
  const publisher = publisherOn(events, journalOf(20, { sealed: true }));
  offerAll(publisher, 1, 10);
  await within(publisher.settled(10));
  await within(publishTail({ ...rest, log: journalOf(20, { sealed: true }), events, publishedN: 10 }));
  events.keep(journal, 0, 0);
  publisher.recheck();
  offerAll(publisher, 11, 20);
  await within(publisher.settled(20));
  assert.equal(events.messages(journal), []);
});

test('a tail is published up to the named turn and no further, and its joins are looked at', async () => {
  const events = memoryEvents();
  const log = journalOf(20, { sealed: true, joinsAt: 4 });
  const asked: (readonly Join[])[] = [];
  const look = async (names: readonly Join[]) => {
    holds(events, 1, 3);
    asked.push(names);
    return named;
  };
  assert.is(await within(publishTail({ ...rest, log, events, publishedN: 0, upTo: 10, before: look })), 10);
  holds(events, 1, 10);
  assert.equal(asked, [joins]);
  assert.equal(afters(events), [[5, named]], 'turn 4 has no events: the next message names what turn 4 waited for');
});

test('a tail begins again when the broker was away during a look', async () => {
  const events = memoryEvents();
  const log = journalOf(20, { sealed: true, joinsAt: 8 });
  let looks = 0;
  const look = async () => {
    looks++; // During the first one the broker comes back, perhaps without what was looked at.
    return [];
  };
  const tail = { ...rest, log, events, publishedN: 0, before: look, rechecks: () => Math.min(looks, 1) };
  await within(publishTail(tail));
  holds(events, 1, 20, true);
  assert.is(looks, 2);
});

test('a seal ends the event log after all events, once', async () => {
  const events = memoryEvents();
  const publisher = publisherOn(events, journalOf(10));
  offerAll(publisher, 1, 10);
  await within(publisher.seal());
  await within(publisher.seal());
  holds(events, 1, 10, true);
  assert.is(events.messages(journal).at(-1)?.n, 10);
});

test('a publisher whose event log was sealed by its successor stops, and all its events are out', async () => {
  const events = memoryEvents();
  const publisher = publisherOn(events, journalOf(20, { sealed: true }));
  offerAll(publisher, 1, 10);
  await within(publisher.settled(10));
  const tail = { ...rest, log: journalOf(20, { sealed: true }), events, publishedN: 5 };
  assert.is(await within(publishTail(tail)), 20);
  offerAll(publisher, 11, 20);
  await within(publisher.settled(20));
  holds(events, 1, 20, true);
});

test('a successor and a zombie publish the same tail: each event once', async () => {
  const events = memoryEvents();
  const log = journalOf(50, { sealed: true });
  const zombie = publisherOn(events, log);
  offerAll(zombie, 1, 50);
  const tail = { ...rest, log, events, publishedN: 0 };
  assert.equal(await within(Promise.all([publishTail(tail), publishTail(tail), zombie.settled(50)])), [
    50,
    50,
    undefined,
  ]);
  holds(events, 1, 50, true);
});

test('the tail goes on after the position in Postgres when retention has emptied the subject', async () => {
  const events = memoryEvents();
  const log = journalOf(30, { sealed: true });
  const later = { ...clock, now: () => clock.now() + limits.eventsAgeMs };
  await within(publishTail({ ...rest, log, events, clock: later, publishedN: 12 }));
  holds(events, 13, 30, true);
});

test('what is younger than the oldest message of EVENTS was lost, however long the broker was away', async () => {
  const HOUR = 3_600_000;
  // Turn n was made at n milliseconds.
  const later = { ...clock, now: () => HOUR };
  const log = journalOf(30, { sealed: true });
  const never = memoryEvents(Number.NEGATIVE_INFINITY);
  await within(publishTail({ ...rest, log, events: never, clock: later, publishedN: 12 }));
  holds(never, 1, 30, true);
  const since = memoryEvents(20 - 60_000);
  await within(publishTail({ ...rest, log, events: since, clock: later, publishedN: 25 }));
  holds(since, 20, 30, true);
});

test('turns whose time is ahead of the clock prove nothing: the tail goes on after what Postgres remembers', async () => {
  const events = memoryEvents();
  const log = journalOf(30, { sealed: true });
  const setBack = { ...clock, now: () => clock.now() - 24 * 3_600_000 };
  await within(publishTail({ ...rest, log, events, clock: setBack, publishedN: 12 }));
  holds(events, 13, 30, true);
});

test('the tail is published again from its start when the broker has lost turns of the last minutes', async () => {
  const events = memoryEvents();
  const log = journalOf(30, { sealed: true });
  await within(publishTail({ ...rest, log, events, publishedN: 12 }));
  holds(events, 1, 30, true);
});

test('the tail of a journal without a seal is refused', async () => {
  const tail = { ...rest, log: journalOf(5), events: memoryEvents(), publishedN: 0 };
  const error = await within(publishTail(tail).catch((e: unknown) => e));
  assert.match(String(error), /shows no seal/);
});

test('stop rejects waiting callers and ends the retries', async () => {
  const events: EventLog = {
    keptSinceMs: async () => Number.POSITIVE_INFINITY,
    last: async () => undefined,
    publish: async () => {
      throw new Error('the broker is away');
    },
  };
  const publisher = publisherOn(events, journalOf(5));
  offerAll(publisher, 1, 5);
  const waiting = publisher.settled(5).then(
    () => 'settled',
    (error: unknown) => String(error),
  );
  await within(publisher.stop());
  assert.match(await waiting, /was stopped at turn 0/);
});

test.run();
