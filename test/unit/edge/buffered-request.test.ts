/** A request body is the same whole or as a stream, read early or late, in one piece or in many. */
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BufferedRequest } from '../../../http/wire/buffered-request.js';
import { until } from '../../deadlines.js';

const MOST = 200_000;
const SOON_MS = 10_000;

interface Context {
  client: Socket;
  req: BufferedRequest;
  /** The bytes that the client received. */
  came: () => string;
  stop: () => void;
}

const test = suite<Context>('incoming');

/** Sends the head of a request, and waits until the server has it. */
async function begin(context: Context, head: string): Promise<void> {
  let found: BufferedRequest | undefined;
  const server = createServer({ IncomingMessage: BufferedRequest }, (req, res) => {
    if (found !== undefined) res.end('next');
    else found = req;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => {}); // One of the tests cuts the connection.
  let came = '';
  client.on('data', (piece) => {
    came += piece.toString();
  });
  client.write(`POST / HTTP/1.1\r\nHost: x\r\n${head}\r\n`);
  assert.ok(await until(async () => found !== undefined, SOON_MS, 2), 'the head is there');
  if (found === undefined) throw new Error('nobody came');
  const stop = () => {
    client.destroy();
    server.close();
    server.closeAllConnections();
  };
  Object.assign(context, { client, req: found, came: () => came, stop });
}
test.after.each(({ stop }) => stop());

/** Lets the pieces of a body arrive apart, or gives a body the time to arrive that should not. */
const pause = (ms = 20) => new Promise((resolve) => setTimeout(resolve, ms));
const message = async (work: Promise<unknown>) => work.then(String, (error: Error) => error.message);

const sizes = [1, 1_000, 150_000];
for (const size of sizes) {
  const text = 'abcdefghij'.repeat(size / 10) + 'x'.repeat(size % 10);
  for (const when of ['early', 'late'] as const) {
    test(`${size} bytes in three pieces, read whole, ${when}`, async (context) => {
      await begin(context, `Content-Length: ${size}\r\n`);
      const { client, req } = context;
      const early = when === 'early' ? req.whole(MOST) : undefined;
      for (let i = 0; i < 3; i++) {
        client.write(text.slice(Math.floor((i * size) / 3), Math.floor(((i + 1) * size) / 3)));
        await pause();
      }
      assert.is((await (early ?? req.whole(MOST))).toString(), text);
    });
    test(`${size} bytes in three pieces, read as a stream, ${when}`, async (context) => {
      await begin(context, `Content-Length: ${size}\r\n`);
      const { client, req } = context;
      const read = async () => {
        let came = '';
        for await (const piece of req) came += piece;
        return came;
      };
      const early = when === 'early' ? read() : undefined;
      for (let i = 0; i < 3; i++) {
        client.write(text.slice(Math.floor((i * size) / 3), Math.floor(((i + 1) * size) / 3)));
        await pause();
      }
      assert.is(await (early ?? read()), text);
    });
  }
}

test('a body that nobody reads is not buffered whole', async (context) => {
  await begin(context, 'Content-Length: 50000000\r\n');
  const { client, req } = context;
  client.write(Buffer.alloc(50_000_000));
  await pause(500);
  assert.ok(req.socket.bytesRead < 5_000_000, `${req.socket.bytesRead} bytes were read`);
});

test('an oversized body is refused before it has arrived, announced or not', async (context) => {
  await begin(context, `Content-Length: ${MOST + 1}\r\n`);
  assert.match(await message(context.req.whole(MOST)), 'more than');
  context.stop();
  await begin(context, 'Transfer-Encoding: chunked\r\n');
  const body = context.req.whole(MOST);
  for (let i = 0; i < 3; i++) context.client.write(`186a0\r\n${'x'.repeat(100_000)}\r\n`);
  assert.match(await message(body), 'more than');
});

test('a body that is cut off rejects', async (context) => {
  await begin(context, 'Content-Length: 10\r\n');
  const body = context.req.whole(MOST);
  const head = context.req.socket.bytesRead;
  context.client.write('abc');
  assert.ok(await until(() => context.req.socket.bytesRead > head, SOON_MS, 2), 'the first bytes are there');
  context.client.resetAndDestroy();
  assert.match(await message(body), 'cut off');
  assert.match(await message(context.req.whole(MOST)), 'cut off');
});

test('a body that nobody reads does not block the connection', async (context) => {
  await begin(context, 'Content-Length: 3\r\n');
  const { client, req, came } = context;
  client.write('abcGET / HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.ok(await until(async () => req.complete, SOON_MS, 2));
  assert.is(came(), '');
});

test('a body that was read is not kept while its connection waits for the next request', async (context) => {
  await begin(context, 'Content-Length: 150000\r\n');
  const { client, req } = context;
  client.write('x'.repeat(150_000));
  const kept = new WeakRef(await req.whole(MOST));
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  assert.type(collect, 'function');
  const isGone = async () => {
    if (typeof collect === 'function') collect();
    return kept.deref() === undefined;
  };
  assert.ok(await until(isGone, SOON_MS, 20));
  assert.ok(req.complete, 'the request is still held');
});

test.run();
