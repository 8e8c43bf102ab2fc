/**
 * Keys of an earlier version, which named the rows of a file by their lines. Under the names of today every row
 * of such a file would be new, and be added again: it is refused as a whole.
 */

import { limits } from '../../actors/limits.js';
import type { Queries } from '../../actors/ports/queries.js';
import { callerOf } from '../../actors/principal.js';
import { type ApiRequest, idempotencyKey } from '../api/api-request.js';
import { Failure, fromReadModel } from '../api/failure.js';
import { writeOf } from '../api/write-id.js';

/** No row of the four columns is shorter. */
const ROW_BYTES = 8;
/** How many times as long the file may have been, and how many lines are looked for at least. */
const TIMES = 2;
const LEAST = 1_000;
const AT_ONCE = 2_000;

/** @throws Failure */
export async function refuseLineNames(request: ApiRequest, queries: Pick<Queries, 'hasWrite'>): Promise<void> {
  const key = idempotencyKey(request, undefined);
  if (key === undefined) return;
  const caller = callerOf(request.principal);
  const bytes = Number(request.req.headers['content-length'] ?? limits.importBytes);
  const lines = Math.min(limits.importRows + 1, Math.max(LEAST, Math.ceil((TIMES * bytes) / ROW_BYTES)));
  for (let from = 2; from <= lines; from += AT_ONCE) {
    const length = Math.min(AT_ONCE, lines + 1 - from);
    const refs = Array.from({ length }, (_, i) => writeOf(`import/${from + i}`, caller, key, {}, () => '').ref);
    if (await fromReadModel(() => queries.hasWrite(refs))) throw lineNames();
  }
}

const lineNames = (): Failure =>
  new Failure(
    422,
    'idempotency_mismatch',
    'A file was received under this Idempotency-Key by an earlier version, which told rows apart by their lines. Nothing was received now. What is missing shows in the ledgers of the products: send it in a file of its own with another key.',
  );
