/**
 * What the rooms ask of one another: types alone. Every port has an in-memory twin, and both pass one
 * contract suite (test/contract).
 *
 * A promise that rejects means "no answer": what was asked may or may not have happened, and the
 * caller finds out. Every call ends inside a deadline of its adapter.
 */
import type { Bite, GremlinSetting, GremlinStanding, GremlinStatus, GremlinTarget } from './gremlin.js';
import type { JournalId, NodeId, OrderId, ProductId, UserId, WriteId } from './ids.js';
import type { ProductState } from './inventory.js';
import type { NumberedLetter } from './node/record.js';
import type {
  HistoryRow,
  JournalRow,
  OperationRow,
  PartitionRow,
  Statement,
  StoredOrder,
  StoredProduct,
} from './node/rows.js';
import type { OrderState } from './order.js';
import type { Scope } from './principal.js';
import type {
  AdjustCommand,
  OrderAct,
  OrderContent,
  OrderRefusal,
  PaymentOperation,
  PaymentOutcome,
  ProductRefusal,
  ReceiveCommand,
} from './protocol.js';
import type { Settlement } from './settlement.js';

// ---------------------------------------------------------------- the log

/** Grows within a log, with gaps; 0 stands before the first record. */
export type Position = number;

export interface Entry {
  readonly position: Position;
  readonly record: string;
}

export type Appended =
  | { readonly kind: 'appended'; readonly position: Position }
  /** `after` is not the log's highest position ever. Nothing was stored by this call. */
  | { readonly kind: 'conflict' }
  /** No room. Nothing was stored. */
  | { readonly kind: 'full' };

/** The one commit point. */
export interface Log {
  /** Stores the record if `after` is the log's highest position ever, also after a trim. `urgent` records (seals, claims) may use the room kept free for them. */
  append(log: string, after: Position, record: string, options?: { readonly urgent?: boolean }): Promise<Appended>;
  /** The next records after a position, in order, at most a page; empty at the end. */
  read(log: string, after: Position): Promise<readonly Entry[]>;
  /** Removes records up to and including the position, but never the last one. */
  trim(log: string, upTo: Position): Promise<void>;
}

// ---------------------------------------------------------------- what is remembered

export interface Found {
  readonly orders: readonly StoredOrder[];
  /** Writes that have had their effect, with the fingerprint of their request. */
  readonly writes: readonly { readonly ref: WriteId; readonly product: ProductId; readonly fingerprint: string }[];
}

export interface Loaded {
  readonly journals: readonly JournalRow[];
  readonly partitions: readonly PartitionRow[];
  /** Those that are not settled, and those asked for by id. */
  readonly orders: readonly StoredOrder[];
  readonly products: readonly StoredProduct[];
}

/** Snapshots, which are the read model: written by flushes, read at a start. */
export interface Snapshots {
  /** Makes the journal's row, before its first claim. */
  openJournal(journal: JournalId, node: NodeId): Promise<void>;
  /** From its return on no statement of these journals passes; a missing row is made, closed. */
  closeJournals(journals: readonly JournalId[]): Promise<void>;
  /** One database snapshot of everything these partitions remember. */
  load(partitions: readonly number[], partitionCount: number, orders: readonly OrderId[]): Promise<Loaded>;
  /** `closed`: nothing was written, the journal's row is closed or was moved by someone else. */
  write(journal: JournalId, statement: Statement): Promise<'written' | 'closed'>;
  /** One query for the whole batch. */
  lookUp(orders: readonly OrderId[], writes: readonly WriteId[]): Promise<Found>;
  /** Every journal's row, for trimming and publishing. */
  journals(): Promise<readonly JournalRow[]>;
  /** Partition rows without their letters: who has been flushed since which claim. */
  partitionMarks(): Promise<readonly { readonly partition: number; readonly epoch: number }[]>;
  /** How far EVENTS has a sealed journal. */
  published(journal: JournalId, n: number): Promise<void>;
  /** Forgets a journal of which nothing is left to read. */
  forgetJournal(journal: JournalId): Promise<void>;
  /** A real write with a short deadline, for readiness. */
  probe(): Promise<void>;
}

