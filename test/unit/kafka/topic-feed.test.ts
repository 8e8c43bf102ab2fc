/** The feed on topics in memory: each event once and in order, whatever dies; and when it stops and asks. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId } from '../../../actors/ids.js';
import type { Clock } from '../../../actors/ports/runtime.js';
import type { EventCursor, EventMessage } from '../../../bus/events/event-reader.js';
import { TurnsRead } from '../../../bus/events/turns-read.js';
import type { EventSource } from '../../../bus/kafka/event-source.js';
import { MemoryCluster, memoryTopics, type WriteFault } from '../../../bus/kafka/memory-topics.js';
import { cursorRecord, NeedsReplay, TopicFeed } from '../../../bus/kafka/topic-feed.js';
import { until } from '../../deadlines.js';

const test = suite('kafka: feed');

// ---------------------------------------------------------------- the rig

/** So many times quicker than the product's. */
const HURRY = 100;
const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs / HURRY);
    return () => clearTimeout(timer);
  },
  soon: (run) => void setImmediate(run),
  id: () => '0',
  random: () => 0.5,
};
const logger = { debug() {}, info() {}, warn() {}, error() {} };
const CURSORS = { name: 'cursors', partitions: 1, compacted: true };

/** EVENTS as a list. A reading finds messages again from some before its place, as that of a broker does. */
class Stream implements EventSource {
  messages: EventMessage[] = [];
  created = 'first';
  firstSeq = 1;

  /** @param from the turn before which retention has removed all */
  fill(journals: readonly string[], turns: number, from = 1): void {
    this.messages = [];
    const previous = new Map<string, number>();
    for (let n = 1; n <= turns; n++) {
      for (const name of journals) {
        if (n % 3 === 0) continue; // Turns without events leave holes.
        const before = previous.get(name) ?? 0;
        previous.set(name, n);
        if (n < from) continue;
        const sequence = this.firstSeq + this.messages.length;
        this.messages.push({
          ...{ sequence, journal: journalId(name), turn: n, previous: before, after: [], isSeal: false },
          ...{ storedMs: sequence, text: `${name}:${n}` },
        });
      }
    }
  }

  open({ from, onGap, signal }: Parameters<EventSource['open']>[0]) {
    const known = typeof from === 'object' && 'journals' in from ? from : { journals: {}, ended: {} };
    const turns = new TurnsRead<EventMessage>(known, ({ known: had, missing }) => onGap(`gap ${had} ${missing}`));
    const stream = this;
    let at = 0;
    return {
      async *pages(): AsyncGenerator<readonly EventMessage[], void> {
        while (!signal.aborted) {
          const page = stream.messages.slice(at, at + 7);
          at += page.length;
          const found = page.flatMap((each) => turns.take(each));
          if (found.length > 0) yield found;
          else await new Promise((resolve) => setImmediate(resolve));
        }
      },
      get cursor(): EventCursor {
        return { created: stream.created, seq: at, time: at, ...turns.read };
      },
      get lag() {
        return { messages: stream.messages.length - at, ms: 0 };
      },
    };
  }

  async after() {
    return { messages: this.messages.length, oldestMs: undefined };
  }
}

interface Rig {
  readonly stream: Stream;
  readonly cluster: MemoryCluster;
  feed(fault?: () => WriteFault): TopicFeed;
  order(replay: 'start' | number): Promise<void>;
}

function rig(): Rig {
  const [stream, cluster] = [new Stream(), new MemoryCluster()];
  return {
    stream,
    cluster,
    feed: (fault) =>
      new TopicFeed({
        ...{
          name: 'test',
          id: 'feed-1',
          topics: async () => memoryTopics(cluster, fault),
          source: stream,
          cursorTopic: CURSORS,
        },
        targets: [{ name: 'out', partitions: 3, compacted: false }],
        translator: () => async (messages) =>
          messages.map(({ journal, text }) => ({
            topic: 'out',
            key: journal,
            value: text,
            headers: [],
            timestampMs: 0,
          })),
        ...{ gatherMs: 1, clock, logger },
      }),
    async order(replay) {
      const writer = await memoryTopics(cluster).open('feed-1');
      await writer.write([cursorRecord(CURSORS.name, 'feed-1', { replay }, 0)]);
    },
  };
}

const told = ({ cluster }: Rig): string[] => (cluster.topics.get('out') ?? []).map(({ value }) => value);
const wanted = ({ stream }: Rig): string[] => stream.messages.map(({ text }) => text);
const sorted = (texts: readonly string[]) => [...texts].sort();

/** Each once, and in order by journal. */
function assertTold(of: Rig, note = ''): void {
  assert.equal(sorted(told(of)), sorted(wanted(of)), note);
  const last = new Map<string, number>();
  for (const text of told(of)) {
    const [journal = '', n] = text.split(':');
    assert.ok((last.get(journal) ?? 0) < Number(n), `${text} out of order ${note}`);
    last.set(journal, Number(n));
  }
}

/** Runs it until everything is told. @returns how it ended */
async function runOnce(of: Rig): Promise<unknown> {
  const over = new AbortController();
  const count = wanted(of).length;
  const running = of
    .feed()
    .run(over.signal)
    .then(
      () => 'stopped',
      (error: unknown) => error,
    );
  const ended = await Promise.race([running, until(() => told(of).length >= count, 5_000, 1)]);
  over.abort();
  await running;
  return ended;
}

