/**
 * A partition's life on this node: it joins, runs, may be frozen, runs again or leaves.
 *
 *  Q1. A partition runs from when its join is appended. What it brings to memory begins then: timers, payments owed,
 *      stock to give out, remembered writes, its filter. What its replay remembers of writes is kept until a flush that
 *      has its join.
 *  Q2. A frozen partition takes no turn. Commands for it are parked, up to a limit. Letters to it are numbered by their
 *      senders on this node, and dropped when they arrive: their senders repeat them.
 *  Q3. A frozen partition may be released at an n once Postgres has its last record, with all before it (hazard 7). A
 *      record under way is later than that.
 *  Q4. From when its release is sent a partition is gone, and its commands are answered as moved, wherever they wait.
 */
import { partitionOf, type WriteId } from '../ids.js';
import { limits } from '../limits.js';
import { fillOwed } from '../product/inventory.js';
import type { Deadlines } from './deadlines.js';
import { type EdgeCommands, moved } from './edge-commands.js';
import type { Effect, InboxItem } from './effects.js';
import type { HomeLetters } from './home-letters.js';
import type { Inbox } from './inbox.js';
import type { Leaving } from './leaving.js';
import { isAsked, type OwnedPartition, partitionIn } from './owned-partition.js';
import type { Writes } from './remembered-writes.js';
import type { StoredOrders } from './stored-orders.js';
import type { OrderEntry, ProductEntry, World } from './world.js';

interface NodeParts {
  readonly world: World;
  readonly inbox: Inbox<InboxItem>;
  readonly commands: EdgeCommands;
  readonly storedOrders: StoredOrders;
  readonly writes: Writes;
  readonly deadlines: Deadlines;
  readonly leaving: Leaving;
  readonly homeLetters: HomeLetters;
  readonly emit: (effect: Effect) => void;
  readonly follow: (entry: OrderEntry) => void;
}

export class PartitionLife {
  /** Commands parked for all partitions. */
  private parked = 0;

  constructor(private readonly node: NodeParts) {}

  /** partition-life.Q1. @param n of the record with the joins, which is appended now */
  begin(joined: World, n: number): void {
    const { world, storedOrders, follow, leaving, homeLetters } = this.node;
    for (const owned of joined.owned.values()) {
      owned.lastN = n;
      owned.channels.dirty = true; // Its row is written with the next whole flush (hazard 2).
      storedOrders.join(owned.partition);
    }
    // Not after they are one world: only what joins begins.
    const { orders, products, refusedWrites } = joined;
    world.absorb(joined);
    for (const entry of orders.values()) {
      follow(entry);
      leaving.consider(entry);
    }
    this.remember(refusedWrites, products.values(), n);
    homeLetters.joined();
  }

  freeze(partition: number): void {
    this.node.world.mustOwn(partition).isFrozen = true;
  }

  thaw(partition: number): void {
    const owned = this.node.world.mustOwn(partition);
    owned.isFrozen = false;
    for (const item of this.takeParked(owned)) this.node.inbox.put(item);
    this.node.homeLetters.look();
  }

  /** partition-life.Q3. @returns the n to release at; undefined while the partition must not be released */
  releasable(partition: number, flushedN: number): number | undefined {
    const { isFrozen, lastN } = this.node.world.mustOwn(partition);
    return isFrozen && lastN <= flushedN ? flushedN : undefined;
  }

  /** partition-life.Q4 */
  leave(partitions: ReadonlySet<number>): void {
    const { world, inbox, commands, writes, deadlines, storedOrders, emit } = this.node;
    const isGone = (partition: number | undefined) => partition !== undefined && partitions.has(partition);
    for (const partition of partitions) {
      for (const item of this.takeParked(world.mustOwn(partition))) this.tellMoved(item);
      storedOrders.leave(partition);
    }
    for (const item of inbox.remove((each) => isGone(partitionIn(each)))) this.tellMoved(item);
    commands.leave(isGone);
    const gone = world.drop(partitions);
    for (const { waiting } of gone) for (const request of waiting?.keys() ?? []) emit(moved(request, 'place'));
    deadlines.leave(gone);
    writes.leave((product) => isGone(partitionOf('product', product, world.partitions)));
    for (const { channels } of world.owned.values()) for (const to of partitions) channels.moved(to);
  }

  /** Whether the item cannot be handled now. Then it is parked, answered or dropped here. */
  holdsBack(item: InboxItem): boolean {
    const partition = partitionIn(item);
    if (partition === undefined) return false;
    const owned = this.node.world.owned.get(partition);
    if (owned?.isFrozen === false) return false;
    if (item.kind === 'letter') return true;
    if (owned === undefined) this.tellMoved(item);
    else if (isAsked(item) && this.parked >= limits.parkedCommands) {
      this.node.commands.refuse(item, 'its partition moves to another node, and too many commands wait for that');
    } else {
      this.parked++;
      owned.parked.push(item);
    }
    return true;
  }

  tellMoved(item: InboxItem): void {
    if (isAsked(item)) this.node.commands.tellMoved(item);
  }

  // -------------------------------------------------------------- machinery

  /** Postgres may not have these replayed writes yet, so a look-up would not find them. */
  private remember(refused: World['refusedWrites'], products: Iterable<ProductEntry>, n: number): void {
    const { writes, inbox } = this.node;
    for (const { refusal, at: _, ...write } of refused) writes.add({ ...write, refused: refusal }, n);
    for (const entry of products) {
      if (fillOwed(entry.state)) inbox.put(fillOf(entry, entry.rows.at(-1)?.correlation ?? ''));
      for (const { ref, product, fingerprint } of entry.rows) {
        if (fingerprint !== null) writes.add({ ref: ref as WriteId, product, fingerprint }, n);
      }
    }
  }

  private takeParked(owned: OwnedPartition): InboxItem[] {
    this.parked -= owned.parked.length;
    return owned.parked.splice(0);
  }
}

/** Makes the product give its stock to orders that wait for it. */
export const fillOf = ({ state, partition }: ProductEntry, correlation: string): InboxItem => ({
  kind: 'own',
  letter: { to: { kind: 'product', id: state.id }, command: { type: 'fill' } },
  correlation,
  partition,
});
