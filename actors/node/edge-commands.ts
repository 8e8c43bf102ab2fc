/**
 * The way of an edge's command into the inbox: at once, or after a look-up (node.N4).
 *
 * The ids that a command names are pinned here until the command is answered (lookups.L2). So an order that is absent
 * from memory stays absent until the command is decided.
 */
import type { OrderId } from '../ids.js';
import { limits } from '../limits.js';
import type { ActRequest, PlaceRequest, StockRequest } from '../ports/owners.js';
import type { Effect, InboxItem, Request } from './effects.js';
import type { Inbox } from './inbox.js';
import type { Leaving } from './leaving.js';
import type { FoundIds, LookUps } from './lookups.js';
import type { StoredOrders } from './stored-orders.js';
import type { World } from './world.js';

type EdgeCommand = Extract<InboxItem, { kind: 'place' | 'act' | 'stock' }>;

/** The parts of a node that its edges' commands pass through. */
interface NodeParts {
  readonly world: World;
  readonly inbox: Inbox<InboxItem>;
  readonly lookUps: LookUps;
  readonly storedOrders: StoredOrders;
  readonly leaving: Leaving;
  readonly epochOf: (partition: number) => number | undefined;
  readonly emit: (effect: Effect) => void;
}

export class EdgeCommands {
  constructor(private readonly node: NodeParts) {}

  place(request: Request, ask: PlaceRequest): void {
    const { inbox, lookUps, world } = this.node;
    const item: EdgeCommand = { kind: 'place', request, ask };
    if (ask.fresh) return inbox.put(item); // Nobody else knows a fresh id: no look-up, no pin.
    const { order, alias } = ask;
    lookUps.pin(order);
    if (alias !== undefined) lookUps.pin(alias);
    if (world.orders.has(order)) inbox.put(item);
    else if (!this.isKnown(order) || (alias !== undefined && !this.isKnown(alias))) this.lookUpFirst(item);
    else inbox.put(alias !== undefined && world.orders.has(alias) ? { ...item, ask: this.withAlias(ask) } : item);
  }

  act(request: Request, ask: ActRequest): void {
    const { inbox, lookUps, world } = this.node;
    const item: EdgeCommand = { kind: 'act', request, ask };
    lookUps.pin(ask.order);
    if (world.orders.has(ask.order)) inbox.put(item);
    else this.lookUpFirst(item);
  }

  stock(request: Request, ask: StockRequest): void {
    const { inbox, lookUps } = this.node;
    const item: EdgeCommand = { kind: 'stock', request, ask, answered: [] };
    lookUps.pin(ask.command.ref);
    if (ask.fresh) inbox.put(item);
    else this.lookUpFirst(item);
  }

  lookedUp(number: number, found: FoundIds): void {
    const { inbox, lookUps } = this.node;
    const items = lookUps.take(number);
    if (items.length === 0) return;
    const lost = this.load(found);
    for (const item of items) {
      if (item.kind === 'stock') inbox.put({ ...item, answered: found.writes });
      else if (lost.has(item.ask.order)) this.refuse(item, 'another node owns this order by now');
      else if (item.kind === 'place') inbox.put({ ...item, ask: this.withAlias(item.ask) });
      else inbox.put(item);
    }
    this.beginLookUp();
  }

  /** Postgres did not answer. The node refuses the waiting commands rather than guess. */
  lookUpFailed(number: number): void {
    for (const item of this.node.lookUps.take(number)) {
      this.refuse(item, 'Postgres does not answer, and whether this is a repeat is not known');
    }
    this.beginLookUp();
  }

  /** lookups.L2: a command's ids stay pinned until its answer. */
  unpin(item: InboxItem): void {
    if (item.kind === 'stock') this.node.lookUps.unpin(item.ask.command.ref);
    if (item.kind !== 'act' && (item.kind !== 'place' || item.ask.fresh)) return;
    this.unpinOrder(item.ask.order);
    if (item.kind === 'place' && item.ask.alias !== undefined) this.unpinOrder(item.ask.alias);
  }

  // -------------------------------------------------------------- machinery

  /** Takes the found orders into memory. @returns the ids of those that a later owner has changed. */
  private load({ orders }: FoundIds): Set<OrderId> {
    const { world, leaving, epochOf } = this.node;
    const lost = new Set<OrderId>();
    for (const order of orders) {
      const { id } = order.state;
      if (world.orders.has(id)) continue;
      const partition = world.partitionOf({ kind: 'order', id });
      // A later owner wrote this row: this node has lost the partition and does not know the changes since.
      if (order.epoch > (epochOf(partition) ?? 0)) lost.add(id);
      else leaving.consider(world.loadOrder(order));
    }
    return lost;
  }

  /** A client's key may be the id of one of its own orders. Then the request is for that order. */
  private withAlias(ask: PlaceRequest): PlaceRequest {
    const { orders } = this.node.world;
    const { alias } = ask;
    if (alias === undefined || orders.has(ask.order)) return ask;
    const entry = orders.get(alias);
    if (entry === undefined || entry.state.content.user !== ask.content.user) return ask;
    return { ...ask, order: alias, alias: ask.order }; // Both stay pinned.
  }

  /** Whether a look-up would find nothing new: the order is in memory, or certainly not stored. The pin keeps this true. */
  private isKnown(id: OrderId): boolean {
    return this.node.world.orders.has(id) || !this.node.storedOrders.mayHave(id);
  }

  private lookUpFirst(item: EdgeCommand): void {
    this.node.lookUps.add(item);
    this.beginLookUp();
  }

  private beginLookUp(): void {
    const query = this.node.lookUps.next(limits.lookUpIds);
    if (query !== undefined) this.node.emit({ kind: 'lookUp', ...query });
  }

  private refuse(item: EdgeCommand, why: string): void {
    this.unpin(item);
    this.node.emit(notNow(item.request, item.kind, why));
  }

  private unpinOrder(id: OrderId): void {
    this.node.lookUps.unpin(id);
    const entry = this.node.world.orders.get(id);
    if (entry !== undefined && entry.flushedVersion === entry.version) this.node.leaving.consider(entry);
  }
}

/** node.N7: the reply to a command that the node cannot take now. */
export function notNow(request: Request, kind: EdgeCommand['kind'], why: string): Effect {
  const reply = { kind: 'unavailable', why } as const;
  if (kind === 'place') return { kind: 'replyPlace', request, reply };
  return kind === 'act' ? { kind: 'replyAct', request, reply } : { kind: 'replyStock', request, reply };
}
