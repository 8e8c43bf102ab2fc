/** What a disaster now would lose, as a count of orders. */
import type { PostgresClient } from '../postgres/postgres.js';

/** An order that is a little older than the dump may have been acknowledged after it began. */
const ACKNOWLEDGED_WITHIN_MS = 5_000;
const COUNT_MS = 5_000;

const UNSAVED = `select count(*)::int as orders from orders where created_at >= to_timestamp($1::bigint / 1000.0)`;

/** @returns at most so many orders were acknowledged since the moment of a dump */
export async function unsavedSince(client: PostgresClient, takenAt: number): Promise<number> {
  const since = takenAt - ACKNOWLEDGED_WITHIN_MS;
  const [found] = await client.query<{ orders: number }>('count the unsaved orders', UNSAVED, [since], COUNT_MS);
  return found?.orders ?? 0;
}
