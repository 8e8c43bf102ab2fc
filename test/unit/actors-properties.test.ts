/**
 * Orders and products under any interleaving: letters wait in a queue each way between two actors, and
 * a script picks which queue moves, who is paid, who runs out of time. The promises hold at every step,
 * and every order can still reach its end.
 */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type OrderId, orderId, type ProductId, productId, writeId } from '../../actors/ids.js';
import { decideProduct, evolveProduct, type ProductState, unknownProduct } from '../../actors/inventory.js';
import { absentOrder, isSettled, type OrderState, paymentOwed } from '../../actors/order.js';
import { decideOrder } from '../../actors/order-chart.js';
import { evolveOrder } from '../../actors/order-events.js';
import type { Letter, OrderCommand, PaymentOutcome, ProductCommand, ProductEvent } from '../../actors/protocol.js';
import { contentOf, paymentAnswer } from './samples.js';

const test = suite('actors, any interleaving');
const ORDERS = [0, 1, 2, 3].map((i) => orderId(`O${i}`));
const PRODUCTS = [0, 1, 2].map((i) => productId(`P${i}`));
type Instant = 'authorized' | 'declined' | undefined;

class Town {
  readonly orders = new Map<OrderId, OrderState>();
  readonly products = new Map<ProductId, ProductState>();
  private readonly queues = new Map<string, Letter[]>();
  /** Of each product, from its events alone. */
  private readonly ledger = new Map<ProductId, { received: number; adjusted: number; committed: number }>();
  private readonly outcomes = new Map<OrderId, string>();

  constructor(private readonly instant: Instant) {}

  order = (id: OrderId) => this.orders.get(id) ?? absentOrder(id);
  product = (id: ProductId) => this.products.get(id) ?? unknownProduct(id);

  tell({ to, command }: Letter): void {
    if (to.kind === 'order') this.tellOrder(to.id, command as OrderCommand);
    else this.tellProduct(to.id, command as ProductCommand);
  }

  tellOrder(id: OrderId, command: OrderCommand): void {
    const { instant } = this;
    const decided = decideOrder(this.order(id), command, { instantPayment: instant && (() => instant) });
    if ('refused' in decided) return;
    for (const event of decided.events) this.orders.set(id, evolveOrder(this.order(id), event, 1));
    this.send(id, decided.letters);
  }

  tellProduct(id: ProductId, command: ProductCommand): void {
    const decided = decideProduct(this.product(id), command);
    if ('refused' in decided) return;
    for (const event of decided.events) {
      this.products.set(id, evolveProduct(this.product(id), event, 1));
      this.count(id, event);
    }
    this.send(id, decided.letters);
  }

  /** Delivers the oldest letter of one of the queues that have any. */
  deliver(pick: number): boolean {
    const full = [...this.queues.values()].filter((queue) => queue.length > 0);
    const letter = full[pick % Math.max(1, full.length)]?.shift();
    if (letter !== undefined) this.tell(letter);
    return letter !== undefined;
  }

  private send(from: string, letters: readonly Letter[]): void {
    for (const letter of letters) {
      const way = `${from} ${letter.to.id}`;
      this.queues.set(way, [...(this.queues.get(way) ?? []), letter]);
    }
  }

  private count(id: ProductId, event: ProductEvent): void {
    const sums = this.ledger.get(id) ?? { received: 0, adjusted: 0, committed: 0 };
    if (event.type === 'received') sums.received += event.quantity;
    if (event.type === 'adjusted') sums.adjusted += event.delta;
    if (event.type === 'committed') sums.committed += event.quantity;
    this.ledger.set(id, sums);
  }

  /** Promises 1 and 3, after every step. */
  check(): void {
    for (const [id, { onHand, held }] of this.products) {
      assert.ok(0 <= held && held <= onHand, `${id}: held ${held} of ${onHand}`);
      const { received, adjusted, committed } = this.ledger.get(id) ?? NONE;
      assert.is(onHand, received + adjusted - committed, `${id}: on hand`);
    }
    for (const [id, { phase }] of this.orders) {
      const before = this.outcomes.get(id);
      if (before !== undefined) assert.is(phase, before, `${id}: a second outcome`);
      if (phase === 'confirmed' || phase === 'failed') this.outcomes.set(id, phase);
    }
  }

