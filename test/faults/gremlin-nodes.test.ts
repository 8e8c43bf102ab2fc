// The gremlin's one switch, seen by people at two nodes on the same stores, of which one waits for the other:
// what is said at either edge is done at both, ends at both, and outlives a take-over. What each did is its own.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { until } from '../deadlines.js';
import { type RealNats, type RealPostgres, realNats, realPostgres } from '../servers/real-servers.js';
import { RealSystem } from './rig/real-system.js';

const OBEYED_MS = 10_000;
const TAKEN_OVER_MS = 8_000;
const EVERY = 3;
const SHORT_S = 4;
const ASK = '/api/inventory/SHELF';
const RULE = { target: 'inventory', kind: 'error', every: EVERY } as const;

const test = suite('the gremlin at two nodes');
const houses: RealSystem[] = [];
const stops: (() => Promise<void>)[] = [];
const [postgres, nats] = [await realPostgres(), await realNats()];
if (!('skipped' in postgres)) stops.push(postgres.stop);
if (!('skipped' in nats)) stops.push(nats.stop);
const isThere = !('skipped' in postgres) && !('skipped' in nats);
if (!isThere)
  for (const each of [postgres, nats]) if ('skipped' in each) console.log(`SKIP two nodes: ${each.skipped}`);

async function build(database: RealPostgres, broker: RealNats): Promise<RealSystem> {
  const house = await RealSystem.build({
    DATABASE_URL: database.url,
    NATS_URL: broker.url,
    NATS_MONITOR_URL: broker.monitorUrl,
    JOURNAL: 'jetstream',
  });
  if ('skipped' in house) throw new Error(house.skipped);
  houses.push(house);
  return house;
}

let owner: RealSystem;
let waiting: RealSystem;

const waits = async (house: RealSystem) => {
  const hasSaid = async () => /owns the partitions/.test((await house.ask('/readyz'))?.text ?? '');
  assert.ok(await until(hasSaid, TAKEN_OVER_MS), house.lastWords());
};

test.before(async () => {
  owner = await build(postgres as RealPostgres, nats as RealNats);
  waiting = await build(postgres as RealPostgres, nats as RealNats);
  await owner.start();
  await owner.stock(['SHELF'], 100);
  waiting.open();
  await waits(waiting);
});

test.after(async () => {
  const awake = setInterval(() => {}, 1_000); // a server's exit does not keep this process waiting
  for (const house of houses) await house.demolish();
  for (const stop of stops) await stop();
  clearInterval(awake);
});

// ---------------------------------------------------------------- what is asked

interface Status {
  readonly enabled: boolean;
  readonly since?: string;
  readonly until?: string;
  readonly seed?: number;
  readonly rules?: readonly object[];
  readonly asked: { readonly inventory?: number };
  readonly hits: { readonly inventory?: { readonly error?: number } };
}

async function tell(house: RealSystem, word: 'enable' | 'disable', body: object = {}): Promise<Status> {
  const reply = await house.post(`/internal/gremlin/${word}`, body);
  assert.is(reply.status, 200, reply.text);
  return (JSON.parse(reply.text) as { data: Status }).data;
}

async function status(house: RealSystem): Promise<Status> {
  return (JSON.parse((await house.ask('/internal/gremlin/status'))?.text ?? '{}') as { data: Status }).data;
}

const said = ({ since, until, seed, rules }: Status) => ({ since, until, seed, rules });

/** Whether a question about stock fails by the gremlin; what the node itself says to it is another matter. */
async function isBitten(house: RealSystem): Promise<boolean> {
  const reply = await house.ask(ASK);
  assert.ok(reply, 'there is an answer');
  return reply.status === 503 && reply.text.includes('gremlin');
}

async function bitesOf(house: RealSystem, questions: number): Promise<number> {
  let bites = 0;
  for (let i = 0; i < questions; i++) if (await isBitten(house)) bites++;
  return bites;
}

/** Nobody asks for its status meanwhile: it has to find out by itself. */
const obeys = async (house: RealSystem) =>
  assert.ok(await until(() => isBitten(house), OBEYED_MS, 20), house.lastWords());

const isLeftAlone = async (house: RealSystem) =>
  assert.ok(await until(async () => (await bitesOf(house, EVERY)) === 0, OBEYED_MS, 20), house.lastWords());

