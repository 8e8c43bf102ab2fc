/**
 * One run: a storm of faults for a number of steps, then everything heals and must make progress, then the promises are
 * checked. The seed decides all of it.
 */
import { productId, writeId } from '../../actors/ids.js';
import { hasOutcome } from '../../actors/order/order.js';
import { Clients, drawBackorders, receipt } from './clients.js';
import { Chance, Timeline } from './clock.js';
import { Cluster } from './cluster.js';
import { Counters } from './counters.js';
import { drawWeather, Faults } from './faults.js';
import { checkEverything } from './final-checks.js';
import { type Plant, recordBytesOf, type Setting } from './machine.js';
import { holdsNoMoreThanItHas } from './stock-truth.js';
import { Stores } from './stores.js';
import { type Broken, Verdict } from './verdict.js';

export const STEPS = 1_500;
/** The virtual time in which a healed system must finish everything. */
const HEALS_WITHIN_MS = 120_000;

interface Outcome {
  readonly seed: number;
  readonly broken: Broken | undefined;
  readonly hash: string;
  readonly counters: Counters;
  readonly lines: readonly string[];
}

interface Options {
  readonly seed: number;
  readonly steps?: number;
  readonly trace?: boolean;
  readonly plant?: Plant;
}

export async function simulate({ seed, steps = STEPS, trace = false, plant = {} }: Options): Promise<Outcome> {
  const chance = new Chance(seed);
  const timeline = new Timeline(chance, trace);
  const verdict = new Verdict();
  const counters = new Counters();
  const setting = drawSetting(chance);
  const faults = new Faults(timeline, drawWeather(chance), counters, (being, why) => cluster.kill(being, why));
  const stores = new Stores(timeline, verdict, counters, setting);
  const cluster = new Cluster({ setting, stores, faults, verdict, plant });
  const products = chance.whole(1, 4);
  const clients = new Clients(cluster, products, chance.pick([1, 1, 3]));
  timeline.note(`${JSON.stringify(setting)} ${JSON.stringify(faults.weather)}`);
  const onUnhandled = (reason: unknown) => verdict.fail('nothing breaks', `unhandled rejection: ${String(reason)}`);
  process.on('unhandledRejection', onUnhandled);
  const unpatch = plant.patch?.();
  try {
    await storm();
    await heal();
    if (verdict.broken === undefined) await checkEverything(stores, clients, setting, verdict);
  } finally {
    unpatch?.();
    process.off('unhandledRejection', onUnhandled);
  }
  return { seed, broken: verdict.broken, hash: timeline.hash, counters, lines: timeline.lines };

  async function storm(): Promise<void> {
    cluster.start(chance.pick(['A', 'B']));
    stock();
    clients.come(chance.pick([15, 60, 200]));
    cluster.trouble(chance.pick([200, 700, 2_500, 1_000_000]));
    const supervise = () => {
      cluster.tend();
      if (!faults.isCalm) timeline.after(2_000, supervise);
    };
    timeline.after(2_000, supervise);
    while (timeline.steps < steps && verdict.broken === undefined) await step();
  }

  /** Progress: all work ends, every repeat gets the same answer, and every order can reach its end. */
  async function heal(): Promise<void> {
    cluster.heal();
    await untilQuiet();
    clients.askAllAgain();
    await untilQuiet();
    for (let round = 0; clients.acts.toTheEnd(chance, round) > 0; round++) {
      if (round > 12) return verdict.fail('progress', 'orders go on, and come to no end');
      await untilQuiet();
      if (verdict.broken !== undefined) return;
    }
  }

  async function untilQuiet(): Promise<void> {
    const deadlineMs = timeline.nowMs + HEALS_WITHIN_MS + setting.orderTimeoutMs;
    let isQuiet = false;
    const check = () => {
      cluster.tend();
      const owed = unrest();
      if (clients.waiting === 0) clients.fillBackorders();
      isQuiet = owed === undefined;
      if (timeline.nowMs > deadlineMs) verdict.fail('progress', `healed long ago, but ${owed}`);
      if (!isQuiet) timeline.after(500, check);
    };
    timeline.after(1_500, check);
    while (!isQuiet && verdict.broken === undefined) await step();
  }

  async function step(): Promise<void> {
    await timeline.step();
    for (const { life, state, name } of cluster.machines) {
      if (state === 'dead') continue;
      for (const entry of life.incarnation?.node.world.products.values() ?? [])
        holdsNoMoreThanItHas(verdict, entry.state, `in ${name}`);
    }
  }

  /** A sentence about unfinished work; undefined when there is none. */
  function unrest(): string | undefined {
    const incarnation = cluster.owner?.life.incarnation;
    if (incarnation === undefined) return 'nobody serves';
    if (cluster.machines.some(({ state, isStopping }) => isStopping && state !== 'dead')) return 'somebody still stops';
    if (clients.waiting > 0) return `${clients.waiting} clients wait`;
    const pending = [...stores.truth.orders.values()].find((order) => !hasOutcome(order));
    if (pending !== undefined) return `order ${pending.id} is ${pending.phase}`;
    const { node } = incarnation;
    if (node.world.orders.size > 0) {
      const [entry] = node.world.orders.values();
      return `${node.world.orders.size} orders stay in memory: ${JSON.stringify(entry?.state)}`;
    }
    const unconfirmed = [...node.world.channels.values()].flatMap((channels) => channels.unconfirmed());
    if (unconfirmed.length > 0) return `letters stay unconfirmed: ${JSON.stringify(unconfirmed[0])}`;
    if (node.flushedTo.n < node.appendedTo.n) return 'something is not flushed';
    if (incarnation.unpublishedTurns() > 0) return `${incarnation.unpublishedTurns()} turns are not on EVENTS`;
    if (stores.publishedEvents < stores.truth.events)
      return `${stores.publishedEvents} of ${stores.truth.events} events are on EVENTS`;
    return undefined;
  }

  /** Receives the first stock, as soon as a machine serves. */
  function stock(): void {
    const machine = cluster.serving[0];
    if (machine === undefined) return void timeline.after(20, stock);
    for (let i = 0; i < products; i++) {
      const ref = writeId(timeline.id());
      const product = productId(`P${i}`);
      const command = receipt(ref, product, chance.whole(3, 40), chance.hits(0.7) ? drawBackorders(chance) : undefined);
      const write = { product, command };
      clients.writes.set(ref, { ...write, isFresh: false, acknowledged: false, refused: undefined });
      machine.life.stock({ ...write, correlation: 'stock', fresh: false }, 3_000).catch(() => {});
    }
  }
}

function drawSetting(chance: Chance): Setting {
  const isRemote = chance.hits(0.4);
  return {
    partitions: chance.pick([1, 2, 4, 4, 16]),
    successRate: chance.pick([1, 1, 0.6]),
    paymentLatencyMs: isRemote ? chance.pick([5, 50, 900]) : 0,
    stubbornness: chance.pick([0, 0, 0.3]),
    captureOn: chance.pick([undefined, 'confirm', 'ship', 'ship']),
    lateHolds: chance.pick([0, 0, 0.3]),
    orderTimeoutMs: chance.pick([400, 3_000, 30_000]),
    holdTtlMs: chance.pick([200, 2_000, 30_000]),
    recordBytes: recordBytesOf(chance.hits(0.15)),
    deliverAtHome: chance.pick([true, false, false, undefined]),
    eventsMayForget: chance.hits(0.1),
    jumpsClock: chance.hits(0.3),
  };
}
