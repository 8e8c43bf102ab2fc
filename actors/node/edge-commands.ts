/**
 * The way of an edge's command into the inbox: at once, or after a look-up (node.N4).
 *
 * The ids that a command names are pinned here until the command is answered (lookups.L2). So an order that is absent
 * from memory stays absent until the command is decided.
 *
 * A key may be the id of an order of another node's partition. If a row shows such an order, or it may have no row yet,
 * the edge hears which order to ask for first (NoAnswer.alias): else the key would make a second order.
 */
import { isOurOrderId, type OrderId, partitionOf } from '../ids.js';
import { limits } from '../limits.js';
import type { ActRequest, NoAnswer, PlaceRequest, StockRequest } from '../ports/owners.js';
import type { StoredOrder } from '../ports/snapshot-rows.js';
import { ArchiveReads } from './archive-reads.js';
import type { EdgeItem, Effect, InboxItem, Request } from './effects.js';
import type { Inbox } from './inbox.js';
import type { Leaving } from './leaving.js';
import type { FoundIds, LookUps } from './lookups.js';
import type { StoredOrders } from './stored-orders.js';
import type { World } from './world.js';

/** The parts of a node that its edges' commands pass through. */
interface NodeParts {
  readonly world: World;
  readonly inbox: Inbox<InboxItem>;
  readonly lookUps: LookUps;
  readonly storedOrders: StoredOrders;
  readonly leaving: Leaving;
  readonly emit: (effect: Effect) => void;
}

export class EdgeCommands {
  private readonly archiveReads = new ArchiveReads();

  constructor(private readonly node: NodeParts) {}

  place(request: Request, ask: PlaceRequest): void {
    const { inbox, lookUps, world } = this.node;
    const { order, alias } = ask;
    const partition = partitionOf('order', order, world.partitions);
    if (!world.owned.has(partition)) return this.node.emit(moved(request, 'place'));
    const item: EdgeItem = { kind: 'place', request, ask, partition };
    if (ask.fresh) return inbox.put(item); // Nobody else knows a fresh id: no look-up, no pin.
    lookUps.pin(order);
    if (alias !== undefined) lookUps.pin(alias);
    if (world.orders.has(order)) inbox.put(item);
    else if (!this.isKnown(order) || (alias !== undefined && !this.isAliasKnown(alias))) this.lookUpFirst(item);
    else this.putPlace(item, NOTHING);
  }

  act(request: Request, ask: ActRequest): void {
    const { inbox, lookUps, world } = this.node;
    const partition = partitionOf('order', ask.order, world.partitions);
    if (!world.owned.has(partition)) return this.node.emit(moved(request, 'act'));
    const item: EdgeItem = { kind: 'act', request, ask, partition };
    lookUps.pin(ask.order);
    // Archiving may have given up on one that was loaded as archived: it is looked at again.
    if (world.orders.get(ask.order)?.isArchived === false) inbox.put(item);
    else this.lookUpFirst(item);
  }

  stock(request: Request, ask: StockRequest): void {
    const { inbox, lookUps, world } = this.node;
    const partition = partitionOf('product', ask.product, world.partitions);
    if (!world.owned.has(partition)) return this.node.emit(moved(request, 'stock'));
    const item: EdgeItem = { kind: 'stock', request, ask, partition, answered: [] };
    lookUps.pin(ask.command.ref);
    if (ask.fresh) inbox.put(item);
    else this.lookUpFirst(item);
  }

  lookedUp(number: number, found: FoundIds): void {
    const { inbox, lookUps } = this.node;
    const answered = lookUps.take(number);
    if (answered === undefined) return;
    const lost = this.load(found, answered.epochs);
    const archived = new Map(found.archived?.map(({ order, isGone }) => [order, isGone]));
    for (const item of answered.items) {
      if (item.kind === 'stock') inbox.put({ ...item, answered: found.writes });
      else if (lost.has(item.ask.order)) this.refuse(item, 'another node owns this order by now', { moved: true });
      else if (archived.size > 0 && this.isAway(item, archived)) continue;
      else if (item.kind === 'act') inbox.put(item);
      else if (this.isOld(item.ask.alias, answered.epochs)) lookUps.add(item);
      else this.putPlace(item, found.orders);
    }
    this.beginLookUp();
  }

