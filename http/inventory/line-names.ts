/**
 * Refuses keys of an earlier version, which named the rows of a file by their lines. Under today's names every row of
 * such a file would be new and would be added again. So the whole file is refused.
 */

import { limits } from '../../actors/limits.js';
import type { Queries } from '../../actors/ports/queries.js';
import { callerOf } from '../../actors/principal.js';
import { type ApiRequest, idempotencyKey } from '../api/api-request.js';
import { Failure, fromReadModel } from '../api/failure.js';
import { writeOf } from '../api/write-id.js';

/** The shortest possible row of the four required columns. */
const ROW_BYTES = 8;
/** The earlier file may have been this many times longer; at least LEAST lines are looked up. */
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
    'An earlier version, which told rows apart by their lines, received a file under this Idempotency-Key. Nothing was received now. The ledgers of the products show which rows are missing: send those rows in a file of their own with another key.',
  );