/** What both say of the switch, and each of itself. */
async function agree(told: Status): Promise<void> {
  for (const house of [owner, waiting]) {
    const { enabled, ...shown } = await status(house);
    assert.is(enabled, true);
    assert.equal(said({ enabled, ...shown }), said(told));
  }
}

// ---------------------------------------------------------------- what must hold

test('switched on at the one that waits, it acts at both, and each counts what it did', async () => {
  const told = await tell(waiting, 'enable', { ...RULE, for_s: 300, seed: 7 });
  await obeys(owner);
  await agree(told);
  const before = await status(owner);
  assert.is(await bitesOf(owner, 3 * EVERY), 3);
  assert.is(await bitesOf(waiting, 2 * EVERY), 2);
  const [there, here] = [await status(owner), await status(waiting)];
  assert.is(there.hits.inventory?.error, (before.hits.inventory?.error ?? 0) + 3);
  assert.is(there.asked.inventory, (before.asked.inventory ?? 0) + 3 * EVERY);
  assert.equal([here.asked.inventory, here.hits], [2 * EVERY, { inventory: { error: 2 } }]);
});

test('switched off at the one that waits, it is off at both, which still show what they did', async () => {
  const before = await status(owner);
  assert.is((await tell(waiting, 'disable')).enabled, false);
  await isLeftAlone(owner);
  await isLeftAlone(waiting);
  const [there, here] = [await status(owner), await status(waiting)];
  assert.equal([there.enabled, here.enabled], [false, false]);
  assert.ok((there.hits.inventory?.error ?? 0) >= (before.hits.inventory?.error ?? 0));
  assert.is(here.hits.inventory?.error, 2);
});

test('switched on and off at the owner, the one that waits obeys', async () => {
  const told = await tell(owner, 'enable', { ...RULE, for_s: 300 });
  await obeys(waiting);
  await agree(told);
  await tell(owner, 'disable');
  await isLeftAlone(waiting);
  assert.is((await status(waiting)).enabled, false);
});

test('it is over at both by itself, at neither too early', async () => {
  const told = await tell(waiting, 'enable', { ...RULE, every: 1, for_s: SHORT_S });
  const ends = Date.parse(told.until ?? '');
  assert.is(ends - Date.parse(told.since ?? ''), SHORT_S * 1_000);
  await Promise.all(
    [owner, waiting].map(async (house) => {
      await obeys(house);
      assert.ok(await until(async () => !(await isBitten(house)), SHORT_S * 1_000 + OBEYED_MS, 20));
      // The database's clock is this machine's, and it tells milliseconds.
      assert.ok(Date.now() >= ends - 1, 'not before');
      assert.is((await status(house)).enabled, false);
    }),
  );
});

test('after a take-over the second goes on with it, and so does who comes back to wait', async () => {
  const late = { target: 'bus', kind: 'latency', every: 4, delay_ms: 50 };
  const told = await tell(owner, 'enable', { rules: [RULE, late], for_s: 300, seed: 9 });
  await obeys(waiting);
  assert.is((await owner.end('SIGTERM')).code, 0, owner.lastWords());
  await waiting.ready(2 * TAKEN_OVER_MS);
  [owner, waiting] = [waiting, owner];
  assert.equal(said(await status(owner)), said(told));
  const before = (await status(owner)).hits.inventory?.error ?? 0;
  assert.is(await bitesOf(owner, 2 * EVERY), 2);
  assert.is((await status(owner)).hits.inventory?.error, before + 2);
  const placed = await owner.post('/api/orders', { user_id: 'ada', product_id: 'SHELF', quantity: 1 }, 'one');
  assert.is(placed.status < 300, true, placed.text);

  waiting.open();
  await waits(waiting);
  await obeys(waiting);
  await agree(told);
  await tell(waiting, 'disable');
  await isLeftAlone(owner);
  const again = await owner.post('/api/orders', { user_id: 'ada', product_id: 'SHELF', quantity: 1 }, 'one');
  assert.is(again.status, 201, again.text);
  assert.match((await owner.ask(ASK))?.text ?? '', /"on_hand":99,"held":0/);
  const verdict = await owner.verify();
  assert.is(verdict.code, 0, verdict.output);
});

if (isThere) test.run();
else for (const stop of stops) await stop();
