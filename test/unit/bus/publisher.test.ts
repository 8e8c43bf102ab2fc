/** Public events: each once and in order, though the broker loses, refuses or never answers. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId, orderId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import { eventBatch } from '../../../actors/node/cloud-events.js';
import { encodeSeal, encodeTurn, journalLog, packCascade, packEvent } from '../../../actors/node/record.js';
import type { EventLog } from '../../../actors/ports/events.js';
import type { Log } from '../../../actors/ports/log.js';
import type { Clock, Logger } from '../../../actors/ports/runtime.js';
import { type MemoryEvents, memoryEvents } from '../../../bus/events/memory-events.js';
import { publishTail } from '../../../bus/events/published-turns.js';
import { eventPublisher } from '../../../bus/events/publisher.js';
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
function journalOf(turns: number, { sealed = false, from = 1 } = {}): Log & { reads: number; entries: number } {
  const all: { position: number; record: string }[] = [];
  for (let n = from; n <= turns; n++) {
    const events = isEmpty(n) ? [] : [packEvent('order', idOf(n), 1, '{"type":"confirmed"}')];
    const cascades = events.length === 0 ? [] : [packCascade('c', events)];
    const turn = { id: `r${n}`, journal, n, at: n, parts: {}, letters: [] };
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
    async trim() {},
  };
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
}

const publisherOn = (events: EventLog, log: Log) =>
  eventPublisher({ journal, events, log, source, clock, logger, startAfter: { n: 0, position: 0 } });

function offerAll(publisher: ReturnType<typeof publisherOn>, from: number, to: number): void {
  for (let n = from; n <= to; n++) publisher.offer(n, n * 10, isEmpty(n) ? '' : batchOf(n));
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
    startAfter: { n: 0, position: 0 },
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
  const tail = { log: journalOf(20, { sealed: true }), journal, source, events, clock, logger, publishedN: 5 };
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
  const tail = { log, journal, source, events, clock, logger, publishedN: 0 };
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
  await within(publishTail({ log, journal, source, events, clock: later, logger, publishedN: 12 }));
  holds(events, 13, 30, true);
});

test('turns whose time is ahead of the clock prove nothing: the tail goes on after what Postgres remembers', async () => {
  const events = memoryEvents();
  const log = journalOf(30, { sealed: true });
  const setBack = { ...clock, now: () => clock.now() - 24 * 3_600_000 };
  await within(publishTail({ log, journal, source, events, clock: setBack, logger, publishedN: 12 }));
  holds(events, 13, 30, true);
});

test('the tail is published again from its start when the broker has lost turns of the last minutes', async () => {
  const events = memoryEvents();
  const log = journalOf(30, { sealed: true });
  await within(publishTail({ log, journal, source, events, clock, logger, publishedN: 12 }));
  holds(events, 1, 30, true);
});

test('the tail of a journal without a seal is refused', async () => {
  const tail = { log: journalOf(5), journal, source, events: memoryEvents(), clock, logger, publishedN: 0 };
  const error = await within(publishTail(tail).catch((e: unknown) => e));
  assert.match(String(error), /shows no seal/);
});

test('stop rejects waiting callers and ends the retries', async () => {
  const events: EventLog = {
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
