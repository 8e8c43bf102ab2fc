/**
 * One run: a storm of faults for a number of steps, then everything heals and must make progress, then the promises are
 * checked. The seed decides all of it.
 */
import { hasOutcome } from '../../actors/order/order.js';
import { Clients } from './clients.js';
import { Chance, Timeline } from './clock.js';
import { Cluster, FOLDERS } from './cluster.js';
import { Counters } from './counters.js';
import { EarlyRepeats } from './early-repeats.js';
import { drawWeather, Faults } from './faults.js';
import { checkEverything, untrimmed } from './final-checks.js';
import { type Machine, type Plant, recordBytesOf, type Setting } from './machine.js';
import { RandomPlacement } from './random-placement.js';
import { holdsNoMoreThanItHas } from './stock-truth.js';
import { Stores } from './stores.js';
import { type Broken, Verdict } from './verdict.js';
import { watchProduct } from './watched-product.js';

export const STEPS = 1_500;
/** Three nodes need more events for the same virtual time. */
const LONGER_WITH_MANY = 2;
/** The virtual time in which a healed system must finish everything. */
const HEALS_WITHIN_MS = 120_000;
/** The virtual time in which a quiet system must have removed what nobody needs any more. */
const TRIMS_WITHIN_MS = 300_000;

/** The mean time between two clients. A storm with a plan must last for some judgements. */
const CLIENT_EVERY_MS: Readonly<Record<Setting['placement'], readonly number[]>> = {
  alone: [15, 60, 200],
  random: [5, 15, 50],
  planned: [60, 300, 1_000],
};
/** The mean time between two faults. */
const TROUBLE_EVERY_MS: Readonly<Record<Setting['placement'], readonly number[]>> = {
  alone: [200, 700, 2_500, 1_000_000],
  random: [500, 2_000, 6_000, 1_000_000],
  planned: [300, 1_000, 3_000],
};

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
  const setting = { ...drawSetting(chance), ...(plant.placement && { placement: plant.placement }) };
  const faults = new Faults(timeline, drawWeather(chance, setting.placement === 'random'), counters, (being, why) =>
    cluster.kill(being, why),
  );
  const stores = new Stores(timeline, verdict, counters, setting);
  const cluster = new Cluster({ setting, stores, faults, verdict, plant });
  const products = chance.whole(1, 4);
  const clients = new Clients(cluster, products, chance.pick([1, 1, 3]));
  const earlyRepeats = new EarlyRepeats(cluster, clients);
  timeline.note(`${JSON.stringify(setting)} ${JSON.stringify(faults.weather)}`);
  const onUnhandled = (reason: unknown) => verdict.fail('nothing breaks', `unhandled rejection: ${String(reason)}`);
  process.on('unhandledRejection', onUnhandled);
  const unwatch = watchProduct(counters);
  const unpatch = plant.patch?.();
  try {
    await storm();
    await heal();
    if (verdict.broken === undefined && !setting.eventsMayForget) await untilTrimmed();
    if (verdict.broken === undefined) await checkEverything(stores, clients, setting, verdict);
  } finally {
    unpatch?.();
    unwatch();
    process.off('unhandledRejection', onUnhandled);
  }
  return { seed, broken: verdict.broken, hash: timeline.hash, counters, lines: timeline.lines };

  async function storm(): Promise<void> {
    cluster.start(chance.pick(FOLDERS));
    if (setting.placement !== 'alone') for (const folder of FOLDERS) if (chance.hits(0.7)) cluster.start(folder);
    if (setting.placement === 'random') new RandomPlacement(cluster, clients).act(chance.pick([20, 60, 250]));
    stock();
    clients.come(chance.any(CLIENT_EVERY_MS[setting.placement]) ?? 0);
    cluster.trouble(chance.any(TROUBLE_EVERY_MS[setting.placement]) ?? 0);
    const supervise = () => {
      cluster.tend();
      if (!faults.isCalm) timeline.after(2_000, supervise);
    };
    timeline.after(2_000, supervise);
    const lastStep = setting.placement === 'alone' ? steps : LONGER_WITH_MANY * steps;
    while (timeline.steps < lastStep && verdict.broken === undefined) await step();
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
      if (clients.waiting === 0) clients.writes.fillBackorders();
      isQuiet = owed === undefined;
      if (timeline.nowMs > deadlineMs) verdict.fail('progress', `healed long ago, but ${owed}`);
      if (!isQuiet) timeline.after(500, check);
    };
    timeline.after(1_500, check);
    while (!isQuiet && verdict.broken === undefined) await step();
  }

  async function untilTrimmed(): Promise<void> {
    const deadlineMs = timeline.nowMs + TRIMS_WITHIN_MS;
    for (let left = await untrimmed(stores); left !== undefined; left = await untrimmed(stores)) {
      if (timeline.nowMs > deadlineMs) return verdict.fail('bounded', left);
      let isLater = false;
      cluster.tend(); // So a process without work learns that its journal is sealed.
      timeline.after(1_000, () => {
        isLater = true;
      });
      while (!isLater && verdict.broken === undefined) await step();
      if (verdict.broken !== undefined) return;
    }
  }

  async function step(): Promise<void> {
    await timeline.step();
    earlyRepeats.look();
    for (const { life, state, name } of cluster.machines) {
      if (state === 'dead') continue;
      for (const entry of life.incarnation?.node.world.products.values() ?? [])
        holdsNoMoreThanItHas(verdict, entry.state, `in ${name}`);
    }
  }

  /** A sentence about unfinished work; undefined when there is none. */
  function unrest(): string | undefined {
    const unowned = cluster.owners.indexOf(undefined);
    if (unowned >= 0) return `nobody serves partition ${unowned}`;
    if (cluster.machines.some(({ state, isStopping }) => isStopping && state !== 'dead')) return 'somebody still stops';
    if (clients.waiting > 0) return `${clients.waiting} clients wait`;
    const pending = [...stores.truth.orders.values()].find((order) => !hasOutcome(order));
    if (pending !== undefined) return `order ${pending.id} is ${pending.phase}`;
    for (const machine of cluster.serving) {
      const owed = owedBy(machine);
      if (owed !== undefined) return `${machine.name}: ${owed}`;
    }
    if (setting.placement === 'planned' && shareSpread() > 1) return `the shares are ${shares()}`;
    if (stores.publishedEvents < stores.truth.events)
      return `${stores.publishedEvents} of ${stores.truth.events} events are on EVENTS`;
    return undefined;
  }

  /** How many partitions each serving node runs. */
  function shares(): number[] {
    return cluster.serving.map(({ host }) => [...(host?.states() ?? [])].length);
  }

  function shareSpread(): number {
    return Math.max(...shares()) - Math.min(...shares());
  }

  function owedBy({ life: { incarnation } }: Machine): string | undefined {
    if (incarnation === undefined) return undefined;
    const { node } = incarnation;
    const [entry] = node.world.orders.values();
    if (entry !== undefined) return `${node.world.orders.size} orders stay in memory: ${JSON.stringify(entry.state)}`;
    const [letter] = [...node.world.owned.values()].flatMap(({ channels }) => channels.unconfirmed());
    if (letter !== undefined) return `letters stay unconfirmed: ${JSON.stringify(letter)}`;
    if (node.flushedTo.n < node.appendedTo.n) return 'something is not flushed';
    if (incarnation.unpublishedTurns() > 0) return `${incarnation.unpublishedTurns()} turns are not on EVENTS`;
    return undefined;
  }

  /** Receives the first stock, as soon as a machine serves. */
  function stock(): void {
    if (cluster.serving.length === 0) return void timeline.after(20, stock);
    clients.writes.begin(chance);
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
    messageBytes: chance.pick([1_048_576, 4_096, 1_500]),
    deliverAtHome: chance.pick([true, false, false, undefined]),
    eventsMayForget: chance.hits(0.1),
    jumpsClock: chance.hits(0.3),
    readSpareMs: chance.pick([60, 200, 1_000, 5_000]),
    placement: chance.pick(['alone', 'random', 'random', 'planned']),
  };
}
