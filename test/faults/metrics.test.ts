// /metrics as Prometheus and promtool see it, on a node with authentication on and a key for metrics alone.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { run } from '../../deploy/servers/processes.js';
import { patientMs, until } from '../deadlines.js';
import { prometheusBinaries, RealPrometheus } from '../servers/real-prometheus.js';
import { freeze } from './rig/process-family.js';
import { RealSystem } from './rig/real-system.js';

const ADMIN_KEY = 'an-admin-key-of-a-test-0123456789abcdef';
const test = suite('metrics');
const built = await RealSystem.build({ AUTH: 'keys', ADMIN_KEY });
if ('skipped' in built) console.log(`SKIP metrics: ${built.skipped}`);
const system = built as RealSystem;
const binaries = await prometheusBinaries();
let key = '';

test.before(async () => {
  await system.start();
  await system.stock(['COUNTED'], 100);
  await system.post('/api/orders', { user_id: 'u', product_id: 'COUNTED', quantity: 1 });
  const made = await system.command('keys', 'create', '--name', 'prometheus', '--scopes', 'metrics:read');
  key = /hf_\S+/.exec(made.output)?.[0] ?? '';
});

test.after(() => system.demolish());

const scrape = (credential: string, path = '/metrics') =>
  fetch(`${system.url}${path}`, {
    headers: { authorization: `Bearer ${credential}` },
    signal: AbortSignal.timeout(patientMs(5_000)),
  });

test('a key with metrics:read reads metrics and nothing else; a key without it reads no metrics', async () => {
  assert.is((await scrape(key)).status, 200);
  assert.is((await scrape(key, '/api/orders')).status, 403);
  assert.is((await scrape(key, '/internal/gremlin/status')).status, 403);
  const other = await system.command('keys', 'create', '--name', 'shop', '--scopes', 'orders:read');
  assert.is((await scrape(/hf_\S+/.exec(other.output)?.[0] ?? '')).status, 403);
});

test('every metric has a help text, a base unit, and the suffix that its type requires', async () => {
  const text = await (await scrape(key)).text();
  const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name ?? '', type]));
  const helps = new Set([...text.matchAll(/^# HELP (\S+) \S.+$/gm)].map(([, name]) => name));
  assert.ok(types.size > 30);
  for (const [name, type] of types) {
    assert.ok(helps.has(name), `${name} has a help text`);
    assert.is(name.endsWith('_total'), type === 'counter', `${name} is a ${type}`);
    assert.not.match(name, /_(ms|milliseconds|minutes|kb|mb|kilobytes|characters)(_|$)/);
  }
  for (const name of ['holdfast_turns_total', 'holdfast_appended_bytes_total'])
    assert.ok((await system.metric(name)) > 0);
  assert.match(
    text,
    /^holdfast_http_request_duration_seconds_count\{route="\/api\/orders",method="POST",status="201"\} 1$/m,
  );
});

test('an append without an answer and its retry are counted separately', async () => {
  const counted = (name: string) => system.metric(`${name}\\{call="append"\\}`);
  assert.equal([await counted('holdfast_unanswered_calls_total'), await counted('holdfast_retries_total')], [0, 0]);
  await freeze(system.childPid('nats'));
  const order = system.post('/api/orders', { user_id: 'u', product_id: 'COUNTED', quantity: 1 });
  try {
    assert.ok(await until(async () => (await counted('holdfast_unanswered_calls_total')) > 0, 30_000));
  } finally {
    system.signalChild('nats', 'SIGKILL'); // What it had not read yet is lost, so the record must be sent again.
  }
  assert.ok([201, 202, 503].includes((await order).status));
  assert.ok(await until(async () => (await counted('holdfast_retries_total')) > 0, 30_000));
});

test('promtool finds no fault', async () => {
  if ('missing' in binaries) return console.log(`SKIP promtool: ${binaries.missing}`);
  const input = await (await scrape(key)).text();
  const result = await run(binaries.promtool, ['check', 'metrics'], { deadlineMs: patientMs(20_000), input });
  assert.equal([result.code, result.output], [0, '']);
});

test('Prometheus scrapes the node with such a key', async () => {
  if ('missing' in binaries) return console.log(`SKIP Prometheus: ${binaries.missing}`);
  const prometheus = await RealPrometheus.start(binaries, { targets: [`127.0.0.1:${system.port}`], key });
  try {
    const turns = async () => (await prometheus.query('holdfast_turns_total'))[0]?.value ?? 0;
    assert.ok(await until(async () => (await turns()) > 0, 30_000));
  } finally {
    await prometheus.stop();
  }
});

if (!('skipped' in built)) test.run();
