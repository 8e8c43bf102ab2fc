/** What became of the rows of a file, counted while they are received. */
import type { IncomingMessage } from 'node:http';
import { limits } from '../../actors/limits.js';
import type { ErrorCode } from '../api/errors.js';
import { Failure, type FieldError } from '../api/failure.js';

interface FailedRow {
  readonly line: number;
  readonly product_id?: string;
  readonly code: ErrorCode;
  readonly errors: readonly FieldError[];
}

export class ImportReport {
  private rows = 0;
  private failed = 0;
  private failedRows: FailedRow[] = [];

  constructor(readonly key: string) {}

  add(line: number, product: string | undefined, failure: Failure | undefined): void {
    this.rows++;
    if (failure === undefined) return;
    this.failed++;
    const { code, message, details } = failure;
    const errors = details.errors?.length ? details.errors : [{ field: 'line', message }];
    this.failedRows.push({ line, ...(product && { product_id: shortened(product) }), code, errors });
    // They come nearly in order: the first ones may be told from the others now and then.
    if (this.failedRows.length >= 2 * limits.importFailures) this.failedRows = this.first();
  }

  json(): string {
    return JSON.stringify({ ...this.counts(), failed_rows: this.first(), idempotency_key: this.key });
  }

  /** A file that is wrong as a whole, seen only after some of its rows were received. */
  brokenOff({ status, code, message, details }: Failure, { readableEnded }: IncomingMessage): Failure {
    const unreadBody = !readableEnded;
    if (this.rows === 0) return new Failure(status, code, message, { ...details, unreadBody });
    const counts = this.counts();
    const which = code === 'too_large' ? 'the first part of the file' : 'the same file, put right,';
    return new Failure(
      status,
      code,
      `${message} ${importedBefore(counts.imported)} Send ${which} again with the idempotency_key of this answer as its Idempotency-Key: that completes it and adds nothing twice.`,
      { ...details, unreadBody, about: { ...counts, idempotency_key: this.key } },
    );
  }

  private counts() {
    return { rows: this.rows, imported: this.rows - this.failed, failed: this.failed };
  }

  private first(): FailedRow[] {
    return this.failedRows.sort((a, b) => a.line - b.line).slice(0, limits.importFailures);
  }
}

/** Longer than any id there is, it says no more; as it came, a thousand of them are a reply of megabytes. */
const shortened = (product: string): string =>
  product.length <= limits.idChars ? product : [...product].slice(0, limits.idChars).join('');

const importedBefore = (rows: number): string => {
  if (rows === 0) return 'No row was imported before that.';
  return rows === 1
    ? 'One row was imported before that, and stays.'
    : `${rows} rows were imported before that, and stay.`;
};
