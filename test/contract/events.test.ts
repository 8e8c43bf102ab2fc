/** The event log on a real JetStream, the newest and the oldest supported, and its twin in memory. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId } from '../../actors/ids.js';
import type { EventLog } from '../../actors/ports/events.js';
import { jetstreamEvents } from '../../bus/events/jetstream-events.js';
import { memoryEvents } from '../../bus/events/memory-events.js';
import { connectNats, type Nats } from '../../bus/nats/nats.js';
import { ensureStream, lastMessage } from '../../bus/nats/streams.js';
import { realNats } from '../servers/real-servers.js';

const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

function everyEventLog(name: string, make: () => Promise<EventLog>): void {
  const test = suite(`events: ${name}`);
  let events: EventLog;
  let count = 0;
  const fresh = () => journalId(`E${++count}`);
  const publish = async (...args: Parameters<EventLog['publish']>) => {
    const answer = await events.publish(...args);
    if (answer.kind !== 'appended') throw new Error(`not published but ${answer.kind}`);
    return answer.position;
  };
  test.before(async () => {
    events = await make();
  });

  test('an empty event log has no last message', async () => {
    assert.is(await events.last(fresh()), undefined);
  });

  test('the last message has its position and its turn', async () => {
    const journal = fresh();
    const first = await publish(journal, 0, 3, '[{"id":"ü😀"}]');
    assert.equal(await events.last(journal), { position: first, n: 3, sealed: false });
    const second = await publish(journal, first, 9, '[{"id":"b"}]');
    assert.equal(await events.last(journal), { position: second, n: 9, sealed: false });
  });

  test('a message is appended only at the end, so a zombie repeats nothing', async () => {
    const journal = fresh();
    const first = await publish(journal, 0, 1, '[1]');
    assert.equal(await events.publish(journal, 0, 1, '[1]'), { kind: 'conflict' });
    assert.equal(await events.publish(journal, first + 500, 2, '[2]'), { kind: 'conflict' });
    const other = fresh();
    await publish(other, 0, 1, '[1]');
    await publish(journal, first, 2, '[2]');
  });

  test('of many messages for one position, one wins', async () => {
    const journal = fresh();
    const answers = await Promise.all(Array.from({ length: 30 }, (_, i) => events.publish(journal, 0, 1, `[${i}]`)));
    assert.is(answers.filter(({ kind }) => kind === 'appended').length, 1);
  });

  test('an empty array is the seal', async () => {
    const journal = fresh();
    const first = await publish(journal, 0, 1, '[1]');
    const seal = await publish(journal, first, 1, '[]');
    assert.equal(await events.last(journal), { position: seal, n: 1, sealed: true });
    assert.equal(await events.publish(journal, first, 2, '[2]'), { kind: 'conflict' });
  });

  test.run();
}

// uvu starts at the first `run` that is followed by an await, so all servers are started before it.
const ends: (() => Promise<void>)[] = [];
const brokers: { version: string; nats: Nats }[] = [];
const own = process.env.TEST_NATS_URL;
for (const version of own ? (['2.15'] as const) : (['2.15', '2.9'] as const)) {
  const server = own ? { url: own, stop: async () => {} } : await realNats(version);
  if ('skipped' in server) {
    console.log(`SKIP ${server.skipped}`);
    continue;
  }
  const nats = await connectNats(server.url, { name: 'events test', log });
  ends.push(() => nats.close(), server.stop);
  await nats.api('STREAM.DELETE.EVENTS').catch(() => {});
  brokers.push({ version, nats });
}

everyEventLog('memory', async () => memoryEvents());
for (const { version, nats } of brokers) {
  everyEventLog(`jetstream ${version}`, () => jetstreamEvents(nats, { replicas: 1 }));

  const test = suite(`events: jetstream ${version}, the stream`);
  test('it acknowledges before it writes only where the broker offers that', async () => {
    const events = await jetstreamEvents(nats, { replicas: 1 });
    assert.is(events.acknowledgesBeforeWriting, nats.version.startsWith('2.15'));
  });
  test('its messages have headers that any client can read', async () => {
    const events = await jetstreamEvents(nats, { replicas: 1 });
    await events.publish(journalId('H'), 0, 7, '[{}]');
    const message = await lastMessage(nats, 'EVENTS', 'events.H');
    assert.match(message?.headers ?? '', 'Content-Type: application/cloudevents-batch+json\r\n');
    assert.match(message?.headers ?? '', 'Holdfast-Turn: 7\r\n');
    assert.is(message?.text, '[{}]');
  });
  test('emptied by its retention, it accepts 0 as its position (hazard 11)', async () => {
    const events = await jetstreamEvents(nats, { replicas: 1 });
    const journal = journalId('R');
    const first = await events.publish(journal, 0, 1, '[1]');
    await nats.api('STREAM.PURGE.EVENTS', { filter: 'events.R' });
    assert.is(await events.last(journal), undefined);
    await events.publish(journalId('S'), 0, 1, '[1]');
    if (first.kind === 'appended') {
      assert.equal(await events.publish(journal, first.position, 2, '[2]'), { kind: 'conflict' });
    }
    assert.is((await events.publish(journal, 0, 2, '[2]')).kind, 'appended');
  });
  test('emptied by its retention, it continues at its old end while nobody else publishes', async () => {
    const events = await jetstreamEvents(nats, { replicas: 1 });
    const journal = journalId('T');
    const first = await events.publish(journal, 0, 1, '[1]');
    await nats.api('STREAM.PURGE.EVENTS', { filter: 'events.T' });
    const after = first.kind === 'appended' ? first.position : 0;
    assert.equal(await events.publish(journal, after, 2, '[2]'), { kind: 'appended', position: after + 1 });
    assert.equal(await events.publish(journal, 0, 2, '[2]'), { kind: 'conflict' });
  });
  test('beside other publishers it appends at the right position, and finds a seal of theirs', async () => {
    const [ours, theirs] = [await jetstreamEvents(nats, { replicas: 1 }), await jetstreamEvents(nats, { replicas: 1 })];
    const [journal, other] = [journalId('M'), journalId('N')];
    let at = await ours.publish(journal, 0, 1, '[1]');
    for (let n = 2; n < 6 && at.kind === 'appended'; n++) {
      if (n % 2 === 0) await theirs.publish(other, 0, 1, '[1]');
      at = await ours.publish(journal, at.position, n, `[${n}]`);
    }
    const last = await ours.last(journal);
    assert.equal(at, { kind: 'appended', position: last?.position });
    assert.is(last?.n, 5);
    const seal = await theirs.publish(journal, last?.position ?? 0, 5, '[]');
    assert.is(seal.kind, 'appended');
    assert.equal(await ours.publish(journal, last?.position ?? 0, 6, '[6]'), { kind: 'conflict' });
  });
  test('a zombie is refused even if it believes that it is alone', async () => {
    const [ours, theirs] = [await jetstreamEvents(nats, { replicas: 1 }), await jetstreamEvents(nats, { replicas: 1 })];
    const journal = journalId('Z');
    const first = await ours.publish(journal, 0, 1, '[1]');
    const after = first.kind === 'appended' ? first.position : 0;
    assert.is((await theirs.publish(journal, after, 1, '[]')).kind, 'appended');
    assert.equal(await ours.publish(journal, after, 2, '[2]'), { kind: 'conflict' });
  });
  test('a configuration that would lose events is refused by name', async () => {
    await nats.api('STREAM.DELETE.EVENTS');
    await ensureStream(nats, { name: 'EVENTS', subjects: ['events.>'], discard: 'new', num_replicas: 1 }, []);
    assert.match(
      String(await jetstreamEvents(nats, { replicas: 1 }).catch((e: unknown) => e)),
      /EVENTS .*discard is "new"/,
    );
  });
  test.run();
}

const end = suite('events: the end');
end('connections are closed and servers stopped', async () => {
  for (const stop of ends) await stop();
});
end.run();
