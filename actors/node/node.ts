/**
 * One incarnation of a node, as a state machine without I/O: inputs in, effects out.
 *
 *  N1. One append is under way at a time. Meanwhile no turn begins, and no decision of that turn leaves the node.
 *  N2. A reply, a letter or a confirmation leaves only after the append of the turn that made it. Where other processes
 *      reach the journal, a turn that records nothing appends as well before it tells something.
 *  N3. A record never changes: the driver's retries send the same bytes.
 *  N4. A command for an order that is not in memory waits for a look-up (lookups.ts). Exceptions: its id is fresh, or
 *      it places an order that is certainly not stored (stored-orders.ts). Only edges' commands wait, never letters.
 *  N5. A flush is collected between turns, one is under way at a time (flushing.ts), and it carries only appended rows.
 *  N6. Time is an input. Timers count this node's running time (timers.ts). The time of turns never goes back
 *      (turn-clock.ts).
 *  N7. Everything that could grow has a limit. Past the limit the edge gets "not now", never a wrong answer.
 *  N8. A node starts empty. A partition runs once the record with its join is appended. What it brings to memory begins
 *      then: timers, payments owed, stock to give out, remembered writes, its filter (partition-life.ts for its end).
 */
import type { JournalId, OrderId } from '../ids.js';
import { limits } from '../limits.js';
import { hasOutcome, paymentOwed } from '../order/order.js';
import type { Confirmation, NumberedLetter } from '../ports/letters.js';
import type { ActRequest, PlaceRequest, StockRequest } from '../ports/owners.js';
import { NOWHERE, type Place, type StoredOrder } from '../ports/snapshot-rows.js';
import { fillOwed } from '../product/inventory.js';
import type { OrderCommand, PaymentOperation, PaymentOutcome } from '../protocol.js';
import { ArchiveBarrier } from './archive-barrier.js';
import { type DeadlineSettings, Deadlines } from './deadlines.js';
import { EdgeCommands, notNow } from './edge-commands.js';
import type { Effect, InboxItem, Request } from './effects.js';
import { Flushing } from './flushing.js';
import { Handlers } from './handlers.js';
import { HomeLetters } from './home-letters.js';
import { Inbox } from './inbox.js';
import { Leaving } from './leaving.js';
import { type FoundIds, LookUps } from './lookups.js';
import { partitionIn } from './owned-partition.js';
import { fillOf, PartitionLife } from './partition-life.js';
import { encodeTurn, type Join } from './record.js';
import { Writes } from './remembered-writes.js';
import { Sights } from './sights.js';
import { StoredOrders } from './stored-orders.js';
import { Turn, type TurnSettings } from './turn.js';
import { TurnClock } from './turn-clock.js';
import { type OrderEntry, type ProductEntry, World } from './world.js';

export interface NodeSettings extends TurnSettings, DeadlineSettings {
  readonly journal: JournalId;
  readonly resendMs: number;
  /** Draws a record's id. */
  readonly newId: () => string;
  /** The nodes that share the journal's store, this one included. */
  readonly members: () => number;
  /** What is told without a record waits for an append too: another process may have sealed the journal. */
  readonly appendsAnswers: boolean;
  /** Called with each order that leaves memory: from then on reads of it go to Postgres. */
  readonly onLeft: (order: OrderId) => void;
}

interface UnderWay {
  readonly turn: Turn;
  readonly recordId: string;
  readonly bytes: number;
  answers: readonly Answer[];
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
  readonly world: World;
  readonly sights: Sights;
  /** Freezes and thaws partitions. */
  readonly lives: PartitionLife;
  readonly storedOrders: StoredOrders;
  private readonly archiveBarrier: ArchiveBarrier;
  private readonly writes = new Writes();
  private readonly deadlines: Deadlines;
  private readonly clock = new TurnClock();
  private underWay: UnderWay | undefined;
  private readonly flushing: Flushing;
  private mustFlushAll = false;
  private nowMs = 0;
  private readonly leaving: Leaving;
  private readonly edgeCommands: EdgeCommands;
  private readonly handlers: Handlers;
  private readonly homeLetters: HomeLetters;

