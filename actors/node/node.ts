/**
 * One incarnation of a node, as a state machine without I/O: inputs in, effects out.
 *
 *  N1. One append is under way at a time. Meanwhile no turn begins, and no decision of that turn leaves the node.
 *  N2. A reply, a letter or a confirmation leaves only after the append of the turn that made it.
 *  N3. A record never changes: the driver's retries send the same bytes.
 *  N4. A command for an order that is not in memory waits for a look-up (lookups.ts). Exceptions: its id is fresh, or
 *      it places an order that is certainly not stored (stored-orders.ts). Only edges' commands wait, never letters.
 *  N5. A flush is collected between turns, one is under way at a time (flushing.ts), and it carries only appended rows.
 *  N6. Time is an input. Timers count this node's running time (timers.ts). The time of turns never goes back
 *      (turn-clock.ts).
 *  N7. Everything that could grow has a limit. Past the limit the edge gets "not now", never a wrong answer.
 */
import type { JournalId, OrderId, ProductId, WriteId } from '../ids.js';
import { limits } from '../limits.js';
import { hasOutcome, paymentOwed } from '../order/order.js';
import type { Confirmation, NumberedLetter } from '../ports/letters.js';
import type { ActRequest, PlaceRequest, StockRequest } from '../ports/owners.js';
import { NOWHERE, type Place } from '../ports/snapshot-rows.js';
import { fillOwed } from '../product/inventory.js';
import type { OrderCommand, PaymentOperation, PaymentOutcome } from '../protocol.js';
import { type DeadlineSettings, Deadlines } from './deadlines.js';
import { EdgeCommands, notNow } from './edge-commands.js';
import type { Effect, InboxItem, OrderSight, ProductSight, Request } from './effects.js';
import { Flushing } from './flushing.js';
import { Handlers } from './handlers.js';
import { Inbox } from './inbox.js';
import { Leaving } from './leaving.js';
import { type FoundIds, LookUps } from './lookups.js';
import { encodeTurn } from './record.js';
import { Writes } from './remembered-writes.js';
import { StoredOrders } from './stored-orders.js';
import { Turn, type TurnSettings } from './turn.js';
import { TurnClock } from './turn-clock.js';
import type { OrderEntry, ProductEntry, World } from './world.js';

export interface NodeSettings extends TurnSettings, DeadlineSettings {
  readonly journal: JournalId;
  readonly resendMs: number;
  /** Draws a record's id. */
  readonly newId: () => string;
  /** Called with each order that leaves memory: from then on reads of it go to Postgres. */
  readonly onLeft: (order: OrderId) => void;
}

interface UnderWay {
  readonly turn: Turn;
  readonly recordId: string;
  readonly bytes: number;
  readonly answers: readonly Answer[];
}

/** The reply to an item. The node calls it once the turn that handled the item is appended (node.N2). */
interface Answer {
  readonly item: InboxItem;
  readonly reply: () => void;
}

export class Node {
  /** The driver takes the effects and carries them out in order. */
  effects: Effect[] = [];
  /** The last appended record. */
  appendedTo: Place = NOWHERE;
  private readonly inbox = new Inbox<InboxItem>();
  private readonly lookUps = new LookUps();
  /** A partition's filter is joined and dropped with the partition. */
  readonly storedOrders: StoredOrders;
  private readonly writes = new Writes();
  private readonly deadlines: Deadlines;
  private readonly clock = new TurnClock();
  private underWay: UnderWay | undefined;
  private readonly flushing: Flushing;
  private lastResendMs = 0;
  private nowMs = 0;
  /** Letters without a confirmation at the last count. */
  private unconfirmed = 0;
  private readonly leaving: Leaving;
  private readonly edgeCommands: EdgeCommands;
  private readonly handlers: Handlers;

