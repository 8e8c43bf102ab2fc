/** A node as a NATS micro service: what `nats micro ls`, `info` and `stats` ask for, on a real broker. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connectNats } from '../../bus/nats/nats.js';
import { readEndpoints } from '../../bus/peers/asked-reads.js';
import { microService } from '../../bus/peers/micro-service.js';
import { realNats } from '../servers/real-servers.js';
import { realClock } from '../unit/edge/fake-owners.js';

const test = suite('micro service');
const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const server = await realNats();

if ('skipped' in server) console.log(`SKIP micro service: ${server.skipped}`);
else {
  const nats = await connectNats(server.url, { name: 'micro service test', log: logger });
  let known = true;
  let journal: string | undefined;
  const end = microService({
    ...{ nats, id: 'E1', version: '1.2.3', description: 'Holdfast, node node-a', clock: realClock, logger },
    metadata: () => ({ system: 'S1', node: 'N1', name: 'node-a', journal: journal ?? '' }),
    figures: () => ({ partitions: 16 }),
    endpoints: [
      {
        name: 'placement',
        subject: 'holdfast.S1.placement.N1',
        about: 'the partitions of this node',
        answer: async () =>
          known ? { status: 200, body: '{"data":[]}' } : Promise.reject(new Error('the claims cannot be read')),
      },
      ...readEndpoints({
        read: async (what, asked) => {
          if (asked === 'long') return { status: 200, body: 'x'.repeat(nats.maxPayload) };
          return asked === 'none'
            ? { status: 404, body: '{"status":"error","code":"not_found","message":"There is no ü."}' }
            : { status: 200, body: JSON.stringify({ what, asked }) };
        },
      }),
    ],
  });
  const ask = async (subject: string) => JSON.parse((await nats.request(subject, '')).string());
  const about = { name: 'holdfast', id: 'E1', version: '1.2.3' };
  const endpoint = { name: 'placement', subject: 'holdfast.S1.placement.N1', queue_group: '' };

  for (const at of ['', '.holdfast', '.holdfast.E1']) {
    test(`$SRV.*${at} is answered as the service API says`, async () => {
      journal = 'J1';
      const metadata = { system: 'S1', node: 'N1', name: 'node-a', journal: 'J1' };
      assert.equal(await ask(`$SRV.PING${at}`), { type: 'io.nats.micro.v1.ping_response', ...about, metadata });
      const info = await ask(`$SRV.INFO${at}`);
      assert.is(info.type, 'io.nats.micro.v1.info_response');
      assert.is(info.description, 'Holdfast, node node-a');
      const [{ metadata: _, ...named }, ...reads] = info.endpoints;
      assert.equal(
        reads.map(({ subject }: { subject: string }) => subject),
        ['holdfast.orders.get', 'holdfast.orders.history', 'holdfast.inventory.get', 'holdfast.inventory.ledger'],
      );
      assert.equal(named, endpoint);
      const stats = await ask(`$SRV.STATS${at}`);
      assert.is(stats.type, 'io.nats.micro.v1.stats_response');
      assert.match(stats.started, /^\d{4}-\d\d-\d\dT.*Z$/);
    });
  }

  test('the placement is answered, failures too, and both are counted', async () => {
    journal = undefined;
    assert.is((await ask('$SRV.PING')).metadata.journal, '');
    assert.equal(await ask(endpoint.subject), { data: [] });
    known = false;
    assert.equal(await ask(endpoint.subject), { error: 'Error: the claims cannot be read' });
    const [stats] = (await ask('$SRV.STATS')).endpoints;
    assert.equal([stats.num_requests, stats.num_errors], [2, 1]);
    assert.is(stats.last_error, 'Error: the claims cannot be read');
    assert.equal(stats.data, { partitions: 16 });
    assert.ok(Number.isInteger(stats.processing_time) && Number.isInteger(stats.average_processing_time));
  });

  test('a read gets the id without blanks around it; an error has the headers of the service API', async () => {
    const read = async (payload: string) => nats.request('holdfast.orders.get', payload);
    assert.equal(JSON.parse((await read('ORD-1\n')).string()), { what: 'orders.get', asked: 'ORD-1' });
    const none = await read('none');
    assert.is(JSON.parse(none.string()).code, 'not_found');
    assert.is(none.headers?.get('Nats-Service-Error-Code'), '404');
    assert.is(none.headers?.get('Nats-Service-Error'), 'There is no ?.');
    assert.is(JSON.parse((await read('long')).string()).code, 'too_large');
    const [, stats] = (await ask('$SRV.STATS')).endpoints;
    assert.equal([stats.name, stats.num_requests, stats.num_errors], ['orders-get', 3, 2]);
  });

  test('after its end it is not found', async () => {
    end();
    const error = await nats.request('$SRV.PING', '').catch((e: unknown) => e);
    assert.match(String(error), /Nobody answers/);
  });

  test.after(async () => {
    await nats.close();
    await server.stop();
  });
}
test.run();
