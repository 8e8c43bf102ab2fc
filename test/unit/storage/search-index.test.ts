// The search index beside service: whatever a batch holds, requests are served while its words are made.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { postgresSearchIndex } from '../../../storage/lists/search-index.js';
import type { PostgresClient } from '../../../storage/postgres/postgres.js';

const MANY = 5_000;

/** How often the event loop came round while a batch with these bodies was worked on. */
async function roundsWhile(orders: readonly unknown[], products: readonly unknown[]): Promise<number> {
  const ids = (some: readonly unknown[]) => JSON.stringify(some.map((_, i) => `id-${i}`));
  const answers: Readonly<Record<string, readonly object[]>> = {
    'lease orders to index': [{ batch: '[1]', orders: ids(orders), products: ids(products), late_ms: 0, queued: 1 }],
    'read orders to index': orders.map((body) => ({ body: JSON.stringify(body) })),
    'read products to index': products.map((body) => ({ body: JSON.stringify(body) })),
    'index orders': [{ added: orders.length }],
  };
  const client = { query: async (what: string) => answers[what] ?? [] } as unknown as PostgresClient;
  let rounds = 0;
  let timer = setImmediate(function round() {
    rounds++;
    timer = setImmediate(round);
  });
  try {
    await postgresSearchIndex(client).work();
  } finally {
    clearImmediate(timer);
  }
  return rounds;
}

test('the words of many products are made a few at a time', async () => {
  const rounds = await roundsWhile(
    [],
    Array.from({ length: MANY }, (_, i) => [`P-${i}`, `Blue Désk ${i}`]),
  );
  assert.ok(rounds >= MANY / 100, `${rounds} rounds of the event loop`);
});

test('so are those of many users, whose orders have no text', async () => {
  const rounds = await roundsWhile(
    Array.from({ length: MANY }, (_, i) => [`user-${i}`]),
    [],
  );
  assert.ok(rounds >= MANY / 100, `${rounds} rounds of the event loop`);
});

test.run();
