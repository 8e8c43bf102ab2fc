/** A copy of a stream that counts messages and finds none gives no answer: it is neither empty nor at its start (streams.ts). */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId } from '../../../actors/ids.js';
import { jetstreamEvents } from '../../../bus/events/jetstream-events.js';
import { feedEnd } from '../../../bus/feed-stream/feed-cursor.js';
import { feedStreamInfo } from '../../../bus/feed-stream/feed-shape.js';
import { JetStreamRefusal } from '../../../bus/nats/jetstream.js';
import type { Nats, StreamInfo } from '../../../bus/nats/nats.js';
import { Damaged, lastMessage } from '../../../bus/nats/streams.js';

const test = suite('a damaged copy');

const KEPT = { discard: 'old', retention: 'limits', allow_rollup_hdrs: true, compression: 's2' } as const;

/** Three brokers with one stream, of which the leader counts messages. Whoever leads next may have a whole copy. */
function brokers({ replicas = 3, counts = 4, heals = false, subject = 'events.J' } = {}) {
  const asked: string[] = [];
  const updates: unknown[] = [];
  let isWhole = false;
  const fits = (filter: string) => filter === subject || (filter === 'feed.>' && subject.startsWith('feed.'));
  const info = (name: string, filter = ''): StreamInfo =>
    ({
      config: { ...KEPT, name, num_replicas: replicas, subjects: ['events.>', 'feed.>', 'feed-cursor'] },
      state: { messages: counts, last_seq: counts, ...(fits(filter) && { subjects: { [subject]: counts } }) },
      cluster: { name: 'c', leader: 'nats-2' },
    }) as unknown as StreamInfo;
  const nats = {
    version: '2.15.1',
    watch: () => () => {},
    async api(verb: string, query?: { subjects_filter?: string }) {
      asked.push(verb);
      if (verb.startsWith('STREAM.UPDATE')) updates.push(query);
      const stream = verb.split('.').at(-1) ?? '';
      if (verb.startsWith('STREAM.INFO') || verb.startsWith('STREAM.UPDATE'))
        return info(stream, query?.subjects_filter);
      if (verb.startsWith('STREAM.LEADER.STEPDOWN')) isWhole = heals;
      else if (isWhole) return { message: { seq: counts, data: btoa('[{}]'), hdrs: btoa('Holdfast-Turn: 7\r\n') } };
      else throw new JetStreamRefusal(10037, 'no message found', verb);
      return { success: true };
    },
  } as unknown as Nats;
  return { nats, asked, updates, of: (verb: string) => asked.filter((each) => each.startsWith(verb)).length };
}

const errorOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    (answer) => answer,
    (error) => error,
  );

test('EVENTS: a journal whose messages are counted and not found is not empty', async () => {
  const { nats } = brokers();
  const events = await jetstreamEvents(nats, { replicas: 3 });
  const error = await errorOf(events.last(journalId('J')));
  assert.instance(error, Damaged);
  assert.match(String(error), /EVENTS .*counts 4 messages of events\.J, and finds none: the copy of nats-2 is damaged/);
});

test('EVENTS: once another copy leads, its last message is the answer', async () => {
  const { nats } = brokers({ heals: true });
  const events = await jetstreamEvents(nats, { replicas: 3 });
  await errorOf(events.last(journalId('J')));
  assert.equal(await events.last(journalId('J')), { position: 4, n: 7, sealed: false });
});

test('EVENTS: a journal of which nothing is counted is empty', async () => {
  const { nats } = brokers();
  const events = await jetstreamEvents(nats, { replicas: 3 });
  assert.is(await events.last(journalId('OTHER')), undefined);
});

for (const subject of ['feed-cursor', 'feed.order.paid']) {
  test(`FEED: messages of ${subject} are counted and not found, so it is not filled from the start again`, async () => {
    const { nats } = brokers({ subject });
    const info = await nats.api<StreamInfo>('STREAM.INFO.FEED');
    assert.instance(await errorOf(feedEnd(nats, info, new AbortController().signal)), Damaged);
  });
}

test('a stream with copies that is compressed is so no more; one of a single copy stays so', async () => {
  for (const replicas of [1, 3]) {
    const { nats, updates } = brokers({ replicas });
    await jetstreamEvents(nats, { replicas });
    await feedStreamInfo(nats, { replicas, bytes: undefined, ageMs: undefined });
    const forms = updates.map((update) => (update as StreamInfo['config']).compression as string);
    assert.equal(forms, replicas === 1 ? ['s2'] : ['none', 'none'], `${replicas}`);
  }
});

test('the leader is asked to step down, but not again and again', async () => {
  const { nats, of } = brokers();
  for (let i = 0; i < 20; i++) await errorOf(lastMessage(nats, 'EVENTS', 'events.J'));
  assert.is(of('STREAM.LEADER.STEPDOWN.EVENTS'), 1);
});

test('a single copy has nobody who could lead instead', async () => {
  const { nats, of } = brokers({ replicas: 1 });
  assert.instance(await errorOf(lastMessage(nats, 'EVENTS', 'events.J')), Damaged);
  assert.is(of('STREAM.LEADER.STEPDOWN'), 0);
});

test.run();
