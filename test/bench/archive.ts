// npm run bench:archive [-- ORDERS=1000000 AWAY=900000]: how long it takes to archive the older orders of many, how large the hot
// tables are before and after, and how fast lists, a search, reads by id and a repeat are then. Fills a Postgres of its own.

import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { postgresSearchIndex } from '../../storage/lists/search-index.js';
import { migrate } from '../../storage/postgres/migrate.js';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { RealSystem } from '../faults/rig/real-system.js';
import { realPostgres } from '../servers/real-servers.js';
import { fill } from './fill.js';

interface Body {
  readonly user_id: string;
  readonly user_email: string;
  readonly notes: string | null;
  readonly shipping_address: string;
  readonly items: string;
}

const LONG_MS = 3_000_000;
const ROUNDS = 101;
const TABLES = [
  'orders',
  'order_items',
  'order_turns',
  'order_search',
  'archived_orders',
  'archive_blocks',
  'archived_stats',
  'inventory_operations',
];
const bodies = new Map<string, Body>();
const named = new Map(process.argv.slice(2).map((word) => word.split('=') as [string, string]));
const orders = Number(named.get('ORDERS') ?? 1_000_000);
const away = Number(named.get('AWAY') ?? Math.round(orders * 0.9));
const since = performance.now();
const say = (line: string) =>
  console.log(
    `${((performance.now() - since) / 1_000).toFixed(0).padStart(5)} s  ${line} (load ${(loadavg()[0] ?? 0).toFixed(1)})`,
  );

const server = await realPostgres();
if ('skipped' in server) throw new Error(server.skipped);
await migrate(server.url);
const client = connectPostgres(server.url, { max: 2, statementMs: LONG_MS, planAnew: true });
await fill(client, orders, (done) => done % 100_000 === 0 && say(`${done.toLocaleString('en-US')} orders stored`));
const index = postgresSearchIndex(client);
while ((await index.work()).more);
await client.query('gather statistics', 'vacuum analyze', [], LONG_MS);
say('filled and indexed');
const built = await RealSystem.build({ DATABASE_URL: server.url, JOURNAL: 'postgres' });
if ('skipped' in built) throw new Error(built.skipped);
const system = built;
const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'));
try {
  await system.start();
  const [cut] = await client.query<{ age: number; at: number }>(
    'find the age',
    `select floor(extract(epoch from now() - created_at))::int as age, (extract(epoch from created_at) * 1000)::float8 as at
      from orders order by created_at offset $1::bigint limit 1`,
    [away],
  );
  const old = await drawn('created_at < to_timestamp($1 / 1000::float8)', cut?.at ?? 0);
  const young = await drawn('created_at > to_timestamp($1 / 1000::float8)', cut?.at ?? 0);
  const first = await repeatOf(old[0] ?? '');
  await sizes('before');
  await measure('before', old, young);
  await judged();
  const began = performance.now();
  const child = system.begin('archive', '--older-than', `${cut?.age ?? 0}s`, '--to', folder);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk;
    });
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  if (code !== 0) throw new Error(output);
  say(`archived in ${((performance.now() - began) / 1_000).toFixed(0)} s: ${output.trim().split('\n').at(-1)}`);
  let bytes = 0;
  for (const name of await readdir(folder)) bytes += (await stat(join(folder, name))).size;
  say(`the archives have ${(bytes / 1e6).toFixed(0)} MB`);
  await sizes('after');
  await measure('after', old, young);
  const again = await repeatOf(old[0] ?? '');
  say(`a repeat of an archived order is ${again === first ? 'the same, byte for byte' : 'ANOTHER'}`);
  await judged();
  await judged('--archives');
} finally {
  await system.demolish();
  await client.end();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}
process.exit(0);

// ---------------------------------------------------------------- machinery

async function drawn(condition: string, at: number): Promise<readonly string[]> {
  const text = `select order_id as id from orders where status = 'confirmed' and ${condition} order by md5(order_id) limit ${ROUNDS}`;
  return (await client.query<{ id: string }>('draw orders', text, [at], LONG_MS)).map(({ id }) => id);
}

async function sizes(when: string): Promise<void> {
  const text = TABLES.map((table) => `pg_total_relation_size('${table}')::float8 as ${table}`).join(', ');
  const [row = {}] = await client.query<Record<string, number>>('ask for sizes', `select ${text}`);
  say(`${when}: ${TABLES.map((table) => `${table} ${((row[table] ?? 0) / 1e6).toFixed(0)} MB`).join(', ')}`);
}

/** The orders' ids are like keys that were drawn, so a repeat names its order by it. */
async function repeatOf(id: string): Promise<string> {
  const text = `select o.user_id, o.user_email, o.notes, o.shipping_address, json_agg(json_build_object('product_id', i.product_id, 'quantity', i.quantity) order by i.line) as items
    from orders o join order_items i using (order_id) where order_id = $1 group by o.order_id`;
  const known = bodies.get(id) ?? (await client.query<Body>('read an order', text, [id]))[0];
  if (known === undefined) throw new Error(`${id} is not there`);
  bodies.set(id, known);
  const { user_id, user_email, notes, shipping_address, items } = known;
  const body = {
    ...{
      user_id,
      user_email,
      shipping_address: JSON.parse(shipping_address) as unknown,
      items: JSON.parse(items) as unknown,
    },
    ...(notes !== null && { notes }),
  };
  const reply = await system.post('/api/orders', body, id);
  return `${reply.status} ${reply.text}`;
}

async function measure(when: string, old: readonly string[], young: readonly string[]): Promise<void> {
  for (const id of old) await repeatOf(id); // Their bodies are known from here on.
  const get = (path: (i: number) => string) => async (i: number) => {
    const reply = await system.ask(path(i));
    if (reply?.status !== 200) throw new Error(`${path(i)}: ${reply?.status} ${reply?.text}`);
  };
  const cases: readonly (readonly [string, (i: number) => Promise<unknown>])[] = [
    ['list', get((i) => `/api/orders?page=${1 + (i % 20)}&page_size=20`)],
    ['list of a status', get((i) => `/api/orders?status=failed&page=${1 + (i % 20)}`)],
    ['search', get((i) => `/api/orders?q=${['ada', 'berlin', 'station', 'gift'][i % 4]}`)],
    ['by id, young', get((i) => `/api/orders/${young[i]}`)],
    ['by id, old', get((i) => `/api/orders/${old[(i * 7) % old.length]}`)],
    ['history, old', get((i) => `/api/orders/${old[(i * 11) % old.length]}/history`)],
    ['repeat, old', (i) => repeatOf(old[(i * 13) % old.length] ?? '')],
  ];
  for (const [name, ask] of cases) {
    const took: number[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      const began = performance.now();
      await ask(i);
      took.push(performance.now() - began);
    }
    took.sort((a, b) => a - b);
    const at = (share: number) => (took[Math.floor(took.length * share)] ?? Number.NaN).toFixed(1);
    say(`${when}: ${name}: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms`);
  }
}

async function judged(...more: readonly string[]): Promise<void> {
  const began = performance.now();
  const child = system.begin('verify', ...more);
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk;
  });
  child.stderr.on('data', () => {});
  await new Promise((resolve) => child.once('exit', resolve));
  say(
    `verify ${more.join(' ')}: ${output.trim().split('\n').join('; ')}, in all ${((performance.now() - began) / 1_000).toFixed(0)} s`,
  );
}
