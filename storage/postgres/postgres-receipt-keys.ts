/** The keys of receipts, in a row each. Rows of more than a day ago go, some with each new one. */
import type { ReceiptKeys } from '../../actors/ports/receipt-keys.js';
import type { PostgresClient } from './postgres.js';

/** The update without effect returns the row that is there, also one that was inserted meanwhile. */
const TAKE = `with gone as (delete from receipt_keys where ref = any(array(
    select ref from receipt_keys where taken_at < now() - interval '1 day' order by taken_at limit 10 for update skip locked)))
  insert into receipt_keys as mine (ref, fingerprint) values ($1, $2)
  on conflict (ref) do update set fingerprint = mine.fingerprint returning fingerprint`;

export function postgresReceiptKeys(client: PostgresClient): ReceiptKeys {
  return {
    async take(ref, fingerprint) {
      const [row] = await client.query<{ fingerprint: string }>('take the key of a receipt', TAKE, [ref, fingerprint]);
      return row?.fingerprint ?? fingerprint;
    },
  };
}
