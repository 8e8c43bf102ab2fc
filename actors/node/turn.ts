/**
 * One turn under construction: inputs are decided one after the other, each with everything it leads
 * to (its cascade), and what happened is gathered into the one record that will be appended.
 *
 *  T1. A cascade is whole or taken back: when it does not fit any more, or when a decision throws.
 *  T2. The record and the EVENTS message made of it fit the broker's payload.
 *  T3. Neighbours talk at home: a letter to a partition of this node is handled in this cascade,
 *      unless its channel has older unconfirmed letters; otherwise it is numbered (channels.ts).
 */
import { cascadeEvents, eventFrame } from '../cloud-events.js';
import type { Address, ProductId, WriteId } from '../ids.js';
import { decideProduct, evolveProduct, type ProductState, type StockContext } from '../inventory.js';
import { limits } from '../limits.js';
import type { OrderContext, OrderState } from '../order.js';
import { decideOrder } from '../order-chart.js';
import { evolveOrder } from '../order-events.js';
import type { Letter, OrderCommand, OrderRefusal, ProductCommand, ProductRefusal } from '../protocol.js';
import {
  eventJson,
  type JournaledEvent,
  type NumberedLetter,
  packCascade,
  packEvent,
  type TurnPart,
} from './record.js';
import type { OrderEntry, ProductEntry, World } from './world.js';

export interface TurnSettings {
  /** Source attribute of public events. */
  readonly source: string;
  readonly recordBytes: number;
  /** Deliver letters between this node's own partitions in the same turn. */
  readonly deliverAtHome: boolean;
  /** What orders may know besides their state. */
  readonly context: OrderContext;
  /** Length in UTF-8. */
  readonly byteLength: (text: string) => number;
  /** By partition; undefined: not ours. */
  readonly epochOf: (partition: number) => number | undefined;
}

/** What became of one input. */
export type Handled =
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly refusal: OrderRefusal | ProductRefusal }
  /** T2: not any more in this record; it opens the next turn. */
  | { readonly kind: 'full' }
  | { readonly kind: 'threw'; readonly error: unknown };

interface Applied {
  readonly entry: OrderEntry | ProductEntry;
  readonly event: JournaledEvent;
  readonly after: OrderState | ProductState;
  readonly correlation: string;
  /** The event's text in the record. */
  json: string;
}

type Undo = () => void;

export class Turn {
  readonly cascades: string[] = [];
  private readonly publicEvents: string[] = [];
  readonly applied: Applied[] = [];
  readonly letters: NumberedLetter[] = [];
  /** Watermarks moved, by receiving partition, then by sender. */
  readonly seen = new Map<number, Map<number, number>>();
  readonly touchedOrders = new Set<OrderEntry>();
  private readonly touchedPartitions = new Set<number>();
  private readonly room: StockContext;
  private bytes = 2_048;
  private publicBytes = 2;

  constructor(
    readonly n: number,
    /** Wall clock, milliseconds. */
    readonly at: number,
    private readonly world: World,
    private readonly settings: TurnSettings,
  ) {
    this.room = { mayWait: world.orders.size < limits.ordersBesideWaiting };
  }

  get isEmpty(): boolean {
    return this.cascades.length === 0 && this.seen.size === 0;
  }

  /** The turn's events as EVENTS gets them: a JSON array, or empty text when there are none. */
  get publicBatch(): string {
    return this.publicEvents.length === 0 ? '' : `[${this.publicEvents.join(',')}]`;
  }

  /** Decides one command with all it leads to. @param arrived the numbered letter it came in, if it did. */
  handle(first: Letter, correlation: string, arrived?: NumberedLetter): Handled {
    const undo: Undo[] = [];
    const applied: Applied[] = [];
    const numbered: NumberedLetter[] = [];
    try {
      const refusal = this.run(first, correlation, applied, numbered, undo);
      if (refusal !== undefined) {
        takeBack(undo);
        return { kind: 'refused', refusal };
      }
      if (arrived !== undefined) undo.push(this.markSeen(arrived));
      if (applied.length + numbered.length > 0 && !this.record(applied, numbered, correlation)) {
        takeBack(undo);
        return { kind: 'full' };
      }
    } catch (error) {
      takeBack(undo);
      return { kind: 'threw', error };
    }
    return { kind: 'done' };
  }

  /** Moves the watermark past a letter that had no effect: it threw, or asked for nothing. */
  pass(letter: NumberedLetter): void {
    this.markSeen(letter);
  }

  parts(): { [partition: number]: TurnPart } {
    const parts: { [partition: number]: TurnPart } = {};
    for (const partition of this.touchedPartitions) {
      const epoch = this.settings.epochOf(partition) ?? 0;
      const seen = this.seen.get(partition);
      parts[partition] = seen === undefined ? { epoch } : { epoch, seen: Object.fromEntries(seen) };
    }
    return parts;
  }

  // -------------------------------------------------------------- machinery

  private run(first: Letter, correlation: string, applied: Applied[], numbered: NumberedLetter[], undo: Undo[]) {
    const queue: Letter[] = [first];
    for (let i = 0; i < queue.length; i++) {
      const letter = queue[i] as Letter;
      const decided =
        letter.to.kind === 'order'
          ? this.runOrder(letter.to, letter.command as OrderCommand, correlation, applied, undo)
          : this.runProduct(letter.to, letter.command as ProductCommand, correlation, applied, undo);
      if ('refused' in decided) return decided.refused;
      if (decided.letters.length === 0) continue;
      const from = this.world.partitionOf(letter.to);
      for (const next of decided.letters) this.route(from, next, correlation, queue, numbered);
    }
    return undefined;
  }

