/**
 * Does the I/O of a node: carries out the node's effects, and gives the answers back to the node.
 *
 *  D1. The driver repeats appends, flushes and owed payments until they succeed, or until this incarnation ends.
 *      Each attempt has a deadline, and each waiting request has one too.
 *  D2. The driver carries out effects in the order in which the node made them.
 *  D3. The incarnation ends at once when the journal is sealed, or when a flush finds its journal's row closed.
 *      `ended` then resolves.
 *  D4. A receipt is refused as a whole, and its products may have several owners. An owner of some partitions tells such
 *      a refusal once it is in Postgres, where every owner looks keys up.
 */

import type { JournalId, OrderId, ProductId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { Effect, Request } from '../../actors/node/effects.js';
import type { Flush } from '../../actors/node/flush.js';
import type { Node } from '../../actors/node/node.js';
import { type Join, journalLog } from '../../actors/node/record.js';
import type { OrderState } from '../../actors/order/order.js';
import type { Confirmation, NumberedLetter, Post } from '../../actors/ports/letters.js';
import type { Log } from '../../actors/ports/log.js';
import type {
  ActReply,
  ActRequest,
  Caller,
  NoAnswer,
  Owners,
  PlaceReply,
  PlaceRequest,
  StockReply,
  StockRequest,
} from '../../actors/ports/owners.js';
import type { Payments } from '../../actors/ports/payments.js';
import type { Queries } from '../../actors/ports/queries.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import type { Place } from '../../actors/ports/snapshot-rows.js';
import type { Snapshots } from '../../actors/ports/snapshots.js';
import type { Tracing } from '../../actors/ports/tracing.js';
import type { ProductState } from '../../actors/product/inventory.js';
import { noAnswer, Unavailable } from '../../actors/unavailable.js';
import { JournalLook, type LookBy } from '../journal/journal-look.js';
import { JournalWriter } from '../journal/journal-writer.js';
import { Cashier } from '../payments/cashier.js';
import { type StoredOrders, storedOrders } from '../reads/order-reads.js';
import type { ReadCache } from '../reads/read-cache.js';
import { within } from '../retry.js';
import { tellTurn } from '../tracing/turn-spans.js';
import { ArchivedReads } from './archived-reads.js';
import { AwaitedProgress } from './awaited-progress.js';
import { tellClock } from './clock-news.js';
import { DurableReads } from './durable-reads.js';
import { FlushWriter } from './flush-writer.js';
import { JournalProbes } from './journal-probes.js';
import type { Meter } from './meter.js';
import { Readiness } from './readiness.js';
import { type Asked, type Reply, WaitingRequests } from './waiting-requests.js';

const TICK_MS = 50;
/**
 * Rounds of the event loop before a turn. Orders/s with 50 clients: without a wait 8,800, after 3 rounds 9,400,
 * after 6 rounds 9,200, after 1 ms 8,700.
 */
const GATHER_ROUNDS = 3;
export const STOPPING = 'This node is stopping.';
/** An append older than this is stuck. Orders do not time out while an append is stuck. */
const STUCK_MS = 1_000;

interface DriverParts {
  readonly journal: JournalId;
  readonly log: Log;
  readonly snapshots: Snapshots;
  readonly queries: Pick<Queries, 'order' | 'history'>;
  readonly orderCache: ReadCache<OrderState | undefined>;
  readonly payments: Payments;
  readonly post: Post;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  /** The length of a text in UTF-8, as it is stored. */
  readonly byteLength: (text: string) => number;
  /** Called for each appended record, in order. */
  readonly onAppended: (place: Place, publicBatch: string, recordBytes: number, joins: readonly Join[]) => void;
  readonly publishedN: () => number;
  readonly lookBy: LookBy;
  /** Undefined: nothing is traced. */
  readonly tracing?: Tracing | undefined;
  /** How long the writes of a check of readiness count; without it each check writes. */
  readonly readyWriteMs?: number;
}

export type Ended =
  | { readonly kind: 'sealed' }
  | { readonly kind: 'stopped' }
  /** Stored records are lost, or the code is broken. A person must look. */
  | { readonly kind: 'failed'; readonly error: unknown };

export class Driver implements Owners {
  readonly ended: Promise<Ended>;
  private end!: (ended: Ended) => void;
  private over = false;
  /** No turn begins any more: the last appended record is final. */
  private halted = false;
  private turnIsDue = false;
  private turnBeganMs = 0;
  private appendSinceMs: number | undefined;
  /** What the decisions of the last turn took. */
  private decidedMs = 0;
  private flushSinceMs: number | undefined;
  private readonly requests: WaitingRequests;
  private readonly probes: JournalProbes;
  private readonly readiness: Readiness;
  private readonly waits: AwaitedProgress;
  private readonly writer: JournalWriter;
  private readonly flushWriter: FlushWriter;
  private readonly cashier: Cashier;
  private readonly stored: StoredOrders;
  private readonly archived: ArchivedReads;
  private readonly reads: DurableReads;
  /** Whoever tells something without an append looks first. */
  readonly look: JournalLook;

  constructor(
    private readonly node: Node,
    private readonly parts: DriverParts,
  ) {
    const { journal, log, clock, logger, payments } = parts;
    this.requests = new WaitingRequests(clock);
    this.waits = new AwaitedProgress(clock);
    this.stored = storedOrders(parts.queries, clock);
    this.archived = new ArchivedReads(parts.snapshots, (...answer) => {
      if (!this.over) this.enter(() => this.node.archiveRead(...answer));
    });
    this.probes = new JournalProbes((request) => this.enter(() => this.node.probe(request)));
    this.readiness = this.readinessOf();
    this.look = new JournalLook({
      ...{ journal, log, by: parts.lookBy, own: () => this.node.appendedTo.position },
      append: () => within(clock, limits.statementMs, this.probes.append(), 'the journal does not answer'),
      onSealed: () => this.finish({ kind: 'sealed' }),
    });
    this.reads = new DurableReads(node, this.waits, this.stored, parts.orderCache, this.look);
    this.writer = new JournalWriter(journal, log, clock, logger, parts.meter);
    this.flushWriter = new FlushWriter(parts);
    this.cashier = new Cashier(
      payments,
      clock,
      logger,
      ({ order, ref }) => this.node.owes(order, ref),
      ({ order, operation, ref }, outcome) =>
        this.enter(() => this.node.paymentAnswered(order, operation, ref, outcome)),
    );
    this.ended = new Promise((resolve) => {
      this.end = resolve;
    });
  }

  /** Begins to tick, and carries out the effects that the node already has. */
  start(): void {
    this.tick();
  }

  /** Ends at once, without a last append or flush. A client learns nothing of a turn that is not appended. */
  finish(ended: Ended): void {
    if (this.over) return;
    this.over = true;
    this.writer.stop();
    this.flushWriter.stop();
    this.cashier.stop();
    this.requests.end('the node that owned it is gone; ask again');
    this.probes.end();
    this.waits.end();
    this.end(ended);
  }

  // -------------------------------------------------------------- Owners

  place(ask: PlaceRequest, waitMs: number, caller?: Caller): Promise<PlaceReply> {
    const { order, impatient } = ask;
    const asked = { ask, caller, order, impatient };
    return this.ask((request) => this.node.place(request, ask), waitMs, asked) as Promise<PlaceReply>;
  }

  act(ask: ActRequest, waitMs: number, caller?: Caller): Promise<ActReply> {
    const asked = { ask, caller, order: undefined, impatient: undefined };
    return this.ask((request) => this.node.act(request, ask), waitMs, asked) as Promise<ActReply>;
  }

  async stock(ask: StockRequest, waitMs: number, caller?: Caller): Promise<StockReply> {
    const { clock } = this.parts;
    const endsAt = clock.monotonic() + waitMs;
    const asked = { ask, caller, order: undefined, impatient: undefined };
    const reply = (await this.ask((request) => this.node.stock(request, ask), waitMs, asked)) as StockReply;
    if (reply.kind !== 'refused' || !this.hasOtherOwners(ask)) return reply;
    return (await this.untilLookedUp(endsAt - clock.monotonic())) ?? reply;
  }

  order(id: OrderId): Promise<OrderState | undefined> {
    return this.reads.order(id);
  }

  product(id: ProductId): Promise<ProductState | undefined> {
    return this.reads.product(id);
  }

  flushed(id: OrderId): Promise<void> {
    return this.reads.flushed(id);
  }

  async notReady(): Promise<string | undefined> {
    const full = this.node.fullness();
    if (full !== undefined) return full;
    try {
      await this.readiness.check();
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  // -------------------------------------------------------------- letters and stopping

  letters(letters: readonly NumberedLetter[]): void {
    this.enter(() => {
      for (const letter of letters) this.node.letter(letter);
    });
  }

  confirmed(confirmation: Confirmation): void {
    this.enter(() => this.node.confirmed(confirmation));
  }

  /** Somebody waits for rows. @param position of the journal up to which they are to be written */
  hurryFlush(position: number): void {
    if (!this.over) this.enter(() => this.node.hurryFlush(position));
  }

  /** Waits for a condition that becomes true after an append or a flush. @throws Unavailable */
  until(moment: 'append' | 'flush', holds: () => boolean, deadlineMs: number, otherwise: string): Promise<void> {
    return this.waits.until(moment, holds, deadlineMs, otherwise);
  }

  /** Resolves when no append or flush is under way, no turn can begin (hazard 7), and everything is flushed. */
  async quiesce(deadlineMs: number): Promise<void> {
    const { clock } = this.parts;
    const endsAt = clock.monotonic() + deadlineMs;
    const rest = () => Math.max(0, endsAt - clock.monotonic());
    const idle = () => !this.node.isAppending && this.node.inboxSize === 0;
    do await this.waits.until('append', idle, rest(), 'an append has had no answer');
    while (!idle()); // A turn may have begun between the promise's resolution and this line.
    this.halted = true;
    await this.waits.until('flush', () => !this.node.isFlushing, rest(), 'a flush has had no answer');
    this.node.flushAll();
    this.carryOut();
    await this.waits.until('flush', () => !this.node.isFlushing, rest(), 'the last flush has had no answer');
  }

  // -------------------------------------------------------------- machinery

  private readinessOf(): Readiness {
    const { clock, log, snapshots, journal, readyWriteMs = 0 } = this.parts;
    const isOld = (since = Number.POSITIVE_INFINITY) => clock.monotonic() - since > limits.readyMs;
    return new Readiness({
      clock,
      write: { journal: () => this.probes.join(), postgres: () => snapshots.probe() },
      ask: { journal: () => log.end(journalLog(journal)), postgres: () => snapshots.journals() },
      writeCountsMs: readyWriteMs,
      isStuck: () => isOld(this.appendSinceMs) || isOld(this.flushSinceMs),
    });
  }

  private ask(put: (request: Request) => void, waitMs: number, asked: Asked): Promise<Reply> {
    const { ask, caller } = asked;
    if (this.over || this.halted) {
      return caller?.goOn?.(ask, waitMs) ?? Promise.resolve({ kind: 'unavailable', why: STOPPING, absent: true });
    }
    if (this.requests.isFull) return Promise.resolve({ kind: 'unavailable', why: 'too many clients are waiting' });
    return new Promise((resolve) => {
      const request = this.requests.add(waitMs, resolve, asked);
      if (caller !== undefined && caller.goOn === undefined) caller.hangUp = () => this.hangUp(request);
      this.enter(() => put(request));
    });
  }

  /** Whether the request may name products of other nodes too. A row of a file is one product's. */
  private hasOtherOwners({ command, fresh, corrects }: StockRequest): boolean {
    const { owned, partitions } = this.node.world;
    return command.type === 'receive' && !fresh && corrects !== true && owned.size < partitions;
  }

  /** driver.D4. @returns why the refusal cannot be told; undefined when it can */
  private async untilLookedUp(deadlineMs: number): Promise<NoAnswer | undefined> {
    const { n } = this.node.appendedTo;
    const isStored = () => this.node.flushedTo.n >= n;
    try {
      await this.waits.until('flush', isStored, Math.max(0, deadlineMs), 'Postgres has not caught up with it yet');
      return undefined;
    } catch (error) {
      if (error instanceof Unavailable) return noAnswer(error);
      throw error;
    }
  }

  private hangUp(request: Request): void {
    this.requests.cancel(request, (order) => this.enter(() => this.node.abandon(request, order)));
  }

  private tick(): void {
    if (this.over) return;
    const { clock } = this.parts;
    const now = clock.monotonic();
    const isServing = this.appendSinceMs === undefined || now - this.appendSinceMs < STUCK_MS;
    this.enter(() => {
      this.node.tick(now, isServing);
      this.requests.expire(now, (request, order) => this.node.abandon(request, order));
    });
    clock.after(TICK_MS, () => this.tick());
  }

  /** Every call into the node. A call that throws is broken code: the memory may be wrong, so nothing more is written. */
  enter(work: () => void): void {
    try {
      work();
      this.carryOut();
    } catch (error) {
      this.finish({ kind: 'failed', error });
    }
  }

  /** driver.D2: in the order in which the node made the effects. */
  private carryOut(): void {
    while (this.node.effects.length > 0) {
      const effects = this.node.effects;
      this.node.effects = [];
      for (const effect of effects) this.perform(effect);
    }
    if (this.over || this.halted || this.turnIsDue || !this.node.wantsTurn()) return;
    this.turnIsDue = true;
    this.gather(GATHER_ROUNDS);
  }

  /** Waits some rounds of the event loop, so that more commands share the turn: a fuller turn costs less per order. */
  private gather(rounds: number): void {
    this.parts.clock.soon(() => {
      if (rounds > 1) return this.gather(rounds - 1);
      this.turnIsDue = false;
      if (this.over || this.halted) return;
      this.takeTurn();
      if (!this.node.isAppending) this.waits.wake('append'); // A turn without a record is over at once.
    });
  }

  private takeTurn(): void {
    const { clock } = this.parts;
    const since = clock.monotonic();
    this.turnBeganMs = since;
    this.enter(() => {
      this.node.takeTurn(clock.now(), since);
      this.decidedMs = clock.monotonic() - since;
    });
  }

  private perform(effect: Effect): void {
    switch (effect.kind) {
      case 'append':
        return this.watch(this.append(effect));
      case 'flush':
        return this.watch(this.flush(effect.flush));
      case 'lookUp':
        return this.watch(this.lookUp(effect));
      case 'readArchived':
        return this.archived.read(effect.order);
      case 'replyPlace':
      case 'replyAct':
      case 'replyStock':
        return this.requests.answer(effect.request, effect.reply);
      case 'replyDecided':
        return this.watch(this.replyDecided(effect));
      case 'replyProbe':
        return this.probes.answered(effect.request);
      case 'accepted':
        return this.requests.accept(effect.request, effect.state);
      case 'send':
        return this.parts.post.send(effect.letters);
      case 'confirm':
        return this.parts.post.confirm(effect.confirmation);
      case 'pay':
        return this.cashier.perform(effect);
      case 'clockBehind':
        return tellClock(this.parts.logger, effect.behindMs);
      case 'deadLetter':
        this.parts.meter.deadLetter();
        return this.parts.logger.error(
          { item: effect.item, cause: String(effect.error) },
          'a command threw and had no effect',
        );
    }
  }

  /** A loop that throws means broken code or lost records: this incarnation ends. */
  private watch(loop: Promise<void>): void {
    loop.catch((error) => this.finish({ kind: 'failed', error }));
  }

  private async append({ recordId, record, n, joins, turn }: Extract<Effect, { kind: 'append' }>): Promise<void> {
    const { journal, clock, meter, onAppended, tracing } = this.parts;
    const { decidedMs, turnBeganMs } = this;
    this.appendSinceMs = clock.monotonic();
    const answer = this.writer.append(recordId, record);
    // Made while the append waits for its answer: the outputs cost no extra time.
    clock.soon(() => this.over || this.enter(() => void turn.outputs()));
    const outcome = await answer;
    if (this.over || outcome === undefined) return;
    if (outcome.kind === 'sealed') return this.finish({ kind: 'sealed' });
    const bytes = this.parts.byteLength(record);
    const appendedMs = clock.monotonic() - this.appendSinceMs;
    meter.appended({ decidedMs, appendedMs, bytes, events: turn.applied });
    this.appendSinceMs = undefined;
    this.node.appended(outcome.position);
    onAppended({ n, position: outcome.position, recordId }, turn.outputs().publicBatch, bytes, joins);
    this.carryOut();
    this.waits.wake('append');
    if (tracing !== undefined) tellTurn(tracing, { journal, n, record }, turnBeganMs, clock.monotonic());
  }

  private async flush(flush: Flush): Promise<void> {
    this.flushSinceMs = this.parts.clock.monotonic();
    const outcome = await this.flushWriter.write(flush);
    this.flushSinceMs = undefined;
    if (this.over || outcome === undefined) return;
    if (outcome === 'closed') return this.finish({ kind: 'sealed' });
    this.node.flushed(flush.number);
    this.carryOut();
    this.waits.wake('flush');
  }

  private async replyDecided({ request, order, repeat }: Extract<Effect, { kind: 'replyDecided' }>): Promise<void> {
    try {
      const state = await this.stored.decided(order);
      if (state !== undefined) return this.requests.answer(request, { kind: 'outcome', state, repeat });
      this.parts.logger.error({ order }, 'an order has an outcome, and its history in Postgres has none');
      this.requests.answer(request, { kind: 'refused', refusal: 'broken' });
    } catch (error) {
      if (error instanceof Unavailable) {
        this.requests.answer(request, noAnswer(error));
        return;
      }
      this.parts.logger.error({ order, err: error }, 'broken code: a stored order could not be folded');
      this.requests.answer(request, { kind: 'refused', refusal: 'broken' });
    }
  }

  private async lookUp({ number, orders, writes }: Extract<Effect, { kind: 'lookUp' }>): Promise<void> {
    try {
      this.node.lookedUp(number, await this.parts.snapshots.lookUp(orders, writes));
    } catch (error) {
      this.parts.meter.unanswered('lookup');
      this.parts.logger.warn(
        { cause: String(error) },
        'Postgres did not answer a look-up: what waited for it is refused',
      );
      this.node.lookUpFailed(number);
    }
    if (!this.over) this.carryOut();
  }
}
