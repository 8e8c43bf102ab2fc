/**
 * One turn under construction. Inputs are decided one after the other, each with everything that it leads to (its
 * cascade). The events and letters of all cascades go into one record.
 *
 *  T1. A cascade is whole or is taken back: when it does not fit into the record, or when a decision throws.
 *  T2. The record and the EVENTS message made from it fit into the broker's payload.
 *  T3. A letter to a partition of this node is handled in the same cascade, unless its channel has older letters that
 *      are not handled yet, or the partition is frozen. Every other letter gets a number (channels.ts).
 *  T4. Each command is decided only for a partition that this node owns and that is not frozen, and each part of a
 *      record names the epoch at which it is owned.
 */
import type { Address, OrderId } from '../ids.js';
import { limits } from '../limits.js';
import { decidedBy } from '../order/as-decided.js';
import { hasOutcome, type OrderContext, type OrderState } from '../order/order.js';
import { decideOrder } from '../order/order-chart.js';
import { evolveOrderBy } from '../order/order-fold.js';
import type { NumberedLetter } from '../ports/letters.js';
import { decideProduct, evolveProduct, type ProductState, type StockContext } from '../product/inventory.js';
import type {
  Decision,
  Letter,
  OrderCommand,
  OrderEvent,
  OrderRefusal,
  ProductCommand,
  ProductEvent,
  ProductRefusal,
} from '../protocol.js';
import { type EventSource, eventFrame } from './cloud-events.js';
import { type ActorFacts, factsOf } from './event-facts.js';
import { LetterRoutes } from './letter-routes.js';
import { MessageRoom, MOST_BYTES_OF_ONE } from './message-room.js';
import { PublicBatch } from './public-batch.js';
import {
  eventJson,
  type Join,
  type JournaledEvent,
  packBefore,
  packCascade,
  packEvent,
  type RefusedWrite,
  type TurnPart,
} from './record.js';
import { type TurnOutputs, turnOutputsOf } from './turn-outputs.js';
import type { OrderEntry, ProductEntry, World } from './world.js';

export interface TurnSettings {
  /** Source attribute of public events. */
  readonly source: EventSource;
  readonly recordBytes: number;
  /** Deliver letters between this node's own partitions in the same turn. */
  readonly deliverAtHome: boolean;
  /** What an order's decision may know besides the order's state. */
  readonly context: OrderContext;
  /** Length in UTF-8. */
  readonly byteLength: (text: string) => number;
}

/** The result of one input. */
export type Handled =
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly refusal: OrderRefusal | ProductRefusal }
  /** turn.T2: the input does not fit into this record any more; it opens the next turn. */
  | { readonly kind: 'full' }
  /** Too many letters wait for a partition of another node: the input would add to them. */
  | { readonly kind: 'crowded' }
  | { readonly kind: 'threw'; readonly error: unknown };

type Applied = JournaledEvent & {
  readonly entry: OrderEntry | ProductEntry;
  /** A product's state after this event; an order's state after all events of the same decision. */
  readonly after: OrderState | ProductState;
  readonly correlation: string;
  /** The event's text in the record. */
  json: string;
};

/** The events of one order under one correlation: a row of its history. */
interface OrderTurn {
  readonly entry: OrderEntry;
  readonly id: OrderId;
  readonly version: number;
  readonly correlation: string;
  readonly events: string[];
}

/** An actor before a command: a cascade that is taken back restores it. */
interface Before {
  readonly entry: OrderEntry | ProductEntry;
  readonly of: Address;
  readonly isNew: boolean;
  readonly state: OrderState | ProductState;
  readonly version: number;
  readonly epoch: number;
  readonly n: number;
}