  /** Postgres did not answer. The node refuses the waiting commands rather than guess. */
  lookUpFailed(number: number): void {
    for (const item of this.node.lookUps.take(number)?.items ?? []) {
      this.refuse(item, 'Postgres does not answer, and whether this is a repeat is not known');
    }
    this.beginLookUp();
  }

  /** The archive has answered: what waited for this order goes on. @param why it could not be read */
  archiveRead(order: OrderId, found: StoredOrder | undefined, why?: string): void {
    const { inbox, lookUps, leaving, world } = this.node;
    const items = this.archiveReads.take(order);
    const isOwned = world.owned.has(partitionOf('order', order, world.partitions));
    if (found !== undefined && items.length > 0 && isOwned && !world.orders.has(order))
      leaving.consider(world.loadOrder(found));
    for (const item of items) {
      if (why !== undefined) this.refuse(item, why, { told: true });
      else if (item.kind === 'act' && world.orders.has(order)) inbox.put(item);
      else lookUps.add(item); // Its other id may be archived too, or the archive has it no more.
    }
    this.beginLookUp();
  }

  /** Partitions leave: their commands that wait for a look-up or an archive are answered. */
  leave(isGone: (partition: number) => boolean): void {
    for (const item of this.node.lookUps.leave(isGone)) this.tellMoved(item);
    for (const item of this.archiveReads.leave(isGone)) this.tellMoved(item);
  }

  tellMoved(item: EdgeItem): void {
    this.unpin(item);
    this.node.emit(moved(item.request, item.kind));
  }

  refuse(item: EdgeItem, why: string, more: Partial<NoAnswer> = {}): void {
    this.unpin(item);
    this.node.emit(notNow(item.request, item.kind, why, more));
  }

  /** lookups.L2: a command's ids stay pinned until its answer. */
  unpin(item: InboxItem): void {
    if (item.kind === 'stock') this.node.lookUps.unpin(item.ask.command.ref);
    if (item.kind !== 'act' && (item.kind !== 'place' || item.ask.fresh)) return;
    this.unpinOrder(item.ask.order);
    if (item.kind === 'place' && item.ask.alias !== undefined) this.unpinOrder(item.ask.alias);
  }

  // -------------------------------------------------------------- machinery

  /**
   * Takes the found orders of this node into memory (lookups.L3).
   * @returns the ids of those that a later owner has changed
   */
  private load({ orders }: FoundIds, asked: ReadonlyMap<number, number>): Set<OrderId> {
    const { world, leaving } = this.node;
    const lost = new Set<OrderId>();
    for (const order of orders) {
      const { id } = order.state;
      const known = world.orders.get(id);
      if (known !== undefined) {
        if (order.archived !== true) known.isArchived = false;
        continue;
      }
      const partition = world.partitionOf({ kind: 'order', id });
      const epoch = world.epochOf(partition);
      if (epoch === undefined || epoch !== asked.get(partition)) continue;
      // A later owner wrote this row: this node has lost the partition and does not know the changes since.
      if (order.epoch > epoch) lost.add(id);
      else leaving.consider(world.loadOrder(order));
    }
    return lost;
  }

  /** Whether an order that the command names is in an archive: then the command waits for it, or is answered. */
  private isAway(item: Exclude<EdgeItem, { kind: 'stock' }>, archived: ReadonlyMap<OrderId, boolean>): boolean {
    const { world } = this.node;
    const { order } = item.ask;
    const ids = item.kind === 'place' && item.ask.alias !== undefined ? [order, item.ask.alias] : [order];
    const isMine = (id: OrderId) => world.owned.has(partitionOf('order', id, world.partitions));
    const away = ids.find((id) => archived.has(id) && isMine(id) && !world.orders.has(id));
    if (away === undefined) return false;
    if (archived.get(away) === true) this.tellGone(item);
    else {
      const added = this.archiveReads.add(away, item);
      if (added === 'full') this.refuse(item, 'Too many requests wait for orders of archives.', { told: true });
      else if (added === 'first') this.node.emit({ kind: 'readArchived', order: away });
    }
    return true;
  }

