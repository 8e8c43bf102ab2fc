/**
 * Decides each kind of inbox item within a turn, and makes its reply.
 *
 * No reply leaves here: each one is a function that the node calls once the turn is appended (node.N2). An item that
 * does not fit into the record is 'full' and opens the next turn. An item that does not fit even alone is refused. An
 * item whose decision throws goes to the dead letters.
 */
import type { ProductId } from '../ids.js';
import { limits } from '../limits.js';
import { hasOutcome, remembered, revision } from '../order/order.js';
import { mayAnswer } from '../order/order-chart.js';
import { withoutPersonalData } from '../order/personal-data.js';
import { statusOf } from '../order/transitions.js';
import type { ActReply, ActRequest } from '../ports/owners.js';
import { unknownProduct } from '../product/inventory.js';
import type { OrderCommand, OrderRefusal, ProductRefusal } from '../protocol.js';
import { notNow } from './edge-commands.js';
import type { Effect, InboxItem, Request } from './effects.js';
import type { Writes } from './remembered-writes.js';
import type { Handled, Turn } from './turn.js';
import type { OrderEntry, World } from './world.js';

/** Sends the reply to an item. */
type Reply = () => void;

type ActRefusal = Extract<ActReply, { kind: 'refused' }>['refusal'];

/** Whether the order must remember this answer. The three others stay the same, whatever happens to the order. */
const isRemembered = (refusal: OrderRefusal | undefined): boolean =>
  refusal !== 'too_many_acts' && refusal !== 'other_body' && refusal !== 'unknown_order';

export class Handlers {
  constructor(
    private readonly world: World,
    private readonly writes: Writes,
    private readonly emit: (effect: Effect) => void,
    /** Called with an order whose payment was answered: it may owe another operation. */
    private readonly follow: (entry: OrderEntry) => void,
    /** Called with a world whose join is appended. */
    private readonly begin: (joined: Extract<InboxItem, { kind: 'join' }>) => void,
  ) {}

  /** @returns the reply for when the turn is appended, or 'full' when the item must wait for the next turn. */
  handle(turn: Turn, item: InboxItem): Reply | 'full' | undefined {
    switch (item.kind) {
      case 'probe':
        return () => this.emit({ kind: 'replyProbe', request: item.request });
      case 'place':
        return this.place(turn, item);
      case 'act':
        return this.act(turn, item);
      case 'stock':
        return this.stock(turn, item);
      case 'letter':
        return this.letter(turn, item);
      case 'own':
        return this.own(turn, item);
      case 'join':
        return this.join(turn, item);
    }
  }

  private place(turn: Turn, item: Extract<InboxItem, { kind: 'place' }>) {
    const { request, ask } = item;
    const { order, content, correlation, imported } = ask;
    const known = this.world.orders.get(order);
    const isRepeat = known !== undefined;
    const command: OrderCommand =
      imported === undefined
        ? { type: 'place', content, correlation }
        : { type: 'import', content, facts: imported, correlation };
    // An archived order never changes, so it cannot remember that it was told otherwise.
    const isOver = imported !== undefined && known?.isArchived === true;
    const handled = isOver
      ? DONE
      : turn.handle({ to: { kind: 'order', id: order }, command }, correlation, undefined, true);
    if (handled.kind !== 'done') return this.notPlaced(turn, item, handled);
    return () => {
      const entry = this.world.orders.get(order);
      if (entry === undefined) throw new Error(`order ${order} left memory before its reply`);
      if (hasOutcome(entry.state)) this.replyOutcome(entry, request, isRepeat);
      else {
        entry.waiting ??= new Map();
        entry.waiting.set(request, isRepeat);
        this.emit({ kind: 'accepted', request, state: entry.state });
      }
    };
  }

  /** Replies with the order as it was decided, whatever followed: a repeat gets the reply of the first request. */
  replyOutcome({ state: { id, life }, decided }: OrderEntry, request: Request, repeat: boolean): void {
    if (decided === undefined) return this.emit({ kind: 'replyDecided', request, order: id, repeat });
    const state = life.forgotten ? withoutPersonalData(decided) : decided;
    this.emit({ kind: 'replyPlace', request, reply: { kind: 'outcome', state, repeat } });
  }

  private notPlaced(
    turn: Turn,
    item: Extract<InboxItem, { kind: 'place' }>,
    handled: Exclude<Handled, { kind: 'done' }>,
  ) {
    const refuse = (refusal: OrderRefusal | 'too_large' | 'broken') => () => {
      this.emit({ kind: 'replyPlace', request: item.request, reply: { kind: 'refused', refusal } });
    };
    if (handled.kind === 'full') return turn.isEmpty ? refuse('too_large') : 'full';
    if (handled.kind === 'refused') return refuse(handled.refusal as OrderRefusal);
    if (handled.kind === 'crowded') return this.crowded(item.request, 'place');
    this.emit({ kind: 'deadLetter', item, error: handled.error });
    return refuse('broken');
  }

