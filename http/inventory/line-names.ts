/**
 * Refuses keys of an earlier version, which named the rows of a file by their lines. Under today's names every row of
 * such a file would be new and would be added again. So the whole file is refused.
 *
 * Law: where no such version ever ran, a process asks for that once, and nothing more. Elsewhere the earlier names are
 * made a few at a time, so that no other request waits for them.
 */

import type { WriteId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { Queries } from '../../actors/ports/queries.js';
import type { Clock } from '../../actors/ports/runtime.js';
import { callerOf } from '../../actors/principal.js';
import { type ApiRequest, idempotencyKey } from '../api/api-request.js';
import { Failure, fromReadModel } from '../api/failure.js';
import { refOf } from '../api/write-id.js';

/** The shortest possible row of the four required columns. */
const ROW_BYTES = 8;
/** The earlier file may have been this many times longer; at least LEAST lines are looked up. */
const TIMES = 2;
const LEAST = 1_000;
/** Names of one query. */
const AT_ONCE = 2_000;
/** Names that are made between two rounds of the event loop. */
const A_FEW = 100;

export class LineNames {
  /** Whether such a version may have written here. It never changes. */
  private mayBe: boolean | undefined;

  constructor(
    private readonly queries: Pick<Queries, 'mayHaveLineNames' | 'hasWrite'>,
    private readonly clock: Pick<Clock, 'soon'>,
  ) {}

  /** @throws Failure */
  async refuse(request: ApiRequest): Promise<void> {
    const key = idempotencyKey(request, undefined);
    if (key === undefined) return;
    const { queries, clock } = this;
    this.mayBe ??= await fromReadModel(() => queries.mayHaveLineNames());
    if (!this.mayBe) return;
    const caller = callerOf(request.principal);
    const bytes = Number(request.req.headers['content-length'] ?? limits.importBytes);
    const lines = Math.min(limits.importRows + 1, Math.max(LEAST, Math.ceil((TIMES * bytes) / ROW_BYTES)));
    let refs: WriteId[] = [];
    for (let line = 2; line <= lines; line++) {
      refs.push(refOf(`import/${line}`, caller, key));
      if (refs.length % A_FEW === 0) await new Promise<void>((resolve) => clock.soon(resolve));
      if (refs.length < AT_ONCE && line < lines) continue;
      const asked = refs;
      if (await fromReadModel(() => queries.hasWrite(asked))) throw lineNames();
      refs = [];
    }
  }
}

const lineNames = (): Failure =>
  new Failure(
    422,
    'idempotency_mismatch',
    'An earlier version, which told rows apart by their lines, received a file under this Idempotency-Key. Nothing was received now. The ledgers of the products show which rows are missing: send those rows in a file of their own with another key.',
  );
