/** Clients that place orders and write stock. They remember each answer: no later answer may contradict it. */
import {
  fnv1a32,
  type OrderId,
  orderId,
  type ProductId,
  productId,
  userId,
  type WriteId,
  writeId,
} from '../../actors/ids.js';
import { sameContent } from '../../actors/order/content-equality.js';
import { hasOutcome, type OrderState } from '../../actors/order/order.js';
import type { PlaceReply, StockReply } from '../../actors/ports/owners.js';
import type { AdjustCommand, Backorders, OrderContent, ReceiveCommand } from '../../actors/protocol.js';
import { answerOf } from '../../http/orders/order-answer.js';
import { Acts } from './client-acts.js';
import type { Chance } from './clock.js';
import type { Cluster } from './cluster.js';
import type { Machine } from './machine.js';

/** One idempotency key, with the answers that clients got for it. */
interface Key {
  readonly id: OrderId;
  readonly bodies: OrderContent[];
  /** No request has used the key yet: the edge has just drawn it. */
  isFresh: boolean;
  acknowledged: OrderState | undefined;
  /** The first answer with the order's outcome, byte for byte. */
  told: string | undefined;
}

interface Write {
  readonly product: ProductId;
  readonly command: ReceiveCommand | AdjustCommand;
  isFresh: boolean;
  acknowledged: boolean;
  /** The refusal that was answered under its key. */
  refused: string | undefined;
}

export class Clients {
  readonly keys = new Map<OrderId, Key>();
  readonly writes = new Map<WriteId, Write>();
  readonly acts: Acts;
  /** Requests that are neither answered nor given up. */
  waiting = 0;
  private requests = 0;

  constructor(
    private readonly cluster: Cluster,
    private readonly products: number,
    private readonly users: number,
  ) {
    this.acts = new Acts(cluster, this);
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
    for (const write of this.writes.values()) this.write(write, 3_000);
    this.acts.askAllAgain();
  }

  /** Receives enough stock for all waiting orders. */
  fillBackorders(): void {
    for (const { id, backordered } of this.truth.products.values())
      if (backordered > 0) this.write(this.newWrite(id, receipt(this.ref(), id, backordered)), 3_000);
  }

  private act(chance: Chance): void {
    const draw = chance.next();
    const old = this.anyKey(chance);
    if (draw < 0.35) {
      const order = this.anyOrder(chance);
      if (order !== undefined) this.acts.ask(order, chance, this.patience(chance));
    } else if (draw < 0.5) this.place(this.newKey(chance, true), undefined, this.patience(chance));
    else if (draw < 0.6) {
      const key = this.newKey(chance, false);
      for (let i = chance.pick([1, 1, 2, 4]); i > 0; i--) this.place(key, undefined, this.patience(chance));
    } else if (draw < 0.7 && old !== undefined) this.place(old, undefined, this.patience(chance));
    else if (draw < 0.72 && old !== undefined) this.place(old, this.body(chance), this.patience(chance));
    else if (draw < 0.74 && old !== undefined) this.placeByAlias(old, chance);
    else if (draw < 0.86 && old !== undefined) this.read(old);
    else this.restock(chance);
  }

  private patience = (chance: Chance): number => chance.pick([150, 600, 3_000]);

