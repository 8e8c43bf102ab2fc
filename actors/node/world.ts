/**
 * The actors in a node's memory, and their rows that are not flushed yet.
 *
 *  W1. An entry's state may be ahead of the journal by the one turn under way. Its `n` is the record of its last change,
 *      so reads and flushes can see this.
 *  W2. Products stay in memory: an absent product is unknown. An order leaves when it is settled and flushed, is not
 *      part of the turn under way, and no request waits for it or looks it up.
 *  W3. Actors are here only with their partition: they come with its join and go with it.
 */
import { type Address, type OrderId, type ProductId, partitionOf } from '../ids.js';
import { limits } from '../limits.js';
import { decidedBy, isJustDecided } from '../order/as-decided.js';
import { absentOrder, lastAt, type OrderState } from '../order/order.js';
import { evolveOrder } from '../order/order-fold.js';
import type {
  Mark,
  OperationRow,
  OperationType,
  RefusedWriteRow,
  StoredOrder,
  StoredProduct,
  TurnRow,
} from '../ports/snapshot-rows.js';
import { evolveProduct, type ProductState, unknownProduct } from '../product/inventory.js';
import type { OrderEvent, ProductEvent } from '../protocol.js';
import { LostRecords } from './lost-records.js';
import type { OwnedPartition } from './owned-partition.js';
import type { JournaledEvent } from './record.js';

class Entry<State, Row> {
  version = 0;
  /** `epoch` and `n` of the record that changed it last. */
  epoch = 0;
  n = 0;
  /** Postgres certainly has no row of it. */
  isNew = true;
  /** Rows of appended changes that no flush has collected yet. */
  rows: Row[] = [];
  /** The last version that Postgres certainly has. */
  flushedVersion = 0;

  constructor(
    public state: State,
    readonly partition: number,
  ) {}
}

export class OrderEntry extends Entry<OrderState, TurnRow> {
  /** The requests that wait for the outcome, and whether each is a repeat; undefined when none waits. */
  waiting: Map<number, boolean> | undefined = undefined;
  /** It was loaded as archived: no new act changes it. */
  isArchived = false;
  /** The order as it was decided. Undefined before that, and when only its history in Postgres has that state. */
  decided: OrderState | undefined = undefined;
  /** When the order times out, in running time; undefined until its timer is set. */
  deadlineMs: number | undefined = undefined;
  /** The deadline takes `holdTtlMs` into account. */
  holdTimed = false;
  lateTimed = false;
  /** The `ref` of the payment operation under way. */
  paying: string | undefined = undefined;
}

export class ProductEntry extends Entry<ProductState, OperationRow> {}

export class World {
  orders = new Map<OrderId, OrderEntry>();
  products = new Map<ProductId, ProductEntry>();
  /** The partitions that this node owns. */
  readonly owned = new Map<number, OwnedPartition>();
  /** The actors with rows to flush. */
  readonly changedOrders = new Set<OrderEntry>();
  readonly changedProducts = new Set<ProductEntry>();
  /** Refusals that are appended and that no flush has collected yet. */
  refusedWrites: RefusedWriteRow[] = [];
  /** Appended events whose rows Postgres has not acknowledged. */
  unflushedEvents = 0;
  /** One actor has as many rows as one statement may write. */
  isClogged = false;
  /** An appended product has no row in Postgres yet. */
  hasNewProducts = false;
  /** The latest time of any row that was loaded and any event that was replayed. Wall clock, milliseconds. */
  latestAt = 0;

  constructor(readonly partitions: number) {}

  partitionOf(address: Address): number {
    return partitionOf(address.kind, address.id, this.partitions);
  }

  newOrder(id: OrderId): OrderEntry {
    return new OrderEntry(absentOrder(id), partitionOf('order', id, this.partitions));
  }

  newProduct(id: ProductId): ProductEntry {
    return new ProductEntry(unknownProduct(id), partitionOf('product', id, this.partitions));
  }

  /** The epoch of a partition that this node owns. */
  epochOf(partition: number): number | undefined {
    return this.owned.get(partition)?.epoch;
  }

  mustOwn(partition: number): OwnedPartition {
    const owned = this.owned.get(partition);
    if (owned === undefined) throw new Error(`partition ${partition} is not of this node`);
    return owned;
  }

  /** world.W3: takes over everything of another world, whose partitions this one does not have. */
  absorb(other: World): void {
    this.orders = merged(this.orders, other.orders);
    this.products = merged(this.products, other.products);
    for (const [partition, owned] of other.owned) this.owned.set(partition, owned);
    for (const entry of other.changedOrders) this.changedOrders.add(entry);
    for (const entry of other.changedProducts) this.changedProducts.add(entry);
    for (const row of other.refusedWrites) this.refusedWrites.push(row);
    this.unflushedEvents += other.unflushedEvents;
    this.isClogged ||= other.isClogged;
    this.hasNewProducts ||= other.hasNewProducts;
    this.hasBeen(other.latestAt);
  }

  /** world.W3: forgets partitions and their actors, which are all flushed. @returns their orders */
  drop(partitions: ReadonlySet<number>): OrderEntry[] {
    for (const partition of partitions) this.owned.delete(partition);
    const gone = [...this.orders.values()].filter((entry) => partitions.has(entry.partition));
    for (const { state } of gone) this.orders.delete(state.id);
    for (const { partition, state } of this.products.values()) {
      if (partitions.has(partition)) this.products.delete(state.id);
    }
    return gone;
  }

