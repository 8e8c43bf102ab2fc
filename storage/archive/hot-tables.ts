/** How much the tables of orders take on the disk, and how they give it back. */
import type { PostgresClient } from '../postgres/postgres.js';

/** What archiving empties. The ledger of products stays. */
const HOT = ['orders', 'order_items', 'order_turns', 'order_search'] as const;
/** As long as it takes, with millions of rows. */
const VACUUM_MS = 3_600_000;

export async function hotBytes(client: PostgresClient): Promise<number> {
  const sizes = HOT.map((table) => `pg_total_relation_size('${table}')`).join(' + ');
  const [row] = await client.query<{ bytes: number }>(
    'ask how large the hot tables are',
    `select (${sizes})::float8 as bytes`,
  );
  return row?.bytes ?? 0;
}

/** @param isFull writes the tables anew: nobody reads or writes them meanwhile. Without it their space is used again. */
export async function giveBack(client: PostgresClient, isFull: boolean, report: (line: string) => void): Promise<void> {
  await client.session(async (session) => {
    await session.query('let a vacuum take its time', 'set statement_timeout = 0');
    for (const table of [...HOT, 'archived_orders']) {
      const text = `vacuum (${isFull ? 'full, ' : ''}analyze) ${table}`;
      report(text);
      await session.query('vacuum', text, [], VACUUM_MS);
    }
  });
}