  private act(turn: Turn, item: Extract<InboxItem, { kind: 'act' }>) {
    const { request, ask } = item;
    const { order, correlation, user } = ask;
    const known = this.world.orders.get(order);
    const entry = user === undefined || known?.state.content.user === user ? known : undefined;
    const refuse = (refusal: ActRefusal, state = entry?.state, repeat = false) => {
      return () => this.emit({ kind: 'replyAct', request, reply: { kind: 'refused', refusal, state, repeat } });
    };
    const broken = (error: unknown) => {
      this.emit({ kind: 'deadLetter', item, error });
      return refuse('broken');
    };
    if (entry === undefined) return refuse('unknown_order');
    const { act } = ask.command;
    const prior = remembered(entry.state, act);
    const at = revision(entry.state);
    if (prior === undefined && entry.isArchived) {
      const { state } = entry;
      const isThere = ask.command.type === 'move' && ask.command.to === statusOf(state.phase) && mayChange(ask, at);
      if (!isThere) return refuse('archived');
      return () => this.emit({ kind: 'replyAct', request, reply: { kind: 'done', state, repeat: false } });
    }
    const isOff = prior === undefined && !mayChange(ask, at);
    if (isOff && !mayChangeLater(ask, at)) return refuse('changed');
    // A refusal that the order cannot remember is not decided. This one is the same for every repeat.
    if (prior === undefined && ask.fresh !== true && !mayAnswer(entry.state, ask.command))
      return refuse('too_many_acts');
    const isOld = prior !== undefined && prior.fingerprint === ask.oldFingerprint;
    const command = isOld ? { ...ask.command, act: { ...act, fingerprint: prior.fingerprint } } : ask.command;
    const to = { kind: 'order', id: order } as const;
    const { version } = entry;
    const handled = isOff ? CHANGED : turn.handle({ to, command }, correlation, undefined, true);
    if (handled.kind === 'full') return turn.isEmpty ? refuse('too_large') : 'full';
    if (handled.kind === 'crowded') return this.crowded(request, 'act');
    if (handled.kind === 'threw') return broken(handled.error);
    const refusal = handled.kind === 'refused' ? (handled.refusal as OrderRefusal) : undefined;
    if (prior === undefined && ask.fresh !== true && entry.version === version && isRemembered(refusal)) {
      const close = { type: 'closeAct', act, ...(refusal !== undefined && { refused: refusal }) } as const;
      const closed = turn.handle({ to, command: close }, correlation);
      if (closed.kind === 'full') return turn.isEmpty ? refuse('too_large') : 'full';
      if (closed.kind === 'threw') return broken(closed.error);
    }
    // This reply must not show changes that later items of the same turn make.
    const { state } = entry;
    const repeat = prior !== undefined && refusal !== 'other_body';
    if (refusal !== undefined) return refuse(refusal, state, repeat);
    return () => this.emit({ kind: 'replyAct', request, reply: { kind: 'done', state, repeat } });
  }

  private stock(turn: Turn, item: Extract<InboxItem, { kind: 'stock' }>) {
    const { request, ask } = item;
    const { product, command, correlation, fresh, oldFingerprint, corrects = false } = ask;
    const { ref, fingerprint } = command;
    const state = () => this.world.products.get(product)?.state ?? unknownProduct(product);
    const refuse = (refusal: ProductRefusal | 'too_large' | 'broken', repeatOf?: ProductId) => () => {
      const reply = { kind: 'refused', refusal, state: state(), ...(repeatOf !== undefined && { repeatOf }) } as const;
      this.emit({ kind: 'replyStock', request, reply });
    };
    const done = (repeat: boolean) => () => {
      this.emit({ kind: 'replyStock', request, reply: { kind: 'done', state: state(), repeat } });
    };
    if (ask.looks) {
      const stored = this.writes.done({ ref, product }, item.answered);
      return () => {
        const reply = { kind: 'done', state: state(), repeat: stored !== undefined } as const;
        this.emit({ kind: 'replyStock', request, reply: stored === undefined ? reply : { ...reply, stored } });
      };
    }
    const prior = this.writes.find({ ref, product, fingerprint, oldFingerprint, corrects }, item.answered);
    if (prior === 'repeat') return done(true);
    if (prior === 'other_body') return refuse('other_body');
    if (prior !== 'new') return refuse(prior.refused, prior.product);
    const handled = turn.handle({ to: { kind: 'product', id: product }, command }, correlation);
    if (handled.kind === 'full') return turn.isEmpty ? refuse('too_large') : 'full';
    if (handled.kind === 'threw') {
      this.emit({ kind: 'deadLetter', item, error: handled.error });
      return refuse('broken');
    }
    const write = { ref, product, fingerprint };
    if (handled.kind === 'done') {
      this.writes.add(write, turn.n);
      return done(false);
    }
    const refusal = (handled as Extract<Handled, { kind: 'refused' }>).refusal as ProductRefusal;
    if (fresh) return refuse(refusal); // Nobody can repeat a fresh write.
    if (!turn.refuse({ ...write, refusal })) return turn.isEmpty ? refuse('too_large') : 'full';
    this.writes.add({ ...write, refused: refusal }, turn.n);
    return refuse(refusal);
  }

