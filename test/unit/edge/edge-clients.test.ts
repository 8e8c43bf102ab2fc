/** Many clients at once, and slow clients that occupy a connection: they are cut off, the others are served. */

import { connect, type Socket } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limits } from '../../../actors/limits.js';
import type { Patience } from '../../../http/wire/http-server.js';
import { patientMs, until } from '../../deadlines.js';
import { type Fixture, startFixture } from './edge-fixture.js';

const CLIENTS = 1_000;
const IMPATIENT = { headersMs: 1_000, requestMs: 2_000 };
const SILENCE = { silenceMs: 2_000 };
/** The patience, the check that runs every second, and the time of a busy machine. */
const CUT_OFF_MS = patientMs(30_000);

const test = suite<{ f: Fixture; open: Socket[] }>('the edge: many and slow clients');

test.before.each((context) => {
  context.open = [];
});
test.after.each(async ({ f, open }) => {
  for (const socket of open) socket.destroy();
  await f.stop();
});

async function edge(patience: Partial<Patience> = {}): Promise<Fixture> {
  const f = await startFixture({ patience: { ...limits, ...patience } });
  f.owners.stockUp('p1', 1_000_000);
  return f;
}

const order = JSON.stringify({ user_id: 'u', product_id: 'p1', quantity: 1 });
const ORDER = `POST /api/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${order.length}\r\n\r\n${order}`;

test(`${CLIENTS} connections at once, each gets every answer`, async (context) => {
  const f = await edge();
  context.f = f;
  const { open } = context;
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => client(f, open)));
  for (let round = 0; round < 3; round++) {
    const replies = await Promise.all(
      clients.map((one, i) =>
        i % 2 === 0 ? one.ask(ORDER) : one.ask('GET /api/inventory/p1 HTTP/1.1\r\nHost: x\r\n\r\n'),
      ),
    );
    const served = replies.filter((reply) => /^HTTP\/1\.1 20[01] /.test(reply));
    assert.is(served.length, CLIENTS, `round ${round}`);
  }
  assert.is(f.owners.placed, (3 * CLIENTS) / 2);
  assert.is(clients.filter((one) => one.isOpen()).length, CLIENTS, 'all are kept');
});

test('the owner hears of a client that hangs up while it waits, and of no other client', async (context) => {
  const f = await edge();
  context.f = f;
  const { open } = context;
  const waiting: { hungUp: number; answer: () => void }[] = [];
  f.owners.interfere = async (_, __, caller) => {
    const mine = { hungUp: 0, answer: () => {} };
    waiting.push(mine);
    if (caller !== undefined) caller.hangUp = () => void mine.hungUp++;
    await new Promise<void>((resolve) => {
      mine.answer = resolve;
    });
    if (caller !== undefined) caller.hangUp = undefined;
    return undefined;
  };
  const [gone, stays] = [await client(f, open), await client(f, open)];
  const answer = stays.ask(ORDER);
  assert.ok(await until(() => waiting.length === 1, 5_000));
  void gone.ask(ORDER);
  assert.ok(await until(() => waiting.length === 2, 5_000));
  open[0]?.destroy();
  assert.ok(await until(() => waiting[1]?.hungUp === 1, 5_000));
  for (const each of waiting) each.answer();
  assert.match(await answer, /^HTTP\/1\.1 201 /);
  const again = stays.ask(ORDER);
  assert.ok(await until(() => waiting.length === 3, 5_000));
  waiting[2]?.answer();
  await again;
  open[1]?.destroy();
  assert.equal(
    waiting.map(({ hungUp }) => hungUp),
    [0, 1, 0],
  );
});

test('slow headers and slow bodies get 408 and are cut off, others are served', async (context) => {
  const f = await edge(IMPATIENT);
  context.f = f;
  const { open } = context;
  const slow = [
    'GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ',
    'POST /api/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"user_id"',
    'POST /api/orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"use',
  ];
  const cut = await Promise.all(
    Array.from({ length: 90 }, async (_, i) => {
      const one = await client(f, open);
      // Single bytes do not extend the deadline.
      const drip = setInterval(() => one.write(i % 3 === 2 ? '' : 'x'), 300);
      const healthy = f.post('/api/orders', order);
      const reply = await one.ask(slow[i % 3] ?? '').finally(() => clearInterval(drip));
      assert.is((await healthy).status, 201);
      await one.closed();
      return reply;
    }),
  );
  assert.is(
    cut.filter((reply) => /^HTTP\/1\.1 408 .*"code":"too_slow"/s.test(reply)).length,
    90,
    cut.join('\n').slice(0, 2_000),
  );
  assert.is(f.owners.placed, 90, 'the healthy ones');
});

test('a client that reads none of its replies is cut off, others are served', async (context) => {
  const f = await edge(SILENCE);
  context.f = f;
  const { open } = context;
  const deaf = await Promise.all(Array.from({ length: 20 }, () => client(f, open)));
  for (const one of deaf) one.deafen('GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(200));
  let cut = 0;
  const ends = deaf.map((one) => one.closed().then(() => cut++));
  while (cut < deaf.length) {
    for (const one of deaf) one.write('G'); // A write to a closed connection shows that it is closed.
    assert.is((await f.post('/api/orders', order)).status, 201);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await Promise.all(ends);
});

interface Client {
  /** @returns one whole reply, or the bytes before the end. */
  ask(bytes: string): Promise<string>;
  write(bytes: string): void;
  /** Sends requests and never reads. */
  deafen(bytes: string): void;
  isOpen(): boolean;
  closed(): Promise<void>;
}

function client(f: Fixture, open: Socket[]): Promise<Client> {
  return new Promise((resolve, reject) => {
    let came = '';
    let heard = () => {};
    let isOver = false;
    const socket = connect(f.edge.ports.main, '127.0.0.1', () => resolve(made));
    open.push(socket);
    socket.once('error', reject).on('error', () => {});
    socket.on('data', (chunk) => {
      came += chunk.toString();
      heard();
    });
    socket.on('close', () => {
      isOver = true;
      heard();
    });
    const until = (condition: () => boolean) =>
      new Promise<void>((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`nothing but "${came.slice(0, 200)}" came in time`)),
          CUT_OFF_MS,
        );
        heard = () => {
          if (!condition()) return;
          clearTimeout(timer);
          resolve();
        };
        heard();
      });
    const isWhole = () => {
      const [head = '', body] = came.split('\r\n\r\n');
      return body !== undefined && Buffer.byteLength(body) >= Number(/Content-Length: (\d+)/.exec(head)?.[1] ?? 0);
    };
    const made: Client = {
      async ask(bytes) {
        came = '';
        socket.write(bytes);
        await until(() => isOver || isWhole());
        return came;
      },
      write: (bytes) => void (!isOver && bytes !== '' && socket.write(bytes)),
      deafen(bytes) {
        socket.pause();
        socket.write(bytes);
      },
      isOpen: () => !isOver,
      closed: () => until(() => isOver),
    };
  });
}

test.run();
