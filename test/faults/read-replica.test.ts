// A read replica that is killed, frozen, paused for ever and promoted by mistake, while clients read lists. No list fails,
// each shows what its age promises, and the replica is used only while it is nearly up to date.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { patientMs, until } from '../deadlines.js';
import { realReplica } from '../servers/real-replica.js';
import { realPostgres } from '../servers/real-servers.js';
import { freeze } from './rig/process-family.js';
import { RealSystem } from './rig/real-system.js';

const FAULT_MS = 20_000;
/** A look, then the primary. */
const LIST_MS = 4_000;
const LAG_MS = 1_000;

interface Health {
  readonly status: string;
  readonly dependencies: {
    readonly read_replica: { readonly status: string; readonly lag_seconds?: number; readonly why?: string };
  };
}

const test = suite('read replica');
const primary = await realPostgres();
const replica = 'skipped' in primary ? primary : await realReplica(primary);
const built =
  'skipped' in primary || 'skipped' in replica
    ? undefined
    : await RealSystem.build({
        DATABASE_URL: primary.nodeUrl,
        MIGRATIONS_DATABASE_URL: primary.ownerUrl,
        DATABASE_READ_URL: replica.readerUrl,
        DATABASE_READ_LAG_MS: String(patientMs(LAG_MS)),
      });

