// Requests generated from the OpenAPI document (valid, nearly valid and hostile) against a real Holdfast. Every reply is
// documented, in its documented form, and never a 5xx except a declared overload. Memory stays flat.
// GENERATED_REQUESTS sends more than the default 5,000, such as 100000. GENERATED_SEED=7 repeats one run exactly.
// GENERATED_AUTH=keys sends the same requests with authentication on, and an admin's key in each.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ERRORS } from '../../http/api/errors.js';
import { codesOf, type Operation } from '../../http/api/operation.js';
import { operations } from '../../http/api/operations/all.js';
import { pathsOf } from '../../http/api/routes.js';
import type { Document } from '../../http/docs/openapi.js';
import { replyFault } from '../unit/edge/documented.js';
import { checkVerify } from './rig/ledger-check.js';
import { Wire, type WireReply } from './rig/raw-http.js';
import { RealSystem } from './rig/real-system.js';
import { type Generated, Requests } from './rig/request-generator.js';

const COUNT = Number(process.env.GENERATED_REQUESTS ?? 5_000);
const SEED = Number(process.env.GENERATED_SEED ?? Math.floor(Math.random() * 2 ** 31));
const CONNECTIONS = 16;
const KEYS = { AUTH: 'keys', ADMIN_KEY: randomBytes(32).toString('hex') };
const DOORS = process.env.GENERATED_AUTH === 'keys' ? KEYS : {};
/** Replies that are allowed for an unknown address, or before the request is routed. */
const BEFORE_ROUTES = [400, 404, 405, 408, 431];
/** Growth from the first third of the requests to their end. */
const GROWTH_BYTES = 100 * 1_048_576;
const SAMPLES = 10;
const SHOWN = 20;
const SLOW_MS = 5_000;

const test = suite('generated requests');
let system: RealSystem | undefined;
test.after(() => system?.demolish());

test(`${COUNT} requests, seed ${SEED}`, async () => {
  const built = await RealSystem.build({ SEED: 'demo', ...DOORS });
  if ('skipped' in built) return console.log(`SKIP ${built.skipped}`);
  system = built;
  await system.start();
  const products = Array.from({ length: 40 }, (_, i) => `GEN-${i}`);
  await system.stock([...products, '7'], 1_000_000);
  const orders: string[] = [];
  for (let i = 0; i < 40; i++) {
    const { text } = await system.post('/api/orders', { user_id: `u${i % 5}`, product_id: `GEN-${i}`, quantity: 2 });
    orders.push((JSON.parse(text) as { data: { id: string } }).data.id);
  }
  const known = {
    order_id: [...orders, 'ORD-00000000000000000000000000'],
    product_id: [...products, 'PROD-001', 'nobody-sells-this', 7],
    user_id: ['u0', 'u1', 'u2', 7],
    quantity: [1, 2, 3],
    stock: [0, 1, 10],
  };
  const document = JSON.parse((await system.ask('/openapi.json'))?.text ?? '{}') as Document;
  const isLeftOut = (id: string) => operations.some((one) => one.id === id && (one.disruptive || one.endless));
  const requests = new Requests(document, known, SEED, isLeftOut, system.credential);

  const seen = new Map<string, number>();
  const faults: string[] = [];
  let [sent, overloads] = [0, 0];
  const rss: number[] = [];
  const since = performance.now();
  const client = async (wire: Wire) => {
    while (sent < COUNT && faults.length < SHOWN) {
      sent++;
      if (sent % Math.ceil(COUNT / SAMPLES) === 0) rss.push(rssBytes(built.pid));
      const request = requests.next();
      const askedAt = performance.now();
      const reply = await wire.send(request.bytes, request.method === 'HEAD');
      const fault = 'none' in reply ? reply.none : faultOf(request, reply);
      if (!('none' in reply)) {
        seen.set(`${reply.status}`, (seen.get(`${reply.status}`) ?? 0) + 1);
        if (reply.status === 503) overloads++;
      }
      if (process.env.SHOW_SLOW !== undefined && performance.now() - askedAt > SLOW_MS) {
        console.log(`  slow: ${shown(request)}`);
      }
      if (fault !== undefined)
        faults.push(`${fault}\n    ${shown(request)}\n    ${'text' in reply ? reply.text.slice(0, 300) : ''}`);
    }
    wire.close();
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, () => client(new Wire(built.port))));
  const seconds = (performance.now() - since) / 1_000;
  rss.push(rssBytes(built.pid));
  const [settledRss = 0, endRss = 0] = [rss[Math.floor(SAMPLES / 3)], rss.at(-1)];
  const histogram = [...seen].sort().map(([status, count]) => `${status}: ${count}`);
  const megabytes = (bytes: number) => `${Math.round(bytes / 1_048_576)} MB`;
  console.log(
    `  ${sent} requests in ${seconds.toFixed(1)} s, seed ${SEED}; ${histogram.join(', ')}; RSS ${rss.map(megabytes).join(', ')}`,
  );

  assert.is(faults.length, 0, `\n${faults.join('\n')}`);
  for (const status of ['200', '201', '400', '404', '405', '415']) assert.ok(seen.has(status), `no ${status} at all`);
  assert.ok(overloads <= COUNT / 100, `${overloads} overloads with ${CONNECTIONS} clients`);
  assert.ok(endRss - settledRss < GROWTH_BYTES, `memory grew from ${megabytes(settledRss)} to ${megabytes(endRss)}`);
  assert.is((await system.ask('/readyz'))?.status, 200);
  assert.not.match(system.output, 'broken code');
  await checkVerify(system);
});

