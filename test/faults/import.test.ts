// An import of stock against the real process. Rows show before the file has ended. A kill -9 in the middle loses
// nothing, and a repeat under the same key completes the file: each row counts once.

import { request } from 'node:http';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { until } from '../deadlines.js';
import { RealSystem } from './rig/real-system.js';

const ROWS = 4_000;
const SHOWN_MS = 20_000;
const HEADER = 'product_id,name,unit_price,stock\n';
const idOf = (i: number) => `FILE-${String(i).padStart(5, '0')}`;
const rows = (from: number, to: number) =>
  Array.from(
    { length: to - from },
    (_, i) => `${idOf(from + i)},"Row ${from + i}",9.99,${1 + ((from + i) % 9)}\n`,
  ).join('');

const test = suite('a file of stock');
const systems: RealSystem[] = [];

test.after(async () => {
  for (const system of systems) await system.demolish();
});

/** Every product with its stock, read page by page with cursors. */
async function stocksOf(system: RealSystem): Promise<Map<string, number>> {
  const stocks = new Map<string, number>();
  for (let cursor = ''; ; ) {
    const page = await system.ask(`/api/inventory?limit=100${cursor}`);
    const { data, pagination } = JSON.parse(page?.text ?? '{}') as {
      readonly data: readonly { readonly product_id: string; readonly on_hand: number }[];
      readonly pagination: { readonly next_cursor: string | null };
    };
    for (const { product_id, on_hand } of data) stocks.set(product_id, on_hand);
    if (pagination.next_cursor === null) return stocks;
    cursor = `&cursor=${pagination.next_cursor}`;
  }
}

const shows = (system: RealSystem, id: string) =>
  until(async () => (await system.ask(`/api/inventory/${id}`))?.status === 200, SHOWN_MS, 20);

for (const journal of ['jetstream', 'postgres'] as const) {
  test(`killed in the middle of an import, journal in ${journal}`, async () => {
    const system = await RealSystem.build({ JOURNAL: journal });
    if ('skipped' in system) return console.log(`SKIP a file of stock, ${journal}: ${system.skipped}`);
    systems.push(system);
    await system.start();
    const headers = { 'content-type': 'text/csv', 'idempotency-key': 'file-1', ...system.credential };
    const sent = request(`${system.url}/api/inventory/import`, { method: 'POST', headers });
    const broke = new Promise((resolve) => sent.once('error', resolve));
    sent.write(HEADER + rows(0, ROWS / 4));
    assert.ok(await shows(system, idOf(ROWS / 4 - 1)), `the first rows do not show\n${system.lastWords()}`);
    sent.write(rows(ROWS / 4, ROWS / 2));
    assert.ok(await shows(system, idOf(ROWS / 4)), 'nothing goes on');
    await system.end('SIGKILL');
    await broke;
    await system.start();
    for (const time of ['first', 'again']) {
      const body = HEADER + rows(0, ROWS);
      const reply = await fetch(`${system.url}/api/inventory/import`, { method: 'POST', headers, body });
      const { data } = (await reply.json()) as { readonly data: Record<string, unknown> };
      assert.equal([reply.status, data.rows, data.imported], [200, ROWS, ROWS], time);
    }
    let stocks = new Map<string, number>();
    await until(async () => {
      stocks = await stocksOf(system);
      return stocks.size === ROWS;
    }, SHOWN_MS);
    const expected = Array.from({ length: ROWS }, (_, i) => [idOf(i), 1 + (i % 9)]);
    assert.equal([...stocks], expected);
    const verdict = await system.verify();
    assert.is(verdict.code, 0, verdict.output);
  });
}

test.run();
