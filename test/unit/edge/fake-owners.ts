/**
 * Owners and Queries in memory, for tests of the edge: Holdfast's own state charts decide, nothing is stored,
 * and a test may set how the next placements end.
 */
import { crockford128, type OrderId, type ProductId, productId, type WriteId } from '../../../actors/ids.js';
import { operation } from '../../../actors/node/world.js';
import { decidedIn } from '../../../actors/order/as-decided.js';
import { absentOrder, type OrderContext, type OrderState } from '../../../actors/order/order.js';
import { decideOrder } from '../../../actors/order/order-chart.js';
import { evolveOrder } from '../../../actors/order/order-fold.js';
import { statusOf } from '../../../actors/order/transitions.js';
import type { Numbers } from '../../../actors/ports/numbers.js';
import type {
  ActReply,
  ActRequest,
  Caller,
  Owners,
  PlaceReply,
  PlaceRequest,
  StockReply,
  StockRequest,
} from '../../../actors/ports/owners.js';
import type { OrderFilter, OrderKey, Page, Queries } from '../../../actors/ports/queries.js';
import type { Clock } from '../../../actors/ports/runtime.js';
import type { HistoryRow, OperationRow } from '../../../actors/ports/snapshot-rows.js';
import {
  decideProduct,
  evolveProduct,
  fillOwed,
  type ProductState,
  unknownProduct,
} from '../../../actors/product/inventory.js';
import type { Letter, OrderCommand, ProductCommand } from '../../../actors/protocol.js';
import { memoryNumbers } from '../../../storage/memory/memory-numbers.js';

export class FakeOwners implements Owners, Queries {
  readonly orderStates = new Map<OrderId, OrderState>();
  readonly productStates = new Map<ProductId, ProductState>();
  private readonly histories = new Map<OrderId, HistoryRow[]>();
  private readonly stockOperations: OperationRow[] = [];
  private readonly writes = new Map<string, string>();
  /** By ref: of the request that had an effect under it, on whichever product. */
  private readonly fingerprints = new Map<WriteId, string>();
  /** If set, it answers the next placements; `undefined` means the usual answer. */
  interfere:
    | ((request: PlaceRequest, waitMs: number, caller: Caller | undefined) => Promise<PlaceReply | undefined>)
    | undefined;
  /** If set, it runs before each read of a product. */
  interfereProduct: (() => Promise<void>) | undefined;
  /** The same as `interfere` for writes to stock. */
  interfereStock: ((request: StockRequest) => Promise<StockReply | undefined>) | undefined;
  payment: 'authorized' | 'declined' = 'authorized';
  readonly gone = new Set<OrderId>();
  placed = 0;
  /** Whether a version that named rows by their lines ran here. */
  hasOldFiles = false;
  /** How many refs `hasWrite` was asked for. */
  refsAsked = 0;
  /** The filters of all list queries so far. */
  readonly asked: OrderFilter[] = [];

  stockUp(id: string, quantity: number, currency = 'USD', unitPrice = 1999): void {
    const command = { type: 'receive', ref: `seed-${id}` as WriteId, fingerprint: '', name: id } as const;
    this.toProduct(productId(id), { ...command, unitPrice, currency, quantity });
  }

  stats: Numbers['stats'] = (filter, limit) => this.numbers().stats(filter, limit);
  userSummary: Numbers['userSummary'] = (user) => this.numbers().userSummary(user);
  alsoBought: Numbers['alsoBought'] = (product, limit) => this.numbers().alsoBought(product, limit);

  private numbers(): Numbers {
    const mark = { epoch: 1, n: 1, version: 1 };
    return memoryNumbers(
      new Map([...this.orderStates].map(([id, state]) => [id, { state, ...mark }])),
      new Map([...this.productStates].map(([id, state]) => [id, { state, ...mark }])),
    );
  }