function faultOf(request: Generated, reply: WireReply): string | undefined {
  const { status, headers, text } = reply;
  if (status >= 500 && status !== 503) return `a ${status}`;
  const contentType = headers.get('content-type') ?? '';
  const path = pathOf(request.target);
  // Literal segments go before parameters, as in the router.
  const here = operations
    .filter((operation) => matches(operation, path))
    .sort((a, b) => a.path.split('/:').length - b.path.split('/:').length);
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const operation = here.find((one) => one.method === method);
  if (operation !== undefined && request.method === 'HEAD') {
    return text === '' && statusesOf(operation).includes(status) ? undefined : `${status} to HEAD`;
  }
  if (operation !== undefined) return replyFault(operation, { status, contentType, text });
  if (status === 204 && method === 'OPTIONS') return undefined;
  if (status === 302 && path === '/') return undefined;
  if (!BEFORE_ROUTES.includes(status)) return `${status} where there is no operation`;
  if (request.method === 'HEAD') return undefined;
  return /"code":"\w+"/.test(text) ? undefined : `${status} without a code`;
}

const statusesOf = (operation: Operation): number[] => [
  ...Object.keys(operation.success).map(Number),
  ...codesOf(operation).map((code) => ERRORS[code].status),
  ...(operation.etag === true ? [304] : []),
];

/** The path as the router sees it: without a query, and without the host of an absolute address. */
const pathOf = (target: string): string => {
  const path = (target.replace(/^https?:\/\/[^/]*/i, '').split(/[?#]/)[0] ?? '') || '/';
  return path.length > 1 ? path.replace(/\/$/, '') : path;
};

const matches = (operation: Operation, path: string): boolean =>
  pathsOf(operation).some((one) => new RegExp(`^${one.replace(/:\w+/g, '[^/]+')}$`, 'i').test(path));

const shown = ({ kind, bytes }: Generated): string =>
  `${kind}: ${JSON.stringify(
    bytes
      .toString('latin1')
      .replace(/(.)\1{50,}/g, '$1$1...')
      .slice(0, 700),
  )}`;

/** VmRSS of a process, from Linux; 0 on other systems. */
function rssBytes(pid: number): number {
  try {
    return 1_024 * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

test.run();
