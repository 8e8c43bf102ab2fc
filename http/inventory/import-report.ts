/** Counts the outcomes of the rows of a file while they are received. */
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
    // Rows arrive nearly in order, so keeping only the first ones now and then is enough.
    if (this.failedRows.length >= 2 * limits.importFailures) this.failedRows = this.first();
  }

  json(): string {
    return JSON.stringify({ ...this.counts(), failed_rows: this.first(), idempotency_key: this.key });
  }

  /** The failure of a file that is wrong as a whole, with the rows that were received before the fault. */
  brokenOff({ status, code, message, details }: Failure, { readableEnded }: IncomingMessage): Failure {
    const unreadBody = !readableEnded;
    if (this.rows === 0) return new Failure(status, code, message, { ...details, unreadBody });
    const counts = this.counts();
    const again = code === 'too_large' ? 'Send the first part of the file' : 'Correct the file and send it';
    return new Failure(
      status,
      code,
      `${message} ${importedBefore(counts.imported)} ${again} again with the idempotency_key of this answer as its Idempotency-Key: that completes it and adds nothing twice.`,
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

/** Cuts a value that is longer than any id. A thousand such values would make a reply of megabytes. */
const shortened = (product: string): string =>
  product.length <= limits.idChars ? product : [...product].slice(0, limits.idChars).join('');

const importedBefore = (rows: number): string => {
  if (rows === 0) return 'No row was imported before that.';
  return rows === 1
    ? 'One row was imported before that and stays.'
    : `${rows} rows were imported before that and stay.`;
};
