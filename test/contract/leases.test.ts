/** Leases in Postgres and their twin in memory. */
import { setTimeout as pause } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Leases } from '../../actors/ports/leases.js';
import type { Clock } from '../../actors/ports/runtime.js';
import { systemClock } from '../../bus/system-clock.js';
import { memoryLeases } from '../../storage/memory/memory-leases.js';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { postgresLeases } from '../../storage/postgres/postgres-leases.js';
import { until } from '../deadlines.js';
import { realPostgres } from '../servers/real-servers.js';

const WITHIN_MS = 20_000;
const SILENT_MS = 300;
const never = new AbortController().signal;

/** A run that goes on until it is told to end, or has lost its lease. */
class Held {
  state: 'waiting' | 'running' | 'ended' = 'waiting';
  waited = 0;
  hasLost = false;
  readonly done: Promise<unknown>;
  end = () => {};

  constructor(leases: Leases, name: string, signal = never) {
    const run = async (lost: AbortSignal) => {
      this.state = 'running';
      await new Promise<void>((resolve) => {
        this.end = resolve;
        lost.addEventListener('abort', () => {
          this.hasLost = true;
          resolve();
        });
      });
      return 'done';
    };
    this.done = leases
      .holding(name, signal, run, () => this.waited++)
      .finally(() => {
        this.state = 'ended';
      });
  }

  async is(state: Held['state']): Promise<void> {
    assert.ok(await until(() => this.state === state, WITHIN_MS, 10), `${this.state}, not ${state}`);
  }
}

function everyLeases(
  kind: string,
  make: () => Promise<readonly [Leases, Leases]>,
  lose: (name: string) => Promise<void>,
): void {
  const test = suite(`leases: ${kind}`);
  let one: Leases;
  let other: Leases;
  let count = 0;
  const fresh = () => `lease ${++count}`;
  test.before(async () => {
    [one, other] = await make();
  });

  test('one holds a name, and another one gets it after its end', async () => {
    const name = fresh();
    const first = new Held(one, name);
    await first.is('running');
    const second = new Held(other, name);
    assert.ok(await until(() => second.waited === 1, WITHIN_MS, 10));
    assert.is(second.state, 'waiting');
    first.end();
    assert.is(await first.done, 'done');
    await second.is('running');
    second.end();
    await second.done;
    assert.is(second.waited, 1, 'it is told once');
  });

  test('other names are held beside it', async () => {
    const [first, second] = [new Held(one, fresh()), new Held(other, fresh())];
    await first.is('running');
    await second.is('running');
    for (const each of [first, second]) each.end();
    await Promise.all([first.done, second.done]);
  });

  test('a run that rejects gives its name back', async () => {
    const name = fresh();
    const failed = one.holding(name, never, () => Promise.reject(new Error('broken')));
    assert.match(await failed.then(String, String), /broken/);
    const next = new Held(other, name);
    await next.is('running');
    next.end();
    await next.done;
  });

  test('the signal ends a wait, and tells a run', async () => {
    const name = fresh();
    const ending = new AbortController();
    const first = new Held(one, name, ending.signal);
    await first.is('running');
    const second = new Held(other, name, ending.signal);
    assert.ok(await until(() => second.waited === 1, WITHIN_MS, 10));
    ending.abort();
    assert.is(await second.done, undefined);
    await first.done;
    assert.ok(first.hasLost);
    assert.is(second.hasLost, false);
  });

  test('who loses its session is told, and another one goes on', async () => {
    const name = fresh();
    const first = new Held(one, name);
    await first.is('running');
    const second = new Held(other, name);
    await lose(name);
    await first.is('ended');
    assert.ok(first.hasLost);
    await second.is('running');
    second.end();
    await second.done;
  });

  test.run();
}

// uvu starts at the first `run` that is followed by an await, so the server is started before it.
const server = await realPostgres();
const shared = memoryLeases();
everyLeases(
  'memory',
  async () => [shared, shared],
  async (name) => shared.lose(name),
);
if ('skipped' in server) console.log(`SKIP ${server.skipped}`);
else {
  const clock = systemClock();
  const [one, other] = [connectPostgres(server.url, { max: 2 }), connectPostgres(server.url, { max: 2 })];
  everyLeases(
    'postgres',
    async () => [postgresLeases(one, clock), postgresLeases(other, clock)],
    async () => {
      // The holder is the one session that has an advisory lock.
      const text = "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted";
      await one.query('end the holder', text);
      await pause(0);
    },
  );
  const asleep = suite('leases: postgres, and a holder that sleeps');
  asleep('another one goes on, and the holder is told when it wakes', async () => {
    const [timers, name] = [new Set<() => void>(), 'sleeper'];
    const after: Clock['after'] = (_ms, run) => {
      timers.add(run);
      return () => timers.delete(run);
    };
    const first = new Held(postgresLeases(one, { ...clock, after }, SILENT_MS), name);
    await first.is('running');
    const second = new Held(postgresLeases(other, clock), name);
    await second.is('running');
    assert.is(first.state, 'running');
    for (const run of timers) run();
    await first.is('ended');
    assert.ok(first.hasLost);
    second.end();
    await second.done;
  });
  asleep.run();

  const last = suite('leases: the end');
  last('the server ends', async () => {
    await Promise.all([one.end(), other.end()]);
    await server.stop();
  });
  last.run();
}
