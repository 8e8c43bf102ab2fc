/** Listeners that are told the past: whoever leaves, and whatever the broker does meanwhile, ends nobody else's turn. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import type { Listener, Listening } from '../../../actors/ports/live-events.js';
import { LiveHub } from '../../../bus/live/live-hub.js';
import type { LiveSource } from '../../../bus/live/live-source.js';
import { type MemorySource, memorySource } from '../../../bus/live/memory-source.js';
import { ParseTurns } from '../../../bus/live/parse-turns.js';
import { systemClock } from '../../../bus/system-clock.js';
import { until } from '../../deadlines.js';

const TOLD_MS = 10_000;
const OLD_PLACE = '1.1.1';
const JOURNAL = journalId('PAST');
const clock = systemClock();
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const nothing: Listener = { event: () => true, gap: () => true, ended: () => {} };

interface Context {
  memory: MemorySource;
  hub: LiveHub;
  unhandled: unknown[];
}

const test = suite<Context>('live events: the past');
let note = (_: unknown) => {};

test.before.each((context) => {
  context.memory = memorySource(() => Date.now());
  context.memory.publish(JOURNAL, 1, eventOf('a'));
  context.unhandled = [];
  note = (reason) => void context.unhandled.push(reason);
  process.on('unhandledRejection', note);
});
test.after.each(async ({ hub }) => {
  hub.stop();
  await new Promise((resolve) => setTimeout(resolve, 20)); // Rejections that nobody handles are told by then.
  process.off('unhandledRejection', note);
});

const eventOf = (order: string, notes = ''): string =>
  `[{"id":"order/${order}/1","type":"order.placed.v1","subject":"${order}","data":{"notes":"${notes}"}}]`;

/** The first reading is the hub's own. Those that follow are of listeners. */
function hubOver(memory: MemorySource, past: LiveSource['read'], part?: { bytes: number; ms: number }): LiveHub {
  let isFirst = true;
  const source: LiveSource = {
    end: () => memory.end(),
    read: (...asked) => {
      if (!isFirst) return past(...asked);
      isFirst = false;
      return memory.read(...asked);
    },
  };
  return new LiveHub({ source, clock, logger: silent, ringBytes: 1, ...(part && { part }) });
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

test('a client that leaves while it waits gets no turn, and the next one does', async (context) => {
  let readings = 0;
  context.hub = hubOver(context.memory, async function* (_, signal) {
    readings++;
    await aborted(signal);
    yield* [];
    throw new Error('the broker is away');
  });
  const listen = (): Listening => context.hub.listen({}, OLD_PLACE, nothing);
  const told = Array.from({ length: limits.liveBacklogs }, listen);
  assert.ok(await until(() => readings === limits.liveBacklogs, TOLD_MS, 5));
  const leaves = listen();
  await new Promise((resolve) => setTimeout(resolve, 20));
  listen();
  assert.is(readings, limits.liveBacklogs);
  leaves.stop();
  told[0]?.stop();
  assert.ok(await until(() => readings === limits.liveBacklogs + 1, TOLD_MS, 5), 'the next one gets no turn');
  told[1]?.stop();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal([readings, context.unhandled], [limits.liveBacklogs + 1, []]);
});

test('a reading that fails when its listener has gone on elsewhere harms nobody', async (context) => {
  const { memory } = context;
  let failed = false;
  context.hub = hubOver(memory, async function* (_, signal) {
    const end = await memory.end();
    yield { messages: memory.messages, created: end.place.created, ended: {} };
    await aborted(signal);
    failed = true;
    throw new Error('the broker is away');
  });
  const told: string[] = [];
  context.hub.listen({}, OLD_PLACE, { ...nothing, event: ({ text }) => told.push(text) > 0 });
  assert.ok(await until(() => told.length === 1 && failed, TOLD_MS, 5));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal([context.hub.listeners, context.unhandled], [1, []]);
});

/** Where a listener that matches nothing is when it is ended; undefined when it goes on with what comes. */
async function endOf(hub: LiveHub, place: string): Promise<string | undefined> {
  let ended: Parameters<Listener['ended']> | undefined;
  const listening = hub.listen({ product: 'none' }, place, {
    ...nothing,
    ended: (...end) => {
      ended = end;
    },
  });
  assert.ok(await until(() => ended !== undefined || hub.listeners === 1, TOLD_MS, 2));
  if (ended === undefined) listening.stop();
  else assert.is(ended[0], 'interrupted');
  return ended?.[1];
}

test('whoever begins in 1969 is told a part, also of what does not match, and goes on from there', async (context) => {
  const { memory } = context;
  const notes = 'x'.repeat(1_000);
  for (let turn = 2; turn <= 40; turn++) memory.publish(JOURNAL, turn, eventOf(`o${turn}`, notes));
  let readings = 0;
  const read: LiveSource['read'] = (...asked) => {
    readings++;
    return memory.read(...asked);
  };
  context.hub = hubOver(memory, read, { bytes: 10_000, ms: TOLD_MS });
  const places: string[] = [];
  for (let at: string | undefined = OLD_PLACE; at !== undefined; at = await endOf(context.hub, at)) places.push(at);
  assert.equal([places.length, new Set(places).size, readings], [4, 4, 4], places.join(' '));
  const rest: string[] = [];
  const event: Listener['event'] = ({ text }) => rest.push((JSON.parse(text) as { subject: string }).subject) > 0;
  context.hub.listen({}, places[3] ?? '', { ...nothing, event });
  assert.ok(await until(() => rest.at(-1) === 'o40', TOLD_MS, 2));
  assert.equal([rest[0], rest.length], ['o32', 9]);
});

test('a turn without a page ends in time, and so does one whose client takes little', async (context) => {
  const { memory } = context;
  memory.publish(JOURNAL, 2, eventOf('b'));
  const silence: LiveSource['read'] = async function* (_, signal) {
    await aborted(signal);
    yield* [];
  };
  context.hub = hubOver(memory, silence, { bytes: 1_000, ms: 50 });
  assert.is(await endOf(context.hub, OLD_PLACE), OLD_PLACE);
  context.hub.stop();
  memory.publish(JOURNAL, 3, `[${eventOf('c').slice(1, -1)},${eventOf('d').slice(1, -1)}]`);
  context.hub = hubOver(memory, (...asked) => memory.read(...asked), { bytes: 100_000, ms: 50 });
  let [last, end] = ['', ''];
  const listening = context.hub.listen({ order: 'c' }, OLD_PLACE, {
    ...nothing,
    event: ({ id }) => {
      last = id;
      return false;
    },
    ended: (_, place = '') => {
      end = place;
    },
  });
  assert.ok(await until(() => last !== '', TOLD_MS, 2));
  await new Promise((resolve) => setTimeout(resolve, 60));
  listening.goOn();
  assert.ok(await until(() => end !== '', TOLD_MS, 2));
  assert.is(end, last, 'the event d was not told');
});

test('one caller has one turn at a time, and others do not wait for it', async (context) => {
  const readings: AbortSignal[] = [];
  context.hub = hubOver(context.memory, async function* (_, signal) {
    readings.push(signal);
    await aborted(signal);
    yield* [];
  });
  const listen = (caller?: string): Listening => context.hub.listen({}, OLD_PLACE, nothing, caller);
  const greedy = Array.from({ length: 2 * limits.liveBacklogs }, () => listen('key:greedy'));
  for (let i = 2; i < limits.liveBacklogs; i++) listen(`key:${i}`);
  listen();
  assert.ok(await until(() => readings.length === limits.liveBacklogs, TOLD_MS, 2), `${readings.length} readings`);
  greedy[0]?.stop();
  assert.ok(await until(() => readings.length === limits.liveBacklogs + 1, TOLD_MS, 2), 'the same caller again');
  assert.is(readings.filter((signal) => !signal.aborted).length, limits.liveBacklogs);
});

test('between two slices of parsing other work has its turn, and two that parse take turns', async () => {
  let now = 0;
  const turns = new ParseTurns({ monotonic: () => now });
  let [ticks, isOver] = [0, false];
  const tick = () => {
    ticks++;
    if (!isOver) setImmediate(tick);
  };
  setImmediate(tick);
  const order: string[] = [];
  const parse = async (name: string) => {
    const who = {};
    for (let message = 0; message < 4; message++) {
      await turns.turn(who);
      order.push(name);
      now += limits.liveParseMs / 2;
    }
  };
  await Promise.all([parse('a'), parse('b')]);
  isOver = true;
  assert.is(order.join(''), 'aabbaabb');
  assert.ok(ticks >= 3, `${ticks} ticks`);
});

test.run();