  async place(request: PlaceRequest, waitMs: number, caller?: Caller): Promise<PlaceReply> {
    this.placed++;
    const instead = await this.interfere?.(request, waitMs, caller);
    if (instead !== undefined) return instead;
    const alias = request.alias === undefined ? undefined : this.orderStates.get(request.alias);
    const imported = alias !== undefined && alias.content.user === request.content.user;
    const id = imported && !this.orderStates.has(request.order) ? alias.id : request.order;
    const { content, correlation } = request;
    const repeat = this.orderStates.has(id);
    const before = this.orderStates.get(id) ?? absentOrder(id);
    const decision = decideOrder(before, { type: 'place', content, correlation }, {});
    if ('refused' in decision) return { kind: 'refused', refusal: decision.refused };
    this.toOrder(id, { type: 'place', content, correlation }, correlation);
    const state = decidedIn(id, this.histories.get(id) ?? []) ?? absentOrder(id);
    return { kind: 'outcome', state, repeat };
  }

  async act({ order, command, correlation, ifVersions, unlessVersions, user }: ActRequest): Promise<ActReply> {
    const known = this.orderStates.get(order);
    const state = user === undefined || known?.content.user === user ? known : undefined;
    if (state === undefined) return { kind: 'refused', refusal: 'unknown_order', state };
    const repeat = state.life.acts.some(({ ref }) => ref === command.act.ref);
    const isMeant = ifVersions?.includes(state.version) ?? true;
    const isKnown = unlessVersions === 'any' || unlessVersions?.includes(state.version);
    if (!repeat && (!isMeant || isKnown)) return { kind: 'refused', refusal: 'changed', state };
    const decision = decideOrder(state, command, this.context);
    if ('refused' in decision) return { kind: 'refused', refusal: decision.refused, state };
    this.toOrder(order, command, correlation);
    return { kind: 'done', state: this.orderStates.get(order) ?? state, repeat };
  }

  async stock(request: StockRequest): Promise<StockReply> {
    const instead = await this.interfereStock?.(request);
    if (instead !== undefined) return instead;
    const { product, command, correlation } = request;
    const state = this.productStates.get(product) ?? unknownProduct(product);
    const known = this.writes.get(`${command.ref}/${product}`);
    if (request.looks) {
      return { kind: 'done', state, repeat: known !== undefined, ...(known !== undefined && { stored: known }) };
    }
    if ((this.fingerprints.get(command.ref) ?? command.fingerprint) !== command.fingerprint)
      return { kind: 'refused', refusal: 'other_body', state };
    if (known !== undefined) return { kind: 'done', state, repeat: true };
    const decision = decideProduct(state, command);
    if ('refused' in decision) return { kind: 'refused', refusal: decision.refused, state };
    this.writes.set(`${command.ref}/${product}`, command.fingerprint);
    this.fingerprints.set(command.ref, command.fingerprint);
    this.toProduct(product, command, correlation);
    return { kind: 'done', state: this.productStates.get(product) ?? state, repeat: false };
  }

  async order(id: OrderId): Promise<OrderState | undefined> {
    return this.orderStates.get(id);
  }
  async product(id: ProductId): Promise<ProductState | undefined> {
    await this.interfereProduct?.();
    return this.productStates.get(id);
  }
  async flushed(): Promise<void> {}
  async notReady(): Promise<string | undefined> {
    return undefined;
  }

