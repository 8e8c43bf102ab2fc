// Exports all orders as CSV and as NDJSON, and once in two parts: the second goes on behind the last whole row of the first.
// Prints rows, time and the memory of the node. Throws unless the parts together are the whole.

import { createHash } from 'node:crypto';
import { get, type IncomingMessage } from 'node:http';
import type { RealSystem } from '../faults/rig/real-system.js';

interface Exported {
  readonly rows: number;
  readonly last: string;
  /** Of the rows' ids, in their order. */
  readonly hash: string;
}

const SAMPLE_MS = 500;
const MB = 1_000_000;

export async function measureExports(system: RealSystem, orders: number): Promise<void> {
  console.log(
    `\n${'export'.padEnd(24)} ${['rows', 'MB', 's', 'rows/s', 'RSS MB'].map((name) => name.padStart(9)).join('')}`,
  );
  await exported(system, 'CSV', 'format=csv');
  const whole = await exported(system, 'NDJSON', 'format=ndjson');
  const ids = createHash('sha256');
  const half = await exported(system, 'NDJSON, broken off', 'format=ndjson', ids, Math.floor(orders / 2));
  const rest = await exported(system, 'NDJSON, continued', `format=ndjson&after=${half.last}`, ids);
  if (half.rows + rest.rows !== whole.rows || rest.hash !== whole.hash)
    throw new Error(`${half.rows} and ${rest.rows} rows are not the ${whole.rows} rows of the whole`);
}

// ---------------------------------------------------------------- machinery

/** @param most break off after so many rows */
async function exported(
  system: RealSystem,
  name: string,
  query: string,
  ids = createHash('sha256'),
  most = Number.POSITIVE_INFINITY,
): Promise<Exported> {
  const rss = async () => (await system.metric('process_resident_memory_bytes')) / MB;
  let mostMb = await rss();
  const sampled = setInterval(async () => {
    mostMb = Math.max(mostMb, (await rss()) || 0);
  }, SAMPLE_MS);
  const since = performance.now();
  let [rows, bytes, open, last] = [0, 0, '', ''];
  const reply = await answered(system, `/api/orders/export?${query}`);
  for await (const part of reply as AsyncIterable<string>) {
    bytes += part.length;
    const lines = (open + part).split('\n');
    open = lines.pop() ?? '';
    for (const line of lines) {
      const id = /^(?:\{"id":")?(ORD-[^",]+)/.exec(line)?.[1];
      if (id === undefined || rows === most) continue; // The header, or what is cut off.
      last = id;
      ids.update(id);
      rows++;
    }
    if (rows === most) break;
  }
  clearInterval(sampled);
  const s = (performance.now() - since) / 1_000;
  if (most === Number.POSITIVE_INFINITY && !reply.complete) throw new Error(`${name} broke off after ${rows} rows`);
  const figures = [rows, bytes / MB, s, rows / s, mostMb].map((figure) => figure.toFixed(0).padStart(9));
  console.log(`${name.padEnd(24)} ${figures.join('')}`);
  return { rows, last, hash: ids.copy().digest('hex') };
}

function answered(system: RealSystem, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = get(`${system.url}${path}`, (reply) => {
      reply.setEncoding('utf8');
      if (reply.statusCode === 200) resolve(reply);
      else reject(new Error(`${path} was answered ${reply.statusCode}`));
    });
    asked.on('error', reject);
  });
}
