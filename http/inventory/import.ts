/**
 * Receiving many products at once, from a CSV file, while it arrives: each row a receipt of its own, so that a
 * wrong one does not keep the others out; the answer reports every row that failed. A repeat under the same key
 * completes what was not done, and adds nothing twice.
 *
 * Law: a file of any size is a few hundred rows in memory; rows of one product are received in their order.
 */

import { productId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { Owners } from '../../actors/ports/owners.js';
import type { Clock } from '../../actors/ports/runtime.js';
import { callerOf } from '../../actors/principal.js';
import { unknownProduct as unknownState } from '../../actors/product/inventory.js';
import { Unavailable } from '../../actors/unavailable.js';
import { type ApiRequest, idempotencyKey, WaitingRoom } from '../api/api-request.js';
import { Failure, invalid, unavailable } from '../api/failure.js';
import { type Answer, success } from '../api/reply.js';
import { receiptLine, validated } from '../api/schemas.js';
import { writeOf } from '../api/write-id.js';
import { stockUnder } from '../node/gremlin-routes.js';
import { arriving } from '../wire/streamed-body.js';
import { boundedWork, InOrder } from './bounded-work.js';
import { type CsvRecord, readCsv } from './csv.js';
import { ImportReport } from './import-report.js';
import { receiptOf } from './receipts.js';
import { refusalOf } from './stock-writes.js';

interface ImportOptions {
  readonly owners: Owners;
  readonly clock: Clock;
  /** For each row. */
  readonly waitMs: number;
  /** For all of a file to arrive. */
  readonly patienceMs: number;
}

const COLUMNS = {
  required: ['product_id', 'name', 'unit_price', 'stock'],
  optional: ['currency', 'allow_backorder', 'backorder_limit'],
};

export class Import {
  private readonly options: ImportOptions;
  private readonly waiting = new WaitingRoom(limits.importsAtOnce);

  constructor(options: ImportOptions) {
    this.options = options;
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
      try {
        await boundedWork(readCsv(body, COLUMNS), limits.receiveAtOnce, async (record) => {
          const product = 'values' in record ? record.values.product_id : undefined;
          const row = () => this.receiveRow(record, report.key, request, endsAt);
          const failure = await (product ? ofProduct.after(product, row) : row());
          report.add(record.line, product, failure);
          // One that is wrong ends at once: a file of them would leave no turn to anybody else.
          if (failure !== undefined) await new Promise<void>((resolve) => clock.soon(resolve));
          return true;
        });
      } catch (error) {
        throw error instanceof Failure ? report.brokenOff(error, request.req) : error;
      }
      return success(200, report.json(), 'Stock imported');
    });

  // -------------------------------------------------------------- machinery

  /** @returns what is wrong with the row. @throws Failure once there is no time left for any, or nobody to receive it. */
  private async receiveRow(
    record: CsvRecord,
    key: string,
    request: ApiRequest,
    endsAt: number,
  ): Promise<Failure | undefined> {
    if (this.options.clock.monotonic() >= endsAt) throw tookTooLong();
    try {
      if ('problem' in record) throw invalid([{ field: 'line', message: `The line ${record.problem}.` }]);
      const { line, values } = record;
      const write = writeOf(`import/${line}`, callerOf(request.principal), key, values, () => '');
      await this.received(values, write, request, endsAt);
      return undefined;
    } catch (error) {
      if (error instanceof Failure) return error;
      throw error instanceof Unavailable ? noKeepers(error) : error;
    }
  }

  private async received(
    values: Readonly<Record<string, string>>,
    { ref, fingerprint }: ReturnType<typeof writeOf>,
    request: ApiRequest,
    endsAt: number,
  ): Promise<void> {
    const { owners, clock, waitMs } = this.options;
    const line = validated(receiptLine, typed(values));
    const product = productId(String(line.product_id));
    const before = await owners.product(product);
    const restMs = Math.max(1, Math.min(waitMs, endsAt - clock.monotonic()));
    const command = { ...receiptOf(line, before ?? unknownState(product), ''), ref, fingerprint };
    const write = { product, command, correlation: request.correlation, fresh: false };
    const reply = await stockUnder(request, write, (ask) => owners.stock(ask, restMs)).catch(orLate);
    if (reply.kind === 'unavailable') throw reply.absent ? new Unavailable(reply.why, true) : late(reply.why);
    if (reply.kind !== 'refused') return;
    throw reply.refusal === 'other_body' ? receivedAlready(product) : refusalOf(reply.refusal, product, 'stock');
  }
}

const late = (cause: string): Failure =>
  new Failure(
    503,
    'unavailable',
    'It could not be received durably in time: send the same file again with the same idempotency key.',
    { cause },
  );

const tookTooLong = (): Failure =>
  unavailable(`Not all of the file could be received within ${limits.importMs / 1000} s.`);

/** No row would fare better. */
const noKeepers = ({ message, absent }: Unavailable): Failure => {
  const again = 'Send the same file again with the same idempotency key.';
  return unavailable(`${absent ? message : 'Stock cannot be received at the moment.'} ${again}`, {}, message);
};

/** Of this line, under this key. */
const receivedAlready = (product: string): Failure =>
  new Failure(
    422,
    'idempotency_mismatch',
    `This line was received under this Idempotency-Key before, with other content for ${product}, which stands. To correct that, adjust the stock; to add this row too, send it in a file with another key.`,
  );

function orLate(error: unknown): never {
  if (error instanceof Unavailable && !error.absent) throw late(error.message);
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
