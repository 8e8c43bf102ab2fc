// One attempt against receivers of every kind. They listen on loopback, which is allowed here by name or address.
import type { LookupAddress, lookup as systemLookup } from 'node:dns';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limits } from '../../../actors/limits.js';
import { guardedPoster } from '../../../bus/webhooks/post.js';
import { targetGuard } from '../../../bus/webhooks/target-guard.js';
import { until } from '../../deadlines.js';

const test = suite('post');
const servers: Server[] = [];
test.after(() => {
  for (const server of servers) server.close();
});

const listening = (server: Server): Promise<number> => {
  servers.push(server);
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)));
};
const receiver = (handle: (req: IncomingMessage, res: ServerResponse, body: string) => void) =>
  listening(
    createServer((req, res) => {
      let body = '';
      req.on('data', (piece) => {
        body += piece;
      });
      req.on('end', () => handle(req, res, body));
    }),
  );
const raw = (speak: (socket: Socket) => void) =>
  listening(
    createTcpServer((socket) => {
      socket.on('error', () => {});
      speak(socket);
    }),
  );

const DEADLINES = { connectMs: 2_000, answerMs: 3_000 };
const poster = guardedPoster(targetGuard({ allow: ['127.0.0.1'], httpsOnly: true }), DEADLINES);
const posted = (port: number, body = '{}', signal = new AbortController().signal, with_ = poster) =>
  with_
    .post(`http://127.0.0.1:${port}/in?x=1`, { 'webhook-id': 'e/1' }, body, signal)
    .catch((error: Error) => error.message);

test('the receiver gets the body and headers as they are, and the connection ends', async () => {
  let seen: unknown;
  const text = '{"é":"😀"}';
  const port = await receiver((req, res, body) => {
    seen = [req.method, req.url, req.headers['webhook-id'], req.headers.host, req.headers.connection, body];
    res.writeHead(202).end('thanks');
  });
  assert.equal(await posted(port, text), { status: 202, retryAfterMs: undefined });
  assert.equal(seen, ['POST', '/in?x=1', 'e/1', `127.0.0.1:${port}`, 'close', text]);
});

test('every status is an answer; a redirect is not followed', async () => {
  let asked = 0;
  const port = await receiver((_, res) => {
    asked++;
    res.writeHead(302, { location: `http://127.0.0.1:${port}/elsewhere` }).end();
  });
  assert.equal(await posted(port), { status: 302, retryAfterMs: undefined });
  assert.is(asked, 1);
  const busy = await receiver((_, res) => res.writeHead(503, { 'retry-after': '120' }).end());
  assert.equal(await posted(busy), { status: 503, retryAfterMs: 120_000 });
  const dated = await receiver((_, res) =>
    res.writeHead(429, { 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT' }).end(),
  );
  assert.equal(await posted(dated), { status: 429, retryAfterMs: undefined });
});

test('receivers that close, talk nonsense or switch protocols give no answer', async () => {
  const closing = await raw((socket) => socket.once('data', () => socket.destroy()));
  assert.is(await posted(closing), 'the connection was closed without an answer');
  const nonsense = await raw((socket) => socket.once('data', () => socket.end('SSH-2.0-OpenSSH\r\n\r\n')));
  assert.type(await posted(nonsense), 'string');
  const switching = await raw((socket) =>
    socket.once('data', () =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'),
    ),
  );
  assert.is(await posted(switching), 'the connection was closed without an answer');
  const long = await raw((socket) =>
    socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(limits.headerBytes)}\r\n\r\n`)),
  );
  assert.is(await posted(long), 'the headers of the answer are too large');
  const gone = await raw(() => {});
  servers.pop()?.close();
  await until(async () => (await posted(gone)) === 'the connection was refused', 5_000);
  assert.is(await posted(gone), 'the connection was refused');
});

test('a receiver that never answers is given up at the deadline', async () => {
  const silent = await raw(() => {});
  const quick = guardedPoster(targetGuard({ allow: ['127.0.0.1'], httpsOnly: false }), {
    connectMs: 2_000,
    answerMs: 150,
  });
  assert.is(await posted(silent, '{}', undefined, quick), 'there was no answer within 0.15 s');
  const drips = await raw((socket) => {
    const drip = setInterval(() => socket.write('H'), 20);
    socket.once('close', () => clearInterval(drip));
  });
  assert.type(await posted(drips, '{}', undefined, quick), 'string');
});

test('of an endless body little is read, and its status counts', async () => {
  let sent = 0;
  const port = await receiver((_, res) => {
    res.writeHead(200);
    const piece = Buffer.alloc(65_536);
    const more = () => {
      while (!res.destroyed && res.write(piece)) sent += piece.length;
    };
    res.on('drain', more);
    more();
  });
  assert.equal(await posted(port), { status: 200, retryAfterMs: undefined });
  assert.ok(sent < 64 * 1_048_576, `${sent} bytes`);
  const stuck = await receiver((_, res) => res.writeHead(201, { 'content-length': '10' }).write('x'));
  assert.equal(await posted(stuck), { status: 201, retryAfterMs: undefined });
});

test('a stop ends it', async () => {
  const silent = await raw(() => {});
  const stop = new AbortController();
  const answer = posted(silent, '{}', stop.signal);
  setTimeout(() => stop.abort(), 20);
  assert.type(await answer, 'string');
});

test('a name that changes its answer reaches only what was judged', async () => {
  let reached = 0;
  const port = await receiver((_, res) => {
    reached++;
    res.end();
  });
  const answers: LookupAddress[][] = [];
  let asked = 0;
  const resolve = ((_: string, __: object, callback: (error: null, found: LookupAddress[]) => void) => {
    callback(null, answers[Math.min(asked++, answers.length - 1)] ?? []);
  }) as unknown as typeof systemLookup;
  const post = (allow: readonly string[]) =>
    guardedPoster(targetGuard({ allow, httpsOnly: false, resolve }), { connectMs: 300, answerMs: 600 })
      .post(`http://rebound.example:${port}/`, {}, '{}', new AbortController().signal)
      .catch((error: Error) => error.message);
  const [loopback, elsewhere] = [
    { address: '127.0.0.1', family: 4 },
    { address: '240.0.0.1', family: 4 },
  ];
  // Judged and connected in one look-up: there is no second answer that could differ.
  answers.push([loopback]);
  assert.match(String(await post([])), /has the address 127.0.0.1, which is not public/);
  assert.equal([asked, reached], [1, 0]);
  answers.splice(0, 1, [elsewhere], [loopback]);
  asked = 0;
  assert.type(await post(['240.0.0.0/4']), 'string'); // It tries the first, and never asks again.
  assert.equal([asked, reached], [1, 0]);
  answers.splice(0, 2, [elsewhere, loopback]);
  assert.match(String(await post(['240.0.0.0/4'])), /has the address 127.0.0.1/);
  assert.is(reached, 0);
  answers.splice(0, 1, [loopback]);
  assert.equal(await post(['rebound.example']), { status: 200, retryAfterMs: undefined });
  assert.is(reached, 1);
});

test('a closed address is refused before anything is sent', async () => {
  const none = guardedPoster(targetGuard({ allow: [], httpsOnly: false }));
  assert.match(String(await posted(1, '{}', undefined, none)), /^the url leads to 127.0.0.1, which is not public/);
});

test.run();
