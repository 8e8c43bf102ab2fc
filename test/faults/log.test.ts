// The log of a real system: an order has no line, or one with ACCESS_LOG=on; what could not be served has its cause; a start that
// fails says why, for whoever reads it.

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { run } from '../../deploy/servers/processes.js';
import { patientMs, until } from '../deadlines.js';
import { RealSystem } from './rig/real-system.js';

const test = suite('log');
const MAIN = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'deploy', 'main.js');
const ORDERS = 20;
const WRITTEN_MS = 10_000;
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const WORDS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

const built = await RealSystem.build();
if ('skipped' in built) console.log(`SKIP log: ${built.skipped}`);
const system = built as RealSystem;
test.after(() => system.demolish());

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly requestId?: string;
  readonly [field: string]: unknown;
}

/** @throws if a line is no JSON */
const lines = (): Line[] =>
  system.output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);

async function order(requestId: string): Promise<number> {
  const reply = await fetch(`${system.url}/api/orders`, {
    method: 'POST',
    headers: {
      ...{ 'content-type': 'application/json', 'x-request-id': requestId, 'x-correlation-id': `of-${requestId}` },
      ...{ traceparent: `00-${TRACE}-00f067aa0ba902b7-01`, 'idempotency-key': requestId },
    },
    body: JSON.stringify({ user_id: 'secret-user', product_id: 'KEPT', quantity: 1 }),
    signal: AbortSignal.timeout(patientMs(60_000)),
  });
  await reply.arrayBuffer();
  return reply.status;
}

const ids = Array.from({ length: ORDERS }, (_, i) => `order-${i}`);

test('with ACCESS_LOG=on an order has one line: its ids, route, status and time', async () => {
  await system.start({ ACCESS_LOG: 'on' });
  await system.stock(['KEPT'], 1_000);
  for (const id of ids) assert.is(await order(id), 201);
  assert.ok(await until(() => lines().some(({ requestId }) => requestId === ids.at(-1)), WRITTEN_MS));
  for (const id of ids) {
    const found = lines().filter(({ requestId }) => requestId === id);
    assert.is(found.length, 1, id);
    const { level, msg, traceId, correlation, method, route, status, ms, service, node } = found[0] ?? {
      level: '',
      msg: '',
    };
    assert.equal([level, msg, traceId, correlation], ['info', 'request', TRACE, `of-${id}`]);
    assert.equal([method, route, status], ['POST', '/api/orders', 201]);
    assert.ok(Number(ms) > 0);
    for (const text of [service, node]) assert.type(text, 'string');
  }
  await system.end('SIGTERM');
  for (const { level } of lines()) assert.ok(WORDS.includes(level), level);
  assert.not.ok(system.output.includes('secret-user'));
});

test('otherwise an order that is served has no line, and one that is not has one with its cause', async () => {
  system.output = '';
  await system.start();
  for (const id of ids) assert.is(await order(`again-${id}`), 201);
  system.signalChild('nats', 'SIGSTOP');
  let [status, unserved] = [201, ''];
  try {
    // The broker may finish what it is at before it stands still.
    for (let i = 0; status === 201 && i < 20; i++) {
      unserved = `unserved-${i}`;
      status = await order(unserved);
    }
  } finally {
    system.signalChild('nats', 'SIGCONT');
  }
  assert.is(status, 503);
  const own = () => lines().filter(({ requestId }) => requestId !== undefined);
  assert.ok(await until(() => own().length > 0, WRITTEN_MS));
  assert.equal(
    own().map(({ requestId, level, msg, status: code, traceId }) => [requestId, level, msg, code, traceId]),
    [[unserved, 'warn', 'A request could not be served.', 503, TRACE]],
  );
  assert.ok(String(own()[0]?.cause).length > 10, String(own()[0]?.cause));
  await system.end('SIGTERM');
});

test('a start that fails says why: as one line of the log, and in sentences on a terminal', async () => {
  const wrong = { ...system.env, PORT: 'many', JOURNAL: 'paper' };
  const piped = await run(process.execPath, [MAIN], { deadlineMs: patientMs(30_000), env: wrong });
  assert.is(piped.code, 78);
  const line = JSON.parse(piped.output) as Line;
  assert.equal([line.level, (line.mistakes as string[]).length], ['error', 2]);
  assert.match(line.msg, /^The environment has 2 mistakes: PORT is "many"; it must be .* JOURNAL is "paper"/);

  const probe = await run('script', ['-qec', 'exit 0', '/dev/null'], { deadlineMs: patientMs(30_000) });
  if (probe.code !== 0) return console.log('SKIP no `script` here to make a terminal with');
  const shown = async (env: Readonly<Record<string, string>>) => {
    const command = `'${process.execPath}' '${MAIN}'`;
    const { code, output } = await run('script', ['-qec', command, '/dev/null'], {
      deadlineMs: patientMs(60_000),
      env,
    });
    return { code, text: stripVTControlCharacters(output).replace(/\r/g, '') };
  };
  const mistakes = await shown(wrong);
  assert.is(mistakes.code, 78);
  assert.match(
    mistakes.text,
    /^Holdfast did not start\.\n {2}The environment has 2 mistakes:\n {2}PORT is "many"; .*\n {2}JOURNAL is "paper"; .*$/,
  );
  const folder = await shown({ ...system.env, DATA_DIR: '/proc/none' });
  assert.is(folder.code, 1);
  assert.match(
    folder.text,
    /Holdfast did not start\.\n {2}DATA_DIR \/proc\/none cannot be made .*: choose a folder this user may write to\.$/,
  );
  for (const { text } of [mistakes, folder]) assert.not.match(text, /"level"/);
});

if (!('skipped' in built)) test.run();