  /** @param partitions of the system; none of them is this node's before its join. */
  constructor(
    private readonly settings: NodeSettings,
    partitions: number,
  ) {
    const world = new World(partitions);
    this.world = world;
    this.sights = new Sights(world, () => this.underWay?.turn.n);
    this.deadlines = new Deadlines(settings, world);
    this.flushing = new Flushing(world, settings.journal, settings.members);
    this.storedOrders = new StoredOrders(partitions);
    this.archiveBarrier = new ArchiveBarrier(world, this.lookUps);
    const emit = (effect: Effect) => {
      this.effects.push(effect);
    };
    const follow = (entry: OrderEntry) => this.follow(entry);
    const { inbox, lookUps, storedOrders, writes, deadlines } = this;
    this.leaving = new Leaving(world, lookUps, storedOrders, settings.onLeft);
    const { leaving } = this;
    const commands = new EdgeCommands({ world, inbox, lookUps, storedOrders, leaving, emit });
    this.edgeCommands = commands;
    this.homeLetters = new HomeLetters(world, settings.deliverAtHome);
    const { homeLetters } = this;
    const parts = { world, inbox, commands, storedOrders, writes, deadlines, leaving, homeLetters, emit, follow };
    this.lives = new PartitionLife(parts);
    const begin = ({ world: joined }: { readonly world: World }) => this.lives.begin(joined, this.appendedTo.n);
    this.handlers = new Handlers(world, writes, emit, follow, begin);
  }

  // -------------------------------------------------------------- partitions

  /** node.N8: the partitions of this world begin to run when the last record with their joins is appended. */
  join(world: World, joins: readonly Join[]): void {
    this.world.hasBeen(world.latestAt); // So no time of this node's turns goes back (node.N6).
    this.inbox.put({ kind: 'join', world, joins, added: 0 });
  }

  /** The n at which the partition may be released; undefined while it must not be (partition-life.Q3). */
  releasable(partition: number): number | undefined {
    return this.lives.releasable(partition, this.flushedTo.n);
  }

