/** FEED, filled from EVENTS on a real broker, the newest and the oldest supported: each event once and in order, whatever happens. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId } from '../../actors/ids.js';
import { jetstreamEvents } from '../../bus/events/jetstream-events.js';
import { feedStream } from '../../bus/feed-stream/feed-filler.js';
import { connectNats, type Nats } from '../../bus/nats/nats.js';
import { streamInfo } from '../../bus/nats/streams.js';
import { systemClock } from '../../bus/system-clock.js';
import { until } from '../deadlines.js';
import { realNats } from '../servers/real-servers.js';
import { feedMessages, headerIn, idOf, whyWrong } from './rig/feed-reading.js';
import { WrittenEvents } from './rig/written-events.js';

const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const WITHIN_MS = 20_000;

function everyBroker(version: string, nats: Nats): void {
  const test = suite(`feed: ${version}`);
  const stops: (() => Promise<void>)[] = [];
  const clock = systemClock();

  /** @returns a function that stops it, as a kill does: nothing is written at the end */
  const fill = (kinds: 'orders' | 'all' = 'all') => {
    const over = new AbortController();
    const size = { replicas: 1, bytes: undefined, ageMs: undefined, newMs: 200 };
    const feed = feedStream({ nats, kinds, clock, logger: log, ...size });
    const run = feed.run(over.signal);
    const stop = async () => {
      over.abort();
      await run;
    };
    stops.push(stop);
    return { stop, feed };
  };
  const isRight = async (written: WrittenEvents, kinds = /./) => {
    const expected = written.expected.filter(({ type }) => kinds.test(type));
    let why: string | undefined = '';
    const look = async () => {
      const messages = await feedMessages(nats);
      why = whyWrong(messages.map(idOf), expected);
      return why === undefined;
    };
    await until(look, WITHIN_MS, 100);
    assert.is(why, undefined);
  };

  test.before.each(async () => {
    for (const stream of ['EVENTS', 'FEED']) await nats.api(`STREAM.DELETE.${stream}`).catch(() => {});
    await jetstreamEvents(nats, { replicas: 1 });
  });
  test.after.each(async () => {
    await Promise.all(stops.splice(0).map((stop) => stop()));
  });

  test('an event is a CloudEvent in binary mode, under the subject of its type', async () => {
    const written = new WrittenEvents(nats);
    await written.write(1);
    fill();
    await isRight(written);
    const messages = await feedMessages(nats);
    const product = messages.find(({ subject }) => subject === 'feed.inventory.held');
    const order = messages.find(({ subject }) => subject === 'feed.order.confirmed');
    if (product === undefined || order === undefined) return assert.unreachable('both are there');
    assert.equal(JSON.parse(order.text), { order_id: 'ORD-W1', at: 4 });
    const named = (name: string) => headerIn(order, name);
    assert.is(named('ce-id'), 'order/ORD-W1/4');
    assert.is(named('Nats-Msg-Id'), 'order/ORD-W1/4');
    assert.equal([named('ce-specversion'), named('ce-type')], ['1.0', 'order.confirmed.v1']);
    assert.equal([named('ce-source'), named('ce-subject')], ['/test', 'ORD-W1']);
    assert.equal([named('ce-time'), named('Content-Type')], ['2026-11-29T18:00:00.000Z', 'application/json']);
    assert.is(headerIn(product, 'ce-subject'), 'PROD%20W%C3%BC1');
  });

  test('FEED=orders has the events of orders alone', async () => {
    const written = new WrittenEvents(nats);
    await written.write(6);
    fill('orders');
    await isRight(written, /^order\./);
  });

  test('a filler that begins again goes on where FEED ends, also in the middle of a turn', async () => {
    const written = new WrittenEvents(nats);
    await written.write(12);
    await fill().stop();
    await until(async () => (await feedMessages(nats)).length >= 0, 1_000);
    const first = fill();
    await isRight(written);
    await first.stop();
    // What a kill leaves: the end of FEED is in the middle of a turn.
    const info = await streamInfo(nats, 'FEED');
    const last = info?.state.last_seq ?? 0;
    for (const seq of [last, last - 1, last - 2]) {
      await nats.api('STREAM.MSG.DELETE.FEED', { seq, no_erase: true }).catch(() => {});
    }
    await written.write(7);
    fill();
    await isRight(written);
  });

  test('two fillers at once tell each event once', async () => {
    const written = new WrittenEvents(nats);
    fill();
    fill();
    await written.write(60);
    await isRight(written);
  });

  test('a FEED that was deleted is filled again', async () => {
    const written = new WrittenEvents(nats);
    await written.write(10);
    fill();
    await isRight(written);
    await nats.api('STREAM.DELETE.FEED');
    await isRight(written);
    await written.write(5);
    await isRight(written);
  });

  test('a FEED that was purged goes on behind what was purged, also in another process', async () => {
    const written = new WrittenEvents(nats);
    await written.write(10);
    const first = fill();
    await isRight(written);
    const before = (await streamInfo(nats, 'FEED'))?.state.last_seq ?? 0;
    await nats.api('STREAM.PURGE.FEED');
    const hasKept = async () => ((await streamInfo(nats, 'FEED'))?.state.last_seq ?? 0) > before;
    assert.ok(await until(hasKept, WITHIN_MS), 'the filler noted where it is');
    await first.stop();
    const later = new WrittenEvents(nats, 'L');
    await later.write(5);
    fill();
    await isRight(later);
  });

  test('what retention has removed is not waited for, also in another process', async () => {
    const written = new WrittenEvents(nats);
    await written.write(4);
    const first = fill();
    await isRight(written);
    await first.stop();
    const lost = new WrittenEvents(nats, 'L');
    await lost.write(1);
    await nats.api('STREAM.PURGE.EVENTS');
    const events = await jetstreamEvents(nats, { replicas: 1 });
    for (const name of ['X', 'Y']) {
      const event = { specversion: '1.0', id: `order/ORD-${name}/1`, source: '/test', type: 'order.placed.v1' };
      const batch = JSON.stringify([{ ...event, subject: `ORD-${name}`, data: {} }]);
      await events.publish(journalId(name), 0, 1, batch, { previous: 0, after: [[journalId('WJ0'), 99]] });
      const { stop } = fill();
      const isThere = async () => (await feedMessages(nats)).map(idOf).includes(event.id);
      assert.ok(await until(isThere, WITHIN_MS, 50), `${name} does not wait`);
      await stop();
    }
  });

  test('EVENTS deleted and filled again, or sealed: nothing is told twice', async () => {
    const written = new WrittenEvents(nats);
    await written.write(10);
    fill();
    await isRight(written);
    await nats.api('STREAM.DELETE.EVENTS');
    await written.refill();
    await written.write(6);
    await written.seal(journalId('WJ0'));
    const later = new WrittenEvents(nats, 'L');
    await later.write(6);
    written.expected.push(...later.expected);
    await isRight(written);
  });

  test('its lag is told, and its retention follows the variables that are set', async () => {
    const written = new WrittenEvents(nats);
    await written.write(3);
    const { feed, stop } = fill();
    await isRight(written);
    assert.is(feed.lag.messages, 0);
    await stop();
    const over = new AbortController();
    const size = { replicas: 1, bytes: 67_108_864, ageMs: 3_600_000, newMs: 200 };
    const run = feedStream({ nats, kinds: 'all', clock, logger: log, ...size }).run(over.signal);
    const config = async () => (await streamInfo(nats, 'FEED'))?.config;
    assert.ok(await until(async () => (await config())?.max_bytes === 67_108_864, WITHIN_MS));
    assert.is((await config())?.max_age, 3_600_000 * 1e6);
    if (nats.version.startsWith('2.15')) assert.is((await config())?.compression, 's2');
    over.abort();
    await run;
  });

  test.run();
}

const ends: (() => Promise<void>)[] = [];
const brokers: { version: string; nats: Nats }[] = [];
for (const version of ['2.15', '2.9'] as const) {
  const server = await realNats(version);
  if ('skipped' in server) {
    console.log(`SKIP ${server.skipped}`);
    continue;
  }
  const nats = await connectNats(server.url, { name: 'feed test', log });
  ends.push(() => nats.close(), server.stop);
  brokers.push({ version, nats });
}
for (const { version, nats } of brokers) everyBroker(version, nats);
const last = suite('feed: the end');
last('the servers stop', async () => {
  for (const end of ends) await end();
});
last.run();
