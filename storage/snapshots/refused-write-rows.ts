/** Refused stock writes as rows: one statement adds them and deletes the oldest. */
import { limits } from '../../actors/limits.js';
import type { RefusedWriteRow } from '../../actors/ports/snapshot-rows.js';
import { type Column, encode, names, timeOf, unnest, values } from '../postgres/column-arrays.js';
import type { Parameter } from '../postgres/postgres.js';
import { GATE, IF_OPEN } from './journal-lock.js';

const REFUSED: readonly Column<RefusedWriteRow>[] = [
  { name: 'ref', type: 'id', of: (row) => row.ref },
  { name: 'product_id', type: 'id', of: (row) => row.product },
  { name: 'fingerprint', type: 'text', of: (row) => row.fingerprint },
  { name: 'refusal', type: 'word', of: (row) => row.refusal },
  { name: 'refused_at', type: 'bigint', as: timeOf('refused_at'), of: (row) => row.at },
];

// A row that exists already was written by an attempt without an answer.
const TEXT = `with ${GATE},
  added as (insert into refused_writes (${names(REFUSED)})
    select ${values(REFUSED)} from ${unnest(REFUSED, 3)} where ${IF_OPEN} on conflict do nothing),
  let_go as (delete from refused_writes
    where no <= (select max(no) from refused_writes) - $2::bigint and ${IF_OPEN})
  select count(*)::int as open from gate`;

/** The statement's first parameter is the journal. @param kept the older rows to keep, besides those of this statement. */
export const writeRefusals = (
  journal: string,
  rows: readonly RefusedWriteRow[],
  kept: number = limits.refusedWrites,
): { readonly text: string; readonly parameters: readonly Parameter[] } => ({
  text: TEXT,
  parameters: [journal, kept, ...encode(REFUSED, rows)],
});
