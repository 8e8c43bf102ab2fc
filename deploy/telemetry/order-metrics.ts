// The metrics of orders: what became of them, and which are on their way.
//
// Outcomes are counted as their turns are appended, in numbers of our own: prom-client hashes the labels of every step. What is
// on its way is counted at a scrape, in slices, so that a node with a million products goes on meanwhile.

import { setImmediate as nextRound } from 'node:timers/promises';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { JournaledEvent } from '../../actors/node/record.js';
import type { World } from '../../actors/node/world.js';
import { paymentOwed, timerRuns } from '../../actors/order/order.js';
import type { FailureReason, OrderEvent, PaymentOperation } from '../../actors/protocol.js';
import { onceAScrape } from './once-a-scrape.js';

const REASONS: { readonly [R in FailureReason]: true } = {
  out_of_stock: true,
  unknown_product: true,
  payment_declined: true,
  timed_out: true,
  total_too_large: true,
};
const OPERATIONS: { readonly [O in PaymentOperation]: true } = {
  authorize: true,
  capture: true,
  void: true,
  refund: true,
};
const operations = Object.keys(OPERATIONS) as PaymentOperation[];
/** Actors that are looked at in one go: some tenths of a millisecond. */
const SLICE = 5_000;
const NEVER = Number.POSITIVE_INFINITY;

/** Orders of this node by what became of them, since the process began. */
export class OrderCounts {
  placed = 0;
  confirmed = 0;
  cancelled = 0;
  readonly failedBy = new Map<string, number>(Object.keys(REASONS).map((reason) => [reason, 0]));

  get failed(): number {
    return [...this.failedBy.values()].reduce((sum, count) => sum + count, 0);
  }
}

/** @returns counts what appended events did to orders */
export function orderMeter(registry: Registry, counts: OrderCounts): (events: readonly JournaledEvent[]) => void {
  const registers = [registry];
  const all: Counter = new Counter({
    name: 'holdfast_orders_placed_total',
    help: 'Orders whose placing is in the journal of this node.',
    registers,
    collect: () => {
      all.reset();
      all.inc(counts.placed);
    },
  });
  const ended: Counter = new Counter({
    name: 'holdfast_orders_total',
    help: 'Orders that have an outcome: confirmed, failed (by reason), or cancelled before that.',
    labelNames: ['outcome', 'reason'],
    registers,
    collect: () => {
      ended.reset();
      ended.inc({ outcome: 'confirmed', reason: '' }, counts.confirmed);
      ended.inc({ outcome: 'cancelled', reason: '' }, counts.cancelled);
      for (const [reason, count] of counts.failedBy) ended.inc({ outcome: 'failed', reason }, count);
    },
  });
  return (events) => {
    for (const { of, event } of events) {
      if (of.kind !== 'order') continue;
      const happened = event as OrderEvent;
      if (happened.type === 'placed') counts.placed++;
      else if (happened.type === 'confirmed') counts.confirmed++;
      else if (happened.type === 'failed')
        counts.failedBy.set(happened.reason, (counts.failedBy.get(happened.reason) ?? 0) + 1);
      else if (happened.type === 'cancelled' && happened.was === 'pending') counts.cancelled++;
    }
  };
}

interface Owed {
  count: number;
  /** When the first of these orders changed last; wall clock, milliseconds. */
  oldestAt: number;
}

interface Census {
  readonly pending: number;
  /** When the oldest pending order was placed; wall clock, milliseconds. */
  readonly oldestAt: number;
  readonly owed: Readonly<Record<PaymentOperation, Owed>>;
  readonly held: number;
  readonly backordered: number;
  readonly letters: number;
}

/** @param nowMs wall clock */
export function watchOrders(registry: Registry, world: () => World | undefined, nowMs: () => number): void {
  const registers = [registry];
  const age = (at: number) => (at === NEVER ? 0 : Math.max(0, nowMs() - at) / 1_000);
  const census = onceAScrape(() => countOf(world()));
  const gauge = (name: string, help: string, value: (counted: Census) => number) => {
    const one: Gauge = new Gauge({
      ...{ name: `holdfast_${name}`, help, registers },
      collect: async () => one.set(value(await census())),
    });
  };
  gauge('pending_orders', 'Orders of this node without an outcome.', ({ pending }) => pending);
  gauge('oldest_pending_order_seconds', 'Age of the oldest order without an outcome; 0 without one.', ({ oldestAt }) =>
    age(oldestAt),
  );
  gauge('held_units', 'Pieces in stock that are held for orders.', ({ held }) => held);
  gauge(
    'backordered_units',
    'Pieces that orders wait for, as they are not in stock.',
    ({ backordered }) => backordered,
  );
  gauge(
    'unconfirmed_letters',
    'Letters to other partitions that these have not confirmed yet.',
    ({ letters }) => letters,
  );
  const byOperation = (name: string, help: string, value: (owed: Owed) => number) => {
    const one: Gauge = new Gauge({
      ...{ name: `holdfast_${name}`, help, labelNames: ['operation'], registers },
      collect: async () => {
        const { owed } = await census();
        for (const operation of operations) one.set({ operation }, value(owed[operation]));
      },
    });
  };
  byOperation(
    'payments_owed',
    'Orders for which the payment provider must still do something: authorize, capture, void or refund.',
    ({ count }) => count,
  );
  byOperation(
    'oldest_payment_owed_seconds',
    'Time since the last change of the order that has waited longest for the provider; 0 if none waits.',
    ({ oldestAt }) => age(oldestAt),
  );
}

// ---------------------------------------------------------------- machinery

async function countOf(world: World | undefined): Promise<Census> {
  const none = (): Owed => ({ count: 0, oldestAt: NEVER });
  const owed = { authorize: none(), capture: none(), void: none(), refund: none() };
  let [pending, held, backordered, letters] = [0, 0, 0, 0];
  let oldestAt = NEVER;
  if (world === undefined) return { pending, oldestAt, owed, held, backordered, letters };
  await inSlices(world.orders.values(), ({ state }) => {
    const payment = paymentOwed(state);
    if (payment !== undefined) {
      const of = owed[payment.operation];
      of.count++;
      of.oldestAt = Math.min(of.oldestAt, state.updatedAt);
    }
    if (!timerRuns(state)) return;
    pending++;
    oldestAt = Math.min(oldestAt, state.createdAt);
  });
  await inSlices(world.products.values(), ({ state }) => {
    held += state.held;
    backordered += state.backordered;
  });
  for (const { channels } of world.owned.values()) letters += channels.unconfirmedCount;
  return { pending, oldestAt, owed, held, backordered, letters };
}

/** A map may change between two slices: what is new is counted, and what is gone is not. */
async function inSlices<T>(all: Iterable<T>, look: (one: T) => void): Promise<void> {
  let left = SLICE;
  for (const one of all) {
    look(one);
    if (--left > 0) continue;
    left = SLICE;
    await nextRound();
  }
}