export class Turn {
  private readonly record: MessageRoom;
  readonly published: PublicBatch;
  /** Of each cascade, what was known of its actors before it, packed (record.ts). */
  readonly before: string[] = [];
  readonly applied: Applied[] = [];
  readonly letters: NumberedLetter[] = [];
  /** Stock writes whose refusal is remembered. */
  readonly refused: RefusedWrite[] = [];
  /** Watermarks moved, by receiving partition, then by sender. */
  readonly seen = new Map<number, Map<number, number>>();
  readonly orderTurns: OrderTurn[] = [];
  /** Each order of this turn with the last of its rows. */
  readonly touchedOrders = new Map<OrderEntry, OrderTurn>();
  /** The partitions that begin to run once this turn is appended. */
  readonly joins: Join[] = [];
  private readonly touchedPartitions = new Set<number>();
  private readonly stockContext: StockContext;
  private readonly routes: LetterRoutes;
  private madeOutputs: TurnOutputs | undefined;

  constructor(
    readonly n: number,
    /** Wall clock, milliseconds. */
    readonly at: number,
    private readonly world: World,
    private readonly settings: TurnSettings,
  ) {
    this.stockContext = { mayWait: world.orders.size < limits.ordersBesideWaiting };
    const { recordBytes, byteLength, source, deliverAtHome } = settings;
    this.routes = new LetterRoutes(world, deliverAtHome);
    this.record = new MessageRoom(2_048, recordBytes, byteLength);
    this.published = new PublicBatch(eventFrame(at, source), recordBytes, byteLength);
  }

  /** The cascades as packed text. */
  get cascades(): readonly string[] {
    return this.record.texts;
  }

  /** The first call makes the outputs. It must not come before the turn is complete. */
  outputs(): TurnOutputs {
    this.madeOutputs ??= turnOutputsOf(this);
    return this.madeOutputs;
  }

  get isEmpty(): boolean {
    return this.cascades.length === 0 && this.seen.size === 0 && this.refused.length === 0 && this.joins.length === 0;
  }

  /**
   * Decides one command and everything that it leads to.
   * @param arrived the numbered letter that brought it, if any.
   * @param mayRefuse the client can send it again, so it must not crowd a channel (limits.channelLetters)
   */
  handle(first: Letter, correlation: string, arrived?: NumberedLetter, mayRefuse = false): Handled {
    const before: Before[] = [];
    const applied: Applied[] = [];
    const numbered: NumberedLetter[] = [];
    let unsee: (() => void) | undefined;
    try {
      const refusal = this.run(first, correlation, applied, numbered, before);
      if (refusal !== undefined) {
        this.takeBack(before);
        return { kind: 'refused', refusal };
      }
      if (mayRefuse && numbered.length > 0 && this.routes.isCrowded(numbered)) {
        this.takeBack(before);
        return CROWDED;
      }
      if (arrived !== undefined) unsee = this.markSeen(arrived);
      if (applied.length + numbered.length > 0 && !this.take(applied, before, numbered, correlation)) {
        this.takeBack(before, unsee);
        return FULL;
      }
    } catch (error) {
      this.takeBack(before, unsee);
      return { kind: 'threw', error };
    }
    return DONE;
  }

  /** Adds a join to the record. @returns false when it does not fit any more (turn.T2). */
  join(join: Join): boolean {
    if (!this.record.reserve(this.settings.byteLength(JSON.stringify(join)) + JOIN_BESIDE)) return false;
    this.joins.push(join);
    return true;
  }

  /** Adds the refusal of a stock write to the record. @returns false when it does not fit any more (turn.T2). */
  refuse(write: RefusedWrite): boolean {
    if (!this.record.reserve(this.settings.byteLength(JSON.stringify(write)) + REFUSED_BESIDE)) return false;
    this.refused.push(write);
    this.touchedPartitions.add(this.world.partitionOf({ kind: 'product', id: write.product }));
    return true;
  }

  /** Moves the watermark past a letter that had no effect: it threw, was refused, or does not fit into a record. */
  pass(letter: NumberedLetter): void {
    this.markSeen(letter);
  }

  parts(): { [partition: number]: TurnPart } {
    const parts: { [partition: number]: TurnPart } = {};
    for (const partition of this.touchedPartitions) {
      const { epoch } = this.world.mustOwn(partition);
      const seen = this.seen.get(partition);
      parts[partition] = seen === undefined ? { epoch } : { epoch, seen: Object.fromEntries(seen) };
    }
    for (const { partition, epoch } of this.joins) parts[partition] = { epoch };
    return parts;
  }

