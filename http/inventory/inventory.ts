/**
 * Stock over HTTP: list, get, receive, adjust, check and audit. The owner answers for one product; the read model
 * answers lists.
 */
import { type ProductId, productId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { Owners, StockReply, StockRequest } from '../../actors/ports/owners.js';
import type { Queries } from '../../actors/ports/queries.js';
import type { ReceiptKeys } from '../../actors/ports/receipt-keys.js';
import type { Clock } from '../../actors/ports/runtime.js';
import { callerOf } from '../../actors/principal.js';
import {
  available,
  type ProductState,
  prospectOf,
  unknownProduct as unknownState,
} from '../../actors/product/inventory.js';
import type { ReceiveCommand } from '../../actors/protocol.js';
import { noAnswer, Unavailable } from '../../actors/unavailable.js';
import { type ApiRequest, idempotencyKey, type WaitingRoom } from '../api/api-request.js';
import { cursorOf, linksOf } from '../api/cursor.js';
import { Failure, type FieldError, fromReadModel, idempotencyMismatch, invalid, replayed } from '../api/failure.js';
import { isByCursor, type LedgerQuery, ledgerVersion, type ProductListQuery, productKey } from '../api/list-queries.js';
import { type Answer, continuedList, list, REPLAYED, success } from '../api/reply.js';
import { type AdjustBody, type AuditQuery, type CheckBody, pageOf, type ReceiptBody } from '../api/schemas.js';
import { byProduct, type Write, writeOf } from '../api/write-id.js';
import { stockUnder } from '../node/gremlin-routes.js';
import { merged } from '../orders/order-content.js';
import { boundedWork } from './bounded-work.js';
import { balanceJson, operationJson, productJson } from './inventory-view.js';
import { receiptOf } from './receipts.js';
import { receiptUnavailable, refusalOf, stockUnavailable, unknownProduct } from './stock-writes.js';

interface InventoryOptions {
  readonly owners: Owners;
  readonly queries: Queries;
  readonly receiptKeys: ReceiptKeys;
  readonly clock: Clock;
  readonly waiting: WaitingRoom;
  readonly waitMs: number;
}

interface Receipt {
  readonly field: string;
  readonly product: ProductId;
  readonly before: ProductState;
  readonly command: Omit<ReceiveCommand, 'ref' | 'fingerprint'>;
}

/** By product. A product that was not tried has no entry. */
type Replies = ReadonlyMap<ProductId, StockReply>;

export class Inventory {
  private readonly options: InventoryOptions;
  private readonly draw: () => string;

  constructor(options: InventoryOptions) {
    this.options = options;
    this.draw = () => options.clock.id();
  }

  list = async (query: ProductListQuery, { req }: ApiRequest): Promise<Answer> => {
    const { queries } = this.options;
    if (!isByCursor(query)) {
      const page = pageOf(query);
      const { products, ...counted } = await fromReadModel(() => queries.products(page));
      return list(products.map(productJson), { ...page, ...counted });
    }
    const limit = query.limit ?? limits.pageSizeDefault;
    const after = productKey('products', query.cursor);
    const [{ products, more }, counted] = await fromReadModel(() =>
      Promise.all([queries.productsAfter(after, limit), after === undefined ? queries.countProducts() : undefined]),
    );
    const last = products.at(-1);
    const next = more && last !== undefined ? cursorOf('products', [last.id]) : undefined;
    const links = linksOf(req.url ?? '', limit, next);
    return continuedList(products.map(productJson), { limit, next, counted, links });
  };

  get = async (id: string): Promise<Answer> => {
    const state = await this.options.owners.product(productId(id));
    if (!state?.known) throw unknownProduct(id);
    return success(200, productJson(state));
  };

  /**
   * The edge refuses every fault that it can see, in any line, before it applies anything. An owner's refusal or a
   * timeout may come after some products were received. The answer then names them. A repeat under the same key completes
   * a request that timed out. Once one product is refused, no other product of the request is received under that key.
   */
  receive = async (request: ApiRequest, body: ReceiptBody): Promise<Answer> => {
    const given = body.products.map((product) => ({ ...product, product_id: String(product.product_id) }));
    const write = writeOf(
      'receive',
      callerOf(request.principal),
      idempotencyKey(request, body.idempotency_key),
      byProduct(given, (line) => line.product_id),
      this.draw,
      given,
    );
    return this.options.waiting.during(async () => {
      const receipts = await this.checked(body.products);
      await this.takeKey(write);
      const replies = await this.received(receipts, write, request);
      const states = receipts.flatMap(({ product }) => {
        const reply = replies.get(product);
        return reply?.kind === 'done' ? [reply.state] : [];
      });
      if (states.length < receipts.length) {
        await this.keepDrawnKey(write);
        throw incomplete(receipts, replies, write);
      }
      const answer = success(201, `[${states.map(productJson).join(',')}]`, 'Stock received successfully');
      return [...replies.values()].every(isRepeat) ? { ...answer, headers: REPLAYED } : answer;
    });
  };

  /** The second of two receipts under one key is refused here: the owners of their products may be strangers. */
  private async takeKey(write: Write): Promise<void> {
    const { ref, fingerprint, oldFingerprint, fresh } = write;
    if (fresh) return;
    const holder = await this.options.receiptKeys.take(ref, fingerprint).catch((error) => {
      const why = error instanceof Unavailable && error.absent ? error.message : KEY_UNKNOWN;
      throw stockUnavailable({ kind: 'unavailable', why, absent: true }, write);
    });
    if (holder !== fingerprint && holder !== oldFingerprint) throw idempotencyMismatch('another request');
  }

  /** The answer tells the key, so from now on the client may use it. */
  private async keepDrawnKey({ ref, fingerprint, fresh }: Write): Promise<void> {
    if (fresh) await this.options.receiptKeys.take(ref, fingerprint).catch(() => {});
  }

  /** Applies the receipts, some at a time, until all are done or one is not. */
  private async received(receipts: readonly Receipt[], write: Write, request: ApiRequest): Promise<Replies> {
    const { clock, waitMs } = this.options;
    const startedAt = clock.monotonic();
    const replies = new Map<ProductId, StockReply>();
    const apply = async ({ product, command }: Receipt): Promise<boolean> => {
      const restMs = limits.receiptMs - (clock.monotonic() - startedAt);
      if (restMs <= 0) return false;
      const named = { ...command, ref: write.ref, fingerprint: write.fingerprint };
      const reply = await this.write(product, named, write, request, Math.min(waitMs, restMs));
      replies.set(product, reply);
      // A request that was refused before changes nothing more: the other owners only repeat their answers.
      return reply.kind === 'done' || isRepeat(reply);
    };
    // Too much stock is either a refusal or a repeat of an earlier receipt. Only the owner can tell, so such products
    // come first.
    const isDoubtful = ({ before, command }: Receipt) => before.onHand + command.quantity > limits.stock;
    const [doubtful, plain] = [receipts.filter(isDoubtful), receipts.filter((receipt) => !isDoubtful(receipt))];
    if (await boundedWork(doubtful, 1, apply)) await boundedWork(plain, limits.receiveAtOnce, apply);
    return replies;
  }

  adjust = async (request: ApiRequest, id: string, { delta, reason, idempotency_key }: AdjustBody): Promise<Answer> => {
    const product = productId(id);
    const key = idempotencyKey(request, idempotency_key);
    const write = writeOf(`adjust/${product}`, callerOf(request.principal), key, { delta, reason }, this.draw);
    const { waiting, waitMs } = this.options;
    return waiting.during(async () => {
      const { ref, fingerprint } = write;
      const command = { type: 'adjust', ref, fingerprint, delta, reason } as const;
      const reply = await this.write(product, command, write, request, waitMs);
      switch (reply.kind) {
        case 'done': {
          const answer = success(200, productJson(reply.state), 'Stock adjusted successfully');
          return isRepeat(reply) ? { ...answer, headers: REPLAYED } : answer;
        }
        case 'unavailable':
          throw stockUnavailable(reply, write);
        case 'refused': {
          const failure = refusalOf(reply.refusal, product, 'delta');
          throw isRepeat(reply) ? replayed(failure) : failure;
        }
      }
    });
  };

  check = async ({ items }: CheckBody): Promise<Answer> => {
    const [lines] = merged([items, 'items']);
    const states = await Promise.all(lines.map(({ product }) => this.options.owners.product(product)));
    const shown = lines.map(({ product, quantity }, i) => {
      const state = states[i] ?? unknownState(product);
      const prospect = prospectOf(state, quantity);
      return {
        product_id: product,
        requested: quantity,
        available: available(state),
        sufficient: prospect === 'held' || prospect === 'backordered',
        ...(prospect === 'backordered' && { backorder: true }),
      };
    });
    return success(200, JSON.stringify({ available: shown.every((line) => line.sufficient), items: shown }));
  };

  audit = async (query: AuditQuery): Promise<Answer> => {
    const { product_id: product } = query;
    const page = pageOf(query);
    const { operations, ...counted } = await fromReadModel(() =>
      this.options.queries.operations(product === undefined ? undefined : productId(product), page),
    );
    return list(operations.map(operationJson), { ...page, ...counted });
  };

  /** Every movement with its cause and the balance after it, or the balance at a past moment. */
  ledger = async (id: string, { cursor, limit, at }: LedgerQuery, { req }: ApiRequest): Promise<Answer> => {
    const { owners, queries } = this.options;
    const product = productId(id);
    const name = `ledger ${id}`;
    const before = ledgerVersion(name, cursor);
    if (!(await owners.product(product))?.known) throw unknownProduct(id);
    if (at !== undefined) {
      const { operation } = await fromReadModel(() => queries.stockAt(product, at.ms)); // Stored times are whole milliseconds.
      return success(200, balanceJson(id, at.ms, operation));
    }
    const { operations, more } = await fromReadModel(() => queries.ledger(product, before, limit));
    const last = operations.at(-1);
    const next = more && last !== undefined ? cursorOf(name, [last.version]) : undefined;
    const links = linksOf(req.url ?? '', limit, next);
    return continuedList(operations.map(operationJson), { limit, next, counted: undefined, links });
  };

  /** Checks every line. @throws Failure that names every fault the edge can see. */
  private async checked(products: ReceiptBody['products']): Promise<readonly Receipt[]> {
    const errors: FieldError[] = [];
    const wrong = (field: string, problem: string) => errors.push({ field, message: `${field} ${problem}.` });
    const seen = new Set<string>();
    for (const [i, { product_id }] of products.entries()) {
      if (seen.has(String(product_id))) wrong(`products[${i}].product_id`, 'is given twice');
      seen.add(String(product_id));
    }
    if (errors.length > 0) throw invalid(errors);

    const ids = products.map(({ product_id }) => productId(String(product_id)));
    const before = await Promise.all(ids.map((id) => this.options.owners.product(id)));
    const receipts = products.flatMap((line, i): Receipt[] => {
      const product = ids[i] ?? productId('');
      const state = before[i] ?? unknownState(product);
      try {
        const command = receiptOf(line, state, `products[${i}].`);
        return [{ field: `products[${i}].stock`, product, before: state, command }];
      } catch (error) {
        if (!(error instanceof Failure) || error.status !== 400) throw error;
        errors.push(...(error.details.errors ?? []));
        return [];
      }
    });
    if (errors.length > 0) throw invalid(errors);
    return receipts;
  }

  private async write(
    product: ProductId,
    command: StockRequest['command'],
    { fresh, oldFingerprint }: Write,
    request: ApiRequest,
    waitMs: number,
  ): Promise<StockReply> {
    try {
      const write = { product, command, correlation: request.cause, fresh, oldFingerprint };
      return await stockUnder(request, write, (sent) => this.options.owners.stock(sent, waitMs));
    } catch (error) {
      if (error instanceof Unavailable) return noAnswer(error);
      throw error;
    }
  }
}

const KEY_UNKNOWN = 'Postgres does not answer, and whether this key is new is not known.';

/** The owner gave this answer before, under the same key. */
const isRepeat = (reply: StockReply): boolean =>
  (reply.kind === 'done' && reply.repeat) || (reply.kind === 'refused' && reply.repeatOf !== undefined);

/** A timeout is reported before a refusal: it may still take effect, and a repeat shows the refusal again. */
function incomplete(receipts: readonly Receipt[], replies: Replies, write: Write): Failure {
  const done = receipts.filter(({ product }) => replies.get(product)?.kind === 'done').map(({ product }) => product);
  const silent = [...replies.values()].filter((reply) => reply.kind === 'unavailable');
  // A write that may have been done matters more than one that surely was not.
  const late = silent.find(({ absent }) => !absent) ?? silent[0];
  for (const { product, field } of receipts) {
    const reply = replies.get(product);
    if (late || reply?.kind !== 'refused') continue;
    const refused = reply.repeatOf ?? product;
    const at = receipts.find((receipt) => receipt.product === refused)?.field ?? field;
    const { status, code, message, details } = refusalOf(reply.refusal, refused, at);
    const failure = new Failure(status, code, message, { ...details, ...(done.length > 0 && { about: { done } }) });
    return [...replies.values()].every(isRepeat) ? replayed(failure) : failure;
  }
  const missing = late ?? { kind: 'unavailable', why: 'not every receipt was tried' };
  const isWhole = receipts.length === 1 || (missing.absent && done.length === 0);
  return isWhole ? stockUnavailable(missing, write) : receiptUnavailable(missing, write, done);
}
