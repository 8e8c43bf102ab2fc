// Clients generated from the document that a running edge serves. openapi-typescript generates types: a correct program
// compiles against them and drives an order; a wrong program does not compile. openapi-typescript-codegen generates a
// whole client, which sends every default of the document; it reads a list page by page and by cursor.
//
// openapi-typescript 6, because 7 needs the API of TypeScript 5, which TypeScript 7 does not have.

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import openapiTS from 'openapi-typescript';
import { generate } from 'openapi-typescript-codegen';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Fixture, startFixture } from '../unit/edge/edge-fixture.js';

const run = promisify(execFile);
const HERE = dirname(fileURLToPath(import.meta.url));
const CHECKOUT = join(HERE, '..', '..', '..');
/** In dist/, where Node's own types are found, and where leftovers of a crash harm nothing. */
const SCRATCH = join(HERE, '..', '..', 'generated-client');
const TSC = join(CHECKOUT, 'node_modules', 'typescript', 'bin', 'tsc');
const DEADLINE_MS = 60_000;

/** Calls an operation by its name; the document types its request and its reply. */
const CLIENT = `
import type { operations, paths } from './types.js';

type Json<T> = T extends { content: { 'application/json': infer B } } ? B : never;
type Body<Op> = Op extends { requestBody?: infer R } ? ('requestBody' extends keyof Op ? Json<NonNullable<R>> : undefined) : undefined;
type Params<Op, In extends string> = Op extends { parameters: { [P in In]: infer V } } ? V : Record<never, never>;
type Answers<Op> = Op extends { responses: infer R } ? { [S in keyof R & number]: { status: S; body: Json<R[S]> } }[keyof R & number] : never;
type Method<P extends keyof paths> = keyof paths[P] & ('get' | 'post' | 'patch');

export async function call<P extends keyof paths, M extends Method<P>>(
  base: string, method: M, path: P,
  input: { path: Params<paths[P][M], 'path'>; query?: Params<paths[P][M], 'query'>; body: Body<paths[P][M]> },
): Promise<Answers<paths[P][M]>> {
  const filled = path.replace(/\\{(\\w+)\\}/g, (_, name) => encodeURIComponent(String((input.path as Record<string, unknown>)[name])));
  const query = new URLSearchParams(Object.entries(input.query ?? {}).map(([name, value]) => [name, String(value)]));
  const reply = await fetch(base + filled + (query.size > 0 ? '?' + query : ''), {
    method: method.toUpperCase(),
    headers: { 'content-type': 'application/json' },
    ...(input.body !== undefined && { body: JSON.stringify(input.body) }),
  });
  return { status: reply.status, body: await reply.json() } as Answers<paths[P][M]>;
}
export type Placed = operations['placeOrder'];
`;