  /** Only the next number has an effect; a letter handled before is confirmed again (channels.C2). */
  private letter(turn: Turn, item: Extract<InboxItem, { kind: 'letter' }>) {
    const { letter } = item;
    const { from, to, number } = letter;
    const owned = this.world.owned.get(to);
    if (owned === undefined || owned.isFrozen) return undefined; // Its sender repeats it.
    const seen = owned.channels.seen(from);
    if (number > seen + 1) return undefined;
    if (number <= seen) return () => this.emit({ kind: 'confirm', confirmation: { from, to, upTo: seen } });
    const handled = turn.handle(letter.letter, letter.correlation, letter);
    if (handled.kind === 'full' && !turn.isEmpty) return 'full';
    if (handled.kind !== 'done') {
      const error =
        handled.kind === 'threw' ? handled.error : new Error(`letter ${from}->${to} ${number}: ${handled.kind}`);
      this.emit({ kind: 'deadLetter', item, error });
      turn.pass(letter);
    }
    return undefined;
  }

  /** The partitions run once the turn with the last join is appended. */
  private join(turn: Turn, item: Extract<InboxItem, { kind: 'join' }>): Reply | 'full' {
    for (const join of item.joins.slice(item.added)) {
      if (turn.join(join)) item.added++;
      else if (!turn.isEmpty) return 'full';
      else throw new Error(`the join of partition ${join.partition} does not fit into a record`);
    }
    return () => this.begin(item);
  }

  private crowded(request: Request, kind: 'place' | 'act'): Reply {
    return () => this.emit(notNow(request, kind, 'too many letters wait for another node'));
  }

  private own(turn: Turn, item: Extract<InboxItem, { kind: 'own' }>): Reply | 'full' | undefined {
    const { letter, correlation } = item;
    const entry = letter.to.kind === 'order' ? this.world.orders.get(letter.to.id) : undefined;
    if (letter.to.kind === 'order' && entry === undefined) return undefined;
    const handled = turn.handle(letter, correlation);
    if (handled.kind === 'full') {
      if (!turn.isEmpty) return 'full';
      const { command } = letter;
      const most = command.type === 'fill' ? Math.floor((command.most ?? limits.fillsPerTurn) / 2) : 0;
      if (letter.to.kind === 'product' && most > 0) {
        return this.own(turn, { ...item, letter: { to: letter.to, command: { type: 'fill', most } } });
      }
      this.emit({ kind: 'deadLetter', item, error: new Error(`${command.type} does not fit into a record`) });
    }
    if (handled.kind === 'threw') this.emit({ kind: 'deadLetter', item, error: handled.error });
    if (entry === undefined || letter.command.type !== 'paymentAnswered') return undefined;
    const { ref } = letter.command;
    return () => {
      // A late answer about an older operation leaves the present operation under way.
      if (entry.paying === ref) entry.paying = undefined;
      this.follow(entry);
    };
  }
}

/** Whether the request's conditions allow a change at this version. */
const mayChange = ({ ifVersions, unlessVersions }: ActRequest, version: number): boolean =>
  (ifVersions === undefined || ifVersions.includes(version)) &&
  (unlessVersions === undefined || (unlessVersions !== 'any' && !unlessVersions.includes(version)));

/** Whether the conditions could allow a change at a later version. */
const mayChangeLater = ({ ifVersions, unlessVersions }: ActRequest, version: number): boolean =>
  (ifVersions?.some((each) => each > version) ?? false) || (unlessVersions !== undefined && unlessVersions !== 'any');

const DONE = { kind: 'done' } as const;
const CHANGED = { kind: 'refused', refusal: 'changed' } as const;