if ('skipped' in primary || 'skipped' in replica || built === undefined || 'skipped' in built) {
  const why = [primary, replica, built ?? {}].flatMap((each) => ('skipped' in each ? [each.skipped] : []));
  console.log(`SKIP read replica: ${why[0]}`);
} else {
  const system = built;
  const there = connectPostgres(replica.url, { max: 1 });
  test.after(async () => {
    await system.demolish();
    await there.end();
    await replica.stop();
    await primary.stop();
  });

  const health = async () => JSON.parse((await system.ask('/health'))?.text ?? '{}') as Health;
  const isUsed = async () => (await system.metric('holdfast_read_replica_used')) === 1;
  const isLeftAlone = async () => (await system.metric('holdfast_read_replica_used')) === 0;
  const used = async () => assert.ok(await until(isUsed, FAULT_MS), system.lastWords());

  /** How many sessions of the node there have had a list as their last statement since then. */
  const listsThere = async (sinceMs: number): Promise<number> => {
    const text = `select count(*)::int as count from pg_stat_activity where application_name = 'holdfast'
      and query like '%page as materialized%' and query_start > to_timestamp($1::float8 / 1000)`;
    return (await there.query<{ count: number }>('who asked', text, [sinceMs]))[0]?.count ?? 0;
  };

  let users = 0;
  async function placed(): Promise<string> {
    const user = `reader-${++users}`;
    const order = { user_id: user, product_id: 'READ-1', quantity: 1 };
    assert.is((await system.post('/api/orders', order, user)).status, 201);
    return user;
  }

  async function list(user: string, more = ''): Promise<{ count: number; ageMs: number }> {
    const reply = await fetch(`${system.url}/api/orders?user_id=${user}${more}`, {
      signal: AbortSignal.timeout(patientMs(FAULT_MS)),
    });
    const text = await reply.text();
    assert.is(reply.status, 200, text);
    const { data } = JSON.parse(text) as { data: unknown[] };
    return { count: data.length, ageMs: Number(reply.headers.get('list-age-ms')) };
  }

  const isListed = async (user: string) => (await list(user)).count === 1;

  /** Reads lists and a search, without a pause, until the run is over. @returns the longest wait for an answer */
  async function reading(run: () => Promise<void>): Promise<number> {
    let isOver = false;
    let longestMs = 0;
    const reader = async (path: string) => {
      while (!isOver) {
        const reply = await system.ask(path);
        assert.is(reply?.status, 200, `${path}: ${reply?.text ?? 'no answer'}`);
        longestMs = Math.max(longestMs, reply?.tookMs ?? 0);
      }
    };
    const paths = ['/api/orders?user_id=reader-1', '/api/orders?limit=2', '/api/stats', '/api/inventory'];
    const readers = Promise.all(paths.map(reader));
    try {
      await Promise.race([run(), readers]);
    } finally {
      isOver = true;
    }
    await readers;
    return longestMs;
  }

  test('lists come from the replica once it is up to date, with an age that has its lag', async () => {
    await system.start();
    await system.stock(['READ-1'], 100_000);
    await used();
    const since = Date.now();
    const user = await placed();
    assert.ok(await until(() => isListed(user), FAULT_MS), 'the order comes to be listed');
    assert.ok(await until(async () => (await listsThere(since - 1_000)) > 0, FAULT_MS), 'the replica was asked');
    assert.ok((await list(user)).ageMs > 0, 'what is read from a replica is never of this moment');
    const { status, dependencies } = await health();
    assert.is(status, 'ok', system.lastWords());
    assert.is(dependencies.read_replica.status, 'up');
  });

  test('a replica that never replays is no longer used: its lag is told by positions, and no list stands still', async () => {
    await there.query('pause', 'select pg_wal_replay_pause()');
    const longestMs = await reading(async () => {
      const user = await placed();
      const fresh = await list(user, '&fresh=true');
      assert.is(fresh.count, 1, 'a fresh list comes from the primary');
      assert.is(fresh.ageMs, 0);
      assert.ok(await until(isLeftAlone, FAULT_MS), system.lastWords());
      assert.ok(await until(() => isListed(user), FAULT_MS), 'the primary lists it');
      const { status, dependencies } = await health();
      assert.is(status, 'degraded');
      assert.match(dependencies.read_replica.why ?? '', /behind the primary/);
      const lag = await system.metric('holdfast_read_replica_lag_seconds');
      assert.ok(
        await until(async () => (await system.metric('holdfast_read_replica_lag_seconds')) > lag + 1, FAULT_MS),
      );
    });
    assert.ok(longestMs < patientMs(LIST_MS), `a list took ${longestMs} ms`);
    await there.query('resume', 'select pg_wal_replay_resume()');
    await used();
  });

  test('what was erased is not shown by a replica that lags, beyond its lag, nor by one that has caught up', async () => {
    const user = 'reader-forgotten';
    const order = {
      user_id: user,
      product_id: 'READ-1',
      quantity: 1,
      notes: 'ringtwice',
      user_email: 'f@x.example',
    };
    const made = await system.post('/api/orders', order, user);
    assert.is(made.status, 201, made.text);
    const { order_id } = (JSON.parse(made.text) as { data: { order_id: string } }).data;
    assert.is((await system.post(`/api/orders/${order_id}/ship`, {}, `${user}-ship`)).status, 200);
    assert.is((await system.post(`/api/orders/${order_id}/deliver`, {}, `${user}-deliver`)).status, 200);
    const shows = async () => {
      const replies = await Promise.all(
        [`/api/orders?user_id=${user}`, '/api/orders?q=ringtwice'].map((path) => system.ask(path)),
      );
      for (const reply of replies) assert.is(reply?.status, 200);
      return replies.map((reply) => /ringtwice|f@x\.example/.test(reply?.text ?? ''));
    };
    assert.ok(
      await until(async () => (await shows()).every(Boolean), FAULT_MS),
      'it is listed, and found by its words',
    );
    await used();
    await there.query('pause', 'select pg_wal_replay_pause()');
    const forgotten = await system.post(`/api/users/${user}/forget`, {}, `${user}-forget`);
    assert.is(forgotten.status, 200, forgotten.text);
    assert.ok(await until(isLeftAlone, FAULT_MS), system.lastWords());
    assert.equal(await shows(), [false, false]);
    await there.query('resume', 'select pg_wal_replay_resume()');
    const isBack = async () => {
      assert.equal(await shows(), [false, false]);
      return isUsed();
    };
    assert.ok(await until(isBack, FAULT_MS), system.lastWords());
    assert.equal(await shows(), [false, false]);
  });

  test('a killed replica costs no list an error, and is used again after its start', async () => {
    const longestMs = await reading(async () => {
      await replica.kill();
      assert.ok(await until(isLeftAlone, FAULT_MS), system.lastWords());
      const user = await placed();
      assert.ok(await until(() => isListed(user), FAULT_MS), 'the primary lists it');
    });
    assert.ok(longestMs < patientMs(LIST_MS), `a list took ${longestMs} ms`);
    assert.match(system.output, /read replica .* is left alone/);
    await replica.start();
    await used();
  });

  test('a frozen replica costs a list a moment, and no error', async () => {
    const thaw = await freeze(replica.pid());
    try {
      const longestMs = await reading(async () => {
        assert.ok(await until(isLeftAlone, FAULT_MS), system.lastWords());
        const user = await placed();
        assert.ok(await until(() => isListed(user), FAULT_MS), 'the primary lists it');
      });
      assert.ok(longestMs < patientMs(LIST_MS), `a list took ${longestMs} ms`);
    } finally {
      thaw();
    }
    await used();
  });

  test('a replica that was promoted by mistake is asked no more', async () => {
    await reading(async () => {
      await there.query('promote it', 'select pg_promote()');
      assert.ok(await until(isLeftAlone, FAULT_MS), system.lastWords());
      const user = await placed();
      assert.ok(await until(() => isListed(user), FAULT_MS), 'the primary lists it');
    });
    assert.match((await health()).dependencies.read_replica.why ?? '', /no standby/);
  });

  test('a node whose replica is away starts, and serves lists', async () => {
    await replica.kill();
    await system.end('SIGTERM');
    await system.start();
    const user = await placed();
    assert.ok(await until(() => isListed(user), FAULT_MS));
    assert.is((await system.verify()).code, 0);
  });

  test.run();
}
