/** The gremlin: which calls it faults, when it ends, what it counts, and what each fault does to a port. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { orderId, productId, userId } from '../../../actors/ids.js';
import type { GremlinSwitch } from '../../../actors/ports/gremlin.js';
import type { GremlinRule, GremlinStanding } from '../../../actors/ports/gremlin-setting.js';
import type { NumberedLetter } from '../../../actors/ports/letters.js';
import type { Owners, PlaceRequest } from '../../../actors/ports/owners.js';
import { GremlinControl } from '../../../bus/gremlin/gremlin-control.js';
import { Gremlin } from '../../../bus/gremlin/gremlin-decisions.js';
import {
  ownersUnderGremlin,
  postUnderGremlin,
  underGremlin,
  unlessTroubled,
} from '../../../bus/gremlin/gremlin-ports.js';
import { memoryLog } from '../../../bus/journal/memory-log.js';
import { memorySnapshots } from '../../../storage/memory/memory-snapshots.js';
import { memoryGremlinSwitch } from '../../../storage/memory/memory-stores.js';
import { realClock } from '../edge/fake-owners.js';

const test = suite('the gremlin');
const silent = { debug() {}, info() {}, warn() {}, error() {} };
let drawn = 0;

const rule = (changes: Partial<GremlinRule> = {}): GremlinRule => ({
  target: 'inventory',
  kind: 'latency',
  ...(changes.probability === undefined && { every: 3 }),
  delayMs: 5_000,
  jitterMs: 0,
  ...changes,
});

const standing = (rules: readonly GremlinRule[], { seed = 1, restMs = 60_000 } = {}): GremlinStanding => ({
  id: `on-${++drawn}`,
  setting: { rules, seed },
  since: 0,
  until: restMs,
  restMs,
});

/** A clock that moves only with `pass`; due timers run in order. */
function handClock() {
  let now = 0;
  let waiting: { readonly at: number; readonly run: () => void }[] = [];
  return {
    ...realClock,
    now: () => now,
    monotonic: () => now,
    after(delayMs: number, run: () => void) {
      const one = { at: now + delayMs, run };
      waiting.push(one);
      return () => {
        waiting = waiting.filter((other) => other !== one);
      };
    },
    async pass(ms: number) {
      const until = now + ms;
      for (;;) {
        for (let i = 0; i < 20; i++) await Promise.resolve();
        const next = waiting.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
        if (next === undefined) break;
        waiting = waiting.filter((other) => other !== next);
        now = next.at;
        next.run();
      }
      now = until;
    },
  };
}

function rig(rules?: readonly GremlinRule[], more: { seed?: number; restMs?: number } = {}) {
  const clock = handClock();
  const killed: string[] = [];
  const gremlin = new Gremlin(clock, (target) => void killed.push(target));
  if (rules !== undefined) gremlin.obey(standing(rules, more));
  return { clock, gremlin, killed };
}

const bites = (gremlin: Gremlin, count: number, target: GremlinRule['target'] = 'inventory') =>
  Array.from({ length: count }, () => gremlin.bite(target));

// ---------------------------------------------------------------- deciding

test('every third call is faulted, exactly, Holds and requests counted together; other calls never', () => {
  const { gremlin } = rig([rule()]);
  const delays = [gremlin.holdDelayMs(), gremlin.bite('inventory')?.delayMs ?? 0, gremlin.holdDelayMs()];
  assert.equal(delays, [0, 0, 5_000]);
  const hit = bites(gremlin, 297).flatMap((bite, i) => (bite === undefined ? [] : [i % 3]));
  assert.is(hit.length, 99);
  assert.ok(hit.every((rest) => rest === 2));
  assert.is(gremlin.bite('order'), undefined);
  const { enabled, asked, hits } = gremlin.status();
  assert.equal(
    { enabled, asked, hits },
    {
      enabled: true,
      asked: { inventory: 300, order: 1 },
      hits: { inventory: { latency: 100 } },
    },
  );
});

test('by chance: one seed always decides the same, another one differs, jitter changes no decision', () => {
  const drawnBy = (seed: number, jitterMs = 0) =>
    bites(rig([rule({ probability: 0.25, jitterMs })], { seed }).gremlin, 4_000);
  const hits = (all: ReturnType<typeof bites>) => all.map((bite) => bite !== undefined);
  assert.equal(drawnBy(7, 50), drawnBy(7, 50));
  assert.equal(hits(drawnBy(7)), hits(drawnBy(7, 50)));
  assert.not.equal(hits(drawnBy(7)), hits(drawnBy(8)));
  const count = hits(drawnBy(7)).filter(Boolean).length;
  assert.ok(count > 800 && count < 1_200, `${count} of 4,000`);
  const late = drawnBy(7, 50).flatMap((bite) => (bite ? [bite.delayMs] : []));
  assert.ok(late.every((ms) => ms >= 5_000 && ms <= 5_050));
  assert.ok(new Set(late).size > 20, 'delays differ');
});