  private tellGone(item: Exclude<EdgeItem, { kind: 'stock' }>): void {
    this.unpin(item);
    const { request } = item;
    const reply = { kind: 'refused', refusal: 'gone' } as const;
    if (item.kind === 'place') this.node.emit({ kind: 'replyPlace', request, reply });
    else this.node.emit({ kind: 'replyAct', request, reply: { ...reply, state: undefined } });
  }

  /** lookups.L3: the alias' partition has come since the query began. */
  private isOld(alias: OrderId | undefined, asked: ReadonlyMap<number, number>): boolean {
    if (alias === undefined) return false;
    const partition = this.node.world.partitionOf({ kind: 'order', id: alias });
    const epoch = this.node.world.epochOf(partition);
    return epoch !== undefined && epoch !== asked.get(partition);
  }

  /** A client's key may be the id of one of its own orders. Then the request is for that order. */
  private putPlace(item: Extract<EdgeItem, { kind: 'place' }>, found: readonly StoredOrder[]): void {
    const { inbox, world } = this.node;
    const { ask } = item;
    const { alias } = ask;
    if (alias === undefined || world.orders.has(ask.order)) return inbox.put(item);
    const partition = world.partitionOf({ kind: 'order', id: alias });
    const isMine = world.owned.has(partition);
    const state = isMine ? world.orders.get(alias)?.state : found.find((order) => order.state.id === alias)?.state;
    if (state !== undefined && state.content.user !== ask.content.user) return inbox.put(item);
    if (!isMine && (state !== undefined || isOurOrderId(alias))) return this.refuse(item, ALIAS, { alias });
    if (state === undefined) return inbox.put(item);
    inbox.put({ ...item, partition, ask: { ...ask, order: alias, alias: ask.order } }); // Both stay pinned.
  }

  /**
   * Whether a look-up would find nothing new: the order is in memory, or certainly not stored. The pin keeps this true.
   */
  private isKnown(id: OrderId): boolean {
    return this.node.world.orders.has(id) || !this.node.storedOrders.mayHave(id);
  }

  /** A row of another node's order may be missing still, so a look-up decides nothing where the order may be ours. */
  private isAliasKnown(id: OrderId): boolean {
    const { world } = this.node;
    return world.owned.has(partitionOf('order', id, world.partitions)) ? this.isKnown(id) : isOurOrderId(id);
  }

  private lookUpFirst(item: EdgeItem): void {
    this.node.lookUps.add(item);
    this.beginLookUp();
  }

  private beginLookUp(): void {
    const epochs = () => new Map([...this.node.world.owned.values()].map(({ partition, epoch }) => [partition, epoch]));
    const query = this.node.lookUps.next(limits.lookUpIds, epochs);
    if (query !== undefined) this.node.emit({ kind: 'lookUp', ...query });
  }

  private unpinOrder(id: OrderId): void {
    this.node.lookUps.unpin(id);
    const entry = this.node.world.orders.get(id);
    if (entry !== undefined && entry.flushedVersion === entry.version) this.node.leaving.consider(entry);
  }
}

const NOTHING: readonly StoredOrder[] = [];
const ALIAS = "another node has the order that the request's key may name";

/** node.N7: the reply to a command that the node cannot take now. */
export function notNow(request: Request, kind: EdgeItem['kind'], why: string, more: Partial<NoAnswer> = {}): Effect {
  const reply = { kind: 'unavailable', why, ...more } as const;
  if (kind === 'place') return { kind: 'replyPlace', request, reply };
  return kind === 'act' ? { kind: 'replyAct', request, reply } : { kind: 'replyStock', request, reply };
}

/** The reply to a command for a partition that this node does not own, or does not own any more. */
export const moved = (request: Request, kind: EdgeItem['kind']): Effect =>
  notNow(request, kind, 'another node owns its partition by now; ask again', { moved: true });