export interface Settlements {
  /** The first insert wins; returns what stands. */
  settle(mine: Settlement): Promise<Settlement>;
  /** What stands, if anything does. */
  settled(): Promise<Settlement | undefined>;
}

/** Lists and searches, for the edge. May lag what the owner answers by the flush; words lag by the search index as well. */
export interface Queries {
  order(id: OrderId): Promise<OrderState | undefined>;
  /** A page by its number, newest first. */
  orders(filter: OrderFilter, page: Page): Promise<{ readonly orders: readonly OrderState[] } & Counted>;
  /** What comes after an order of the same list, newest first: as fast at its end as at its beginning. */
  ordersAfter(
    filter: OrderFilter,
    after: OrderKey | undefined,
    limit: number,
  ): Promise<{ readonly orders: readonly OrderState[]; readonly more: boolean }>;
  countOrders(filter: OrderFilter): Promise<Counted>;
  products(page: Page): Promise<{ readonly products: readonly ProductState[] } & Counted>;
  /** What comes after a product, by their ids: as fast at the end as at the beginning. */
  productsAfter(
    after: ProductId | undefined,
    limit: number,
  ): Promise<{ readonly products: readonly ProductState[]; readonly more: boolean }>;
  countProducts(): Promise<Counted>;
  /** Empty when there is no such order. */
  history(order: OrderId): Promise<readonly HistoryRow[]>;
  /** Product by product, each one's newest first; of one product the total is its version. */
  operations(
    product: ProductId | undefined,
    page: Page,
  ): Promise<{ readonly operations: readonly OperationRow[] } & Counted>;
  /** A product's operations, newest first. @param before only those with a lower version. */
  ledger(
    product: ProductId,
    before: number | undefined,
    limit: number,
  ): Promise<{ readonly operations: readonly OperationRow[]; readonly more: boolean }>;
  /** The last operation up to a moment, whose balances stood then, as of a version. Times of one product do not go back. */
  stockAt(
    product: ProductId,
    at: number,
  ): Promise<{ readonly operation: OperationRow | undefined; readonly version: number }>;
}

/** Exact up to limits.exactCount: an estimate means that there are more, or that counting took too long. */
export interface Counted {
  readonly total: number;
  readonly isEstimate: boolean;
}

/** What holds of every order that is listed; what is absent is not asked. */
export interface OrderFilter {
  readonly user?: string;
  readonly status?: 'pending' | 'confirmed' | 'shipped' | 'delivered' | 'cancelled' | 'failed';
  readonly payment?: string;
  readonly fulfillment?: string;
  readonly product?: string;
  readonly currency?: string;
  /** Wall clock, milliseconds. */
  readonly from?: number;
  /** Exclusive. */
  readonly to?: number;
  /** A decimal in the order's own currency. */
  readonly minTotal?: number;
  readonly maxTotal?: number;
  /** Every word of it stands in the order; the last one may go on there. */
  readonly words?: string;
}

/** Where an order stands in a list. */
export interface OrderKey {
  readonly at: number;
  readonly id: OrderId;
}

export interface Page {
  /** From 1. */
  readonly page: number;
  readonly pageSize: number;
}

/** The words of orders, which a search looks up: made in the background, a bounded piece of work a call. */
export interface SearchIndex {
  /**
   * Adds orders that were stored since. `lateMs`: how long ago the oldest of them was. `queued` grows by one
   * with each flush statement.
   */
  work(): Promise<{
    readonly added: number;
    readonly more: boolean;
    readonly lateMs: number;
    readonly queued: number;
  }>;
  /** Looks for orders that it does not know, a stretch of ids a call. Returns where to go on; undefined at the end. */
  sweep(after: string): Promise<string | undefined>;
}

// ---------------------------------------------------------------- who may do what

/** What is remembered of an API key: never the key. */
export interface ApiKey {
  /** Stands in the key itself, for people and for revoking. */
  readonly id: string;
  readonly hash: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Undefined: a service, which sees all. */
  readonly userId: UserId | undefined;
  /** The id of the first of the keys that replaced one another: to idempotency they are one caller. */
  readonly caller: string;
  readonly createdAt: number;
  readonly expiresAt: number | undefined;
  readonly revokedAt: number | undefined;
  readonly lastUsedAt: number | undefined;
}

