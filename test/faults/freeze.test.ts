// SIGSTOP of the broker, then of Postgres, in the middle of a burst, with each journal. While the journal's server is
// frozen, no order is acknowledged. While the other one is frozen, only the requests that need it wait. Every request
// ends within its deadline. After SIGCONT the node serves again and has kept every promise.

import { setTimeout as pause } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { patientMs, until } from '../deadlines.js';
import { type Attempt, Burst, type Purchase } from './rig/burst.js';
import { checkLedger } from './rig/ledger-check.js';
import { freeze } from './rig/process-family.js';
import { type Part, RealSystem } from './rig/real-system.js';

/** For each kind of buyer: those with keys, and those without. */
const CONNECTIONS = 8;
const PACE_MS = 20;
const FROZEN_MS = 5_000;
const READY_ANSWER_MS = 2_000;
/** ORDER_WAIT_MS, plus the time that a reply takes. */
const REPLY_MS = 4_500;
const SERVICE_MS = 10_000;
const SOME = 100;

const test = suite('a frozen server');
const systems: RealSystem[] = [];
const thaws = new Set<() => void>();
process.on('exit', () => {
  for (const thaw of thaws) thaw();
});

test.after(async () => {
  for (const thaw of thaws) thaw();
  for (const system of systems) await system.demolish();
});

/** Sends orders until it is stopped. */
function* purchases(name: string, keyed: boolean): Generator<Purchase> {
  for (let i = 0; ; i++) {
    const user = `${name}-${keyed}-${i}`;
    const items = [{ product_id: `FROZEN-${i % 10}`, quantity: 1 }];
    yield keyed ? { user, items, key: user } : { user, items };
  }
}

const yes = ({ answer }: Attempt) => answer !== undefined && answer.status < 300;
const none = () => false;

interface Row {
  readonly journal: 'jetstream' | 'postgres';
  readonly frozen: Part;
  /** Whose orders are served during the freeze. */
  readonly served: (purchase: Purchase) => boolean;
  readonly ready: boolean;
}

const rows: readonly Row[] = [
  { journal: 'jetstream', frozen: 'nats', served: none, ready: false },
  // The first sending of a key needs no look-up: the filter of stored ids knows that it is new.
  { journal: 'jetstream', frozen: 'postgres', served: () => true, ready: false },
  { journal: 'postgres', frozen: 'nats', served: () => true, ready: true },
  { journal: 'postgres', frozen: 'postgres', served: none, ready: false },
];

async function houseWith(journal: Row['journal']): Promise<RealSystem | undefined> {
  const known = systems.find(({ env }) => env.JOURNAL === journal);
  if (known !== undefined) return known;
  for (const system of systems.splice(0)) await system.demolish();
  const system = await RealSystem.build({ JOURNAL: journal });
  if ('skipped' in system) {
    console.log(`SKIP a frozen server: ${system.skipped}`);
    return undefined;
  }
  systems.push(system);
  await system.start();
  await system.stock(
    Array.from({ length: 10 }, (_, i) => `FROZEN-${i}`),
    1_000_000,
  );
  return system;
}

for (const { journal, frozen, served, ready } of rows) {
  test(`journal in ${journal}, ${frozen} stopped`, async () => {
    const system = await houseWith(journal);
    if (system === undefined) return;
    const bursts = [true, false].map(
      (keyed) => new Burst(system.url, purchases(`${journal}-${frozen}`, keyed), CONNECTIONS, PACE_MS),
    );
    for (const burst of bursts) await burst.reached(SOME);

    const thaw = await freeze(system.childPid(frozen));
    thaws.add(thaw);
    const stoppedAt = performance.now();
    const readiness = await system.ask('/readyz');
    assert.is(readiness?.status, ready ? 200 : 503, readiness?.text);
    assert.ok((readiness?.tookMs ?? 0) < patientMs(READY_ANSWER_MS), `/readyz took ${readiness?.tookMs} ms`);
    assert.is((await system.ask('/livez'))?.status, 200);
    await pause(FROZEN_MS - (performance.now() - stoppedAt)); // The length of the freeze is what is tested.
    assert.is((await system.ask('/readyz'))?.status, ready ? 200 : 503, 'and so it stays');

    const thawedAt = performance.now();
    thaw();
    thaws.delete(thaw);
    const areServed = () => bursts.every((burst) => burst.attempts(thawedAt).filter(yes).length > SOME);
    const isBack = async () => areServed() && (await system.ask('/readyz'))?.status === 200;
    assert.ok(await until(isBack, SERVICE_MS, 50), `no service after SIGCONT\n${system.lastWords()}`);
    for (const burst of bursts) await burst.stop();

    const entries = bursts.flatMap((burst) => burst.entries);
    for (const { purchase, attempts } of entries) {
      for (const attempt of attempts.filter(({ sentAt }) => sentAt > stoppedAt)) {
        const { sentAt, endedAt, answer, failure } = attempt;
        assert.is(failure, undefined, `${purchase.user}: its connection broke`);
        assert.ok(endedAt - sentAt < patientMs(REPLY_MS), `${purchase.user}: its answer took ${endedAt - sentAt} ms`);
        if (endedAt > thawedAt) continue;
        const isYes = yes(attempt);
        if (isYes) assert.ok(served(purchase), `${purchase.user}: ${answer?.text} while ${frozen} was stopped`);
        else assert.is(answer?.status, 503, answer?.text);
      }
    }
    const meanwhile = entries.filter(({ purchase, attempts }) =>
      attempts.some((each) => served(purchase) && each.sentAt > stoppedAt && each.endedAt < thawedAt && yes(each)),
    );
    if (served !== none) assert.ok(meanwhile.length > SOME, `${meanwhile.length} orders went on meanwhile`);
    await checkLedger(system, entries);
  });
}

test.run();