  constructor(
    private readonly settings: NodeSettings,
    readonly world: World,
  ) {
    this.deadlines = new Deadlines(settings, world);
    this.flushing = new Flushing(world, settings.journal, settings.epochOf);
    this.storedOrders = new StoredOrders(world.partitions);
    for (const partition of world.channels.keys()) this.storedOrders.join(partition);
    const emit = (effect: Effect) => {
      this.effects.push(effect);
    };
    const { inbox, lookUps, storedOrders } = this;
    const { epochOf, onLeft } = settings;
    this.leaving = new Leaving(world, lookUps, storedOrders, onLeft);
    const { leaving } = this;
    this.edgeCommands = new EdgeCommands({ world, inbox, lookUps, storedOrders, leaving, epochOf, emit });
    this.handlers = new Handlers(world, this.writes, emit, (entry) => this.follow(entry));
    for (const entry of world.orders.values()) {
      this.follow(entry);
      this.leaving.consider(entry);
    }
    for (const { refusal: refused, at: _, ...write } of world.refusedWrites) {
      this.writes.add({ ...write, refused }, this.appendedTo.n);
    }
    // Postgres may not have these replayed writes yet, so a look-up would not find them.
    for (const { rows, state } of world.products.values()) {
      if (fillOwed(state)) this.fill(state.id, rows.at(-1)?.correlation ?? '');
      for (const { ref, product, fingerprint } of rows) {
        if (fingerprint !== null) this.writes.add({ ref: ref as WriteId, product, fingerprint }, this.appendedTo.n);
      }
    }
  }

  // -------------------------------------------------------------- requests of edges

  place(request: Request, ask: PlaceRequest): void {
    const full = this.fullness();
    if (full !== undefined) this.effects.push(notNow(request, 'place', full));
    else this.edgeCommands.place(request, ask);
  }

  act(request: Request, ask: ActRequest): void {
    const backlog = this.backlog();
    if (backlog !== undefined) this.effects.push(notNow(request, 'act', backlog));
    else this.edgeCommands.act(request, ask);
  }

  stock(request: Request, ask: StockRequest): void {
    const backlog = this.backlog();
    if (backlog !== undefined) this.effects.push(notNow(request, 'stock', backlog));
    else this.edgeCommands.stock(request, ask);
  }

  /** Whether the order still needs this payment operation. */
  owes(id: OrderId, ref: string): boolean {
    const entry = this.world.orders.get(id);
    return entry !== undefined && paymentOwed(entry.state)?.ref === ref;
  }

  /** node.N7: the reason to answer "not now" to a new order; undefined when there is none. */
  fullness(): string | undefined {
    return (
      this.backlog() ?? (this.world.orders.size >= limits.ordersInMemory ? 'too many orders are under way' : undefined)
    );
  }

  /** The next append answers the probe. */
  probe(request: Request): void {
    this.inbox.put({ kind: 'probe', request });
  }

  order(id: OrderId): OrderSight {
    const entry = this.world.orders.get(id);
    if (entry === undefined) return { kind: 'absent' };
    return this.isAppended(entry) ? { kind: 'now', state: entry.state } : { kind: 'later' };
  }

  product(id: ProductId): ProductSight {
    const entry = this.world.products.get(id);
    if (entry === undefined) return { kind: 'absent' };
    return this.isAppended(entry) ? { kind: 'now', state: entry.state } : { kind: 'later' };
  }

  /** Whether Postgres has every change of this order that this node knows. */
  isFlushed(id: OrderId): boolean {
    const entry = this.world.orders.get(id);
    return entry === undefined || entry.flushedVersion === entry.version;
  }

  /** The client has disconnected: this request waits for the outcome no more. */
  abandon(request: Request, id: OrderId): void {
    const entry = this.world.orders.get(id);
    if (entry?.waiting?.delete(request) !== true) return;
    if (entry.waiting.size === 0) entry.waiting = undefined;
    this.leaving.consider(entry);
  }

  // -------------------------------------------------------------- answers from outside

  lookedUp(number: number, found: FoundIds): void {
    this.edgeCommands.lookedUp(number, found);
  }

  lookUpFailed(number: number): void {
    this.edgeCommands.lookUpFailed(number);
  }

