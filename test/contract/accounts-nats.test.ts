// deploy/security/nats-accounts.conf on real brokers, the newest and the oldest: each account does its work, and what it may not
// do does not happen. That a node can do all of its work is shown by every other test that starts one.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { jetstreamEvents } from '../../bus/events/jetstream-events.js';
import { cursorMessage } from '../../bus/feed-stream/feed-cursor.js';
import { feedStreamInfo } from '../../bus/feed-stream/feed-shape.js';
import { jetstreamLog } from '../../bus/journal/jetstream-log.js';
import { connectNats, type Nats } from '../../bus/nats/nats.js';
import { readStream } from '../../bus/nats/stream-reader.js';
import { streamInfo } from '../../bus/nats/streams.js';
import { natsMembers } from '../../bus/placement/nats-members.js';
import { NATS_ACCOUNTS, type NatsAccount } from '../../deploy/servers/nats-server.js';
import { until } from '../deadlines.js';
import { realNats } from '../servers/real-servers.js';

const RECORDS = 5;
const HEARD_MS = 5_000;
const size = { replicas: 1, bytes: undefined, ageMs: undefined };
const log = { debug() {}, info() {}, warn() {}, error() {} };

for (const version of ['2.15', '2.9'] as const) await accounts(version);

async function accounts(version: '2.15' | '2.9'): Promise<void> {
  const broker = await realNats(version, 'node');
  if ('skipped' in broker) return console.log(`SKIP accounts on ${version}: ${broker.skipped}`);
  const test = suite(`accounts on nats-server ${version}`);
  const connect = async (account: NatsAccount): Promise<[NatsAccount, Nats]> => [
    account,
    await connectNats(await broker.as(account), { name: account, log }),
  ];
  const users = new Map(await Promise.all(NATS_ACCOUNTS.map(connect)));
  const as = (account: NatsAccount) => users.get(account) as Nats;

  /** The broker refuses it, at once and by name. */
  async function refused(account: NatsAccount, subject: string, payload = ''): Promise<void> {
    const answer = await as(account)
      .request(subject, payload)
      .then(
        (message) => `${account}: ${subject} was answered with ${message.string()}`,
        (error: Error) => error.message,
      );
    assert.match(answer, new RegExp(`does not let holdfast\\S* publish to ${subject.replaceAll('$', '\\$')}`));
  }

  async function first(account: NatsAccount, stream: string, filter: string): Promise<number> {
    const reading = {
      stream,
      filter,
      from: { kind: 'sequence', sequence: 1 },
      signal: new AbortController().signal,
    } as const;
    for await (const [message] of readStream(as(account), reading)) return message?.sequence ?? 0;
    return 0;
  }

  test('a node makes its streams, writes and reads, and trims by the account that may purge', async () => {
    const journal = await jetstreamLog(as('node'), { replicas: 1, purger: as('trim') });
    for (let i = 0; i < RECORDS; i++) await journal.append('journal.one', i, `record ${i}`);
    const alone = await jetstreamLog(as('node'), { replicas: 1 });
    const why = await alone.trim('journal.one', 2).catch((error: Error) => error.message);
    assert.match(String(why), /^JOURNAL is not trimmed, and grows: set NATS_TRIM_URL .* holdfast_trim/);
    assert.is((await journal.read('journal.one', 0)).length, RECORDS);
    await journal.trim('journal.one', 2);
    assert.equal(
      (await journal.read('journal.one', 0)).map(({ record }) => record),
      ['record 2', 'record 3', 'record 4'],
    );
    await jetstreamEvents(as('node'), { replicas: 1, bytes: 2 ** 27 });
    await as('node').publish('events.one', '[]', 'any');
    await jetstreamEvents(as('node'), { replicas: 1, bytes: 2 ** 26 });
    assert.equal(await natsMembers(as('node'), 1, Date.now).all(), []);
  });

  test('an edge reads claims and EVENTS, and asks the owners', async () => {
    assert.is(await first('edge', 'EVENTS', 'events.>'), 1);
    assert.is(await first('edge', 'JOURNAL', 'journal.>'), 3);
    const heard: string[] = [];
    as('node').subscribe('holdfast.system.in.node', (text) => heard.push(text));
    await as('node').api('INFO');
    as('edge').sender('holdfast.system.in.node').send('an ask');
    assert.ok(await until(() => heard.includes('an ask'), HEARD_MS));
  });

  test('a feed reads EVENTS and fills FEED', async () => {
    assert.is(await first('feed', 'EVENTS', 'events.>'), 1);
    const { state } = await feedStreamInfo(as('feed'), size);
    const cursor = { created: '', seq: 1, time: '', journals: {}, ended: {} };
    const event = { subject: 'feed.order.placed', id: 'order/1/1', headers: '', payload: '{"order_id":"1"}' };
    const note = cursorMessage(cursor as never, {}, 1, false);
    assert.equal(await as('feed').publishInOrder([event, note], state.last_seq), { stored: 2 });
    assert.is(await first('feed', 'FEED', 'feed.>'), 1);
  });

  test('a backup reads JOURNAL and EVENTS, and asks the brokers for nothing else', async () => {
    assert.is(await first('backup', 'JOURNAL', 'journal.>'), 3);
    assert.is(await first('backup', 'EVENTS', 'events.>'), 1);
    for (const stream of ['JOURNAL', 'EVENTS', 'FEED']) {
      for (const verb of ['CREATE', 'UPDATE', 'LEADER.STEPDOWN', 'SNAPSHOT'])
        await refused('backup', `$JS.API.STREAM.${verb}.${stream}`);
    }
    await refused('backup', '$JS.API.STREAM.MSG.GET.FEED', '{"seq":1}');
  });

  test('a reader sees streams and nodes, reads EVENTS and FEED, follows both, and asks', async () => {
    const reader = as('reader');
    const { streams } = await reader.api<{ streams: { config: { name: string } }[] }>('STREAM.LIST');
    assert.equal(streams.map(({ config }) => config.name).sort(), ['EVENTS', 'FEED', 'JOURNAL', 'KV_holdfast_nodes']);
    assert.ok((await streamInfo(reader, 'JOURNAL'))?.state.messages);
    for (const stream of ['EVENTS', 'FEED']) await reader.api(`STREAM.MSG.GET.${stream}`, { seq: 1 });
    assert.match((await reader.request('$JS.API.DIRECT.GET.FEED.feed.order.placed', '')).string(), /order_id/);

    const heard: string[] = [];
    for (const subject of ['events.*', 'feed.>']) reader.subscribe(subject, (text) => heard.push(text));
    await reader.api('INFO'); // The broker knows the subscriptions by now.
    await as('node').publish('events.one', '["heard"]', 'any');
    await as('feed').publish('feed.order.paid', '"heard"', 'any');
    assert.ok(await until(() => heard.length === 2, HEARD_MS), heard.join());

    const overheard: string[] = [];
    for (const account of ['feed', 'backup'] as const) {
      as(account).subscribe('holdfast.orders.get', () => overheard.push(account));
      await as(account).api('INFO');
    }
    for (const subject of ['holdfast.orders.get', '$SRV.PING.holdfast']) {
      as('node').subscribe(subject, (_, respond) => respond('an answer'));
      await as('node').api('INFO');
      assert.is((await reader.request(subject, 'ORD-1')).string(), 'an answer');
    }
    for (const account of ['feed', 'backup'] as const) await as(account).api('INFO');
    assert.equal(overheard, [], 'what it heard came before the answer to INFO');
  });

  test('nobody deletes JOURNAL or messages of it, and nobody may purge it but the account that does nothing else', async () => {
    const before = (await streamInfo(as('node'), 'JOURNAL'))?.state;
    assert.is(before?.messages, RECORDS - 2);
    for (const account of NATS_ACCOUNTS) {
      await refused(account, '$JS.API.STREAM.DELETE.JOURNAL');
      await refused(account, '$JS.API.STREAM.MSG.DELETE.JOURNAL', '{"seq":4}');
      if (account !== 'trim') await refused(account, '$JS.API.STREAM.PURGE.JOURNAL');
      if (account !== 'operator') await refused(account, '$JS.API.STREAM.UPDATE.JOURNAL', '{"max_age":1}');
    }
    assert.equal((await streamInfo(as('node'), 'JOURNAL'))?.state, before);
  });

  test('the account that trims reads nothing, writes nothing, and purges no other stream', async () => {
    const verbs = ['INFO', 'UPDATE', 'MSG.GET', 'SNAPSHOT'].map((verb) => `STREAM.${verb}.JOURNAL`);
    const others = ['EVENTS', 'FEED', 'KV_holdfast_nodes'].flatMap((name) => [
      `STREAM.PURGE.${name}`,
      `STREAM.INFO.${name}`,
    ]);
    const made = ['CONSUMER.CREATE.JOURNAL', 'CONSUMER.DURABLE.CREATE.JOURNAL.x', 'STREAM.CREATE.JOURNAL', 'INFO'];
    for (const verb of [...verbs, ...others, ...made]) await refused('trim', `$JS.API.${verb}`, '{}');
    for (const subject of ['holdfast.orders.get', '$SRV.PING.holdfast', 'feed-cursor']) await refused('trim', subject);
    const heard: string[] = [];
    for (const subject of ['_INBOX.>', 'holdfast.>', 'journal.*', 'events.*', '$JS.>', '>'])
      as('trim').subscribe(subject, (text) => heard.push(text));
    const ownAnswers = () => as('trim').api('STREAM.PURGE.JOURNAL', { filter: 'journal.nobody', seq: 2 });
    await ownAnswers();
    await as('node').publish('events.one', '["a secret"]', 'any');
    as('node').sender('holdfast.system.in.node').send('a secret');
    await as('node').api('INFO');
    await ownAnswers();
    assert.equal(heard, []);
  });

  test('nobody writes in the place of another', async () => {
    const journals = ['journal.one', 'claims', 'system'];
    const state = async () =>
      Promise.all(
        ['JOURNAL', 'EVENTS', 'FEED'].map(async (name) => (await streamInfo(as('node'), name))?.state.last_seq),
      );
    const before = await state();
    for (const account of ['trim', 'edge', 'feed', 'backup', 'reader', 'operator'] as const) {
      for (const subject of [...journals, 'events.one', '$KV.holdfast_nodes.x']) await refused(account, subject, 'x');
      if (account !== 'feed') await refused(account, 'feed.order.placed', '{}');
      if (account !== 'edge') await refused(account, 'holdfast.system.in.node', 'x');
    }
    for (const account of ['trim', 'edge', 'backup', 'reader'] as const) {
      for (const verb of ['UPDATE', 'PURGE', 'DELETE']) await refused(account, `$JS.API.STREAM.${verb}.FEED`);
    }
    assert.equal(await state(), before);
  });

  test('a reader makes no consumer: that could deliver into JOURNAL, whatever the permissions say', async () => {
    const config = { deliver_subject: 'claims', deliver_policy: 'all', ack_policy: 'none' };
    const asked = (stream_name: string) => JSON.stringify({ stream_name, config });
    for (const stream of ['FEED', 'EVENTS']) {
      await refused('reader', `$JS.API.CONSUMER.CREATE.${stream}`, asked(stream));
      await refused('reader', `$JS.API.CONSUMER.CREATE.${stream}.name`, asked(stream));
      await refused('reader', `$JS.API.CONSUMER.DURABLE.CREATE.${stream}.name`, asked(stream));
    }
  });

  test('a reader does not hear the answers that others get, nor what nodes tell one another', async () => {
    const heard: string[] = [];
    for (const subject of ['_INBOX.>', 'holdfast.>', 'journal.*', '>'])
      as('reader').subscribe(subject, (text) => heard.push(text));
    await as('reader').api('INFO');
    heard.length = 0;
    await as('node').api('STREAM.MSG.GET.JOURNAL', { seq: 3 });
    await as('node').publish('journal.two', 'a secret', 'any');
    as('node').sender('holdfast.system.in.node').send('a secret');
    await as('node').api('INFO');
    await as('reader').api('INFO');
    assert.equal(
      heard.filter((text) => !text.includes('account_info')),
      [],
    );
  });

  test.after(async () => {
    for (const nats of users.values()) await nats.close();
    await broker.stop();
  });
  test.run();
}