  private runOrder(
    of: Extract<Address, { kind: 'order' }>,
    command: OrderCommand,
    correlation: string,
    applied: Applied[],
    undo: Undo[],
  ) {
    const { world, settings } = this;
    const { id } = of;
    const known = world.orders.get(id);
    const entry = known ?? world.newOrder(id);
    const decision = decideOrder(entry.state, command, settings.context);
    if ('refused' in decision || decision.events.length === 0) return decision;
    const { state, version, epoch, n } = entry;
    undo.push(() => {
      Object.assign(entry, { state, version, epoch, n });
      if (known === undefined) world.orders.delete(id);
    });
    if (known === undefined) world.orders.set(id, entry);
    for (const event of decision.events) {
      entry.state = evolveOrder(entry.state, event, this.at);
      entry.version++;
      applied.push({
        entry,
        json: '',
        event: { of, version: entry.version, event },
        after: entry.state,
        correlation,
      });
    }
    this.stamp(entry);
    return decision;
  }

  private runProduct(
    of: Extract<Address, { kind: 'product' }>,
    command: ProductCommand,
    correlation: string,
    applied: Applied[],
    undo: Undo[],
  ) {
    const { world } = this;
    const { id } = of;
    const known = world.products.get(id);
    const entry = known ?? world.newProduct(id);
    const decision = decideProduct(entry.state, command, this.room);
    if ('refused' in decision || decision.events.length === 0) return decision;
    const { state, version, epoch, n } = entry;
    undo.push(() => {
      Object.assign(entry, { state, version, epoch, n });
      if (known === undefined) world.products.delete(id);
    });
    if (known === undefined) world.products.set(id, entry);
    for (const event of decision.events) {
      entry.state = evolveProduct(entry.state, event, this.at);
      entry.version++;
      applied.push({
        entry,
        json: '',
        event: { of, version: entry.version, event },
        after: entry.state,
        correlation,
      });
    }
    this.stamp(entry);
    return decision;
  }

  private stamp(entry: OrderEntry | ProductEntry): void {
    const epoch = this.settings.epochOf(entry.partition);
    if (epoch === undefined) throw new Error(`partition ${entry.partition} is not of this node`);
    entry.epoch = epoch;
    entry.n = this.n;
  }

  /** T3. */
  private route(from: number, letter: Letter, correlation: string, queue: Letter[], numbered: NumberedLetter[]): void {
    const to = this.world.partitionOf(letter.to);
    const channels = this.world.channels.get(from);
    if (channels === undefined) throw new Error(`partition ${from} is not of this node`);
    const isHome = from === to || (this.settings.deliverAtHome && this.settings.epochOf(to) !== undefined);
    if (isHome && !channels.isBusy(to)) enqueue(queue, letter);
    else {
      const before = numbered.filter((other) => other.from === from && other.to === to).length;
      numbered.push({ from, to, number: channels.nextNumber(to) + before, correlation, letter });
    }
  }

  private markSeen(letter: NumberedLetter): Undo {
    const channels = this.world.channels.get(letter.to);
    if (channels === undefined) throw new Error(`partition ${letter.to} is not of this node`);
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

  /** T2. @returns false when it does not fit. */
  private record(applied: readonly Applied[], numbered: readonly NumberedLetter[], correlation: string): boolean {
    const { byteLength, source, recordBytes } = this.settings;
    const events: JournaledEvent[] = [];
    const packed: string[] = [];
    for (const each of applied) {
      const { of, version, event } = each.event;
      each.json = eventJson(event);
      events.push(each.event);
      packed.push(packEvent(of.kind, of.id, version, each.json));
    }
    const cascade = packCascade(correlation, packed);
    const published = cascadeEvents({ correlation, events }, eventFrame(this.at, source));
    const publicBytes = this.publicBytes + byteLength(published) + 1;
    let bytes = this.bytes + byteLength(cascade) + 1 + 64 * (applied.length + numbered.length);
    if (numbered.length > 0) bytes += byteLength(JSON.stringify(numbered));
    if (bytes > recordBytes || publicBytes > recordBytes) return false;

    this.bytes = bytes;
    this.publicBytes = publicBytes;
    this.cascades.push(cascade);
    if (published !== '') this.publicEvents.push(published);
    for (const letter of numbered) {
      this.letters.push(letter);
      this.world.channels.get(letter.from)?.add(letter);
      this.touchedPartitions.add(letter.from);
    }
    for (const each of applied) {
      this.applied.push(each);
      this.touchedPartitions.add(each.entry.partition);
      if (each.event.of.kind === 'order') this.touchedOrders.add(each.entry as OrderEntry);
    }
    return true;
  }
}

/** Answers to the same order that stand next to each other become one command. */
function enqueue(queue: Letter[], letter: Letter): void {
  const last = queue[queue.length - 1];
  if (
    letter.to.kind === 'order' &&
    letter.command.type === 'holdsAnswered' &&
    queue.length > 1 &&
    last?.to.kind === 'order' &&
    last.to.id === letter.to.id &&
    last.command.type === 'holdsAnswered'
  ) {
    const answers = [...last.command.answers, ...letter.command.answers];
    queue[queue.length - 1] = { to: letter.to, command: { type: 'holdsAnswered', answers } };
  } else queue.push(letter);
}

function takeBack(undo: readonly Undo[]): void {
  for (let i = undo.length - 1; i >= 0; i--) undo[i]?.();
}

/** A product write that has had its effect, in memory until Postgres has it. */
export interface DoneWrite {
  readonly ref: WriteId;
  readonly product: ProductId;
  readonly fingerprint: string;
}