  letter(letter: NumberedLetter): void {
    if (this.settings.epochOf(letter.to) === undefined || this.inbox.size >= limits.inboxCommands) return;
    this.inbox.put({ kind: 'letter', letter });
  }

  confirmed({ from, to, upTo }: Confirmation): void {
    this.world.channels.get(from)?.confirm(to, upTo);
  }

  paymentAnswered(order: OrderId, operation: PaymentOperation, ref: string, outcome: PaymentOutcome): void {
    this.own(order, { type: 'paymentAnswered', operation, ref, outcome });
  }

  /** The log has acknowledged the append that was under way. */
  appended(position: number): void {
    const { underWay } = this;
    if (underWay === undefined) throw new Error('an append was acknowledged that was not under way');
    const { turn, recordId, bytes, answers } = underWay;
    this.underWay = undefined;
    this.flushing.appended(bytes);
    this.appendedTo = { n: turn.n, position, recordId };
    const toFill = new Map<ProductId, string>();
    const { operations, histories, refused, extended } = turn.outputs();
    for (const { entry, row } of operations) {
      this.world.rememberOperation(entry, row);
      if (fillOwed(entry.state)) toFill.set(entry.state.id, row.correlation);
    }
    for (const { entry, row } of histories) this.world.rememberTurn(entry, row);
    for (const row of refused) this.world.rememberRefusal(row);
    for (const entry of extended) this.deadlines.extend(entry);
    for (const [product, correlation] of toFill) this.fill(product, correlation);
    if (turn.letters.length > 0) this.effects.push({ kind: 'send', letters: turn.letters });
    for (const [to, moved] of turn.seen) {
      for (const [from, upTo] of moved) this.effects.push({ kind: 'confirm', confirmation: { from, to, upTo } });
    }
    this.answer(answers);
    for (const entry of turn.touchedOrders.keys()) this.follow(entry);
    this.flushIfDue();
  }

  flushed(number: number): void {
    const flush = this.flushing.done(number);
    if (flush === undefined) return;
    for (const { state, version } of flush.orders) {
      const entry = this.world.orders.get(state.id);
      if (entry === undefined) continue;
      entry.flushedVersion = Math.max(entry.flushedVersion, version);
      this.leaving.consider(entry);
    }
    if (flush.isWhole) this.writes.flushed(flush.to.n, (ref) => this.lookUps.isPinned(ref));
    this.leaving.letLeave();
    this.flushIfDue();
  }

  tick(monotonicMs: number, isServing: boolean): void {
    this.nowMs = monotonicMs;
    this.deadlines.advance(monotonicMs, isServing);
    for (const { entry, command } of this.deadlines.due()) this.own(entry.state.id, command);
    if (monotonicMs - this.lastResendMs >= this.settings.resendMs) {
      this.lastResendMs = monotonicMs;
      this.unconfirmed = 0;
      const notAppended = new Set(this.underWay?.turn.letters); // node.N2
      for (const channels of this.world.channels.values()) {
        const letters = channels.unconfirmed().filter((letter) => !notAppended.has(letter));
        this.unconfirmed += letters.length;
        if (letters.length > 0) this.effects.push({ kind: 'send', letters });
      }
    }
    this.leaving.letLeave();
    this.flushIfDue();
  }

  // -------------------------------------------------------------- turns

  /** Whether an item waits and no append is under way (node.N1). */
  wantsTurn(): boolean {
    return this.underWay === undefined && this.inbox.size > 0;
  }

