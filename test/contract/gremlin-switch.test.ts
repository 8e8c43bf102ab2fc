// The contract of the gremlin's switch, for every store of it.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { GremlinSwitch } from '../../actors/ports/gremlin.js';
import type { GremlinSetting } from '../../actors/ports/gremlin-setting.js';
import { memoryGremlinSwitch } from '../../storage/memory/memory-stores.js';
import { postgresGremlinSwitch } from '../../storage/postgres/postgres-gremlin-switch.js';
import { until } from '../deadlines.js';
import { testDatabase } from './rig/storage-database.js';

const LATE: GremlinSetting = {
  rules: [{ target: 'inventory', kind: 'latency', every: 3, delayMs: 5_000, jitterMs: 0 }],
  seed: 2 ** 31 - 1,
};
const CHANCE: GremlinSetting = {
  rules: [
    { target: 'bus', kind: 'drop', probability: 0.125, delayMs: 500, jitterMs: 10 },
    { target: 'storage', kind: 'error', every: 2, delayMs: 500, jitterMs: 0 },
  ],
  seed: 0,
};

function contract(name: string, one: GremlinSwitch, other: GremlinSwitch, after = async () => {}): void {
  const test = suite(`gremlin switch: ${name}`);

  test('off at first; switched on, every node sees the same rules; switched off, it is off for every node', async () => {
    assert.is(await one.standing(), undefined);
    const told = await one.enable('first', LATE, 60_000);
    assert.equal(told.setting, LATE);
    assert.is(told.until - told.since, 60_000);
    assert.ok(told.restMs > 59_000 && told.restMs <= 60_000, String(told.restMs));
    const seen = await other.standing();
    assert.equal({ ...seen, restMs: 0 }, { ...told, restMs: 0 });
    assert.ok((seen?.restMs ?? 0) > 0 && (seen?.restMs ?? 0) <= told.restMs);
    await other.disable();
    assert.is(await one.standing(), undefined);
    await other.disable();
  });

  test('switching on replaces the rules that are on', async () => {
    await one.enable('second', LATE, 60_000);
    await other.enable('third', CHANCE, 30_000);
    const seen = await one.standing();
    assert.equal([seen?.id, seen?.setting], ['third', CHANCE]);
    assert.is((seen?.until ?? 0) - (seen?.since ?? 0), 30_000);
    await one.disable();
  });

  test('the switch ends by itself, and can be switched on again', async () => {
    await one.enable('short', LATE, 250);
    assert.ok(await until(async () => (await other.standing()) === undefined, 5_000, 20));
    await one.enable('again', LATE, 60_000);
    assert.is((await other.standing())?.id, 'again');
    await one.disable();
  });

  test.after(after);
  test.run();
}

const memory = memoryGremlinSwitch({ now: () => Date.now() });
contract('memory', memory, memory);
const database = await testDatabase();
if (database !== undefined) {
  contract('Postgres', postgresGremlinSwitch(database.client), postgresGremlinSwitch(database.client), database.stop);
}
