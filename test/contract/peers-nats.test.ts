/** The link between nodes on a real broker, the newest and the oldest supported. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connectNats, type Nats } from '../../bus/nats/nats.js';
import { natsLink } from '../../bus/peers/nats-link.js';
import { until } from '../deadlines.js';
import { realNats } from '../servers/real-servers.js';
import { peersContract } from './peers.suite.js';

const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const ends: (() => Promise<void>)[] = [];
const brokers: { version: string; connect: () => Promise<Nats> }[] = [];
for (const version of ['2.15', '2.9'] as const) {
  const server = await realNats(version);
  if ('skipped' in server) {
    console.log(`SKIP peers on NATS ${version}: ${server.skipped}`);
    continue;
  }
  ends.push(server.stop);
  const connect = async () => {
    const nats = await connectNats(server.url, { name: 'peers test', log });
    ends.unshift(() => nats.close());
    return nats;
  };
  brokers.push({ version, connect });
}

const end = suite('peers on NATS: the end');
end('the servers stop', async () => {
  for (const each of ends) await each();
});

for (const { version, connect } of brokers) {
  peersContract(
    `NATS ${version}`,
    async () => natsLink(await connect(), 'S1'),
    async () => {},
  );
  readable(version, connect);
}
end.run();

function readable(version: string, connect: () => Promise<Nats>): void {
  const test = suite(`peers on NATS ${version}`);

  test('a text goes to everybody who listens there, in this system alone, and no text to nobody', async () => {
    const [one, two] = [await connect(), await connect()];
    const seen: string[] = [];
    const nobody: string[] = [];
    const heard: string[] = [];
    const deafen = natsLink(two, 'S1').listen('J1', (text) => heard.push(text));
    const endReading = two.subscribe('holdfast.>', (text) => seen.push(text));
    await two.request('$JS.API.INFO', ''); // Both subscriptions have reached the broker.
    const line = natsLink(one, 'S1').to('J1', () => nobody.push('J1'));
    line.send('{"v":1,"ü":"😀"}');
    natsLink(one, 'S2')
      .to('J1', () => nobody.push('S2'))
      .send('elsewhere');
    assert.ok(await until(() => heard.length === 1 && seen.length === 2, 5_000));
    assert.equal(heard, ['{"v":1,"ü":"😀"}']);
    assert.equal(nobody, []); // Whoever reads along is a subscriber.
    deafen();
    endReading();
    line.close();
  });

  test('who writes to nobody hears of it', async () => {
    const nats = await connect();
    const nobody: string[] = [];
    const line = natsLink(nats, 'S3').to('J1', () => nobody.push('J1'));
    line.send('x');
    assert.ok(await until(() => nobody.length === 1, 5_000));
    line.close();
  });

  test('a message that the broker would refuse is lost, and the connection is not', async () => {
    const nats = await connect();
    const sender = nats.sender('holdfast.S4.x');
    assert.is(sender.send('x'.repeat(nats.maxPayload + 1)), false);
    assert.is(sender.send('x'.repeat(nats.maxPayload)), true);
    await nats.request('$JS.API.INFO', '');
    assert.is(nats.status, 'connected');
  });

  test.run();
}