  /** The release of these partitions is sent: from now on they are gone (partition-life.Q4). */
  leave(partitions: ReadonlySet<number>): void {
    this.lives.leave(partitions);
    const { underWay } = this;
    if (underWay === undefined) return;
    underWay.answers = underWay.answers.map((answer) => {
      const { item } = answer;
      const partition = partitionIn(item);
      if (partition === undefined || !partitions.has(partition)) return answer;
      return { item, reply: () => this.lives.tellMoved(item) };
    });
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

  /** The answer of an archive. @param why it could not be read, as a sentence for clients */
  archiveRead(order: OrderId, found: StoredOrder | undefined, why?: string): void {
    this.edgeCommands.archiveRead(order, found, why);
  }

  /** Orders were archived: from now on nothing may be decided from what is known now (archive-barrier.ts). */
  seeArchives(barrier: number): void {
    this.archiveBarrier.see(barrier);
  }

  /** The highest barrier with nothing left from before. */
  get archivesSeen(): number {
    return this.archiveBarrier.seen;
  }

  letter(letter: NumberedLetter): void {
    if (!this.world.owned.has(letter.to) || this.inbox.size >= limits.inboxCommands) return;
    this.inbox.put({ kind: 'letter', letter });
  }

  /** A frozen partition's row must not change any more. Its letters are then confirmed once more to the next owner. */
  confirmed({ from, to, upTo }: Confirmation): void {
    const owned = this.world.owned.get(from);
    if (owned === undefined || owned.isFrozen || owned.channels.confirm(to, upTo, this.nowMs) === 0) return;
    this.send(owned.channels.toSend(to, this.nowMs));
  }

  paymentAnswered(order: OrderId, operation: PaymentOperation, ref: string, outcome: PaymentOutcome): void {
    this.own(order, { type: 'paymentAnswered', operation, ref, outcome });
  }

  /** The log has acknowledged the append that was under way. */
  appended(position: number): void {
    const { underWay, inbox } = this;
    if (underWay === undefined) throw new Error('an append was acknowledged that was not under way');
    const { turn, recordId, bytes, answers } = underWay;
    this.underWay = undefined;
    this.flushing.appended(bytes);
    this.appendedTo = { n: turn.n, position, recordId };
    const toFill = new Map<ProductEntry, string>();
    const { operations, histories, refused, extended } = turn.outputs();
    for (const { entry, row } of operations) {
      this.world.rememberOperation(entry, row);
      if (fillOwed(entry.state)) toFill.set(entry, row.correlation);
    }
    for (const { entry, row } of histories) this.world.rememberTurn(entry, row);
    for (const row of refused) this.world.rememberRefusal(row);
    for (const entry of extended) this.deadlines.extend(entry);
    for (const [entry, correlation] of toFill) inbox.put(fillOf(entry, correlation));
    if (turn.letters.length > 0) this.send(this.homeLetters.leaving(turn.letters, this.nowMs));
    for (const confirmation of this.homeLetters.confirmed(turn.seen, this.nowMs)) {
      this.effects.push({ kind: 'confirm', confirmation });
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
    this.send(this.homeLetters.toRepeat(monotonicMs, this.settings.resendMs));
    this.leaving.letLeave();
    this.flushIfDue();
  }

  // -------------------------------------------------------------- turns

  /** Whether an item waits and no append is under way (node.N1). */
  wantsTurn(): boolean {
    return this.underWay === undefined && (this.inbox.size > 0 || this.homeLetters.mayWait);
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
    this.homeLetters.handle((letter) => this.handlers.handle(turn, { kind: 'letter', letter }));
    for (let handled = 0; handled < limits.turnCommands; handled++) {
      const item = this.inbox.peek();
      if (item === undefined) break;
      if (this.lives.holdsBack(item)) {
        this.inbox.shift();
        continue;
      }
      if (item.kind === 'probe') probed = true;
      const reply = this.handlers.handle(turn, item);
      if (reply === 'full') break;
      this.inbox.shift();
      if (reply !== undefined) answers.push({ item, reply });
    }
    const mustAppend = probed || (this.settings.appendsAnswers && answers.length > 0);
    if (turn.isEmpty && !mustAppend) return this.answer(answers);
    const recordId = this.settings.newId();
    const { n, letters, refused, joins, before } = turn;
    const record = encodeTurn(
      {
        ...{ id: recordId, journal: this.settings.journal, n, at, parts: turn.parts(), letters },
        ...(refused.length > 0 && { refused }),
        ...(joins.length > 0 && { joins }),
      },
      turn.cascades,
      before,
    );
    turn.stampPartitions();
    this.underWay = { turn, recordId, bytes: record.length, answers };
    this.effects.push({ kind: 'append', n, recordId, record, joins, turn });
  }

  get isAppending(): boolean {
    return this.underWay !== undefined;
  }

  get inboxSize(): number {
    return this.inbox.size;
  }

  /** Flushes everything with the next flush, at once if none is under way: before a release. */
  flushAll(): void {
    this.mustFlushAll = true;
    this.flushIfDue();
  }

  /** Somebody waits until the rows have what is appended, up to this position of the journal. */
  hurryFlush(position: number): void {
    this.flushing.waitFor(Math.min(position, this.appendedTo.position));
    this.flushIfDue();
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
      this.effects.push({
        kind: 'pay',
        order: state.id,
        ...owed,
        currency: state.currency ?? '',
        correlation: state.correlation,
      });
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
      partition: entry.partition,
    });
  }

  private send(letters: readonly NumberedLetter[]): void {
    if (letters.length > 0) this.effects.push({ kind: 'send', letters });
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
    return this.flushing.isBehind ? 'too much waits to be remembered: Postgres has not caught up' : undefined;
  }

  /** node.N5: a flush is collected only between turns. */
  private flushIfDue(): void {
    if (this.underWay !== undefined) return;
    const flush = this.flushing.next(this.nowMs, this.appendedTo, this.mustFlushAll);
    if (flush === undefined) return;
    this.mustFlushAll = false;
    this.effects.push({ kind: 'flush', flush });
  }
}