const PROGRAM = `
import { call } from './client.js';
const base = process.argv[2] ?? '';
const stock = await call(base, 'post', '/api/inventory', { path: {}, body: { products: [{ product_id: 'box', name: 'A box', unit_price: 2.5, stock: 10 }] } });
if (stock.status !== 201) throw new Error(stock.body.message ?? '');
const placed = await call(base, 'post', '/api/orders', { path: {}, body: { user_id: 'ada', items: [{ product_id: 'box', quantity: 4 }] } });
if (placed.status !== 201) throw new Error(placed.body.message ?? '');
const total: number | undefined = placed.body.data.total_amount;
const found = await call(base, 'get', '/api/orders/{order_id}', { path: { order_id: placed.body.data.order_id }, body: undefined });
if (found.status !== 200) throw new Error('not found');
const listed = await call(base, 'get', '/api/orders', { path: {}, query: { user_id: 'ada', status: 'confirmed', page: 1 }, body: undefined });
if (listed.status !== 200) throw new Error('not listed');
const short = await call(base, 'post', '/api/orders', { path: {}, body: { user_id: 'ada', product_id: 'box', quantity: 7 } });
if (short.status !== 409) throw new Error('oversold');
if (short.body.code !== 'out_of_stock') throw new Error(short.body.code);
const { order_id } = placed.body.data;
const shipped = await call(base, 'post', '/api/orders/{order_id}/ship', { path: { order_id }, body: { tracking_id: 'T-1' } });
if (shipped.status !== 200) throw new Error(shipped.body.message);
const delivered = await call(base, 'post', '/api/orders/{order_id}/deliver', { path: { order_id }, body: {} });
if (delivered.status !== 200) throw new Error(delivered.body.message);
const late = await call(base, 'post', '/api/orders/{order_id}/cancel', { path: { order_id }, body: { reason: 'too late' } });
if (late.status !== 409) throw new Error('cancelled after delivery');
const asked = await call(base, 'post', '/api/orders/{order_id}/returns', { path: { order_id }, body: { lines: [{ product_id: 'box', quantity: 1 }], reason: 'dented' } });
if (asked.status !== 201) throw new Error(asked.body.message);
const return_id = asked.body.data.returns?.at(-1)?.id ?? '';
const received = await call(base, 'post', '/api/orders/{order_id}/returns/{return_id}/receive', { path: { order_id, return_id }, body: { restock: true } });
if (received.status !== 200) throw new Error(received.body.message);
const refunded = await call(base, 'post', '/api/orders/{order_id}/refunds', { path: { order_id }, body: { amount: 1.5 } });
if (refunded.status !== 201) throw new Error(refunded.body.message);
const refunds = (refunded.body.data.refunds ?? []).map(({ amount }) => amount);
const history = await call(base, 'get', '/api/orders/{order_id}/history', { path: { order_id }, body: undefined });
if (history.status !== 200) throw new Error('no history');
const other = await call(base, 'post', '/api/orders', { path: {}, body: { user_id: 'ada', product_id: 'box', quantity: 1 } });
if (other.status !== 201) throw new Error(other.body.message ?? '');
const cancelled = await call(base, 'patch', '/api/orders/{order_id}/status', { path: { order_id: other.body.data.order_id }, body: { status: 'cancelled' } });
if (cancelled.status !== 200) throw new Error(cancelled.body.message);
const left = await call(base, 'get', '/api/inventory/{product_id}', { path: { product_id: 'box' }, body: undefined });
if (left.status !== 200) throw new Error('no box');
const { payment_status: money } = refunded.body.data;
console.log(JSON.stringify({
  total, status: found.body.data.status, listed: listed.body.pagination.total, end: delivered.body.data.status, late: late.body.code,
  refunds, money, events: history.body.data.map(({ event }) => event), cancelled: cancelled.body.data.payment_status, left: left.body.data.available,
}));
`;

/** With the whole client: reads each list to its end. */
const PAGER = `
import { ApiError, InventoryService, OpenAPI, OrdersService } from './whole';
import type { Error as Refusal, ErrorCode } from './whole';

async function run(): Promise<void> {
  OpenAPI.BASE = process.argv[2] ?? '';
  const products = [{ product_id: 'pen', name: 'A pen', unit_price: 1, stock: 5 }];
  await InventoryService.receiveStock({ requestBody: { products } });
  for (let i = 0; i < 5; i++) await OrdersService.placeOrder({ requestBody: { user_id: 'eva', product_id: 'pen', quantity: 1 } });

  const byNumber: string[] = [];
  for (let page = 1, pages = 1; page <= pages; page++) {
    const { data, pagination } = await OrdersService.listOrders({ userId: 'eva', page, pageSize: 2 });
    if (!('total_pages' in pagination)) throw new Error('no page');
    pages = pagination.total_pages;
    byNumber.push(data.map(({ order_id }) => order_id).join());
  }
  const byCursor: string[] = [];
  let cursor: string | undefined;
  do {
    const { data, pagination } = await OrdersService.listOrders({ userId: 'eva', limit: 2, ...(cursor !== undefined && { cursor }) });
    if (!('next_cursor' in pagination)) throw new Error('no cursor');
    cursor = pagination.next_cursor ?? undefined;
    byCursor.push(data.map(({ order_id }) => order_id).join());
  } while (cursor !== undefined);

  const refused: Refusal = await OrdersService.placeOrder({ requestBody: { user_id: 'eva', product_id: 'pen', quantity: 1 } }).then(
    () => { throw new Error('oversold'); },
    (error: ApiError) => error.body,
  );
  const code: ErrorCode = refused.code;
  const available: number | undefined = refused.details?.[0]?.available;
  console.log(JSON.stringify({ byNumber, byCursor, code, available, hasId: refused.order_id !== undefined }));
}
void run();
`;

