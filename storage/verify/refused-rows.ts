/** Compares each refused stock write of the journals with its row in `refused_writes`. */
import { limits } from '../../actors/limits.js';
import type { RefusedWrite } from '../../actors/node/record.js';
import { texts } from '../postgres/column-arrays.js';
import type { Session } from '../postgres/postgres.js';
import { LONG_MS } from './sql-laws.js';
import type { Findings } from './verdict.js';

/** Once the table has reached its limit, a missing row may be one of the deleted ones, and is no fault. */
const DIFFERENT = `select w.ref, w.product, w.refusal as expected, r.refusal as found
  from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as w(ref, product, fingerprint, refusal)
    left join refused_writes r on r.ref = w.ref and r.product_id = w.product and r.fingerprint = w.fingerprint
  where r.refusal is distinct from w.refusal
    and (r.refusal is not null or (select coalesce(max(no), 0) from refused_writes) < $5::bigint)`;

interface Different {
  readonly ref: string;
  readonly product: string;
  readonly expected: string;
  readonly found: string | null;
}

/** Compares refusals that must have rows. */
export async function compareRefusals(
  session: Session,
  refused: readonly RefusedWrite[],
  findings: Findings,
): Promise<void> {
  if (refused.length === 0) return;
  const parameters = [
    texts(refused, ({ ref }) => ref),
    texts(refused, ({ product }) => product),
    texts(refused, ({ fingerprint }) => fingerprint),
    texts(refused, ({ refusal }) => refusal),
    limits.refusedWrites,
  ];
  for (const row of await session.query<Different>('read refused writes', DIFFERENT, parameters, LONG_MS)) {
    const name = `the refusal of the write ${row.ref} in refused_writes`;
    const is = row.found === null ? 'is missing' : `is ${row.found}`;
    findings.add('durable', `product ${row.product}`, `${name} ${is}, expected ${row.expected} as the journal has it`);
  }
}
