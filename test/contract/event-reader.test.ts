/** The reader of EVENTS on a real broker that is killed, and whose stream is deleted, emptied and filled again. */
import { setTimeout as pause } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type JournalId, journalId } from '../../actors/ids.js';
import { type EventCursor, EventReader, type EventReaderParts } from '../../bus/events/event-reader.js';
import { jetstreamEvents } from '../../bus/events/jetstream-events.js';
import { connectNats, type Nats } from '../../bus/nats/nats.js';
import { systemClock } from '../../bus/system-clock.js';
import { patientMs, until } from '../deadlines.js';
import { realNats } from '../servers/real-servers.js';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const WITHIN_MS = 20_000;
const clock = systemClock();

interface Read {
  readonly reader: EventReader;
  readonly texts: string[];
  readonly gaps: string[];
  has(count: number): Promise<void>;
  stop(): Promise<EventCursor>;
}

const test = suite('event reader');
const server = await realNats();
if ('skipped' in server) console.log(`SKIP ${server.skipped}`);
else {
  const nats: Nats = await connectNats(server.url, { name: 'event reader test', log: quiet });
  let events = await jetstreamEvents(nats, { replicas: 1 });
  let journals = 0;
  const fresh = () => journalId(`R${++journals}`);

  /** What a publisher does, without a journal: all messages of one event log. */
  class Publisher {
    private n = 0;
    constructor(readonly journal: JournalId) {}
    /** Publishes these turns, also again after a loss. */
    async publish(from: number, to: number, more: object = {}): Promise<void> {
      for (this.n = from - 1; this.n < to; ) {
        const n = this.n + 1;
        const last = await events.last(this.journal).catch(() => undefined);
        const place = { previous: n - 1, ...(n === from && more) };
        const answer = await events
          .publish(this.journal, last?.position ?? 0, n, `["${this.journal} ${n}"]`, place)
          .catch(() => undefined);
        if (answer?.kind === 'appended') this.n = n;
        else if ((await events.last(this.journal).catch(() => undefined))?.n === n) this.n = n;
        else await pause(20).then(() => events.isNewStream().catch(() => false));
      }
    }
    turns = (from: number, to: number) =>
      Array.from({ length: to - from + 1 }, (_, i) => `["${this.journal} ${from + i}"]`);
  }

  function read(from: EventReaderParts['from'], onGap?: (sentence: string) => void): Read {
    const ended = new AbortController();
    const gaps: string[] = [];
    const reader = new EventReader({
      ...{ nats, from, clock, logger: quiet, marginMs: 300_000, signal: ended.signal },
      onGap: onGap ?? ((sentence) => void gaps.push(sentence)),
    });
    const texts: string[] = [];
    const done = (async () => {
      for await (const page of reader.pages()) texts.push(...page.map(({ text }) => text));
    })();
    return {
      ...{ reader, texts, gaps },
      async has(count) {
        if (!(await until(() => texts.length >= count, WITHIN_MS, 5))) {
          throw new Error(`${texts.length} of ${count} messages within ${patientMs(WITHIN_MS)} ms`);
        }
      },
      async stop() {
        ended.abort();
        await done;
        return reader.cursor;
      },
    };
  }

  async function failureOf(reader: EventReader): Promise<string> {
    try {
      for await (const page of reader.pages()) return `a page of ${page.length}`;
      return 'it ended';
    } catch (error) {
      return String(error);
    }
  }

  test.before.each(async () => {
    await nats.api('STREAM.DELETE.EVENTS').catch(() => {});
    events = await jetstreamEvents(nats, { replicas: 1 });
  });
  test.after(async () => {
    await nats.close();
    await server.stop();
  });

  test('all that is there, then what comes; a cursor goes on where it stood', async () => {
    const one = new Publisher(fresh());
    await one.publish(1, 700);
    const first = read('start');
    await first.has(700);
    await one.publish(701, 703);
    await first.has(703);
    assert.equal(first.texts, one.turns(1, 703));
    assert.is(first.reader.lag.messages, 0);
    const cursor = JSON.parse(JSON.stringify(await first.stop()));
    await one.publish(704, 706);
    const second = read(cursor);
    await second.has(3);
    assert.equal(second.texts, one.turns(704, 706));
    assert.equal([first.gaps, second.gaps], [[], []]);
    await second.stop();
  });

  test('large messages, more than one request may have together, are read on and not again and again', async () => {
    const journal = fresh();
    const batch = JSON.stringify([`${journal} ${'x'.repeat(700_000)}`]);
    for (let n = 1; n <= 30; n++) {
      const last = await events.last(journal);
      await events.publish(journal, last?.position ?? 0, n, batch, { previous: n - 1 });
    }
    const one = read('start');
    await one.has(30);
    assert.is(one.texts.length, 30);
    await one.stop();
  });

  test('a reader of new messages is not told the old ones', async () => {
    const one = new Publisher(fresh());
    await one.publish(1, 5);
    const reader = read('new');
    assert.ok(await until(() => reader.reader.cursor.created !== '', WITHIN_MS, 5));
    await one.publish(6, 8);
    await reader.has(3);
    assert.equal(reader.texts, one.turns(6, 8));
    await reader.stop();
  });

  test('a reading from a moment on never tells what was stored before, also after its next start', async () => {
    const [old, one] = [new Publisher(fresh()), new Publisher(fresh())];
    await old.publish(1, 5);
    await pause(5);
    const sinceMs = Date.now();
    await one.publish(1, 5);
    const first = read({ sinceMs });
    await first.has(5);
    const again = read(JSON.parse(JSON.stringify(await first.stop())));
    await one.publish(6, 9);
    await again.has(4);
    const third = read(JSON.parse(JSON.stringify(await again.stop())));
    await one.publish(10, 10);
    await third.has(1);
    await third.stop();
    assert.equal([...first.texts, ...again.texts, ...third.texts], one.turns(1, 10));
  });

  test('a message comes within milliseconds, not with the end of a request', async () => {
    const one = new Publisher(fresh());
    await one.publish(1, 1);
    const reader = read('start');
    await reader.has(1);
    for (let n = 2; n <= 6; n++) {
      const since = performance.now();
      await one.publish(n, n);
      await reader.has(n);
      assert.ok(performance.now() - since < patientMs(1_000), `${performance.now() - since} ms`);
    }
    await reader.stop();
  });

  test('the broker is killed in the middle: each message once, in order', async () => {
    const one = new Publisher(fresh());
    const reader = read('start');
    await one.publish(1, 50);
    await reader.has(20);
    process.kill(server.pid(), 'SIGKILL');
    await one.publish(51, 120);
    // Whatever the broker forgot of the first ones is published again, as a publisher does after each reconnect.
    const last = (await events.last(one.journal))?.n ?? 0;
    assert.ok(last >= 120);
    await reader.has(120);
    assert.equal(reader.texts, one.turns(1, 120));
    await reader.stop();
  });

  test('the stream is deleted and filled again: what was read is not told again', async () => {
    const one = new Publisher(fresh());
    const reader = read('start');
    await one.publish(1, 30);
    await reader.has(30);
    await nats.api('STREAM.DELETE.EVENTS');
    assert.is(await events.isNewStream(), true);
    await one.publish(1, 40);
    await reader.has(40);
    assert.equal(reader.texts, one.turns(1, 40));
    assert.equal(reader.gaps, []);
    await reader.stop();
  });

  test('a stream that was rolled back to an older copy and has grown again', async () => {
    const one = new Publisher(fresh());
    const two = new Publisher(fresh());
    const reader = read('start');
    await one.publish(1, 10);
    await two.publish(1, 10);
    await reader.has(20);
    const cursor = await reader.stop();
    // The same sequences hold other messages now.
    await nats.api('STREAM.DELETE.EVENTS');
    await events.isNewStream();
    await two.publish(1, 12);
    await one.publish(1, 12);
    const created = (await nats.api<{ created: string }>('STREAM.INFO.EVENTS')).created;
    const again = read({ ...cursor, created });
    await again.has(4);
    assert.equal(again.texts, [...two.turns(11, 12), ...one.turns(11, 12)]);
    await again.stop();
  });

  test('what retention has removed unread is told, and may end the reading', async () => {
    const one = new Publisher(fresh());
    await one.publish(1, 5);
    const reader = read('start');
    await reader.has(5);
    const cursor = await reader.stop();
    await one.publish(6, 9);
    const { state } = await nats.api<{ state: { last_seq: number } }>('STREAM.INFO.EVENTS');
    await nats.api('STREAM.PURGE.EVENTS', { seq: state.last_seq });
    const lenient = read(cursor);
    await lenient.has(1);
    assert.equal(lenient.texts, one.turns(9, 9));
    assert.match(
      lenient.gaps.join(' | '),
      /^EVENTS has removed messages that nobody had read[^|]*: those from 6 to 8\.$/,
    );
    const kept = await lenient.stop();
    await one.publish(10, 10);
    const later = read(kept);
    await later.has(1);
    assert.equal(later.gaps, [], 'a loss is told once');
    await later.stop();
    const strict = new EventReader({
      ...{ nats, from: cursor, clock, logger: quiet, marginMs: 1_000, signal: new AbortController().signal },
      onGap: (sentence) => {
        throw new Error(sentence);
      },
    });
    assert.match(await failureOf(strict), /removed messages that nobody had read/);
  });

  test('a message waits for what it names in other journals', async () => {
    const [one, two] = [new Publisher(fresh()), new Publisher(fresh())];
    const reader = read('start');
    await one.publish(1, 2);
    await two.publish(1, 2, { after: [[one.journal, 4]] });
    await one.publish(3, 4);
    await reader.has(6);
    assert.equal(reader.texts, [...one.turns(1, 4), ...two.turns(1, 2)]);
    await reader.stop();
  });

  test('what retention has removed is not waited for, also after the next start', async () => {
    const [one, two] = [new Publisher(fresh()), new Publisher(fresh())];
    await one.publish(1, 7);
    const first = read('start');
    await first.has(7);
    const cursor = await first.stop();
    await one.publish(8, 9);
    await nats.api('STREAM.PURGE.EVENTS');
    await two.publish(1, 2, { after: [[one.journal, 9]] });
    const second = read(cursor);
    await second.has(2);
    assert.equal([second.texts, second.gaps.length], [two.turns(1, 2), 1]);
    assert.is(second.reader.losses, 1);
    const kept = JSON.parse(JSON.stringify(await second.stop()));
    assert.equal(kept.unsure, [one.journal]);
    const third = new Publisher(fresh());
    await third.publish(1, 2, { after: [[one.journal, 9]] });
    const next = read(kept);
    await next.has(2);
    assert.equal([next.texts, next.gaps], [third.turns(1, 2), []]);
    await next.stop();
  });

  test('retention overtakes a reading: it is told once', async () => {
    const one = new Publisher(fresh());
    await one.publish(1, 700);
    const ended = new AbortController();
    const gaps: string[] = [];
    const reader = new EventReader({
      ...{ nats, from: 'start', clock, logger: quiet, marginMs: 300_000, signal: ended.signal },
      onGap: (sentence) => void gaps.push(sentence),
    });
    const turns: number[] = [];
    for await (const page of reader.pages()) {
      // The broker has not been asked for the last 200 yet.
      if (turns.length === 0) await nats.api('STREAM.PURGE.EVENTS', { seq: 691 });
      turns.push(...page.map(({ turn }) => turn));
      if (turns.at(-1) === 700) ended.abort();
    }
    assert.equal(turns.slice(-10), [691, 692, 693, 694, 695, 696, 697, 698, 699, 700]);
    const read = turns.length - 10;
    assert.ok(read <= 500);
    assert.equal(gaps, [`EVENTS has removed messages that nobody had read here: those from ${read + 1} to 690.`]);
  });

  test('what waits counts as lag', async () => {
    const [one, two] = [new Publisher(fresh()), new Publisher(fresh())];
    const reader = read('start');
    await one.publish(1, 1);
    await reader.has(1);
    const since = clock.now();
    await two.publish(1, 2, { after: [[one.journal, 2]] });
    assert.ok(await until(() => reader.reader.lag.messages === 2, WITHIN_MS, 5));
    assert.ok(await until(() => reader.reader.lag.ms >= 20, WITHIN_MS, 5));
    assert.ok(reader.reader.cursor.time <= clock.now() && reader.reader.cursor.time >= since - 1_000);
    await one.publish(2, 2);
    await reader.has(4);
    assert.equal(reader.reader.lag, { messages: 0, ms: 0 });
    await reader.stop();
  });

  test('what no Holdfast wrote ends the reading, with a sentence', async () => {
    await nats.publish('events.x', 'hello', 'any');
    const { signal } = new AbortController();
    const parts = { nats, from: 'start' as const, clock, logger: quiet, marginMs: 1_000, signal, onGap: () => {} };
    assert.match(
      await failureOf(new EventReader(parts)),
      /message 1 of EVENTS \(events\.x\) was not published by Holdfast/,
    );
  });
}

test.run();