const WRONG = [
  [`{ path: {}, body: { items: [{ product_id: 'box', quantity: 4 }] } }`, 'user_id'],
  [`{ path: {}, body: { user_id: 'ada', items: [{ product_id: 'box', quantity: 'four' }] } }`, 'string'],
  [`{ path: {}, body: { user_id: 'ada', colour: 'red' } }`, 'colour'],
] as const;

const test = suite<{ f: Fixture; folder: string }>('a generated client');

test.before(async (context) => {
  context.f = await startFixture();
  await mkdir(SCRATCH, { recursive: true });
  context.folder = await mkdtemp(join(SCRATCH, 'run-'));
  const document = JSON.parse((await context.f.get('/openapi.json')).text) as Parameters<typeof openapiTS>[0];
  await writeFile(join(context.folder, 'types.ts'), await openapiTS(document));
  await writeFile(join(context.folder, 'client.ts'), CLIENT);
});
test.after(async ({ f, folder }) => {
  await f.stop();
  await rm(folder, { recursive: true, force: true });
});

const OPTIONS = [
  '--ignoreConfig',
  '--strict',
  '--module',
  'nodenext',
  '--moduleResolution',
  'nodenext',
  '--target',
  'es2023',
  '--types',
  'node',
];

/** @returns the compiler's errors; empty if all files compile. */
async function complaints(
  folder: string,
  programs: Readonly<Record<string, string>>,
  type: 'module' | 'commonjs' = 'module',
): Promise<string> {
  await writeFile(join(folder, 'package.json'), JSON.stringify({ type }));
  for (const [name, program] of Object.entries(programs)) await writeFile(join(folder, name), program);
  const args = [TSC, ...OPTIONS, ...Object.keys(programs)];
  return run(process.execPath, args, { cwd: folder, timeout: DEADLINE_MS }).then(
    () => '',
    (error: { readonly stdout?: string }) => error.stdout ?? String(error),
  );
}

test('a correct program compiles, and drives an order through its whole life', async ({ f, folder }) => {
  assert.is(await complaints(folder, { 'program.ts': PROGRAM }), '');
  const { stdout } = await run(process.execPath, [join(folder, 'program.js'), f.base], { timeout: DEADLINE_MS });
  assert.equal(JSON.parse(stdout), {
    total: 10,
    status: 'confirmed',
    listed: 1,
    end: 'delivered',
    late: 'illegal_transition',
    refunds: [2.5, 1.5],
    money: 'partially_refunded',
    events: [
      ...['placed', 'held', 'paid', 'confirmed', 'shipped', 'delivered', 'return_requested', 'return_received'],
      ...['refund_requested', 'refunded', 'refund_requested', 'refunded'],
    ],
    cancelled: 'refunded',
    left: 7,
  });
});

test('a whole client reads lists by page and by cursor, and gets every error in one type', async (context) => {
  const { f } = context;
  const folder = await mkdtemp(join(SCRATCH, 'run-'));
  try {
    const input = JSON.parse((await f.get('/openapi.json')).text) as Record<string, unknown>;
    await generate({ input, output: join(folder, 'whole'), httpClient: 'fetch', useOptions: true });
    // The generated code imports without file extensions, which CommonJS allows.
    assert.is(await complaints(folder, { 'pager.ts': PAGER }, 'commonjs'), '');
    const { stdout } = await run(process.execPath, [join(folder, 'pager.js'), f.base], { timeout: DEADLINE_MS });
    const { byNumber, byCursor, ...refused } = JSON.parse(stdout) as Record<string, readonly string[]>;
    assert.equal(
      byNumber?.map((page) => page.split(',').length),
      [2, 2, 1],
    );
    assert.equal(byCursor, byNumber);
    assert.equal(refused, { code: 'out_of_stock', available: 0, hasId: true });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('a program that breaks the document does not compile', async ({ folder }) => {
  const program = (input: string) =>
    `import { call } from './client.js';\nawait call('', 'post', '/api/orders', ${input});\n`;
  const said = await complaints(
    folder,
    Object.fromEntries(WRONG.map(([input], i) => [`wrong-${i}.ts`, program(input)])),
  );
  for (const [i, [, complaint]] of WRONG.entries()) {
    const about = said.split('\n').filter((line) => line.startsWith(`wrong-${i}.ts`) || line.startsWith(' '));
    assert.ok(said.includes(`wrong-${i}.ts`), said);
    assert.match(about.join('\n'), complaint);
  }
});

test.run();