  /** Decides the items of the inbox, up to the limits of a turn. Both clocks in milliseconds. */
  takeTurn(wallMs: number, monotonicMs: number): void {
    if (!this.wantsTurn()) return;
    const at = this.clock.next(wallMs, monotonicMs, this.world.latestAt);
    const behindMs = this.clock.news(wallMs);
    if (behindMs !== undefined) this.effects.push({ kind: 'clockBehind', behindMs });
    const turn = new Turn(this.appendedTo.n + 1, at, this.world, this.settings);
    const answers: Answer[] = [];
    let probed = false;
    for (let handled = 0; handled < limits.turnCommands; handled++) {
      const item = this.inbox.peek();
      if (item === undefined) break;
      if (item.kind === 'probe') probed = true;
      const reply = this.handlers.handle(turn, item);
      if (reply === 'full') break;
      this.inbox.shift();
      if (reply !== undefined) answers.push({ item, reply });
    }
    if (turn.isEmpty && !probed) return this.answer(answers);
    const recordId = this.settings.newId();
    const { n, letters, refused } = turn;
    const record = encodeTurn(
      {
        ...{ id: recordId, journal: this.settings.journal, n, at, parts: turn.parts(), letters },
        ...(refused.length > 0 && { refused }),
      },
      turn.cascades,
    );
    this.underWay = { turn, recordId, bytes: record.length, answers };
    this.effects.push({ kind: 'append', n, recordId, record, turn });
  }

  get isAppending(): boolean {
    return this.underWay !== undefined;
  }

  get inboxSize(): number {
    return this.inbox.size;
  }

  /** Flushes everything, the partition rows too: after a start, and before a release. */
  flushAll(): void {
    this.flushIfDue(true);
  }

  get isFlushing(): boolean {
    return this.flushing.isUnderWay;
  }

  /** The last record whose changes Postgres has, with all before it. */
  get flushedTo(): Place {
    return this.flushing.flushedTo;
  }

  // -------------------------------------------------------------- machinery

  /** Acts on an order's state: sets its timers, asks for the payment it owes, answers the requests that wait. */
  private follow(entry: OrderEntry): void {
    const { state } = entry;
    this.deadlines.follow(entry);
    const owed = paymentOwed(state);
    if (owed !== undefined && entry.paying !== owed.ref) {
      this.effects.push({ kind: 'pay', order: state.id, ...owed, currency: state.currency ?? '' });
    }
    entry.paying = owed?.ref;
    if (entry.waiting === undefined || !hasOutcome(state)) return;
    for (const [request, repeat] of entry.waiting) this.handlers.replyOutcome(entry, request, repeat);
    entry.waiting = undefined;
  }

  private own(order: OrderId, command: OrderCommand): void {
    const entry = this.world.orders.get(order);
    if (entry === undefined) return;
    this.inbox.put({
      kind: 'own',
      letter: { to: { kind: 'order', id: order }, command },
      correlation: entry.state.correlation,
    });
  }

  private fill(product: ProductId, correlation: string): void {
    this.inbox.put({
      kind: 'own',
      letter: { to: { kind: 'product', id: product }, command: { type: 'fill' } },
      correlation,
    });
  }

  private answer(answers: readonly Answer[]): void {
    for (const { item, reply } of answers) {
      reply();
      this.edgeCommands.unpin(item);
    }
  }

  /** node.N7, for all commands: also those that bring orders to their end, and so free memory. */
  private backlog(): string | undefined {
    if (this.inbox.size >= limits.inboxCommands) return 'too many commands are waiting';
    if (this.lookUps.size >= limits.lookUpsWaiting) return 'too many look-ups wait for Postgres';
    if (this.unconfirmed >= limits.unconfirmedLetters) return 'too many letters have no confirmation';
    return this.flushing.isBehind ? 'too much waits to be remembered: Postgres has not caught up' : undefined;
  }

  /** world.W1: whether the turn under way has not changed the actor. */
  private isAppended({ n, epoch, partition }: OrderEntry | ProductEntry): boolean {
    return n !== this.underWay?.turn.n || epoch !== this.settings.epochOf(partition);
  }

  /** node.N5: a flush is collected only between turns. */
  private flushIfDue(everything = false): void {
    if (this.underWay !== undefined) return;
    const flush = this.flushing.next(this.nowMs, this.appendedTo, everything);
    if (flush !== undefined) this.effects.push({ kind: 'flush', flush });
  }
}
