/** The event log on a real JetStream, the newest and the oldest supported, and its twin in memory. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type JournalId, journalId } from '../../actors/ids.js';
import type { EventLog } from '../../actors/ports/events.js';
import { jetstreamEvents } from '../../bus/events/jetstream-events.js';
import { memoryEvents } from '../../bus/events/memory-events.js';
import { connectNats, type Nats, type StreamConfig } from '../../bus/nats/nats.js';
import { ensureStream, lastMessage, streamInfo } from '../../bus/nats/streams.js';
import { realNats } from '../servers/real-servers.js';

const MIB = 1_048_576;
const HOUR = 3_600_000;
/** Where a message stands does not matter to these tests. */
const FIRST = { previous: 0 };
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
    const first = await publish(journal, 0, 3, '[{"id":"ü😀"}]', FIRST);
    assert.equal(await events.last(journal), { position: first, n: 3, sealed: false });
    const second = await publish(journal, first, 9, '[{"id":"b"}]', FIRST);
    assert.equal(await events.last(journal), { position: second, n: 9, sealed: false });
  });

  test('a message is appended only at the end, so a zombie repeats nothing', async () => {
    const journal = fresh();
    const first = await publish(journal, 0, 1, '[1]', FIRST);
    assert.equal(await events.publish(journal, 0, 1, '[1]', FIRST), { kind: 'conflict' });
    assert.equal(await events.publish(journal, first + 500, 2, '[2]', FIRST), { kind: 'conflict' });
    const other = fresh();
    await publish(other, 0, 1, '[1]', FIRST);
    await publish(journal, first, 2, '[2]', FIRST);
  });

  test('of many messages for one position, one wins', async () => {
    const journal = fresh();
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, i) => events.publish(journal, 0, 1, `[${i}]`, FIRST)),
    );
    assert.is(answers.filter(({ kind }) => kind === 'appended').length, 1);
  });

  test('an empty array is the seal', async () => {
    const journal = fresh();
    const first = await publish(journal, 0, 1, '[1]', FIRST);
    const seal = await publish(journal, first, 1, '[]', FIRST);
    assert.equal(await events.last(journal), { position: seal, n: 1, sealed: true });
    assert.equal(await events.publish(journal, first, 2, '[2]', FIRST), { kind: 'conflict' });
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
    await events.publish(journalId('H'), 0, 7, '[{}]', FIRST);
    const message = await lastMessage(nats, 'EVENTS', 'events.H');
    assert.match(message?.headers ?? '', 'Content-Type: application/cloudevents-batch+json\r\n');
    assert.match(message?.headers ?? '', 'Holdfast-Turn: 7\r\n');
    assert.is(message?.text, '[{}]');
  });
  test('it tells since when its retention has removed nothing', async () => {
    await nats.api('STREAM.DELETE.EVENTS');
    const events = await jetstreamEvents(nats, { replicas: 1 });
    assert.is(await events.keptSinceMs(), Number.NEGATIVE_INFINITY, 'nothing was there yet');
    await events.publish(journalId('K1'), 0, 1, '[1]', FIRST);
    await events.publish(journalId('K2'), 0, 1, '[1]', FIRST);
    assert.is(await events.keptSinceMs(), Number.NEGATIVE_INFINITY, 'nothing was removed');
    await nats.api('STREAM.PURGE.EVENTS', { keep: 1 });
    const since = await events.keptSinceMs();
    assert.ok(Math.abs(since - Date.now()) < 60_000, `${since}`);
    await nats.api('STREAM.PURGE.EVENTS');
    assert.is(await events.keptSinceMs(), Number.POSITIVE_INFINITY, 'nothing is left to tell by');
  });
  test('emptied by its retention, it accepts 0 as its position (hazard 11)', async () => {
    const events = await jetstreamEvents(nats, { replicas: 1 });
    const journal = journalId('R');
    const first = await events.publish(journal, 0, 1, '[1]', FIRST);
    await nats.api('STREAM.PURGE.EVENTS', { filter: 'events.R' });
    assert.is(await events.last(journal), undefined);
    await events.publish(journalId('S'), 0, 1, '[1]', FIRST);
    if (first.kind === 'appended') {
      assert.equal(await events.publish(journal, first.position, 2, '[2]', FIRST), { kind: 'conflict' });
    }
    assert.is((await events.publish(journal, 0, 2, '[2]', FIRST)).kind, 'appended');
  });
  test('emptied by its retention, it continues at its old end while nobody else publishes', async () => {
    const events = await jetstreamEvents(nats, { replicas: 1 });
    const journal = journalId('T');
    const first = await events.publish(journal, 0, 1, '[1]', FIRST);
    await nats.api('STREAM.PURGE.EVENTS', { filter: 'events.T' });
    const after = first.kind === 'appended' ? first.position : 0;
    assert.equal(await events.publish(journal, after, 2, '[2]', FIRST), { kind: 'appended', position: after + 1 });
    assert.equal(await events.publish(journal, 0, 2, '[2]', FIRST), { kind: 'conflict' });
  });
  test('beside other publishers it appends at the right position, and finds a seal of theirs', async () => {
    const [ours, theirs] = [await jetstreamEvents(nats, { replicas: 1 }), await jetstreamEvents(nats, { replicas: 1 })];
    const [journal, other] = [journalId('M'), journalId('N')];
    let at = await ours.publish(journal, 0, 1, '[1]', FIRST);
    for (let n = 2; n < 6 && at.kind === 'appended'; n++) {
      if (n % 2 === 0) await theirs.publish(other, 0, 1, '[1]', FIRST);
      at = await ours.publish(journal, at.position, n, `[${n}]`, FIRST);
    }
    const last = await ours.last(journal);
    assert.equal(at, { kind: 'appended', position: last?.position });
    assert.is(last?.n, 5);
    const seal = await theirs.publish(journal, last?.position ?? 0, 5, '[]', FIRST);
    assert.is(seal.kind, 'appended');
    assert.equal(await ours.publish(journal, last?.position ?? 0, 6, '[6]', FIRST), { kind: 'conflict' });
  });
  test('many nodes and a tail publish at once, and each message is appended once', async () => {
    const nodes = await Promise.all(Array.from({ length: 3 }, () => jetstreamEvents(nats, { replicas: 1 })));
    const publishAll = async (node: EventLog, journal: JournalId) => {
      for (let n = 1, after = 0; n <= 30; n++) {
        const answer = await node.publish(journal, after, n, `[${n}]`, FIRST);
        if (answer.kind !== 'appended') throw new Error(`${journal} ${n}: ${answer.kind}`);
        after = answer.position;
      }
    };
    const one = nodes[0] as EventLog;
    await Promise.all([
      ...nodes.map((node, i) => publishAll(node, journalId(`Q${i}`))),
      publishAll(one, journalId('QT')),
    ]);
    for (const name of ['Q0', 'Q1', 'Q2', 'QT']) {
      assert.is((await one.last(journalId(name)))?.n, 30);
      const { state } = await nats.api<{ state: { subjects?: Record<string, number> } }>('STREAM.INFO.EVENTS', {
        subjects_filter: `events.${name}`,
      });
      if (state.subjects !== undefined) assert.is(state.subjects[`events.${name}`], 30);
    }
  });
  test('the end of the stream is compared again once the others are gone', async () => {
    const ends: string[] = [];
    const watched: Nats = Object.assign(Object.create(nats), {
      publish: (...args: Parameters<Nats['publish']>) => {
        ends.push(args[3]?.end ?? 'subject');
        return nats.publish(...args);
      },
    });
    const [ours, theirs] = [
      await jetstreamEvents(watched, { replicas: 1 }),
      await jetstreamEvents(nats, { replicas: 1 }),
    ];
    const journal = journalId('U');
    let after = 0;
    for (let n = 1; n <= 1_010; n++) {
      if (n === 3) await theirs.publish(journalId('V'), 0, 1, '[1]', FIRST);
      const answer = await ours.publish(journal, after, n, `[${n}]`, FIRST);
      assert.is(answer.kind, 'appended');
      if (answer.kind === 'appended') after = answer.position;
    }
    assert.equal(ends.slice(0, 5), ['subject', 'stream', 'stream', 'subject', 'subject']);
    assert.is(ends.at(-1), 'stream');
  });
  test('a zombie is refused even if it believes that it is alone', async () => {
    const [ours, theirs] = [await jetstreamEvents(nats, { replicas: 1 }), await jetstreamEvents(nats, { replicas: 1 })];
    const journal = journalId('Z');
    const first = await ours.publish(journal, 0, 1, '[1]', FIRST);
    const after = first.kind === 'appended' ? first.position : 0;
    assert.is((await theirs.publish(journal, after, 1, '[]', FIRST)).kind, 'appended');
    assert.equal(await ours.publish(journal, after, 2, '[2]', FIRST), { kind: 'conflict' });
  });
  const knowsCompression = nats.version.startsWith('2.15');
  const configOf = async (): Promise<StreamConfig> => (await streamInfo(nats, 'EVENTS'))?.config as StreamConfig;
  test('a new stream has the size and the age that are asked for, a description, and is compressed if it can be', async () => {
    await nats.api('STREAM.DELETE.EVENTS');
    const { retention } = await jetstreamEvents(nats, { replicas: 1, bytes: 128 * MIB, ageMs: 2 * HOUR });
    assert.equal(retention, { bytes: 128 * MIB, ageMs: 2 * HOUR, isCompressed: knowsCompression });
    const { max_bytes, max_age, description, compression } = await configOf();
    assert.equal([max_bytes, max_age], [128 * MIB, 2 * HOUR * 1_000_000]);
    assert.match(description ?? '', 'CloudEvents');
    assert.is(compression, knowsCompression ? 's2' : undefined);
    const later = await jetstreamEvents(nats, { replicas: 1, bytes: 192 * MIB });
    assert.equal(later.retention, { ...retention, bytes: 192 * MIB });
    assert.is(later.acknowledgesBeforeWriting, knowsCompression);
  });
  test('an existing stream gets what is asked for, and keeps its own where nothing is', async () => {
    const other = { max_bytes: 256 * MIB, max_age: 3 * HOUR * 1_000_000, description: 'mine' };
    const plain = { name: 'EVENTS', subjects: ['events.>'], storage: 'file', discard: 'old', num_replicas: 1 } as const;
    await nats.api('STREAM.DELETE.EVENTS');
    await ensureStream(nats, { ...plain, ...other, subjects: ['events.>'] }, []);
    const journal = journalId('KEPT');
    const old = await jetstreamEvents(nats, { replicas: 1 });
    const first = await old.publish(journal, 0, 1, '[{"id":"a"}]', FIRST);
    assert.equal(old.retention, { bytes: 256 * MIB, ageMs: 3 * HOUR, isCompressed: knowsCompression });
    const created = async () => (await streamInfo(nats, 'EVENTS'))?.created;
    const since = await created();
    const { retention } = await jetstreamEvents(nats, { replicas: 1, bytes: 512 * MIB, ageMs: HOUR });
    assert.is(await created(), since, 'readers take a stream of another time for a new one');
    assert.equal(retention, { bytes: 512 * MIB, ageMs: HOUR, isCompressed: knowsCompression });
    const { description } = await configOf();
    assert.match(description ?? '', 'CloudEvents');
    const again = await jetstreamEvents(nats, { replicas: 1 });
    assert.equal(again.retention, retention);
    const after = first.kind === 'appended' ? first.position : 0;
    assert.is((await old.publish(journal, after, 2, '[{"id":"b"}]', FIRST)).kind, 'appended');
    assert.equal(await again.last(journal), { position: after + 1, n: 2, sealed: false });
  });
  test('a size for which the broker has no room is refused with the variable that asks for it', async () => {
    const tooMuch = jetstreamEvents(nats, { replicas: 1, bytes: 2 ** 50 });
    assert.match(String(await tooMuch.catch((e: unknown) => e)), /EVENTS .*EVENTS_MIB.*max_file_store/);
    assert.is((await configOf()).max_bytes, 512 * MIB);
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