test('the gremlin ends by itself; the same rules go on counting, new rules begin anew', async () => {
  const { gremlin, clock } = rig();
  assert.is(gremlin.enabled, false);
  const on = standing([rule()], { restMs: 1_000 });
  assert.is(gremlin.obey(on), true);
  bites(gremlin, 2);
  assert.is(gremlin.obey({ ...on, restMs: 800 }), false);
  assert.is(gremlin.bite('inventory')?.kind, 'latency');
  await clock.pass(800);
  assert.is(gremlin.enabled, false);
  assert.equal(bites(gremlin, 9).filter(Boolean), []);
  assert.equal(gremlin.status().hits, { inventory: { latency: 1 } }, 'what it did stays to be seen');
  assert.is(gremlin.obey(standing([rule({ every: 1 })])), true);
  assert.equal(gremlin.status().hits, {});
  assert.is(gremlin.obey(undefined), true);
  assert.is(gremlin.obey(undefined), false);
  assert.is(gremlin.enabled, false);
});

test('the first matching rule decides; a fault that a call cannot have is not counted; a kill kills', () => {
  const { gremlin, killed } = rig([
    rule({ kind: 'duplicate', every: 2 }),
    rule({ kind: 'drop', every: 1 }),
    rule({ target: 'bus', kind: 'kill', every: 2 }),
  ]);
  assert.equal(
    bites(gremlin, 4).map((bite) => bite?.kind),
    ['drop', 'duplicate', 'drop', 'duplicate'],
  );
  assert.is(gremlin.bite('inventory', 'duplicate')?.kind, 'drop');
  assert.equal(gremlin.status().hits, { inventory: { duplicate: 2, drop: 3 } });
  bites(gremlin, 3, 'bus');
  assert.equal(killed, ['bus']);
});

// ---------------------------------------------------------------- the switch, seen by two nodes

test('every node follows the switch; a dead switch cannot keep it on, and an older read undoes nothing', async () => {
  const clock = handClock();
  const store = memoryGremlinSwitch(clock);
  let held: Promise<void> | undefined;
  const slow: GremlinSwitch = {
    ...store,
    async standing() {
      const found = await store.standing();
      await held;
      return found;
    },
  };
  const [one, two] = [new Gremlin(clock, () => {}), new Gremlin(clock, () => {})];
  const [here, other] = [slow, store].map((each, i) => new GremlinControl(i === 0 ? one : two, each, clock, silent));
  here?.start();
  other?.start();
  await clock.pass(1);
  let letGo = () => {};
  held = new Promise((resolve) => {
    letGo = resolve;
  });
  await clock.pass(1_000); // A read of the switch is under way that found it off.
  const status = await here?.enable({ rules: [rule()], seed: 4 }, 20_000);
  assert.is(status?.enabled, true);
  letGo();
  await clock.pass(0);
  assert.is(one.enabled, true);
  await clock.pass(1_000);
  assert.is(two.enabled, true);
  assert.is(two.status().standing?.setting.seed, 4);
  await other?.disable();
  assert.is(two.enabled, false);
  await clock.pass(500);
  assert.is(one.enabled, false);
  await here?.enable({ rules: [rule()], seed: 4 }, 20_000);
  held = new Promise(() => {});
  await clock.pass(20_000);
  assert.is(one.enabled, false);
  here?.stop();
  other?.stop();
});

// ---------------------------------------------------------------- faults

const place: PlaceRequest = {
  order: orderId('O'),
  content: { user: userId('u'), userIsNumber: false, lines: [{ product: productId('P'), quantity: 1 }] },
  correlation: 'c',
  fresh: true,
};

function underTest(rules: readonly GremlinRule[]) {
  const { clock, gremlin } = rig(rules);
  const placed: { readonly fresh: boolean; readonly waitMs: number; readonly at: number }[] = [];
  const owners = {
    place: async ({ fresh }: PlaceRequest, waitMs: number) => {
      placed.push({ fresh, waitMs, at: clock.monotonic() });
      return { kind: 'refused', refusal: 'broken' };
    },
  } as Partial<Owners> as Owners;
  return { clock, gremlin, placed, owners: ownersUnderGremlin(owners, gremlin, clock) };
}

const ORDER = { target: 'order', every: 1 } as const;

test('an order delayed past its client still arrives, and not as a fresh one', async () => {
  const { clock, placed, owners } = underTest([rule({ ...ORDER, delayMs: 5_000 })]);
  const reply = owners.place(place, 3_000);
  await clock.pass(3_000);
  assert.is((await reply).kind, 'unavailable');
  assert.equal(placed, []);
  await clock.pass(2_000);
  assert.equal(placed, [{ fresh: false, waitMs: 3_000, at: 5_000 }]);
});

test('an order delayed within its wait has the rest of that time', async () => {
  const { clock, placed, owners } = underTest([rule({ ...ORDER, delayMs: 1_000 })]);
  const reply = owners.place(place, 3_000);
  await clock.pass(1_000);
  assert.is((await reply).kind, 'refused');
  assert.equal(placed, [{ fresh: true, waitMs: 2_000, at: 1_000 }]);
});

