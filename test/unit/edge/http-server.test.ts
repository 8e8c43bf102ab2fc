/** An unreadable request gets one answer, whatever follows it; then its connection is closed. */
import { connect, type Socket } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limits } from '../../../actors/limits.js';
import { type HttpServer, startHttpServer } from '../../../http/wire/http-server.js';
import { until } from '../../deadlines.js';
import { realClock } from './fake-owners.js';

const SOON_MS = 10_000;
const PIECES = 20;

interface Context {
  server: HttpServer;
  /** The statuses that were reported to the meter. */
  told: number[];
  /** The server's sockets of the connections that sent a request. */
  ends: Socket[];
  /** The server's timers; its time stands still. */
  later: Set<() => void>;
}

const test = suite<Context>('http server');

test.before.each(async (context) => {
  const told: number[] = [];
  const ends: Socket[] = [];
  const later = new Set<() => void>();
  context.server = await startHttpServer({
    patience: limits,
    host: '127.0.0.1',
    port: 0,
    setBy: 'PORT',
    clock: {
      ...realClock,
      after: (_delayMs, run) => {
        later.add(run);
        return () => void later.delete(run);
      },
    },
    handle: (req, res) => {
      ends.push(req.socket);
      res.end('ok');
    },
    unreadable: (status) => `id-${told.push(status)}`,
  });
  Object.assign(context, { told, ends, later });
});
test.after.each(async ({ server, later }) => {
  const stopped = server.stop(0);
  for (const run of later) run();
  await stopped;
});

const seen = async (condition: () => boolean, what: string) =>
  assert.ok(await until(async () => condition(), SOON_MS, 5), what);

/** A client whose first request was served, and the server's socket of its connection. */
async function served({ server, ends }: Context): Promise<{ client: Socket; end: Socket; came: () => string }> {
  const client = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
  client.on('error', () => {}); // The server cuts the connection; the test checks the effect.
  let came = '';
  client.on('data', (chunk) => {
    came += chunk.toString();
  });
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await seen(() => came.endsWith('ok'), 'the first request is served');
  const end = ends.at(-1);
  if (end === undefined) throw new Error('nobody came');
  came = '';
  return { client, end, came: () => came };
}

const isWhole = (reply: string): boolean => {
  const [head = '', body = ''] = reply.split('\r\n\r\n');
  return body.length > 0 && body.length === Number(/Content-Length: (\d+)/.exec(head)?.[1]);
};

const unreadable: readonly [what: string, status: number, bytes: string][] = [
  ['no HTTP', 400, 'nonsense\r\n\r\n'],
  ['headers without an end', 431, `GET / HTTP/1.1\r\nHost: x\r\nX-Much: ${'x'.repeat(limits.headerBytes)}`],
];

for (const [what, status, bytes] of unreadable) {
  test(`${what}: one answer, whatever follows, and closed at its deadline`, async (context) => {
    const { client, end, came } = await served(context);
    let sent = end.bytesRead + bytes.length;
    client.write(bytes);
    await seen(() => context.told.length > 0, 'it is told');
    // Node reports each of these again.
    for (let i = 0; i < PIECES; i++) {
      const piece = `and ${i} more\r\n\r\n`;
      client.write(piece);
      sent += piece.length;
      await seen(() => end.bytesRead === sent || end.destroyed, 'it is read');
    }
    assert.not(end.destroyed, 'the connection with the reply in it is not cut');
    assert.equal(context.told, [status]);
    await seen(() => isWhole(came()), came());
    assert.match(came(), new RegExp(`^HTTP/1\\.1 ${status} .*X-Request-ID: id-1\\r\\n.*Connection: close`, 's'));
    assert.is(context.later.size, 1);
    for (const run of context.later) run();
    await seen(() => end.destroyed, 'then it is over');
    client.destroy();
  });
}

test('a client that leaves after its answer is not waited for', async (context) => {
  const { client, end } = await served(context);
  client.write('nonsense\r\n\r\n');
  await seen(() => context.told.length > 0, 'it is told');
  client.resetAndDestroy();
  await seen(() => end.destroyed && context.later.size === 0, 'it is over');
  assert.equal(context.told, [400]);
});

test.run();
