/** How the command line asks a system: what it repeats and how long, what it says without an answer, and that `place` orders once. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Terminal } from '../../../deploy/commands/command.js';
import { dlqCommands } from '../../../deploy/commands/dlq.js';
import { liveEvents } from '../../../deploy/commands/live-events.js';
import { nodesCommand } from '../../../deploy/commands/nodes.js';
import { orderLines } from '../../../deploy/commands/order-lines.js';
import { placeCommand } from '../../../deploy/commands/place-order.js';
import { statusCommand } from '../../../deploy/commands/status.js';
import { NotReached, Refused, System } from '../../../deploy/commands/system.js';
import { watchCommand } from '../../../deploy/commands/watch.js';
import { answering, busy, hangUp, order, reply } from './answering.js';
import { memoryTerminal, typed } from './memory-terminal.js';

const test = suite('asking a system');

const systemAt = (url: string, budgetMs = 5_000, terminal: Partial<Terminal> = {}) =>
  System.at(memoryTerminal({ env: { HOLDFAST_URL: url }, ...terminal }), budgetMs, AbortSignal.any([]));
const failureOf = (asked: Promise<unknown>): Promise<unknown> => asked.catch((thrown: unknown) => thrown);

async function placed(url: string, ...more: readonly string[]) {
  const terminal = memoryTerminal({ env: { HOLDFAST_URL: url } });
  const given = typed([placeCommand], 'place', '--user', 'ada', 'A', ...more);
  const code = await placeCommand.run(given, terminal).catch((error: unknown) => error);
  return { code, out: terminal.out.join('\n'), said: terminal.said.join('\n') };
}

// ---------------------------------------------------------------- place

test('place repeats under one drawn key what had no answer, then follows a pending order to its outcome', () =>
  answering(
    [hangUp, busy, reply(429, {}), reply(202, { data: order('pending') }), reply(200, { data: order('confirmed') })],
    async (url, asked) => {
      const terminal = memoryTerminal({ env: { HOLDFAST_URL: `${url}/` } });
      const given = typed([placeCommand], 'place', '--user', 'ada', 'A=2', '--timeout', '60');
      assert.is(await placeCommand.run(given, terminal), 0);
      const placing = asked.filter(({ path }) => path === '/api/orders');
      assert.is(placing.length, 4);
      assert.match(placing[0]?.key ?? '', /^[0-9a-f-]{36}$/);
      assert.is(new Set(placing.map(({ key }) => key)).size, 1);
      assert.is(asked.at(-1)?.path, '/api/orders/ORD-1');
      assert.match(terminal.out[0] ?? '', /^ORD-1 {2}confirmed/);
      assert.is(terminal.said.length, 1, 'it says once that it tries again');
    },
  ));

test('place ends with its budget, and tells the key and when to come again', () =>
  answering([reply(503, { message: 'Away.' }, { 'Retry-After': '120' })], async (url, asked) => {
    const terminal = memoryTerminal({ env: { HOLDFAST_URL: url } });
    const given = typed([placeCommand], 'place', '--user', 'ada', 'A', '--timeout', '1', '--key', 'mine');
    try {
      await placeCommand.run(given, terminal);
      assert.unreachable();
    } catch (error) {
      assert.instance(error, NotReached);
      assert.match((error as Error).message, /^503 Away\. It asks to come again in 120 s\./);
    }
    assert.equal(
      asked.map(({ key }) => key),
      ['mine'],
    );
    assert.match(terminal.said.join('\n'), /The same command with --key mine finds out, and orders nothing twice/);
    assert.equal(terminal.out, []);
  }));

for (const [name, look, why] of [
  ['a refusal', reply(403, { message: 'The key lacks the scope orders:read.' }), /lacks the scope orders:read/],
  ['a 500', reply(500, { message: 'It is broken.' }), /It is broken/],
  ['no answer', busy, /Too many requests are waiting|no answer in time/],
] as const) {
  test(`an order that is placed is placed, though looking at it has ${name}`, () =>
    answering([reply(202, { data: order('pending') }), look], async (url) => {
      const { code, out, said } = await placed(url, '--timeout', '2');
      assert.is(code, 0, String(code));
      assert.match(out, /^ORD-1 {2}pending/);
      assert.match(said, why);
      assert.match(said, /It is safe, and has no outcome yet: holdfast order ORD-1$/);
      assert.not.match(said, /is not known/);
    }));
}

test('after a 500 nobody knows whether it was placed: the key is told', () =>
  answering([reply(500, { message: 'Something is broken.' })], async (url, asked) => {
    const { code, said } = await placed(url, '--key', 'mine');
    assert.instance(code, NotReached);
    assert.match((code as Error).message, /^Something is broken\./);
    assert.match(said, /--key mine finds out/);
    assert.is(asked.length, 1);
  }));

test('place asks the system to answer before its own time is over', () =>
  answering(
    [
      (req, res) => {
        const seconds = Number(/wait=(\d+)/.exec(String(req.headers.prefer))?.[1]);
        setTimeout(() => reply(202, { data: order('pending') })(req, res), 1_000 * seconds);
      },
      reply(200, { data: order('pending') }),
    ],
    async (url, asked) => {
      const { code, out } = await placed(url, '--timeout', '4');
      assert.equal([code, asked[0]?.prefer], [0, 'wait=2'], String(code));
      assert.match(out, /^ORD-1 {2}pending/);
    },
  ));

test('the amounts of an order have the digits of its currency', () => {
  const base = {
    ...order('confirmed'),
    order_items: [{ product_id: 'A', quantity: 2, unit_price: 600, subtotal: 1200 }],
  };
  for (const [currency, total, price] of [
    ['JPY', '1200 JPY', ' 600 +1200'],
    ['KWD', '1200.000 KWD', ' 600.000 +1200.000'],
    ['USD', '1200.00 USD', ' 600.00 +1200.00'],
  ] as const) {
    const lines = orderLines({ ...base, total_amount: 1200, currency } as never, memoryTerminal());
    assert.ok(lines[0]?.endsWith(`  ${total}`), lines[0]);
    assert.match(lines.at(-1) ?? '', new RegExp(`${price}$`));
  }
});

// ---------------------------------------------------------------- any command

test('a refusal is not repeated, and says its sentence and its field', () =>
  answering(
    [
      reply(409, {
        code: 'illegal_transition',
        message: 'It is delivered.',
        errors: [{ field: 'status', message: 'It is delivered.' }],
      }),
    ],
    async (url, asked) => {
      const system = System.at(memoryTerminal({ env: { HOLDFAST_URL: url } }), 5_000, new AbortController().signal);
      const error = await system.ask({ path: '/x' }).catch((thrown: unknown) => thrown);
      assert.instance(error, Refused);
      assert.is((error as Error).message, 'It is delivered. (field status)');
      assert.is(asked.length, 1);
    },
  ));

test('the budget is for all requests together', () =>
  answering([reply(200, {}), busy], async (url, asked) => {
    const system = systemAt(url, 1_000);
    await system.ask({ path: '/one' });
    await system.sleep(900);
    assert.instance(await failureOf(system.ask({ path: '/two' })), NotReached);
    assert.ok(asked.length <= 2, 'no second budget');
  }));

test('what must not come twice is repeated only where the system says that it has done nothing', () =>
  answering([busy, reply(429, {}), reply(200, { done: true }), hangUp], async (url, asked) => {
    const system = systemAt(url);
    const ask = { method: 'POST', path: '/x', once: true } as const;
    assert.is((await system.ask(ask)).status, 200);
    assert.is(asked.length, 3);
    assert.instance(await failureOf(system.ask(ask)), NotReached);
    assert.is(asked.length, 4);
  }));

test('dlq retry does not send again what may be on its way', () =>
  answering(
    [
      reply(200, { data: [{ id: 'WH-1', url: 'https://x' }] }),
      reply(200, { data: [{ id: '7', state: 'failed' }], pagination: { next_cursor: null } }),
      hangUp,
    ],
    async (url, asked) => {
      const terminal = memoryTerminal({ env: { HOLDFAST_URL: url } });
      const retry = dlqCommands.commands.find(({ name }) => name === 'retry');
      const done = retry?.run(typed([dlqCommands], 'dlq', 'retry', '7', '--timeout', '2'), terminal);
      assert.instance(await failureOf(Promise.resolve(done)), NotReached);
      assert.is(asked.filter(({ path }) => path.endsWith('/redeliver')).length, 1);
      assert.match(terminal.said.join(), /Whether 7 is sent once more is not known/);
    },
  ));

test('what a receiver once sent moves no cursor', () =>
  answering(
    [
      reply(200, { data: [{ id: 'WH-1', url: 'https://x' }] }),
      reply(200, { data: [{ id: '7', error: 'gone \x1b[2J\nid: 8' }], pagination: { next_cursor: null } }),
    ],
    async (url) => {
      const terminal = memoryTerminal({ env: { HOLDFAST_URL: url } });
      const show = dlqCommands.commands.find(({ name }) => name === 'show');
      assert.is(await show?.run(typed([dlqCommands], 'dlq', 'show', '7'), terminal), 0);
      assert.ok(terminal.out.includes('error: gone  [2J id: 8'), JSON.stringify(terminal.out));
    },
  ));

const html = (_: unknown, res: ServerResponse) =>
  void res.writeHead(200, { 'content-type': 'text/html' }).end('<html>');

test('an address of something else says so, whatever it answers', async () => {
  for (const answer of [html, reply(200, { hello: 'world' }), reply(200, [])])
    for (const command of [statusCommand, nodesCommand])
      await answering([answer], async (url) => {
        const terminal = memoryTerminal({ env: { HOLDFAST_URL: url } });
        const error = await failureOf(command.run(typed([command], command.name), terminal));
        assert.instance(error, NotReached, `${command.name}: ${error}`);
        assert.match((error as Error).message, new RegExp(`${url}.* its address \\(HOLDFAST_URL\\)\\?$`));
      });
});

test('watch says that the key goes as plain text', async () => {
  // Nothing listens there, and nothing is sent: the name is of no host.
  const terminal = memoryTerminal({ env: { HOLDFAST_URL: 'http://nowhere.invalid', HOLDFAST_KEY: 'secret-key' } });
  assert.instance(await failureOf(watchCommand.run(typed([watchCommand], 'watch'), terminal)), NotReached);
  assert.equal(terminal.said, ['The key goes to http://nowhere.invalid as plain text: https keeps it to yourself.']);
});

test('events are followed through a system that starts or is full, and not of something else', async () => {
  const full = reply(503, { message: 'There are too many listeners.' }, { 'Retry-After': '1' });
  const stream = (_: unknown, res: ServerResponse) =>
    void res.writeHead(200, { 'content-type': 'text/event-stream' }).write('id: 1\ndata: {"x":1}\n\n');
  let isFull = true;
  const events = (req: IncomingMessage, res: ServerResponse) => {
    if (req.url === '/livez') return reply(200, {})(req, res);
    (isFull ? full : stream)(req, res);
    isFull = false;
  };
  const followed = async (url: string) => {
    const over = new AbortController();
    const system = System.at(memoryTerminal({ env: { HOLDFAST_URL: url } }), 30_000, over.signal);
    for await (const text of liveEvents(system, '/api/events', over.signal, () => {})) {
      assert.is(text, '{"x":1}');
      over.abort();
    }
  };
  const startedAt = performance.now();
  await answering([events], followed);
  assert.ok(performance.now() - startedAt >= 1_000, 'Retry-After');
  await answering([html], async (url) => assert.instance(await failureOf(followed(url)), NotReached));
});

test.run();
