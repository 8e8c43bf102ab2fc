/** A stop that comes while a lease is asked for. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { systemClock } from '../../../bus/system-clock.js';
import type { PostgresClient, Session } from '../../../storage/postgres/postgres.js';
import { postgresLeases } from '../../../storage/postgres/postgres-leases.js';

const test = suite('a stop while a lease is asked for');

/** Postgres that gives the lock or does not, as the stop comes. */
function stoppedMeanwhile(yes: boolean) {
  const stop = new AbortController();
  const session = {
    query: async () => {
      stop.abort();
      return [{ yes }];
    },
  } as unknown as Session;
  const client = { session: (run: (session: Session) => unknown) => run(session) } as unknown as PostgresClient;
  return { leases: postgresLeases(client, systemClock()), signal: stop.signal };
}

for (const yes of [true, false]) {
  test(`nothing runs, whether or not the lock was given: ${yes}`, async () => {
    const { leases, signal } = stoppedMeanwhile(yes);
    let runs = 0;
    let waits = 0;
    const answer = await leases.holding(
      'one',
      signal,
      async () => ++runs,
      () => ++waits,
    );
    assert.equal([answer, runs, waits], [undefined, 0, 0]);
  });
}

test('a stop as the wait begins ends it at once', async () => {
  const stop = new AbortController();
  const session = { query: async () => [{ yes: false }] } as unknown as Session;
  const client = { session: (run: (session: Session) => unknown) => run(session) } as unknown as PostgresClient;
  let timers = 0;
  const after = () => {
    timers++;
    return () => {};
  };
  const clock = { ...systemClock(), after };
  await postgresLeases(client, clock).holding(
    'one',
    stop.signal,
    async () => {},
    () => stop.abort(),
  );
  assert.is(timers, 0);
});

test.run();