  /** Marks the partitions of this turn as changed by its record. */
  stampPartitions(): void {
    for (const partition of this.touchedPartitions) this.world.mustOwn(partition).lastN = this.n;
  }

  // -------------------------------------------------------------- machinery

  private run(
    first: Letter,
    correlation: string,
    applied: Applied[],
    numbered: NumberedLetter[],
    before: Before[],
  ): OrderRefusal | ProductRefusal | undefined {
    const { world } = this;
    const queue: Letter[] = [first];
    for (let i = 0; i < queue.length; i++) {
      const { to, command } = queue[i] as Letter;
      let entry: OrderEntry | ProductEntry;
      let decision: Decision<OrderEvent | ProductEvent, OrderRefusal | ProductRefusal>;
      if (to.kind === 'order') {
        const order = world.orders.get(to.id) ?? world.newOrder(to.id);
        this.mustRun(order.partition);
        decision = this.orderDecides(order, command as OrderCommand);
        entry = order;
      } else {
        const product = world.products.get(to.id) ?? world.newProduct(to.id);
        this.mustRun(product.partition);
        decision = this.productDecides(product, command as ProductCommand);
        entry = product;
      }
      if ('refused' in decision) return decision.refused;
      if (decision.events.length > 0) this.happen(entry, to, decision.events, correlation, applied, before);
      for (const letter of decision.letters) this.routes.route(entry.partition, letter, correlation, queue, numbered);
    }
    return undefined;
  }

  private orderDecides({ state }: OrderEntry, command: OrderCommand): Decision<OrderEvent, OrderRefusal> {
    return decideOrder(state, command, this.settings.context);
  }

  private productDecides({ state }: ProductEntry, command: ProductCommand): Decision<ProductEvent, ProductRefusal> {
    return decideProduct(state, command, this.stockContext);
  }

  /** Folds decided events into the actor's state, ahead of the append (world.W1). */
  private happen(
    entry: OrderEntry | ProductEntry,
    of: Address,
    events: readonly (OrderEvent | ProductEvent)[],
    correlation: string,
    applied: Applied[],
    before: Before[],
  ): void {
    const { world } = this;
    const { state, version, epoch, n } = entry;
    const isNew = version === 0;
    before.push({ entry, of, isNew, state, version, epoch, n });
    if (isNew) world.add(of, entry);
    if (of.kind === 'order') this.orderHappens(entry as OrderEntry, events as OrderEvent[]);
    for (const event of events) {
      if (of.kind === 'product') {
        entry.state = evolveProduct(entry.state as ProductState, event as ProductEvent, this.at);
      }
      entry.version++;
      applied.push({ of, version: entry.version, event, entry, after: entry.state, correlation, json: '' } as Applied);
    }
    this.stamp(entry);
  }

  private orderHappens(entry: OrderEntry, events: readonly OrderEvent[]): void {
    const before = entry.state;
    entry.state = evolveOrderBy(before, events, this.at);
    entry.decided ??= decidedBy(before, events, entry.state, this.at);
  }

  private takeBack(before: readonly Before[], unsee?: () => void): void {
    unsee?.();
    for (let i = before.length - 1; i >= 0; i--) {
      const { entry, of, isNew, state, version, epoch, n } = before[i] as Before;
      Object.assign(entry, { state, version, epoch, n });
      if (of.kind === 'order' && !hasOutcome(state as OrderState)) (entry as OrderEntry).decided = undefined;
      if (isNew) this.world.remove(of);
    }
  }

  private stamp(entry: OrderEntry | ProductEntry): void {
    entry.epoch = this.world.mustOwn(entry.partition).epoch;
    entry.n = this.n;
  }

  /** turn.T4. The callers hold such commands back, so this is the last guard. */
  private mustRun(partition: number): void {
    if (this.world.mustOwn(partition).isFrozen) throw new Error(`partition ${partition} is frozen`);
  }

