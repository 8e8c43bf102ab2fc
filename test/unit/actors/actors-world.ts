/**
 * Orders, products and a payment provider in one small world. Letters wait in a queue each way between two actors,
 * and the provider's answers may be repeated at any time: a test picks the next step. After each step `check`
 * compares the invariants of order.ts (O) and inventory.ts (I) with the events so far.
 */
import * as assert from 'uvu/assert';
import type { OrderId, ProductId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import { isJustDecided } from '../../../actors/order/as-decided.js';
import {
  absentOrder,
  hasOutcome,
  isSettled,
  type OrderContext,
  type OrderState,
  type PaymentOwed,
  paymentOwed,
} from '../../../actors/order/order.js';
import { decideOrder } from '../../../actors/order/order-chart.js';
import { evolveOrder } from '../../../actors/order/order-fold.js';
import { statusOf } from '../../../actors/order/transitions.js';
import {
  decideProduct,
  evolveProduct,
  fillOwed,
  type ProductState,
  unknownProduct,
} from '../../../actors/product/inventory.js';
import type {
  Letter,
  Line,
  OrderAct,
  OrderCommand,
  OrderEvent,
  ProductCommand,
  ProductEvent,
} from '../../../actors/protocol.js';
import { FickleProvider } from './fickle-provider.js';

const NOTHING_MOVED = { received: 0, adjusted: 0, committed: 0, returned: 0 };

export class World {
  readonly orders = new Map<OrderId, OrderState>();
  readonly products = new Map<ProductId, ProductState>();
  readonly provider = new FickleProvider();
  /** Every change of a status so far: `from to event`. */
  readonly moves = new Set<string>();
  /** Acts that had their effect, to be repeated. */
  readonly acts: { readonly order: OrderId; readonly command: OrderAct }[] = [];
  /** The state of each order at its outcome. */
  private readonly decided = new Map<OrderId, OrderState>();
  private readonly queues = new Map<string, Letter[]>();
  /** Sums for each product, from its events alone. */
  private readonly ledger = new Map<ProductId, typeof NOTHING_MOVED>();

  constructor(private readonly context: OrderContext) {}

  order = (id: OrderId) => this.orders.get(id) ?? absentOrder(id);
  product = (id: ProductId) => this.products.get(id) ?? unknownProduct(id);

  // -------------------------------------------------------------- steps

  commandOrder(id: OrderId, command: OrderCommand): void {
    const decided = decideOrder(this.order(id), command, this.context);
    if ('refused' in decided) return;
    for (const event of decided.events) {
      const before = this.order(id);
      const after = evolveOrder(before, event, 1);
      this.orders.set(id, after);
      if (hasOutcome(after) && !hasOutcome(before)) this.decided.set(id, after);
      if (isJustDecided(after)) assert.is(after, this.decided.get(id), `${id} is taken for just decided`);
      this.follow(before, after, event);
    }
    if ('act' in command && command.type !== 'closeAct' && decided.events.length > 0)
      this.acts.push({ order: id, command });
    this.send(id, decided.letters);
  }

  commandProduct(id: ProductId, command: ProductCommand): void {
    const decided = decideProduct(this.product(id), command);
    if ('refused' in decided) return;
    for (const event of decided.events) {
      const before = this.product(id);
      this.products.set(id, evolveProduct(before, event, 1));
      this.count(before, event);
    }
    this.send(id, decided.letters);
  }

  /** Delivers the oldest letter of one queue. */
  deliver(pick: number): boolean {
    const full = [...this.queues.values()].filter((queue) => queue.length > 0);
    const letter = full[pick % Math.max(1, full.length)]?.shift();
    if (letter === undefined) return false;
    const { to, command } = letter;
    if (to.kind === 'order') this.commandOrder(to.id, command as OrderCommand);
    else this.commandProduct(to.id, command as ProductCommand);
    return true;
  }

  /** The provider performs the operation that the order owes now; its answer is not delivered yet. */
  charge(id: OrderId, willing: boolean): PaymentOwed | undefined {
    const order = this.order(id);
    const owed = paymentOwed(order);
    if (owed !== undefined) this.provider.perform(id, owed, willing);
    return owed;
  }

  /** Delivers one of the answers that the provider ever gave to this order. */
  deliverPayment(id: OrderId, pick: number): void {
    const answers = this.provider.answersTo(id);
    const answer = answers[pick % Math.max(1, answers.length)];
    if (answer !== undefined) this.commandOrder(id, { type: 'paymentAnswered', ...answer });
  }

  fill(id: ProductId): boolean {
    const isOwed = fillOwed(this.product(id));
    if (isOwed) this.commandProduct(id, { type: 'fill' });
    return isOwed;
  }

  /** Delivers every letter and performs everything that is owed. */
  drain(): void {
    for (let goesOn = true; goesOn; ) {
      goesOn = false;
      while (this.deliver(0)) this.check();
      for (const id of this.products.keys()) goesOn = this.fill(id) || goesOn;
      for (const [id, { phase, lateMs }] of this.orders) {
        if (phase === 'holding' && lateMs > 0) {
          this.commandOrder(id, { type: 'sendLate' });
          goesOn = true;
        }
        const owed = this.charge(id, true);
        if (owed === undefined) continue;
        const answer = this.provider.answersTo(id).find(({ ref }) => ref === owed.ref);
        assert.ok(answer, `${id}: ${owed.operation} has an answer`);
        this.commandOrder(id, { type: 'paymentAnswered', ...answer });
        assert.is.not(paymentOwed(this.order(id))?.ref, owed.ref, `${id}: ${owed.operation} is owed for ever`);
        goesOn = true;
      }
      this.check();
    }
  }

  // -------------------------------------------------------------- invariants

  /** Runs after every step. */
  check(): void {
    for (const [id, { onHand, held, backordered, waiting, version }] of this.products) {
      assert.ok(0 <= held && held <= onHand, `${id}: held ${held} of ${onHand} (I1)`);
      const { received, adjusted, committed, returned } = this.ledger.get(id) ?? NOTHING_MOVED;
      assert.is(onHand, received + adjusted + returned - committed, `${id}: on hand (I2)`);
      assert.is(backordered, pieces(waiting), `${id}: backordered`);
      assert.ok(version > 0);
    }
    for (const order of this.orders.values()) checkOrder(order);
    for (const id of this.orders.keys()) this.provider.check(id);
    if ([...this.queues.values()].every((queue) => queue.length === 0)) this.checkSums();
  }

  /** Once every letter is delivered, the sums of orders and products agree. */
  private checkSums(): void {
    for (const [id, product] of this.products) {
      const sums = { held: 0, backordered: 0, sold: 0 };
      for (const { phase, lines, life } of this.orders.values()) {
        const line = lines.find((each) => each.product === id);
        if (line?.hold !== 'held') continue;
        sums.backordered += line.backordered;
        if (phase === 'holding' || phase === 'charging') sums.held += line.quantity - line.backordered;
        else sums.sold += line.quantity - line.backordered;
        for (const each of life.returns) if (each.restocked === true) sums.sold -= quantityIn(each.lines, id);
      }
      const { committed, returned } = this.ledger.get(id) ?? NOTHING_MOVED;
      const { held, backordered } = product;
      assert.equal({ held, backordered, sold: committed - returned }, sums, `${id}: what orders believe`);
    }
  }

  /** At the end nothing is owed, nothing is held, and no order waits. */
  checkTheEnd(): void {
    for (const order of this.orders.values()) {
      assert.ok(isSettled(order), `${order.id} is not settled: ${order.phase}`);
      assert.match(order.phase, /^(delivered|cancelled|failed)$/, order.id);
      if (order.phase === 'delivered') continue;
      assert.not(
        order.lines.some(({ hold }) => hold === 'held'),
        `${order.id} is ${order.phase} and holds`,
      );
      if (order.life.refunds.some(({ status }) => status === 'failed')) continue; // Declined, and the order says so.
      assert.is(this.provider.kept(order.id), 0, `${order.id} is ${order.phase} and has cost money (O3)`);
    }
    for (const [id, { held, backordered }] of this.products) {
      assert.equal([held, backordered], [0, 0], `${id}: a hold outlived its order (I3)`);
    }
  }

  // -------------------------------------------------------------- machinery

  private send(from: string, letters: readonly Letter[]): void {
    for (const letter of letters) {
      const way = `${from} ${letter.to.id}`;
      this.queues.set(way, [...(this.queues.get(way) ?? []), letter]);
    }
  }

  private follow(before: OrderState, after: OrderState, event: OrderEvent): void {
    assert.is(after.version, before.version + 1);
    const [from, to] = [statusOf(before.phase), statusOf(after.phase)];
    if (from !== to) this.moves.add(`${from} ${to} ${event.type}`);
    if (hasOutcome(before)) assert.ok(hasOutcome(after), `${after.id}: an outcome is left (O2)`);
  }

  private count({ id, waiting, backordered, backorders }: ProductState, event: ProductEvent): void {
    const sums = { ...(this.ledger.get(id) ?? NOTHING_MOVED) };
    if (event.type === 'received') sums.received += event.quantity;
    if (event.type === 'adjusted') sums.adjusted += event.delta;
    if (event.type === 'committed') sums.committed += event.quantity;
    if (event.type === 'returned') sums.returned += event.quantity;
    this.ledger.set(id, sums);
    if (event.type === 'held') {
      const first = waiting[0]?.order;
      if (event.no === undefined) assert.is(first, undefined, `${id}: held past those who wait (I5)`);
      else assert.is(first, event.order, `${id}: filled out of turn (I5)`);
    }
    if (event.type === 'backordered') {
      assert.ok(backorders.allowed, `${id}: backordered`);
      assert.ok(backordered + event.quantity <= (backorders.limit ?? limits.stock), `${id}: beyond its limit`);
    }
  }
}

function checkOrder({ id, phase, lines, life, total, payment }: OrderState): void {
  const { fulfillments, returns, refunds } = life;
  for (const { product, quantity, backordered } of lines) {
    const shipped = sumIn(fulfillments, product);
    const returned = sumIn(returns, product);
    assert.ok(
      shipped <= quantity - backordered,
      `${id}: ${shipped} shipped of ${quantity}, ${backordered} absent (O5)`,
    );
    assert.ok(returned <= shipped, `${id}: ${returned} returned of ${shipped} (O5)`);
  }
  const isWhole = lines.length > 0 && lines.every((line) => sumIn(fulfillments, line.product) === line.quantity);
  assert.is(isWhole, phase === 'shipped' || phase === 'delivered', `${id}: ${phase}`);
  const given = refunds.reduce((sum, { minor, status }) => sum + (status === 'failed' ? 0 : minor), 0);
  assert.ok(given <= (total ?? 0), `${id}: ${given} refunded of ${total} (O3)`);
  const done = refunds.reduce((sum, { minor, status }) => sum + (status === 'done' ? minor : 0), 0);
  assert.is(payment === 'refunded', done > 0 && done === total, `${id}: ${payment}`);
  assert.is(new Set(life.acts.map(({ ref }) => ref)).size, life.acts.length, `${id}: an act had two effects (O4)`);
}

const pieces = (lines: readonly { readonly quantity: number }[]): number =>
  lines.reduce((sum, { quantity }) => sum + quantity, 0);
const quantityIn = (lines: readonly Line[], product: ProductId): number =>
  pieces(lines.filter((line) => line.product === product));
const sumIn = (some: readonly { readonly lines: readonly Line[] }[], product: ProductId): number =>
  some.reduce((sum, { lines }) => sum + quantityIn(lines, product), 0);