  /** Promise 2, once every letter is delivered and every order settled. */
  checkTheEnd(): void {
    const sold = new Map<ProductId, number>();
    for (const [id, order] of this.orders) {
      assert.ok(isSettled(order), `${id} is not settled: ${order.phase}`);
      const wanted = order.phase === 'confirmed' ? 'held' : /^(released|short|unknown)$/;
      for (const { hold, product, quantity } of order.lines) {
        assert.match(hold, wanted, `${id}, ${order.phase}`);
        if (order.phase === 'confirmed') sold.set(product, (sold.get(product) ?? 0) + quantity);
      }
    }
    for (const [id, { held }] of this.products) {
      assert.is(held, 0, `${id}: a hold outlived its order`);
      assert.is(this.ledger.get(id)?.committed, sold.get(id) ?? 0, `${id}: sold`);
    }
  }
}

const NONE = { received: 0, adjusted: 0, committed: 0 };

// ---------------------------------------------------------------- what may happen

type Step = (town: Town) => unknown;
const anOrder = fc.constantFrom(...ORDERS);
const aProduct = fc.constantFrom(...PRODUCTS);
const quantity = fc.integer({ min: 1, max: 4 });
const lines = fc.uniqueArray(fc.record({ product: aProduct, quantity }), {
  minLength: 1,
  maxLength: 3,
  selector: (line) => line.product,
});

const place = fc.tuple(anOrder, lines, fc.option(fc.constantFrom('USD', 'EUR'), { nil: undefined })).map(
  ([id, asked, currency]): Step =>
    (town) =>
      town.tellOrder(id, {
        type: 'place',
        content: contentOf({ lines: asked, ...(currency === undefined ? {} : { currency }) }),
        correlation: 'c',
      }),
);
const receive = fc.tuple(aProduct, quantity, fc.constantFrom('USD', 'USD', 'USD', 'EUR')).map(
  ([id, n, currency]): Step =>
    (town) =>
      town.tellProduct(id, {
        type: 'receive',
        ref: writeId('w'),
        fingerprint: '',
        name: '',
        unitPrice: 100,
        currency,
        quantity: n,
      }),
);
const adjust = fc.tuple(aProduct, fc.integer({ min: -4, max: 4 })).map(
  ([id, delta]): Step =>
    (town) =>
      town.tellProduct(id, { type: 'adjust', ref: writeId('w'), fingerprint: '', delta, reason: '' }),
);
const timeOut = anOrder.map(
  (id): Step =>
    (town) =>
      town.tellOrder(id, { type: 'timeOut' }),
);
const pay = fc.tuple(anOrder, fc.constantFrom<PaymentOutcome>('authorized', 'declined', 'captured', 'voided')).map(
  ([id, outcome]): Step =>
    (town) =>
      town.tellOrder(id, paymentAnswer(outcome, id)),
);
const deliver = fc.nat(20).map(
  (pick): Step =>
    (town) =>
      town.deliver(pick),
);
const steps = fc.array(
  fc.oneof(
    { arbitrary: deliver, weight: 12 },
    { arbitrary: place, weight: 3 },
    { arbitrary: receive, weight: 3 },
    { arbitrary: pay, weight: 2 },
    { arbitrary: adjust, weight: 1 },
    { arbitrary: timeOut, weight: 1 },
  ),
  { maxLength: 150, size: 'max' },
);
const instant = fc.constantFrom<Instant>('authorized', 'declined', undefined);

/** What the world owes at last: letters arrive, providers answer, time passes. */
function heal(town: Town): void {
  const answers = { authorize: 'authorized', capture: 'captured', void: 'voided', refund: 'refunded' } as const;
  for (let round = 0; round < 10; round++) {
    while (town.deliver(round)) town.check();
    for (const [id, state] of town.orders) {
      const owed = paymentOwed(state);
      if (owed !== undefined) town.tellOrder(id, paymentAnswer(answers[owed], id));
    }
  }
}

test('never oversold, all or nothing, one outcome; and every order reaches its end', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(instant, steps, (payment, script) => {
      const town = new Town(payment);
      for (const step of script) {
        step(town);
        town.check();
      }
      heal(town);
      town.checkTheEnd();
      for (const { phase, reason } of town.orders.values()) seen.add(reason ?? phase);
    }),
    { numRuns: 2_000 },
  );
  assert.equal(
    [...seen].sort(),
    ['confirmed', 'out_of_stock', 'payment_declined', 'timed_out', 'unknown_product'],
    'every way to an end was taken',
  );
});

test.run();