  /** Moves the watermark. @returns a function that takes the move back. */
  private markSeen(letter: NumberedLetter): () => void {
    const { channels } = this.world.mustOwn(letter.to);
    const before = channels.seen(letter.from);
    const moved = this.seen.get(letter.to) ?? new Map<number, number>();
    const recorded = moved.get(letter.from);
    channels.moveSeen(letter.from, letter.number);
    this.seen.set(letter.to, moved.set(letter.from, letter.number));
    this.touchedPartitions.add(letter.to);
    return () => {
      channels.moveSeen(letter.from, before);
      if (recorded !== undefined) moved.set(letter.from, recorded);
      else moved.delete(letter.from);
      if (moved.size === 0) this.seen.delete(letter.to);
    };
  }

  /** turn.T2: adds a cascade to the record. @returns false when it does not fit. */
  private take(
    applied: readonly Applied[],
    before: readonly Before[],
    numbered: readonly NumberedLetter[],
    correlation: string,
  ): boolean {
    const packed: string[] = [];
    for (const each of applied) {
      each.json = eventJson(each.event);
      packed.push(packEvent(each.of.kind, each.of.id, each.version, each.json));
    }
    const cascade = packCascade(correlation, packed);
    const facts = factsBefore(before);
    const known = packBefore(facts);
    let beside = 64 * (applied.length + numbered.length) + MOST_BYTES_OF_ONE * (known.length + BEFORE_BESIDE);
    if (numbered.length > 0) beside += this.settings.byteLength(JSON.stringify(numbered));
    const batch = { correlation, events: applied, before: facts };
    if (!this.record.has(cascade, beside) || !this.published.take(batch)) return false;

    this.record.take(cascade, beside);
    this.before.push(known);
    for (const letter of numbered) {
      this.letters.push(letter);
      this.world.mustOwn(letter.from).channels.add(letter);
      this.touchedPartitions.add(letter.from);
    }
    let last: OrderTurn | undefined;
    for (const each of applied) {
      this.applied.push(each);
      if (each.of.kind !== 'order') continue;
      if (last?.entry !== each.entry) last = this.turnOf(each.entry as OrderEntry, each.of.id, each);
      last.events.push(each.json);
    }
    for (const { entry } of before) this.touchedPartitions.add(entry.partition);
    return true;
  }

  private turnOf(entry: OrderEntry, id: OrderId, { version, correlation }: Applied): OrderTurn {
    const last = this.touchedOrders.get(entry);
    if (last?.correlation === correlation) return last;
    const turn: OrderTurn = { entry, id, version, correlation, events: [] };
    this.touchedOrders.set(entry, turn);
    this.orderTurns.push(turn);
    return turn;
  }
}

/** What public events tell of the actors of a cascade that had events before it. */
function factsBefore(before: readonly Before[]): ActorFacts[] {
  const facts: ActorFacts[] = [];
  for (let i = 0; i < before.length; i++) {
    const { entry, of, isNew, state } = before[i] as Before;
    if (isNew || isIn(before, i, entry)) continue;
    if (of.kind === 'order') facts.push({ kind: 'order', id: of.id, facts: factsOf(state as OrderState) });
    else facts.push({ kind: 'product', id: of.id, facts: state as ProductState });
  }
  return facts;
}

/** Whether the actor decided earlier in the cascade. */
function isIn(before: readonly Before[], upTo: number, entry: Before['entry']): boolean {
  for (let i = 0; i < upTo; i++) if (before[i]?.entry === entry) return true;
  return false;
}

/** Bytes of a cascade's brackets and comma in the list. */
const BEFORE_BESIDE = 3;
/** Bytes of a comma, the list's name, and the partition's part. */
const REFUSED_BESIDE = 80;
/** Bytes of the partition's part. */
const JOIN_BESIDE = 64;

const DONE: Handled = { kind: 'done' };
const FULL: Handled = { kind: 'full' };
const CROWDED: Handled = { kind: 'crowded' };
