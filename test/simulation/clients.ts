/** Clients that place orders. They remember each answer: no later answer may contradict it. */

import { type OrderId, orderId, partitionOf, productId, userId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import { sameContent } from '../../actors/order/content-equality.js';
import { hasOutcome, type OrderState } from '../../actors/order/order.js';
import { withoutPersonalData } from '../../actors/order/personal-data.js';
import type { PlaceReply } from '../../actors/ports/owners.js';
import type { OrderContent } from '../../actors/protocol.js';
import { answerOf } from '../../http/orders/order-answer.js';
import { Acts } from './client-acts.js';
import { Imports } from './client-imports.js';
import { StockWrites } from './client-writes.js';
import type { Chance } from './clock.js';
import type { Cluster } from './cluster.js';
import type { Machine } from './machine.js';
import { tracedOrNot } from './traced.js';

/** One idempotency key, with the answers that clients got for it. */
interface Key {
  readonly id: OrderId;
  /** The older order that the key's text names. Every request under the key says so. */
  readonly alias: OrderId | undefined;
  /** That order was there before the first request, and is of its user: the key must never make an order of its own. */
  namesAlias: boolean;
  readonly bodies: OrderContent[];
  /** The edge draws the order's id for a request without a key. No other request can name it for a while. */
  readonly isDrawn: boolean;
  acknowledged: OrderState | undefined;
  /** The first answer with the order's outcome, byte for byte. */
  told: string | undefined;
}

/** How many keys count as recent. */
const RECENT = 6;

export class Clients {
  readonly keys = new Map<OrderId, Key>();
  /** The keys of which a request was sent. */
  private readonly begun = new Set<OrderId>();
  readonly writes: StockWrites;
  readonly acts: Acts;
  private readonly imports: Imports;
  /** Requests that are neither answered nor given up. */
  waiting = 0;
  private requests = 0;

  constructor(
    private readonly cluster: Cluster,
    private readonly products: number,
    private readonly users: number,
  ) {
    this.acts = new Acts(cluster, this);
    this.imports = new Imports(cluster, this);
    this.writes = new StockWrites(cluster, this, products);
  }

  /** Sends requests until the faults end. */
  come(everyMs: number): void {
    const { timeline, chance, isCalm } = this.faults;
    if (isCalm) return;
    timeline.after(chance.between(0, 2) * everyMs, () => {
      if (!this.faults.isCalm) this.act(chance);
      this.come(everyMs);
    });
  }

  /** Repeats every order and every write: the answers must be the same as before. */
  askAllAgain(): void {
    for (const key of this.keys.values()) {
      for (const body of key.bodies) this.place(key, body, 3_000);
      this.read(key);
    }
    this.writes.askAllAgain();
    this.acts.askAllAgain();
    this.imports.askAllAgain();
  }

  /** Repeats an order that is probably settled. @returns false if there is none. */
  repeatOld(): boolean {
    const old = this.faults.chance.any([...this.keys.values()].slice(0, -RECENT));
    if (old !== undefined) this.place(old, undefined, 3_000);
    return old !== undefined;
  }

  /** An order of the partition, that a client knows. */
  someOrderOf(partition: number, chance: Chance): OrderId | undefined {
    const { partitions } = this.cluster.around.setting;
    const isThere = ({ id, acknowledged }: Key) =>
      acknowledged !== undefined && partitionOf('order', id, partitions) === partition;
    return chance.any([...this.keys.values()].filter(isThere).slice(-RECENT))?.id;
  }

  /** Reads and changes the order. */
  meet(order: OrderId, chance: Chance): void {
    const key = this.keys.get(order);
    if (key === undefined || this.faults.isCalm) return;
    for (let i = chance.whole(1, 2); i > 0; i--) {
      this.read(key);
      this.acts.ask(order, chance, this.patience(chance));
    }
  }

  /** Reads some orders at one edge. */
  readAt(machine: Machine): void {
    for (const key of [...this.keys.values()].slice(-RECENT)) this.read(key, machine);
  }

  private act(chance: Chance): void {
    const draw = chance.next();
    const old = this.anyKey(chance);
    if (draw < 0.35) {
      const order = this.anyOrder(chance);
      if (order !== undefined) this.acts.ask(order, chance, this.patience(chance));
    } else if (draw < 0.5) this.place(this.newKey(true, this.body(chance)), undefined, this.patience(chance));
    else if (draw < 0.6) {
      const key = this.newKey(false, this.body(chance));
      for (let i = chance.pick([1, 1, 2, 4]); i > 0; i--) this.place(key, undefined, this.patience(chance));
    } else if (draw < 0.7 && old !== undefined) this.place(old, undefined, this.patience(chance));
    else if (draw < 0.72 && old !== undefined) this.place(old, this.otherBody(old, chance), this.patience(chance));
    else if (draw < 0.74 && old !== undefined) this.placeByAlias(old, chance);
    else if (draw < 0.86 && old !== undefined) this.read(old);
    else if (draw < 0.88) this.imports.some(chance);
    else this.writes.some(chance);
  }

  patience = (chance: Chance): number => chance.pick([150, 600, 3_000]);

  private anyKey(chance: Chance): Key | undefined {
    // Mostly a recent key: the rows and the memory of recent orders change.
    const keys = [...this.keys.values()];
    return chance.hits(0.7) ? chance.any(keys.slice(-RECENT)) : chance.any(keys);
  }

  /** An existing order: mostly a recent one, or one with a payment under way. */
  private anyOrder(chance: Chance): OrderId | undefined {
    const orders = [...this.truth.orders.keys()];
    if (chance.hits(0.3)) {
      const isPaying = (id: OrderId) => {
        const { phase, payment } = this.truth.orders.get(id) ?? {};
        return phase === 'charging' || (phase === 'confirmed' && payment === 'authorized');
      };
      const paying = chance.any(orders.slice(-40).filter(isPaying));
      if (paying !== undefined) return paying;
    }
    return chance.hits(0.6) ? chance.any(orders.slice(-5)) : chance.any(orders);
  }

  private newKey(isDrawn: boolean, body: OrderContent, alias?: OrderId): Key {
    const id = orderId(`ORD-${this.faults.timeline.id()}`);
    const named = alias && this.truth.orders.get(alias);
    const key = {
      ...{ id, alias, namesAlias: named?.content.user === body.user, bodies: [body], isDrawn },
      ...{ acknowledged: undefined, told: undefined },
    };
    this.keys.set(id, key);
    return key;
  }

  private body(chance: Chance): OrderContent {
    const first = chance.whole(0, this.products - 1);
    const step = chance.pick([1, this.products - 1]);
    const lines = Array.from({ length: Math.min(this.products, chance.whole(1, 3)) }, (_, i) => ({
      product: productId(`P${(first + i * step) % this.products}`),
      quantity: chance.whole(1, 3),
    })).filter((line, i, all) => all.findIndex(({ product }) => product === line.product) === i);
    const user = userId(`U${chance.whole(1, this.users)}`);
    const personal = lines[0]?.quantity === 3 ? { email: `${user}@example.org`, notes: 'by the door' } : {};
    return { user, userIsNumber: false, lines, ...personal };
  }

  /** A key is hashed with its user. So where the key names an older order, every request is of that order's user. */
  private otherBody({ alias, bodies: [first] }: Key, chance: Chance): OrderContent {
    const body = this.body(chance);
    return alias === undefined || first === undefined ? body : { ...body, user: first.user };
  }

  // -------------------------------------------------------------- orders

  private place(key: Key, other: OrderContent | undefined, waitMs: number): void {
    const content = other ?? key.bodies[0];
    const { alias } = key;
    const machine = this.cluster.anyEdge();
    if (machine === undefined || content === undefined) return;
    if (other !== undefined && !key.bodies.includes(other)) key.bodies.push(other);
    const isFirst = !this.begun.has(key.id);
    if (key.isDrawn && !isFirst && !this.faults.isCalm) return;
    this.begun.add(key.id);
    const ask = {
      order: key.id,
      content,
      correlation: tracedOrNot(`c${++this.requests}`, this.requests),
      fresh: key.isDrawn && isFirst,
    };
    const reply = machine.owners.place(alias === undefined ? ask : { ...ask, alias }, waitMs);
    this.await(machine, `place ${key.id}`, waitMs, reply, (answer) => this.placed(key, content, answer));
  }

  /** Places an order with the id of an older order as its key. */
  private placeByAlias(old: Key, chance: Chance): void {
    const content = old.bodies[0];
    if (content === undefined) return;
    this.faults.counters.add('client: key is an older order');
    this.place(this.newKey(false, content, old.id), undefined, this.patience(chance));
  }

  private placed(key: Key, body: OrderContent, reply: PlaceReply): void {
    const { verdict, faults } = this.cluster.around;
    const { alias } = key;
    faults.counters.add(`client: place ${reply.kind}${reply.kind === 'refused' ? ` ${reply.refusal}` : ''}`);
    if (reply.kind === 'unavailable') return;
    if (reply.kind === 'refused') {
      const isOther = reply.refusal === 'other_body' || reply.refusal === 'not_yours';
      if (!isOther) verdict.fail('nothing breaks', `order ${key.id} was refused as ${reply.refusal}`);
      const ids = [key.id, ...(alias === undefined ? [] : [alias])];
      const known = ids.flatMap((id) => this.truth.orders.get(id) ?? []);
      if (known.every((order) => sameContent(order, body) && order.content.user === body.user))
        verdict.fail('a repeat is an answer', `order ${key.id} was refused as ${reply.refusal}, with the same body`);
      return;
    }
    const { state } = reply;
    const meant = state.id === key.id ? key : state.id === alias ? this.keys.get(alias) : undefined;
    if (meant === undefined || (key.namesAlias && meant === key))
      return verdict.fail('a repeat is an answer', `${key.id} was answered with ${state.id}, its key names ${alias}`);
    if (!sameContent(this.asErased(state), body) || state.content.user !== body.user)
      verdict.fail('a repeat is an answer', `order ${state.id} answers a body that is not its own`);
    if (reply.kind === 'outcome' && !hasOutcome(state)) verdict.fail('one outcome', `${state.id} has none`);
    if (reply.kind === 'outcome') this.toldOutcome(meant, reply);
    this.acknowledge(meant, state, 'post');
  }

  /** Promise 4: every repeat gets the first answer, which shows the order as it was decided. */
  private toldOutcome(key: Key, reply: Extract<PlaceReply, { kind: 'outcome' }>): void {
    const { verdict, faults } = this.cluster.around;
    const { status, body } = answerOf(reply, reply.state.id);
    const answer = `${status} ${body}`;
    const decided = this.truth.decided.get(key.id);
    const isForgotten = this.truth.orders.get(key.id)?.life.forgotten === true;
    const isErased = isForgotten && isSame(reply.state, decided && withoutPersonalData(decided));
    if (isErased) faults.counters.add('client: told an outcome without what was erased');
    else key.told ??= answer;
    if (!isErased && answer !== key.told)
      verdict.fail('a repeat is an answer', `${key.id} was answered ${key.told}, and is answered ${answer}`);
    if (!isErased && !isSame(reply.state, decided))
      verdict.fail('a repeat is an answer', `${key.id} is not answered as it was decided`);
    if (reply.state.version < (this.truth.orders.get(key.id)?.version ?? 0))
      faults.counters.add('client: told an outcome that more had followed');
  }

  /** A repeat is compared without what the order has lost by now. */
  private asErased(state: OrderState): OrderState {
    const forgotten = this.truth.orders.get(state.id)?.life.forgotten;
    return forgotten ? { ...state, life: { ...state.life, forgotten } } : state;
  }

  private acknowledge(key: Key, state: OrderState, how: string): void {
    const { verdict } = this.cluster.around;
    const appended = this.truth.orders.get(key.id);
    if (appended === undefined) return verdict.fail('a 2xx is durable', `${key.id}: ${how} before it was appended`);
    if (state.version > appended.version || (hasOutcome(state) && outcome(state) !== outcome(appended)))
      verdict.fail('a 2xx is durable', `${key.id}: told ${outcome(state)}, appended ${outcome(appended)} (${how})`);
    const before = key.acknowledged;
    if (before !== undefined && !sameContent(this.asErased(before), state.content))
      verdict.fail('a repeat is an answer', `${key.id} is another order now (${how})`);
    if (before !== undefined && hasOutcome(before) && hasOutcome(state) && outcome(before) !== outcome(state))
      verdict.fail('a repeat is an answer', `${key.id} was ${outcome(before)}, and is ${outcome(state)} (${how})`);
    if (before === undefined || state.version > before.version) key.acknowledged = state;
  }

  /** Promise 6: the owner shows what was appended before the question, and so does the read model once it has caught up. */
  private read(key: Key, machine = this.cluster.readerOf(key.id)): void {
    const before = this.truth.orders.get(key.id);
    if (machine === undefined || key.acknowledged === undefined || before === undefined) return;
    const { verdict, faults, stores } = this.cluster.around;
    const judge = (state: OrderState | undefined, where: string) => {
      faults.counters.add(`client: ${where} answered`);
      if (state === undefined) return verdict.fail('read your writes', `${where} does not find ${key.id}`);
      if (state.version < before.version)
        verdict.fail(
          'read your writes',
          `${where}: ${key.id} was ${before.phase} ${before.version}, and is ${state.phase} ${state.version}`,
        );
      this.acknowledge(key, state, where);
    };
    machine.owners.order(key.id).then((state) => judge(state, 'read'), this.unavailable);
    machine.owners
      .flushed(key.id)
      .then(() => stores.queries.order(key.id))
      .then((state) => judge(state, 'read model'), this.unavailable);
  }

  private unavailable = (error: unknown): void => {
    this.faults.counters.add(`client: read ${error instanceof Error ? error.name : 'failed'}`);
  };

  // -------------------------------------------------------------- machinery

  private get faults() {
    return this.cluster.around.faults;
  }

  private get truth() {
    return this.cluster.around.stores.truth;
  }

  /** Promise 7: an answer comes in time, unless the machine dies, is paused or is told to stop. */
  await<T>(machine: Machine, what: string, waitMs: number, reply: Promise<T>, onReply: (reply: T) => void): void {
    const { timeline } = this.faults;
    const { sleeps } = machine;
    const { incarnation } = machine.life;
    let isOpen = true;
    this.waiting++;
    const close = () => {
      if (isOpen) this.waiting--;
      isOpen = false;
    };
    const late = () => {
      close();
      if (machine.state !== 'running' || machine.sleeps !== sleeps) return;
      if (machine.owners !== machine.life || machine.life.incarnation === incarnation)
        this.cluster.around.verdict.fail('progress', `${what} had no answer within ${waitMs} ms from ${machine.name}`);
    };
    const cancel = timeline.after(waitMs + 350 + 2 * limits.peerGraceMs, late);
    reply.then((answer) => {
      cancel();
      close();
      onReply(answer);
    });
  }
}

/** The outcome of an order as one text, which later events do not change. */
const isSame = (a: OrderState, b: OrderState | undefined): boolean => JSON.stringify(a) === JSON.stringify(b);

const outcome = ({ phase, reason, lines, life }: OrderState): string =>
  `${phase === 'failed' || life.cancelled?.was === 'pending' ? phase : 'confirmed'} ${reason ?? ''} ${lines.map(({ product, quantity }) => `${quantity} ${product}`).join(', ')}`;
