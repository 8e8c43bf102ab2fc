/** How a read replica is judged: by positions of the WAL alone, and on this process's own clock. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { PostgresClient } from '../../../storage/postgres/postgres.js';
import { readReplica } from '../../../storage/postgres/read-replica.js';

interface World {
  timeMs: number;
  next: (() => void) | undefined;
  written: number | Error;
  replica: { standby: boolean; lsn: string | null; system: string } | Error;
  /** What a list is answered at the replica. */
  list: Error | string;
  lines: string[];
  judged: ReturnType<typeof readReplica>;
}

const lsn = (position: number) => `1/${position.toString(16)}`;
const streaming = (position: number) => ({ standby: true, lsn: lsn(position), system: 'S' });
const answer = <T>(value: T | Error): Promise<T[]> =>
  value instanceof Error ? Promise.reject(value) : Promise.resolve([value]);

const test = suite<World>('read replica');
test.before.each((world) => {
  Object.assign(world, {
    timeMs: 0,
    next: undefined,
    written: 100,
    replica: streaming(100),
    list: 'replica',
    lines: [],
  });
  const client = (query: (what: string) => Promise<unknown[]>) => ({ query }) as unknown as PostgresClient;
  const say = (_: object, line: string) => void world.lines.push(line);
  world.judged = readReplica({
    primary: client(() => answer(world.written instanceof Error ? world.written : { lsn: lsn(world.written) })),
    looks: client(() => answer(world.replica)),
    replica: client(() => answer(world.list)),
    lists: client(() => answer('primary')),
    ...{ system: 'S', maxLagMs: 1_000 },
    clock: {
      monotonic: () => world.timeMs,
      after(_, run) {
        world.next = run;
        return () => {};
      },
      ...{ now: () => 0, soon: () => {}, id: () => '', random: () => 1 },
    },
    logger: { debug: say, info: say, warn: say, error: say },
  });
});
test.after.each(({ judged }) => judged.stop());

/** Lets the look under way end, and makes some more. */
async function looks(world: World, count: number, eachMs = 250): Promise<void> {
  for (let i = 0; i <= count; i++) {
    while (world.next === undefined) await new Promise((resolve) => setImmediate(resolve));
    if (i === count) return;
    const run = world.next;
    world.next = undefined;
    world.timeMs += eachMs;
    run();
  }
}

test('its age is the time since the last position that it has reached', async (world) => {
  await looks(world, 0);
  assert.is(world.judged.usableLagMs(), 0);
  world.timeMs += 90;
  assert.is(world.judged.usableLagMs(), 90);
  world.written = 200;
  await looks(world, 2);
  assert.is(world.judged.usableLagMs(), 590);
  world.replica = streaming(200);
  await looks(world, 1);
  assert.is(world.judged.usableLagMs(), 0);
});

test('one that is paused for ever is left alone, and so is one that nobody looks at any more', async (world) => {
  await looks(world, 0);
  world.timeMs += 1_001;
  assert.is(world.judged.usableLagMs(), undefined);
  assert.match(world.judged.status().why ?? '', /1\.0 s behind the primary, and 1 s are allowed/);
  world.written = 101;
  await looks(world, 40);
  assert.is(world.judged.usableLagMs(), undefined);
  assert.ok(world.judged.status().lagMs > 10_000);
  assert.is(world.lines.filter((line) => line.includes('left alone')).length, 1, 'it is told once');
  world.replica = streaming(101);
  await looks(world, 2);
  assert.is(world.judged.usableLagMs(), undefined, 'some good looks come first');
  await looks(world, 2);
  assert.is(world.judged.usableLagMs(), 0);
});

test('one that has not replayed what the primary had at the first look is not used', async (world) => {
  world.replica = streaming(99);
  await looks(world, 2);
  assert.is(world.judged.usableLagMs(), undefined);
  assert.match(world.judged.status().why ?? '', /has not replayed what the primary had/);
});

for (const [what, replica, why] of [
  ['a promoted one', { standby: false, lsn: null, system: 'S' }, /no standby/],
  ['one of another system', { ...streaming(100), system: 'T' }, /of another system \(T\)/],
  ['one that is ahead of the primary', streaming(300), /follows another server/],
  ['one that does not answer', new Error('nobody listens there'), /nobody listens/],
] as const) {
  test(`${what} is left alone`, async (world) => {
    await looks(world, 1);
    world.replica = replica;
    await looks(world, 2);
    assert.is(world.judged.usableLagMs(), undefined);
    assert.match(world.judged.status().why ?? '', why);
  });
}

test('the primary answers what fails at the replica, which is left alone after three failures', async (world) => {
  await looks(world, 0);
  world.list = new Error('the disk is broken');
  for (let i = 0; i < 3; i++) assert.equal(await world.judged.client.query('list', 'select'), ['primary']);
  assert.is(world.judged.usableLagMs(), undefined);
  assert.match(world.judged.status().why ?? '', /statements fail there: the disk is broken/);
  world.list = 'replica';
  await looks(world, 10);
  assert.is(world.judged.usableLagMs(), undefined, 'it rests');
  await looks(world, 20);
  assert.equal(await world.judged.client.query('list', 'select'), ['replica']);
});

test.run();
