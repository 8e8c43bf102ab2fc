// npm run bench:live [-- LISTENERS=5000 RATE=200 SECONDS=10]: one Holdfast with many clients that listen to events over HTTP.
// Prints the memory of the node, and how long after its reply an order's event is heard: by one listener of each user, and
// by all at once.

import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { RealSystem } from '../faults/rig/real-system.js';

const [listeners = 5_000, rate = 200, seconds = 10] = process.argv.slice(2).map(Number);
const AT_ONCE = 50;
/** Listeners that stand still, and the orders that come meanwhile. */
const STILL = 100;
const BURST = 200;

interface Heard {
  readonly socket: Socket;
  events: number;
}

const heardAt = new Map<string, number>();
let heard = 0;

function listen(port: number, path: string): Promise<Heard> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    const one: Heard = { socket, events: 0 };
    let isOpen = false;
    socket.setEncoding('utf8');
    socket.on('connect', () => socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`));
    socket.on('error', reject);
    socket.on('data', (text: string) => {
      if (!isOpen && !text.startsWith('HTTP/1.1 200')) return reject(new Error(text.slice(0, 300)));
      isOpen = true;
      resolve(one);
      for (const [, order] of text.matchAll(/"id":"order\/([^/"]+)\/1"/g)) {
        one.events++;
        heard++;
        heardAt.set(order ?? '', performance.now());
      }
    });
  });
}

async function many(port: number, path: (i: number) => string): Promise<readonly Heard[]> {
  const all: Heard[] = [];
  for (let i = 0; i < listeners; i += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, listeners - i) }, (_, j) => listen(port, path(i + j)));
    all.push(...(await Promise.all(some)));
  }
  return all;
}

const megabytes = async (system: RealSystem): Promise<number> => {
  await pause(2_000);
  return Math.round((await system.metric('process_resident_memory_bytes')) / 1e6);
};

const percentile = (values: readonly number[], p: number): string =>
  ([...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor((values.length * p) / 100))] ?? 0).toFixed(
    1,
  );

const system = await RealSystem.build();
if ('skipped' in system) throw new Error(system.skipped);
try {
  await system.start();
  await system.stock(['p1'], 1_000_000_000);
  const order = (user: string) => system.post('/api/orders', { user_id: user, product_id: 'p1', quantity: 1 });
  for (let i = 0; i < 200; i++) await order('warm-up');
  console.log(`memory without listeners           ${await megabytes(system)} MB`);

  const since = performance.now();
  const each = await many(system.port, (i) => `/api/events?user_id=user-${i}`);
  console.log(`${listeners} listeners came in               ${Math.round(performance.now() - since)} ms`);
  console.log(`memory, each listens to one user   ${await megabytes(system)} MB`);
  const answered = new Map<string, number>();
  const orders: Promise<void>[] = [];
  for (let i = 0; i < rate * seconds; i++) {
    orders.push(
      order(`user-${i % listeners}`).then(({ text }) => {
        answered.set(/"order_id":"([^"]+)"/.exec(text)?.[1] ?? '', performance.now());
      }),
    );
    await pause(1_000 / rate);
  }
  await Promise.all(orders);
  await pause(2_000);
  const lags = [...answered].flatMap(([id, at]) => (heardAt.has(id) ? [(heardAt.get(id) ?? 0) - at] : []));
  console.log(`orders answered and heard          ${answered.size} and ${lags.length}`);
  console.log(`heard after the reply, p50 and p99 ${percentile(lags, 50)} and ${percentile(lags, 99)} ms`);
  console.log(`memory                             ${await megabytes(system)} MB`);
  for (const { socket } of each) socket.destroy();
  await pause(2_000);

  const all = await many(system.port, () => '/api/events?type=order.placed');
  console.log(`memory, all listen to all orders   ${await megabytes(system)} MB`);
  const toAll: number[] = [];
  for (let i = 0; i < 20; i++) {
    heard = 0;
    await order('to-all');
    const at = performance.now();
    while (heard < listeners && performance.now() - at < 20_000) await pause(1);
    toAll.push(performance.now() - at);
  }
  console.log(
    `all ${listeners} hear an order after        p50 ${percentile(toAll, 50)} ms, max ${percentile(toAll, 100)} ms`,
  );
  console.log(`memory                             ${await megabytes(system)} MB`);
  for (const { socket } of all.slice(0, STILL)) socket.pause();
  const began = performance.now();
  const burst = Array.from({ length: BURST }, () => order('nobody-reads'));
  await Promise.all(burst);
  console.log(`${BURST} orders, ${STILL} do not read       ${Math.round(performance.now() - began)} ms`);
  console.log(`memory, some stand still           ${await megabytes(system)} MB`);
} finally {
  await system.demolish();
}
process.exit(0);