  /** Takes an order into memory from its row. */
  loadOrder({ state, version, epoch, n, archived = false }: StoredOrder): OrderEntry {
    const entry = this.newOrder(state.id);
    entry.isArchived = archived;
    this.orders.set(state.id, entry);
    this.hasBeen(lastAt(state));
    if (isJustDecided(state)) entry.decided = state;
    return Object.assign(entry, { state, version, epoch, n, isNew: false, flushedVersion: version });
  }

  loadProduct({ state, version, epoch, n }: StoredProduct): ProductEntry {
    const entry = this.newProduct(state.id);
    this.products.set(state.id, entry);
    this.hasBeen(state.updatedAt);
    return Object.assign(entry, { state, version, epoch, n, isNew: false, flushedVersion: version });
  }

  add(of: Address, entry: OrderEntry | ProductEntry): void {
    if (of.kind === 'order') this.orders.set(of.id, entry as OrderEntry);
    else this.products.set(of.id, entry as ProductEntry);
  }

  remove(of: Address): void {
    if (of.kind === 'order') this.orders.delete(of.id);
    else this.products.delete(of.id);
  }

  /** Keeps an order's row of an appended turn for the flush. Rows of one turn and one correlation become one row. */
  rememberTurn(entry: OrderEntry, turn: TurnRow): void {
    this.unflushedEvents += turn.count;
    const before = entry.rows.at(-1);
    if (before === undefined) {
      this.changedOrders.add(entry);
      entry.rows = [turn]; // An array that grows by push reserves room for many items; most orders have one row.
    } else if (before.n === turn.n && before.at === turn.at && before.correlation === turn.correlation) {
      const { events, count } = before;
      entry.rows[entry.rows.length - 1] = {
        ...before,
        count: count + turn.count,
        events: `${events},${turn.events}`,
      };
    } else entry.rows.push(turn);
  }

  /** Keeps a product's row of an appended event for the flush. */
  rememberOperation(entry: ProductEntry, row: OperationRow): void {
    this.unflushedEvents++;
    if (entry.rows.length === 0) this.changedProducts.add(entry);
    entry.rows.push(row);
    if (entry.isNew) this.hasNewProducts = true;
    if (entry.rows.length >= limits.unflushedRowsOfOne) this.isClogged = true;
  }

  hasBeen(at: number): void {
    if (at > this.latestAt) this.latestAt = at;
  }

  rememberRefusal(row: RefusedWriteRow): void {
    this.unflushedEvents++;
    this.refusedWrites.push(row);
  }

  /** Folds in an event of a journal, unless the actor's row already has it (snapshot-rows.R1). */
  replay(event: JournaledEvent, mark: Mark, at: number, correlation: string): boolean {
    this.hasBeen(at);
    if (event.of.kind === 'order') {
      const entry = this.orders.get(event.of.id) ?? this.newOrder(event.of.id);
      if (event.version <= entry.version) return false; // Versions are dense: the row has it.
      const { of, version } = event;
      const before = entry.state;
      entry.state = evolveOrder(before, event.event as OrderEvent, at);
      entry.decided ??= decidedBy(before, [event.event as OrderEvent], entry.state, at);
      this.orders.set(of.id, entry);
      step(entry, version, mark, of);
      const events = JSON.stringify(event.event);
      this.rememberTurn(entry, { order: of.id, version, at, correlation, n: mark.n, count: 1, events });
    } else {
      const entry = this.products.get(event.of.id) ?? this.newProduct(event.of.id);
      if (event.version <= entry.version) return false; // Versions are dense: the row has it.
      const { of, version } = event;
      const happened = event.event as ProductEvent;
      entry.state = evolveProduct(entry.state, happened, at);
      this.products.set(of.id, entry);
      step(entry, version, mark, of);
      this.rememberOperation(entry, operation(of.id, version, happened, entry.state, at, correlation));
    }
    return true;
  }
}

/** The first partitions of a node may have a million products: they are not copied. */
function merged<K, V>(mine: Map<K, V>, theirs: Map<K, V>): Map<K, V> {
  if (mine.size === 0) return theirs;
  for (const [key, value] of theirs) mine.set(key, value);
  return mine;
}

function step(entry: OrderEntry | ProductEntry, version: number, mark: Mark, of: Address): void {
  if (version !== entry.version + 1) {
    throw new LostRecords(
      `${of.kind} ${of.id} stands at version ${entry.version}, its next event in the journal is ${version}: records are lost`,
    );
  }
  entry.version = version;
  entry.epoch = mark.epoch;
  entry.n = mark.n;
  entry.isNew = false;
}

const OPERATION: { readonly [T in ProductEvent['type']]: OperationType } = {
  received: 'receive',
  adjusted: 'adjust',
  held: 'hold',
  released: 'release',
  committed: 'commit',
  returned: 'return',
  backordered: 'backorder',
  unbackordered: 'unbackorder',
};

export function operation(
  product: ProductId,
  version: number,
  event: ProductEvent,
  after: ProductState,
  at: number,
  correlation: string,
): OperationRow {
  const isWrite = event.type === 'received' || event.type === 'adjusted';
  return {
    ref: isWrite ? event.ref : event.order,
    order: isWrite ? null : event.order,
    product,
    version,
    type: OPERATION[event.type],
    no: isWrite ? 1 : ('no' in event && event.no) || 1,
    quantity: event.type === 'adjusted' ? event.delta : event.quantity,
    onHandAfter: after.onHand,
    heldAfter: after.held,
    backorderedAfter: after.backordered,
    reason: event.type === 'adjusted' ? event.reason : null,
    fingerprint: isWrite ? event.fingerprint : null,
    correlation,
    at,
  };
}