export interface ApiKeys {
  /** Rejects when there is one with this id or hash. */
  create(key: ApiKey): Promise<void>;
  /** Also one that is expired or revoked. */
  find(hash: string): Promise<ApiKey | undefined>;
  /** Newest first, at most limits.listedKeys. */
  list(): Promise<readonly ApiKey[]>;
  /** Answers the key as it then is; the first revocation stands. Undefined: there is none. */
  revoke(id: string, at: number): Promise<ApiKey | undefined>;
  /** It was used; an earlier time changes nothing. */
  touch(id: string, at: number): Promise<void>;
}

// ---------------------------------------------------------------- a cache

/**
 * Remembers texts for a while, or does not: whoever asks can do without, and checks what it gets, since
 * others may have written there. Never rejects; each call ends within limits.cacheCallMs.
 */
export interface Cache {
  get(key: string): Promise<string | undefined>;
  /** A text of more than limits.cacheEntryBytes is not kept. */
  set(key: string, text: string, ttlMs: number): Promise<void>;
}

// ---------------------------------------------------------------- the bus

/** A log of public events per journal: one message a turn, a JSON array of CloudEvents; `[]` seals it. */
export interface EventLog {
  /** The last message of a journal's event log, or undefined when it has none (any more). */
  last(
    journal: JournalId,
  ): Promise<{ readonly position: Position; readonly n: number; readonly sealed: boolean } | undefined>;
  /** Like Log.append; `n` is the turn the batch was made of. */
  publish(journal: JournalId, after: Position, n: number, batch: string): Promise<Appended>;
}

/** Carries letters and their confirmations between partitions; may lose, repeat and reorder them. */
export interface Post {
  send(letters: readonly NumberedLetter[]): void;
  confirm(from: number, to: number, upTo: number): void;
}

export interface PaymentRequest {
  readonly operation: PaymentOperation;
  readonly order: OrderId;
  /** The idempotency key of this one operation: `<order>:authorize`, `:capture`, `:void`, or a refund's own id. */
  readonly ref: string;
  readonly minor: number;
  readonly currency: string;
}

/**
 * Whoever moves the money.
 *
 *  M1. Each operation has at most one effect, by its ref, however often it is asked; a repeat is told what stands.
 *  M2. A void is final: an authorize that comes after it is `declined`, a capture is told `voided`.
 *  M3. A void that meets a capture is told `captured`: the money has moved, and only a refund brings it back.
 *  M4. A capture without an authorization is `declined`, for good.
 *  M5. Refunds are, in sum, at most what was captured, in its currency; one beyond that is `declined`, for good.
 */
export interface Payments {
  perform(request: PaymentRequest): Promise<PaymentOutcome>;
}

/** The mock provider's own memory, which keeps M1 to M5; a real provider has its own. */
export interface PaymentLedger {
  /** @param decision what an authorization is told, if nothing stands against it. */
  record(request: PaymentRequest, decision: 'authorized' | 'declined'): Promise<PaymentOutcome>;
}

// ---------------------------------------------------------------- the edge's view of the owners

export interface PlaceRequest {
  readonly order: OrderId;
  readonly content: OrderContent;
  readonly correlation: string;
  /** Drawn at random by this process just now: no look-up is needed. */
  readonly fresh: boolean;
  /** Answered as soon as it is durable, decided or not. */
  readonly impatient?: boolean | undefined;
  /** The client's key, where it may be the id of one of the caller's imported orders. */
  readonly alias?: OrderId | undefined;
}

export type PlaceReply =
  /** `repeat`: the order stood already when it was asked for. */
  | { readonly kind: 'outcome'; readonly state: OrderState; readonly repeat: boolean }
  /** The wait is over, the order is durable and goes on. */
  | { readonly kind: 'pending'; readonly state: OrderState }
  | { readonly kind: 'refused'; readonly refusal: OrderRefusal | 'too_large' | 'broken' }
  /** Not a no: it may still come to be. */
  | { readonly kind: 'unavailable'; readonly why: string };

