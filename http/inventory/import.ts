/**
 * Receiving many products at once, from a CSV file: each row a receipt of its own, so that a wrong one does
 * not keep the others out; the answer reports every row that failed. A repeat under the same key completes
 * what was not done, and adds nothing twice.
 */

import { productId } from '../../actors/ids.js';
import { unknownProduct as unknownState } from '../../actors/inventory.js';
import { limits } from '../../actors/limits.js';
import type { Clock, Owners } from '../../actors/ports.js';
import { callerOf } from '../../actors/principal.js';
import { Unavailable } from '../../actors/unavailable.js';
import { type Asked, idempotencyKey, WaitingRoom } from '../asked.js';
import { Failure, type FieldError, invalid } from '../failure.js';
import { stockUnder } from '../gremlin.js';
import { inTurns } from '../in-turns.js';
import { type Answer, success } from '../reply.js';
import { receiptLine, validated } from '../schemas.js';
import { writeOf } from '../writes.js';
import { type CsvRecord, readCsv } from './csv.js';
import { receiptOf } from './receipts.js';
import { refusalOf } from './stock-writes.js';

export interface ImportOptions {
  readonly owners: Owners;
  readonly clock: Clock;
  readonly waitMs: number;
}

const COLUMNS = {
  required: ['product_id', 'name', 'unit_price', 'stock'],
  optional: ['currency', 'allow_backorder', 'backorder_limit'],
};

interface FailedRow {
  readonly line: number;
  readonly product_id?: string;
  readonly errors: readonly FieldError[];
}

export class Import {
  readonly #options: ImportOptions;
  readonly #waiting = new WaitingRoom(limits.importsAtOnce);

  constructor(options: ImportOptions) {
    this.#options = options;
  }

  receive = (asked: Asked): Promise<Answer> =>
    this.#waiting.during(async () => {
      const { clock } = this.#options;
      const records = await readCsv(asked.req, COLUMNS);
      const key = idempotencyKey(asked, undefined) ?? clock.id();
      const endsAt = clock.monotonic() + limits.importMs;
      const failed: FailedRow[] = [];
      await inTurns(records, limits.receiveAtOnce, async (record) => {
        const errors = await this.#receiveRow(record, key, asked, endsAt);
        const product = 'values' in record ? record.values.product_id : undefined;
        if (errors.length > 0) failed.push({ line: record.line, ...(product && { product_id: product }), errors });
        return true;
      });
      failed.sort((a, b) => a.line - b.line);
      const report = {
        rows: records.length,
        imported: records.length - failed.length,
        failed: failed.length,
        failed_rows: failed.slice(0, limits.importFailures),
        idempotency_key: key,
      };
      return success(200, JSON.stringify(report), 'Stock imported');
    });

  // -------------------------------------------------------------- machinery

  async #receiveRow(record: CsvRecord, key: string, asked: Asked, endsAt: number): Promise<readonly FieldError[]> {
    try {
      if ('problem' in record) throw invalid([{ field: 'line', message: `The line ${record.problem}.` }]);
      await this.#received(
        record.values,
        writeOf(`import/${record.line}`, callerOf(asked.principal), key, record.values, () => ''),
        asked,
        endsAt,
      );
      return [];
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const { errors = [] } = error.details;
      return errors.length > 0 ? errors : [{ field: 'line', message: error.message }];
    }
  }

  async #received(
    values: Readonly<Record<string, string>>,
    { ref, fingerprint }: ReturnType<typeof writeOf>,
    asked: Asked,
    endsAt: number,
  ): Promise<void> {
    const { owners, clock, waitMs } = this.#options;
    const line = validated(receiptLine, typed(values));
    const product = productId(String(line.product_id));
    const restMs = Math.min(waitMs, endsAt - clock.monotonic());
    if (restMs <= 0) throw late();
    const before = await owners.product(product).catch(unavailable);
    const command = { ...receiptOf(line, before ?? unknownState(product), ''), ref, fingerprint };
    const request = { product, command, correlation: asked.correlation, fresh: false };
    const reply = await stockUnder(asked, request, (ask) => owners.stock(ask, restMs)).catch(unavailable);
    if (reply.kind === 'unavailable') throw late();
    if (reply.kind === 'refused') throw refusalOf(reply.refusal, product, 'stock');
  }
}

const late = (): Failure =>
  new Failure(
    503,
    'unavailable',
    'It could not be received durably in time: send the same file again with the same idempotency key.',
  );

function unavailable(error: unknown): never {
  if (error instanceof Unavailable) throw late();
  throw error;
}

/** A cell is text; an empty one says nothing. What is no number stays text, and is refused as such. */
function typed(values: Readonly<Record<string, string>>): object {
  const line: Record<string, unknown> = {};
  for (const [name, text] of Object.entries(values)) {
    if (text === '') continue;
    if (name === 'unit_price' || name === 'stock' || name === 'backorder_limit') {
      line[name] = /^-?\d{1,15}(\.\d{1,9})?$/.test(text) ? Number(text) : text;
    } else if (name === 'allow_backorder') line[name] = text === 'true' || (text === 'false' ? false : text);
    else line[name] = text.includes('\0') ? null : text;
  }
  return line;
}
