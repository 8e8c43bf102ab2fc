// A whole system behind a PgBouncer that pools by transaction: the life of an order with the journal in JetStream and in
// Postgres, a take-over, a PgBouncer that is killed under load, and one that has too few connections.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { until } from '../deadlines.js';
import { realPgBouncer } from '../servers/real-pgbouncer.js';
import { realPostgres } from '../servers/real-servers.js';
import { RealSystem } from './rig/real-system.js';

const SOON_MS = 30_000;
const CLIENTS = 8;
const UNDER_LOAD = 60;

const test = suite('behind PgBouncer');
for (const journal of ['jetstream', 'postgres'] as const) {
  const skipped = await behindIt(journal);
  if (skipped !== undefined) console.log(`SKIP PgBouncer, journal in ${journal}: ${skipped}`);
}
test.run();

/** @returns why not */
async function behindIt(journal: 'jetstream' | 'postgres'): Promise<string | undefined> {
  const postgres = await realPostgres();
  if ('skipped' in postgres) return postgres.skipped;
  const bouncer = await realPgBouncer([postgres.nodeUrl], { poolSize: 12 });
  if ('skipped' in bouncer) {
    await postgres.stop();
    return bouncer.skipped;
  }
  const built = await RealSystem.build({
    DATABASE_URL: bouncer.through(postgres.nodeUrl),
    MIGRATIONS_DATABASE_URL: postgres.ownerUrl,
    JOURNAL: journal,
    ROLES: 'all',
    WEBHOOK_ALLOW: '127.0.0.1',
  });
  if ('skipped' in built) {
    await Promise.all([bouncer.stop(), postgres.stop()]);
    return built.skipped;
  }
  const system = built;
  test.after(async () => {
    await system.demolish();
    await bouncer.stop();
    await postgres.stop();
  });

  let orders = 0;
  const order = async (): Promise<{ status: number; id: string }> => {
    const body = { user_id: 'ada', product_id: 'POOLED-1', quantity: 1 };
    const { status, text } = await system.post('/api/orders', body, `pooled-${++orders}`);
    const { data } = JSON.parse(text) as { data?: { id: string } };
    return { status, id: data?.id ?? '' };
  };
  const isClean = async () => {
    const { code, output } = await system.verify();
    assert.is(code, 0, output);
  };

  test(`${journal}: an order lives its life`, async () => {
    await system.start();
    await system.stock(['POOLED-1'], 100_000);
    const { status, id } = await order();
    assert.is(status, 201, system.lastWords());
    const shipped = await system.post(`/api/orders/${id}/ship`, { carrier: 'DHL', tracking_id: '1' });
    assert.is(shipped.status, 200, shipped.text);
    const delivered = await system.post(`/api/orders/${id}/deliver`, {});
    assert.is(delivered.status, 200, delivered.text);
    const history = await system.ask(`/api/orders/${id}/history`);
    assert.match(history?.text ?? '', /"event":"delivered"/);
    assert.match((await system.ask('/api/orders?user_id=ada&fresh=true'))?.text ?? '', /"total":1,.*"fresh":true/);
    const isFound = async () => (await system.ask('/api/orders?q=pooled'))?.text.includes(id) === true;
    assert.ok(await until(isFound, SOON_MS), 'a search finds it');
    assert.is((await system.ask('/api/stats'))?.status, 200);
    const hook = await system.post('/api/webhooks', { url: 'http://127.0.0.1:9/', types: ['*'] });
    assert.ok(hook.status < 500, hook.text);
    assert.match((await system.ask('/health'))?.text ?? '', /"status":"ok"/);
    await isClean();
  });

  test(`${journal}: the next start takes over what a killed node left`, async () => {
    await system.end('SIGKILL');
    await system.start();
    assert.is((await order()).status, 201);
    await isClean();
  });

  /** Some clients at once; each repeats an order until it has an answer. @returns how many orders have one */
  async function load(meanwhile: () => Promise<void>): Promise<number> {
    let placed = 0;
    const client = async () => {
      for (let i = 0; i < UNDER_LOAD; i++) {
        const key = `load-${++orders}`;
        const body = { user_id: 'bob', product_id: 'POOLED-1', quantity: 1 };
        const isPlaced = async () => [200, 201].includes((await system.post('/api/orders', body, key)).status);
        if (await until(isPlaced, SOON_MS)) placed++;
      }
    };
    await Promise.all([...Array.from({ length: CLIENTS }, client), meanwhile()]);
    return placed;
  }

  test(`${journal}: PgBouncer is killed under load and comes again: every order has an outcome, and all is clean`, async () => {
    const placed = await load(async () => {
      for (let i = 0; i < 3; i++) {
        await bouncer.kill();
        await bouncer.start();
        assert.is((await system.ask('/livez'))?.status, 200);
      }
    });
    assert.is(placed, CLIENTS * UNDER_LOAD, system.lastWords());
    await isClean();
  });

  test(`${journal}: with two connections for all it is slower, and nothing is lost`, async () => {
    const narrow = await realPgBouncer([postgres.nodeUrl], { poolSize: 2 });
    if ('skipped' in narrow) throw new Error(narrow.skipped);
    try {
      await system.end('SIGTERM');
      await system.start({ DATABASE_URL: narrow.through(postgres.nodeUrl), ROLES: 'edge,actors' });
      assert.is(await load(async () => {}), CLIENTS * UNDER_LOAD, system.lastWords());
      await system.end('SIGTERM');
    } finally {
      await narrow.stop();
    }
    await system.start();
    await isClean();
  });
  return undefined;
}