  async orders(filter: OrderFilter, { page, pageSize }: Page) {
    const all = this.listed(filter);
    return { orders: all.slice((page - 1) * pageSize, page * pageSize), total: all.length, isEstimate: false };
  }
  async ordersAfter(filter: OrderFilter, after: OrderKey | undefined, limit: number) {
    const all = this.listed(filter);
    const rest = all.slice(all.findIndex(({ id }) => id === after?.id) + 1);
    return { orders: rest.slice(0, limit), more: rest.length > limit };
  }
  async countOrders(filter: OrderFilter) {
    return { total: this.listed(filter).length, isEstimate: false };
  }
  private listed(filter: OrderFilter): OrderState[] {
    this.asked.push(filter);
    return [...this.orderStates.values()].reverse().filter((o) => {
      const status = statusOf(o.phase);
      return (
        (filter.user === undefined || o.content.user === filter.user) &&
        (filter.status === undefined || filter.status === status)
      );
    });
  }
  async products({ page, pageSize }: Page) {
    const all = [...this.productStates.values()];
    return { products: all.slice((page - 1) * pageSize, page * pageSize), total: all.length, isEstimate: false };
  }
  async productsAfter(after: ProductId | undefined, limit: number) {
    const rest = [...this.productStates.values()]
      .filter(({ id }) => after === undefined || id > after)
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    return { products: rest.slice(0, limit), more: rest.length > limit };
  }
  async countProducts() {
    return { total: this.productStates.size, isEstimate: false };
  }
  isGone = async (id: OrderId): Promise<boolean> => this.gone.has(id);

  async history(order: OrderId): Promise<readonly HistoryRow[]> {
    return this.histories.get(order) ?? [];
  }
  async operations(product: ProductId | undefined, { page, pageSize }: Page) {
    const all = this.stockOperations.filter((row) => product === undefined || row.product === product);
    return { operations: all.slice((page - 1) * pageSize, page * pageSize), total: all.length, isEstimate: false };
  }
  async ledger(product: ProductId, before: number | undefined, limit: number) {
    const all = this.stockOperations
      .filter((row) => row.product === product && row.version < (before ?? Infinity))
      .reverse();
    return { operations: all.slice(0, limit), more: all.length > limit };
  }
  async mayHaveLineNames() {
    return this.hasOldFiles;
  }
  async hasWrite(refs: readonly WriteId[]) {
    this.refsAsked += refs.length;
    return refs.some((ref) => [...this.writes.keys()].some((write) => write.startsWith(`${ref}/`)));
  }
  async stockAt(product: ProductId, at: number) {
    const rows = this.stockOperations.filter((row) => row.product === product);
    return { operation: rows.findLast((row) => row.at <= at), version: rows.at(-1)?.version ?? 0 };
  }

  private get context(): OrderContext {
    return { instantPayment: () => this.payment };
  }

  private toOrder(id: OrderId, command: OrderCommand, correlation: string): void {
    const at = Date.now();
    let state = this.orderStates.get(id) ?? absentOrder(id);
    const decision = decideOrder(state, command, this.context);
    if ('refused' in decision) return;
    const history = this.histories.get(id) ?? [];
    const turn = history.length + 1;
    for (const event of decision.events) {
      state = evolveOrder(state, event, at);
      history.push({ order: id, version: history.length + 1, turn, at, correlation, event });
    }
    this.orderStates.set(id, state);
    this.histories.set(id, history);
    this.deliver(decision.letters, correlation);
  }

  private toProduct(id: ProductId, command: ProductCommand, correlation = ''): void {
    const at = Date.now();
    let state = this.productStates.get(id) ?? unknownProduct(id);
    const decision = decideProduct(state, command);
    if ('refused' in decision) return;
    for (const event of decision.events) {
      state = evolveProduct(state, event, at);
      this.stockOperations.push(operation(id, state.version, event, state, at, correlation));
    }
    if (decision.events.length > 0) this.productStates.set(id, state);
    this.deliver(decision.letters, correlation);
    if (fillOwed(state)) this.toProduct(id, { type: 'fill' }, correlation);
  }

  private deliver(letters: readonly Letter[], correlation: string): void {
    for (const { to, command } of letters) {
      if (to.kind === 'order') this.toOrder(to.id, command as OrderCommand, correlation);
      else this.toProduct(to.id, command as ProductCommand, correlation);
    }
  }
}

/** The real clock: these tests do not control time. */
export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
  soon: (run) => void setImmediate(run),
  // As in a ULID, whose time leaves the highest bits 0.
  id: () => crockford128(crypto.getRandomValues(new Uint8Array(16)).fill(0, 0, 2)),
  random: () => Math.random(),
};