export interface ActRequest {
  readonly order: OrderId;
  readonly command: OrderAct;
  readonly correlation: string;
  /** Only an order at this version is changed. */
  readonly ifVersion?: number;
  /** Whose orders are seen: another's is as if there were none. */
  readonly user?: UserId;
}

export type ActReply =
  /** `repeat`: this very request had its effect before. */
  | { readonly kind: 'done'; readonly state: OrderState; readonly repeat: boolean }
  | {
      readonly kind: 'refused';
      /** `changed`: it does not stand at the version asked for. */
      readonly refusal: OrderRefusal | 'changed' | 'too_large' | 'broken';
      /** As it stands; undefined where there is none to be seen. */
      readonly state: OrderState | undefined;
    }
  | { readonly kind: 'unavailable'; readonly why: string };

export interface StockRequest {
  readonly product: ProductId;
  readonly command: ReceiveCommand | AdjustCommand;
  readonly correlation: string;
  readonly fresh: boolean;
}

export type StockReply =
  | { readonly kind: 'done'; readonly state: ProductState; readonly repeat: boolean }
  | {
      readonly kind: 'refused';
      readonly refusal: ProductRefusal | 'too_large' | 'broken';
      readonly state: ProductState;
    }
  | { readonly kind: 'unavailable'; readonly why: string };

/** The owners' counter: what the edge asks, answered from what is appended. Rejects with Unavailable (unavailable.ts). */
export interface Owners {
  place(request: PlaceRequest, waitMs: number): Promise<PlaceReply>;
  act(request: ActRequest, waitMs: number): Promise<ActReply>;
  stock(request: StockRequest, waitMs: number): Promise<StockReply>;
  order(id: OrderId): Promise<OrderState | undefined>;
  product(id: ProductId): Promise<ProductState | undefined>;
  /** Resolves once everything appended so far about this order can be read from Queries. */
  flushed(id: OrderId): Promise<void>;
  /** What keeps this node from serving; undefined when nothing does. A real write with a deadline. */
  notReady(): Promise<string | undefined>;
}

// ---------------------------------------------------------------- the gremlin

/** One switch for all nodes. What stands ends by itself, by the switch's own clock. */
export interface GremlinSwitch {
  /** Replaces what stands. */
  enable(id: string, setting: GremlinSetting, forMs: number): Promise<GremlinStanding>;
  disable(): Promise<void>;
  /** Undefined: it is off, or over. */
  standing(): Promise<GremlinStanding | undefined>;
}

/** The gremlin as the edge sees it. Rejects with Unavailable while the switch cannot be reached. */
export interface GremlinDesk {
  /** This node does at once as it is told, the others within a second. */
  enable(setting: GremlinSetting, forMs: number): Promise<GremlinStatus>;
  disable(): Promise<GremlinStatus>;
  status(): Promise<GremlinStatus>;
  /** Asked once for every request that it may trouble. */
  bite(target: GremlinTarget): Promise<Bite | undefined>;
}

// ---------------------------------------------------------------- how often one may ask

export interface Allowance {
  readonly isAllowed: boolean;
  /** Of so many within each window. */
  readonly limit: number;
  readonly remaining: number;
  /** Until the window ends. */
  readonly resetMs: number;
}

/** Counts what each caller asks for, everywhere together where there is a store for it. */
export interface RateLimits {
  /** Never rejects, and ends within limits.cacheCallMs: what cannot be counted together is counted here. */
  take(caller: string): Promise<Allowance>;
}

// ---------------------------------------------------------------- time and chance

export interface Clock {
  /** Wall clock, milliseconds. */
  now(): number;
  /** Never goes back, milliseconds. */
  monotonic(): number;
  /** Calls back once; the returned function takes it back. */
  after(delayMs: number, run: () => void): () => void;
  /** Calls back when the work at hand is done. */
  soon(run: () => void): void;
  /** 128 random bits as 26 characters. */
  id(): string;
  /** In [0, 1), for jitter. */
  random(): number;
}

/** Where a room's own words go: one line each, fields beside it. */
export interface Logger {
  debug(fields: object, line: string): void;
  info(fields: object, line: string): void;
  warn(fields: object, line: string): void;
  error(fields: object, line: string): void;
}