test('a failed order never arrives, one without its answer does, and a doubled one is never fresh', async () => {
  const fails = underTest([rule({ ...ORDER, kind: 'error' })]);
  assert.is((await fails.owners.place(place, 3_000)).kind, 'unavailable');
  assert.is(fails.placed.length, 0);
  const lost = underTest([rule({ ...ORDER, kind: 'drop' })]);
  assert.is((await lost.owners.place(place, 3_000)).kind, 'unavailable');
  assert.is(lost.placed.length, 1);
  const twice = underTest([rule({ ...ORDER, kind: 'duplicate' })]);
  assert.is((await twice.owners.place(place, 3_000)).kind, 'refused');
  assert.equal(
    twice.placed.map(({ fresh }) => fresh),
    [false, false],
  );
});

test('ports: a call fails before, loses its answer after, or runs twice; probes and internal lists are spared', async () => {
  const bitten = (changes: Partial<GremlinRule>) => {
    const { clock, gremlin } = rig([rule({ every: 1, ...changes })]);
    const log = memoryLog();
    const { snapshots, queries } = memorySnapshots();
    let performed = 0;
    const perform = async () => {
      performed++;
      return 'authorized' as const;
    };
    const ports = underGremlin({ snapshots, queries, log, events: undefined, payments: { perform } }, gremlin, clock);
    return { ...ports, plain: log, clock, gremlin, performed: () => performed };
  };
  const fails = async (call: Promise<unknown>, why: RegExp) => {
    const error = await call.then(
      () => undefined,
      (rejected: Error) => rejected,
    );
    assert.match(error?.message ?? 'no error', why);
  };
  const failing = bitten({ target: 'bus', kind: 'error' });
  await fails(failing.log.append('l', 0, 'a'), /^bus: append: the gremlin let it fail$/);
  assert.equal(await failing.plain.read('l', 0), []);
  const losing = bitten({ target: 'bus', kind: 'drop' });
  await fails(losing.log.append('l', 0, 'a'), /the gremlin lost the answer/);
  assert.is((await losing.plain.read('l', 0)).length, 1);
  const doubling = bitten({ target: 'bus', kind: 'duplicate' });
  assert.equal(await doubling.log.append('l', 0, 'a'), { kind: 'appended', position: 1 });
  assert.is((await doubling.plain.read('l', 0)).length, 1);
  const paid = bitten({ target: 'payment', kind: 'duplicate' });
  const request = {
    operation: 'authorize',
    order: orderId('O'),
    ref: 'O:authorize',
    minor: 1,
    currency: 'USD',
  } as const;
  assert.is(await paid.payments.perform(request), 'authorized');
  assert.is(paid.performed(), 2);
  const storage = bitten({ target: 'storage', kind: 'error' });
  await storage.snapshots.probe();
  await storage.queries.operations(undefined, { page: 1, pageSize: 1 });
  await fails(storage.queries.order(orderId('O')), /^storage: order/);
  await fails(storage.snapshots.journals(), /^storage: journals/);
  assert.equal(storage.gremlin.status().asked, { storage: 2 });
  const late = bitten({ target: 'storage', kind: 'latency', delayMs: 700 });
  let answered = false;
  const call = late.queries.order(orderId('O')).then(() => {
    answered = true;
  });
  await late.clock.pass(699);
  assert.is(answered, false);
  await late.clock.pass(1);
  await call;
});

test('letters are lost, doubled, late, or late and reversed', async () => {
  const letters = [1, 2].map((number) => ({ number }) as NumberedLetter);
  const sent = async (kind: GremlinRule['kind'], ms = 0) => {
    const { clock, gremlin } = rig([rule({ target: 'bus', kind, every: 1, delayMs: 100 })]);
    const carried: number[][] = [];
    const post = postUnderGremlin(
      { send: (each: readonly NumberedLetter[]) => void carried.push(each.map(({ number }) => number)), confirm() {} },
      gremlin,
      clock,
    );
    post.send(letters);
    await clock.pass(ms);
    return carried;
  };
  assert.equal(await sent('drop', 1_000), []);
  assert.equal(await sent('error', 1_000), []);
  assert.equal(await sent('duplicate'), [
    [1, 2],
    [1, 2],
  ]);
  assert.equal(await sent('latency', 99), []);
  assert.equal(await sent('latency', 100), [[1, 2]]);
  assert.equal(await sent('reorder', 100), [[2, 1]]);
});

test('while payments are faulted, none is decided inside the turn', () => {
  const pays = (rules?: readonly GremlinRule[]) => unlessTroubled(rig(rules).gremlin, () => 'authorized')();
  assert.is(pays(), 'authorized');
  assert.is(pays([rule({ target: 'storage' })]), 'authorized');
  assert.is(pays([rule({ target: 'payment', every: 1_000 })]), undefined);
});

test.run();
