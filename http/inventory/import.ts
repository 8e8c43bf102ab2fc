/**
 * Receives many products from a CSV file while it arrives. Each row is a receipt of its own, so a wrong row does not
 * block the others. The answer reports every row that failed. A repeat under the same key completes the import and adds
 * nothing twice (import-rows.ts).
 *
 * Law: a file of any size takes the memory of some rows and of one number per product. Rows of one product are received
 * in their order.
 */

import { type ProductId, productId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { NoAnswer, Owners, StockReply } from '../../actors/ports/owners.js';
import type { Queries } from '../../actors/ports/queries.js';
import type { Clock } from '../../actors/ports/runtime.js';
import { callerOf } from '../../actors/principal.js';
import { unknownProduct as unknownState } from '../../actors/product/inventory.js';
import { Unavailable } from '../../actors/unavailable.js';
import { type ApiRequest, idempotencyKey, WaitingRoom } from '../api/api-request.js';
import { Failure, invalid, unavailable } from '../api/failure.js';
import { type Answer, success } from '../api/reply.js';
import { type ReceiptLine, receiptLine, validated } from '../api/schemas.js';
import { fingerprintOf, refOf } from '../api/write-id.js';
import { stockUnder } from '../node/gremlin-routes.js';
import { arriving } from '../wire/streamed-body.js';
import { boundedWork, InOrder } from './bounded-work.js';
import { type CsvRecord, readCsv } from './csv.js';
import { ImportReport } from './import-report.js';
import { ImportRows, type Placed, type Places, type Refusals, type Row } from './import-rows.js';
import { LineNames } from './line-names.js';
import { receiptOf } from './receipts.js';
import { refusalOf } from './stock-writes.js';

interface ImportOptions {
  readonly owners: Owners;
  readonly queries: Pick<Queries, 'mayHaveLineNames' | 'hasWrite'>;
  readonly clock: Clock;
  /** The timeout of each row. */
  readonly waitMs: number;
  /** The timeout for the arrival of the whole file. */
  readonly patienceMs: number;
}

const COLUMNS = {
  required: ['product_id', 'name', 'unit_price', 'stock'],
  optional: ['currency', 'allow_backorder', 'backorder_limit'],
};

export class Import {
  private readonly options: ImportOptions;
  private readonly waiting = new WaitingRoom(limits.importsAtOnce);
  private readonly lineNames: LineNames;

  constructor(options: ImportOptions) {
    this.options = options;
    this.lineNames = new LineNames(options.queries, options.clock);
  }

  receive = (request: ApiRequest): Promise<Answer> =>
    this.waiting.during(async () => {
      const { clock, patienceMs } = this.options;
      const report = new ImportReport(idempotencyKey(request, undefined) ?? clock.id());
      const endsAt = clock.monotonic() + limits.importMs;
      const body = arriving(request.req, {
        clock,
        mostBytes: limits.importBytes,
        patienceMs,
        endsAt,
        ended: tookTooLong,
      });
      const ofProduct = new InOrder();
      const rows = new ImportRows<StockRow>();
      const places: Places<StockRow> = {
        place: (row, at) => this.place(row, at, report.key, request, endsAt),
        look: (row, at) => this.look(row, at, report.key, request, endsAt),
      };
      try {
        await this.lineNames.refuse(request);
        await boundedWork(readCsv(body, COLUMNS), limits.receiveAtOnce, async (record) => {
          const product = 'values' in record ? record.values.product_id : undefined;
          const receive = () => this.receiveRow(record, rows, places, endsAt);
          const outcome = await (product ? ofProduct.after(product, receive) : receive());
          if (outcome === 'waits') return true;
          const failure = outcome === 'received' ? undefined : outcome;
          report.add(record.line, product, failure);
          // A wrong row needs no waiting. A file of wrong rows would block the event loop without this pause.
          if (failure !== undefined) await new Promise<void>((resolve) => clock.soon(resolve));
          return true;
        });
        for await (const [{ line, product }, failure] of rows.rest(places)) report.add(line, product, failure);
      } catch (error) {
        throw error instanceof Failure ? report.brokenOff(error, request.req) : error;
      }
      return success(200, report.json(), 'Stock imported');
    });

  // -------------------------------------------------------------- machinery

  /** @returns the result of the row. @throws Failure if no time is left, or no owner can receive any row. */
  private async receiveRow(
    record: CsvRecord,
    rows: ImportRows<StockRow>,
    places: Places<StockRow>,
    endsAt: number,
  ): Promise<'received' | 'waits' | Failure> {
    if (this.options.clock.monotonic() >= endsAt) throw tookTooLong();
    if ('problem' in record) return invalid([{ field: 'line', message: `The line ${record.problem}.` }]);
    const values = validLine(record.values);
    if (values instanceof Failure) return values;
    const product = productId(String(values.product_id));
    const row = { line: record.line, product, values, content: fingerprintOf(contentOf(values)) };
    return rows.receive(product, row, places, refusalsOf(product));
  }

  /** @throws Failure if no owner can receive any row. */
  private async place(row: StockRow, at: number, key: string, request: ApiRequest, endsAt: number): Promise<Placed> {
    const reply = await this.send(row, at, key, request, endsAt, false);
    if (reply instanceof Failure) return reply;
    if (reply.kind !== 'refused') return 'received';
    return reply.refusal === 'other_body' ? 'taken' : refusalOf(reply.refusal, row.product, 'stock');
  }

  /** @throws Failure if no owner can receive any row. */
  private async look(row: StockRow, at: number, key: string, request: ApiRequest, endsAt: number) {
    const reply = await this.send(row, at, key, request, endsAt, true);
    if (reply instanceof Failure) return reply;
    return reply.kind === 'refused' ? refusalOf(reply.refusal, row.product, 'stock') : reply.stored;
  }

  /** @throws Failure if no owner can receive any row. */
  private async send(
    { product, values, content }: StockRow,
    at: number,
    key: string,
    request: ApiRequest,
    endsAt: number,
    looks: boolean,
  ): Promise<Exclude<StockReply, NoAnswer> | Failure> {
    const { owners, clock, waitMs } = this.options;
    try {
      const ref = refOf(`import/${at}/${product}`, callerOf(request.principal), key);
      const before = await owners.product(product);
      const restMs = Math.max(1, Math.min(waitMs, endsAt - clock.monotonic()));
      const command = { ...receiptOf(values, before ?? unknownState(product), ''), ref, fingerprint: content };
      const write = { product, command, correlation: request.cause, fresh: false, corrects: true, looks };
      const reply = await stockUnder(request, write, (sent) => owners.stock(sent, restMs)).catch(unavailableAsLate);
      if (reply.kind !== 'unavailable') return reply;
      if (reply.absent) throw new Unavailable(reply.why, true);
      return late(reply.why);
    } catch (error) {
      if (error instanceof Failure) return error;
      throw error instanceof Unavailable ? noOwners(error) : error;
    }
  }
}

/** A row that can be received. */
interface StockRow extends Row {
  readonly line: number;
  readonly product: ProductId;
  readonly values: ReceiptLine;
}

const late = (cause: string): Failure =>
  new Failure(
    503,
    'unavailable',
    'The row could not be made durable in time: send the same file again with the same idempotency key.',
    { cause },
  );

const tookTooLong = (): Failure =>
  unavailable(`Not all of the file could be received within ${limits.importMs / 1000} s.`);

/** The failure of the whole file: every further row would fail too. */
const noOwners = ({ message, absent }: Unavailable): Failure => {
  const again = 'Send the same file again with the same idempotency key.';
  return unavailable(`${absent ? message : 'Stock cannot be received at the moment.'} ${again}`, {}, message);
};

const refusalsOf = (product: string): Refusals => ({
  other: new Failure(
    422,
    'idempotency_mismatch',
    `Another row of ${product}, which is not in this file, was received under this Idempotency-Key. That row stays, and this row was not received. To correct the stock, adjust it. To add this row as well, send it alone in a file with another key.`,
  ),
  tooMany: new Failure(
    422,
    'idempotency_mismatch',
    `Other rows were received under this Idempotency-Key, and too many rows of the file differ from them to compare all. Whether this row of ${product} was received is not known: the product's ledger shows what was.`,
  ),
});

function unavailableAsLate(error: unknown): never {
  if (error instanceof Unavailable && !error.absent) throw late(error.message);
  throw error;
}

/** Compared in lower case, since spreadsheets write them in capitals. */
const TRUTHS: Readonly<Record<string, boolean>> = { true: true, false: false };

/** The values of a row, or the failure that names the wrong ones. */
function validLine(values: Readonly<Record<string, string>>): ReceiptLine | Failure {
  try {
    return validated(receiptLine, typed(values));
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
}

/** Two rows are compared by these values, not by the notation or the order of their cells. */
const contentOf = (line: ReceiptLine): object => [
  line.name,
  line.unit_price,
  line.stock,
  line.currency,
  line.allow_backorder,
  line.backorder_limit,
];

/** Converts the text of cells and drops empty cells. Text that is not a number stays text, and validation refuses it. */
function typed(values: Readonly<Record<string, string>>): object {
  const line: Record<string, unknown> = {};
  for (const [name, text] of Object.entries(values)) {
    if (text === '') continue;
    if (name === 'unit_price' || name === 'stock' || name === 'backorder_limit') {
      line[name] = /^-?\d{1,15}(\.\d{1,9})?$/.test(text) ? Number(text) : text;
    } else if (name === 'allow_backorder') line[name] = TRUTHS[text.toLowerCase()] ?? text;
    else line[name] = text.includes('\0') ? null : text;
  }
  return line;
}