/** @returns why the feed ends by itself; undefined if it does not */
async function endOf(feed: TopicFeed): Promise<Error | undefined> {
  const over = new AbortController();
  let why: Error | undefined;
  const running = feed.run(over.signal).catch((error: Error) => {
    why = error;
  });
  await until(() => why !== undefined, 5_000, 1);
  over.abort();
  await running;
  return why;
}

// ---------------------------------------------------------------- the tests

test('it tells everything once, and goes on where it was', async () => {
  const one = rig();
  one.stream.fill(['A', 'B'], 50);
  assert.is(await runOnce(one), true);
  assertTold(one);
  one.stream.fill(['A', 'B', 'C'], 90);
  assert.is(await runOnce(one), true);
  assertTold(one);
});

test('deleted and filled again, or rolled back, EVENTS is told no message twice', async () => {
  const one = rig();
  one.stream.fill(['A', 'B'], 50);
  await runOnce(one);
  one.stream.created = 'second';
  one.stream.firstSeq = 500;
  one.stream.fill(['A', 'B'], 70);
  assert.is(await runOnce(one), true);
  assertTold(one);
  one.stream.messages = one.stream.messages.slice(0, 10);
  await runOnce(one);
  one.stream.fill(['A', 'B'], 80);
  assert.is(await runOnce(one), true);
  assertTold(one);
});

test('writes that fail or are never answered, feeds that die, and two at once: each event once and in order', async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const one = rig();
    let random = seed;
    const draw = (): number => {
      random = (random * 48_271) % 2_147_483_647;
      return random / 2_147_483_647;
    };
    const fault = (): WriteFault => (draw() < 0.15 ? 'lost' : draw() < 0.15 ? 'unanswered' : undefined);
    one.stream.fill(['A', 'B', 'C'], 20);
    let growing = 20;
    const over = new AbortController();
    const endless = async () => {
      const feed = one.feed(fault);
      while (!over.signal.aborted) {
        const mine = new AbortController();
        const dies = draw() < 0.3 ? setTimeout(() => mine.abort(), draw() * 5) : undefined;
        await feed.run(AbortSignal.any([over.signal, mine.signal])).catch((error: Error) => {
          if (error instanceof NeedsReplay) throw error;
        });
        clearTimeout(dies);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const feeds = [endless(), endless()];
    const isDone = () => {
      if (growing < 60) one.stream.fill(['A', 'B', 'C'], ++growing);
      return growing >= 60 && told(one).length >= wanted(one).length;
    };
    const done = await until(isDone, 10_000, 1);
    over.abort();
    await Promise.all(feeds);
    assert.ok(done, `seed ${seed}: ${told(one).length} of ${wanted(one).length}`);
    assertTold(one, `seed ${seed}`);
  }
});

test('what EVENTS has lost unread stops it, until someone says what is to be sent', async () => {
  const one = rig();
  one.stream.fill(['A'], 20);
  await runOnce(one);
  one.stream.fill(['A'], 60, 40);
  const before = told(one);
  const why = await endOf(one.feed());
  assert.instance(why, NeedsReplay);
  assert.match(why?.message ?? '', /gap 20 38.*holdfast feed replay --from/);
  assert.equal(told(one), before);
  await one.order('start');
  const over = new AbortController();
  const running = one.feed().run(over.signal);
  await until(() => told(one).length >= before.length + wanted(one).length, 5_000, 1);
  over.abort();
  await running;
  assert.equal(told(one), [...before, ...wanted(one)]);
});

test('topics with records and no cursor are not filled again', async () => {
  const one = rig();
  one.stream.fill(['A'], 20);
  await runOnce(one);
  one.cluster.topics.delete(CURSORS.name);
  assert.match((await endOf(one.feed()))?.message ?? '', /out have records.*holdfast feed replay/);
});

test('a topic that was made anew is not taken for full', async () => {
  const one = rig();
  one.stream.fill(['A'], 20);
  await runOnce(one);
  one.cluster.topics.delete('out');
  assert.match((await endOf(one.feed()))?.message ?? '', /out had records of this system.*holdfast feed replay/);
});

test('a feed that was superseded writes nothing, and says so', async () => {
  const one = rig();
  one.stream.fill(['A'], 20);
  const over = new AbortController();
  const first = one.feed();
  const running = first.run(over.signal).catch((error: Error) => error);
  assert.ok(await until(() => told(one).length === wanted(one).length, 5_000, 1));
  await memoryTopics(one.cluster).open('feed-1');
  one.stream.fill(['A'], 30);
  assert.match(String(await running), /another feed of this system/);
  assert.ok(first.lag.messages > 0);
});

test('an order to begin again is followed by a feed that has nothing to tell', async () => {
  const one = rig();
  one.stream.fill(['A'], 20);
  const over = new AbortController();
  const running = one
    .feed()
    .run(over.signal)
    .catch((error: Error) => error);
  assert.ok(await until(() => told(one).length === wanted(one).length, 5_000, 1));
  await one.order('start');
  assert.match(String(await running), /another feed of this system/);
});

test.run();