  private anyKey(chance: Chance): Key | undefined {
    // Mostly a recent key: the rows and the memory of recent orders change.
    const keys = [...this.keys.values()];
    return chance.hits(0.7) ? chance.any(keys.slice(-6)) : chance.any(keys);
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

  private newKey(chance: Chance, isFresh: boolean): Key {
    const id = orderId(`ORD-${this.faults.timeline.id()}`);
    const key = { id, bodies: [this.body(chance)], isFresh, acknowledged: undefined, told: undefined };
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
    return { user: userId(`U${chance.whole(1, this.users)}`), userIsNumber: false, lines };
  }

  // -------------------------------------------------------------- orders

  private place(key: Key, other: OrderContent | undefined, waitMs: number, alias?: OrderId): void {
    const content = other ?? key.bodies[0];
    const machine = this.anyServing();
    if (machine === undefined || content === undefined) return;
    if (other !== undefined && !key.bodies.includes(other)) key.bodies.push(other);
    const ask = { order: key.id, content, correlation: `c${++this.requests}`, fresh: key.isFresh };
    key.isFresh = false;
    const reply = machine.life.place(alias === undefined ? ask : { ...ask, alias }, waitMs);
    this.await(machine, `place ${key.id}`, waitMs, reply, (answer) => this.placed(key, content, answer, alias));
  }

  /** Places an order with the id of an older order as its key. */
  private placeByAlias(old: Key, chance: Chance): void {
    const content = old.bodies[0];
    if (content === undefined) return;
    const key = this.newKey(chance, false);
    key.bodies.splice(0, 1, content);
    this.faults.counters.add('client: key is an older order');
    this.place(key, undefined, this.patience(chance), old.id);
  }

  private placed(key: Key, body: OrderContent, reply: PlaceReply, alias?: OrderId): void {
    const { verdict, faults } = this.cluster.around;
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
    if (meant === undefined) return verdict.fail('a repeat is an answer', `${key.id} was answered with ${state.id}`);
    if (!sameContent(state, body) || state.content.user !== body.user)
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
    key.told ??= answer;
    if (answer !== key.told)
      verdict.fail('a repeat is an answer', `${key.id} was answered ${key.told}, and is answered ${answer}`);
    if (JSON.stringify(reply.state) !== JSON.stringify(this.truth.decided.get(key.id)))
      verdict.fail('a repeat is an answer', `${key.id} is not answered as it was decided`);
    if (reply.state.version < (this.truth.orders.get(key.id)?.version ?? 0))
      faults.counters.add('client: told an outcome that more had followed');
  }

  private acknowledge(key: Key, state: OrderState, how: string): void {
    const { verdict } = this.cluster.around;
    const appended = this.truth.orders.get(key.id);
    if (appended === undefined) return verdict.fail('a 2xx is durable', `${key.id}: ${how} before it was appended`);
    if (state.version > appended.version || (hasOutcome(state) && outcome(state) !== outcome(appended)))
      verdict.fail('a 2xx is durable', `${key.id}: told ${outcome(state)}, appended ${outcome(appended)} (${how})`);
    const before = key.acknowledged;
    if (before !== undefined && !sameContent(before, state.content))
      verdict.fail('a repeat is an answer', `${key.id} is another order now (${how})`);
    if (before !== undefined && hasOutcome(before) && hasOutcome(state) && outcome(before) !== outcome(state))
      verdict.fail('a repeat is an answer', `${key.id} was ${outcome(before)}, and is ${outcome(state)} (${how})`);
    if (before === undefined || state.version > before.version) key.acknowledged = state;
  }

  /** Promise 6: the owner shows the acknowledged state, and so does the read model once it has caught up. */
  private read(key: Key): void {
    const machine = this.cluster.owner;
    const before = key.acknowledged;
    if (machine === undefined || before === undefined) return;
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
    machine.life.order(key.id).then((state) => judge(state, 'read'), this.unavailable);
    machine.life
      .flushed(key.id)
      .then(() => stores.queries.order(key.id))
      .then((state) => judge(state, 'read model'), this.unavailable);
  }

  private unavailable = (error: unknown): void => {
    this.faults.counters.add(`client: read ${error instanceof Error ? error.name : 'failed'}`);
  };

  // -------------------------------------------------------------- stock

  private restock(chance: Chance): void {
    const again = chance.hits(0.4) ? chance.any([...this.writes.values()].slice(-8)) : undefined;
    if (again !== undefined) return this.write(again, this.patience(chance));
    const product = productId(`P${chance.whole(0, this.products - 1)}`);
    const ref = this.ref();
    const command: ReceiveCommand | AdjustCommand = chance.hits(0.6)
      ? receipt(ref, product, chance.whole(1, 8), chance.hits(0.2) ? drawBackorders(chance) : undefined)
      : { type: 'adjust', ref, fingerprint: `f${ref}`, delta: drawDelta(chance), reason: 'count' };
    const write = this.newWrite(product, command, chance.hits(0.3));
    if (!write.isFresh && chance.hits(0.3)) this.sendLate(write, chance);
    for (let i = chance.pick([1, 1, 3]); i > 0; i--) this.write(write, this.patience(chance));
  }

  private ref = (): WriteId => writeId(this.faults.timeline.id());

  private newWrite(product: ProductId, command: Write['command'], isFresh = false): Write {
    const write = { product, command, isFresh, acknowledged: false, refused: undefined };
    this.writes.set(command.ref, write);
    return write;
  }

  /** Sends a write that arrives late. Its client has given up, may repeat it meanwhile, and never gets this answer. */
  private sendLate({ product, command }: Write, chance: Chance): void {
    const { timeline, counters } = this.faults;
    for (let i = chance.pick([1, 1, 2]); i > 0; i--) {
      timeline.after(chance.between(0, 8_000), () => {
        const ask = { product, command, correlation: `late-${++this.requests}`, fresh: false };
        const reply = this.anyServing()?.life.stock(ask, 3_000);
        reply?.then((answer) => {
          const refused = this.truth.refused.has(`${command.ref} ${product}`);
          if (refused && answer.kind === 'refused') counters.add('client: a late sending of what was refused');
        });
      });
    }
  }

  private write(write: Write, waitMs: number): void {
    const machine = this.anyServing();
    if (machine === undefined) return;
    const { product, command, isFresh } = write;
    write.isFresh = false;
    const reply = machine.life.stock({ product, command, correlation: `c${++this.requests}`, fresh: isFresh }, waitMs);
    this.await(machine, `${command.type} ${command.ref}`, waitMs, reply, (answer) =>
      this.written(write, answer, isFresh),
    );
  }

  private written(write: Write, reply: StockReply, isFresh: boolean): void {
    const { verdict, faults } = this.cluster.around;
    const { product, command } = write;
    faults.counters.add(`client: ${command.type} ${reply.kind}${reply.kind === 'refused' ? ` ${reply.refusal}` : ''}`);
    if (reply.kind === 'unavailable') return;
    if (reply.kind === 'refused') {
      if (write.acknowledged)
        verdict.fail('a repeat is an answer', `write ${command.ref}: done, then ${reply.refusal}`);
      if (!['unknown_product', 'below_held'].includes(reply.refusal))
        verdict.fail('nothing breaks', `write ${command.ref} was refused as ${reply.refusal}`);
      if (write.refused !== undefined && write.refused !== reply.refusal)
        verdict.fail('a repeat is an answer', `write ${command.ref}: ${write.refused}, then ${reply.refusal}`);
      // A fresh write has no key of a client, so no client can repeat it under that key.
      if (!isFresh) {
        write.refused = reply.refusal;
        if (!this.truth.refused.has(`${command.ref} ${product}`))
          verdict.fail('a 2xx is durable', `write ${command.ref} was refused before that was appended`);
      }
      return;
    }
    if (write.refused !== undefined)
      verdict.fail('a no stays a no', `write ${command.ref}: ${write.refused}, then done`);
    write.acknowledged = true;
    if (!this.truth.writes.has(`${command.ref} ${product}`))
      verdict.fail('a 2xx is durable', `write ${command.ref} was acknowledged before it was appended`);
  }

  // -------------------------------------------------------------- machinery

  private get faults() {
    return this.cluster.around.faults;
  }

  private get truth() {
    return this.cluster.around.stores.truth;
  }

  /** Any serving machine, even one that has just woken from a pause. Reads must ask the owner instead. */
  anyServing(): Machine | undefined {
    return this.faults.chance.any(this.cluster.serving);
  }

  /** Promise 7: an answer comes in time, unless the machine dies, is paused or is told to stop. */
  await<T>(machine: Machine, what: string, waitMs: number, reply: Promise<T>, onReply: (reply: T) => void): void {
    const { timeline } = this.faults;
    const { incarnation } = machine.life;
    let isOpen = true;
    this.waiting++;
    const close = () => {
      if (isOpen) this.waiting--;
      isOpen = false;
    };
    reply.then((answer) => {
      close();
      onReply(answer);
    });
    let slept = false;
    const watch = (leftMs: number) => {
      if (!isOpen) return;
      slept ||= machine.state !== 'running';
      if (leftMs > 0) return void timeline.after(Math.min(50, leftMs), () => watch(leftMs - 50));
      close();
      if (!slept && machine.life.incarnation === incarnation)
        this.cluster.around.verdict.fail('progress', `${what} had no answer within ${waitMs} ms from ${machine.name}`);
    };
    timeline.after(50, () => watch(waitMs + 300));
  }
}

/** Whether the product costs nothing. An order of only such products is not charged. */
const isFree = (product: ProductId): boolean => fnv1a32(product) % 5 === 0;

export const receipt = (
  ref: WriteId,
  product: ProductId,
  quantity: number,
  backorders?: Backorders,
): ReceiveCommand => ({
  type: 'receive',
  ref,
  fingerprint: `f${ref}`,
  name: product,
  unitPrice: isFree(product) ? 0 : 250,
  currency: 'USD',
  quantity,
  ...(backorders && { backorders }),
});

/** Sometimes far too much: the product refuses it, unless much stock has come in by then. */
const drawDelta = (chance: Chance): number => (chance.hits(0.3) ? -chance.whole(10, 60) : chance.whole(-3, 3));

/** Whether orders may wait for a product, and for how many pieces of it. */
export const drawBackorders = (chance: Chance): Backorders =>
  chance.pick<Backorders>([{ allowed: false }, { allowed: true }, { allowed: true, limit: chance.whole(0, 8) }]);

/** The outcome of an order as one text, which later events do not change. */
const outcome = ({ phase, reason, lines, life }: OrderState): string =>
  `${phase === 'failed' || life.cancelled?.was === 'pending' ? phase : 'confirmed'} ${reason ?? ''} ${lines.map(({ product, quantity }) => `${quantity} ${product}`).join(', ')}`;
