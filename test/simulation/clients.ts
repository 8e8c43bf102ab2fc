/**
 * Clients of the edge, and what they remember: whatever was said to one of them must never be contradicted.
 */
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

/** What the clients know of one key. */
interface Key {
  readonly id: OrderId;
  readonly bodies: OrderContent[];
  /** Never asked for yet: the edge drew it just now. */
  isFresh: boolean;
  acknowledged: OrderState | undefined;
  /** Of its outcome: the answer to whoever heard it first, word for word. */
  told: string | undefined;
}

interface Write {
  readonly product: ProductId;
  readonly command: ReceiveCommand | AdjustCommand;
  isFresh: boolean;
  acknowledged: boolean;
  /** As it was told under its key. */
  refused: string | undefined;
}

export class Clients {
  readonly keys = new Map<OrderId, Key>();
  readonly writes = new Map<WriteId, Write>();
  readonly acts: Acts;
  /** Asked, and neither answered nor given up. */
  waiting = 0;
  private asked = 0;

  constructor(
    private readonly cluster: Cluster,
    private readonly products: number,
    private readonly users: number,
  ) {
    this.acts = new Acts(cluster, this);
  }

  /** Goes on asking until the weather is calm. */
  come(everyMs: number): void {
    const { timeline, chance, isCalm } = this.faults;
    if (isCalm) return;
    timeline.after(chance.between(0, 2) * everyMs, () => {
      if (!this.faults.isCalm) this.act(chance);
      this.come(everyMs);
    });
  }

  /** Every key that was ever asked for, once more, and every write: the same answer as ever. */
  askAllAgain(): void {
    for (const key of this.keys.values()) {
      for (const body of key.bodies) this.place(key, body, 3_000);
      this.read(key);
    }
    for (const write of this.writes.values()) this.write(write, 3_000);
    this.acts.askAllAgain();
  }

  /** Enough comes in for all who wait. */
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
    // The latest most often: they are the ones whose rows and memory move.
    const keys = [...this.keys.values()];
    return chance.hits(0.7) ? chance.any(keys.slice(-6)) : chance.any(keys);
  }

  /** One that stands, mostly a late one, or one whose money is on its way. */
  private anyOrder(chance: Chance): OrderId | undefined {
    const orders = [...this.truth.orders.keys()];
    if (chance.hits(0.3)) {
      const isAsked = (id: OrderId) => {
        const { phase, payment } = this.truth.orders.get(id) ?? {};
        return phase === 'charging' || (phase === 'confirmed' && payment === 'authorized');
      };
      const asked = chance.any(orders.slice(-40).filter(isAsked));
      if (asked !== undefined) return asked;
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
    const machine = this.desk();
    if (machine === undefined || content === undefined) return;
    if (other !== undefined && !key.bodies.includes(other)) key.bodies.push(other);
    const ask = { order: key.id, content, correlation: `c${++this.asked}`, fresh: key.isFresh };
    key.isFresh = false;
    const reply = machine.life.place(alias === undefined ? ask : { ...ask, alias }, waitMs);
    this.await(machine, `place ${key.id}`, waitMs, reply, (answer) => this.placed(key, content, answer, alias));
  }

  /** The key of this post is the id of an order placed before. */
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
      const stand = [key.id, ...(alias === undefined ? [] : [alias])].flatMap((id) => this.truth.orders.get(id) ?? []);
      if (stand.every((order) => sameContent(order, body) && order.content.user === body.user))
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

  /** Promise 4: every repeat is told what the first one was, and that is the order as it was decided. */
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
    const stands = this.truth.orders.get(key.id);
    if (stands === undefined) return verdict.fail('a 2xx is durable', `${key.id}: ${how} before it was appended`);
    if (state.version > stands.version || (hasOutcome(state) && outcome(state) !== outcome(stands)))
      verdict.fail('a 2xx is durable', `${key.id}: told ${outcome(state)}, appended ${outcome(stands)} (${how})`);
    const before = key.acknowledged;
    if (before !== undefined && !sameContent(before, state.content))
      verdict.fail('a repeat is an answer', `${key.id} is another order now (${how})`);
    if (before !== undefined && hasOutcome(before) && hasOutcome(state) && outcome(before) !== outcome(state))
      verdict.fail('a repeat is an answer', `${key.id} was ${outcome(before)}, and is ${outcome(state)} (${how})`);
    if (before === undefined || state.version > before.version) key.acknowledged = state;
  }

  /** Promise 6; then the same in the read model, once it is told that this has caught up. */
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

  /** A sending that is long on its way: its client has given up, repeats it meanwhile, and hears nothing of it. */
  private sendLate({ product, command }: Write, chance: Chance): void {
    const { timeline, counters } = this.faults;
    for (let i = chance.pick([1, 1, 2]); i > 0; i--) {
      timeline.after(chance.between(0, 8_000), () => {
        const ask = { product, command, correlation: `late-${++this.asked}`, fresh: false };
        const reply = this.desk()?.life.stock(ask, 3_000);
        reply?.then((told) => {
          const refused = this.truth.refused.has(`${command.ref} ${product}`);
          if (refused && told.kind === 'refused') counters.add('client: a late sending of what was refused');
        });
      });
    }
  }

  private write(write: Write, waitMs: number): void {
    const machine = this.desk();
    if (machine === undefined) return;
    const { product, command, isFresh } = write;
    write.isFresh = false;
    const reply = machine.life.stock({ product, command, correlation: `c${++this.asked}`, fresh: isFresh }, waitMs);
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
      // Without a key nobody can repeat it: what is sent again then was told another key.
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

  /** Any desk that is open, a sleeper's too that has just woken: only reads must not ask that one (bus: one node). */
  desk(): Machine | undefined {
    return this.faults.chance.any(this.cluster.serving);
  }

  /** Promise 7: an answer in time, unless whoever should give it dies, sleeps or is told to stop. */
  await<T>(machine: Machine, what: string, waitMs: number, reply: Promise<T>, hear: (reply: T) => void): void {
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
      hear(answer);
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

/** Orders of nothing else cost nothing: nobody is asked for money. */
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

/** Now and then far too much: refused, unless much has come in by then. */
const drawDelta = (chance: Chance): number => (chance.hits(0.3) ? -chance.whole(10, 60) : chance.whole(-3, 3));

/** Whether orders may wait for a product, and for how much of it. */
export const drawBackorders = (chance: Chance): Backorders =>
  chance.pick<Backorders>([{ allowed: false }, { allowed: true }, { allowed: true, limit: chance.whole(0, 8) }]);

/** What was told of an outcome, in one text: what comes after it does not change it. */
const outcome = ({ phase, reason, lines, life }: OrderState): string =>
  `${phase === 'failed' || life.cancelled?.was === 'pending' ? phase : 'confirmed'} ${reason ?? ''} ${lines.map(({ product, quantity }) => `${quantity} ${product}`).join(', ')}`;
