/** A supervisor that must stop during a take-over, and attempts that fail before their claim, over stores in memory. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { nodeId, orderId, productId, writeId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import { LostRecords } from '../../../actors/node/lost-records.js';
import type { Claim } from '../../../actors/node/record.js';
import type { Log } from '../../../actors/ports/log.js';
import type { Snapshots } from '../../../actors/ports/snapshots.js';
import type { Unavailable } from '../../../actors/unavailable.js';
import { readClaims } from '../../../bus/journal/log-reader.js';
import { memoryLog } from '../../../bus/journal/memory-log.js';
import { localPost } from '../../../bus/letters/local-post.js';
import { Supervisor } from '../../../bus/node/supervisor.js';
import { forgetfulPayments, instantPayments } from '../../../bus/payments/mock-provider.js';
import { systemClock } from '../../../bus/system-clock.js';
import { memoryCache } from '../../../storage/memory/memory-cache.js';
import { memorySnapshots } from '../../../storage/memory/memory-snapshots.js';
import { patientMs, until } from '../../deadlines.js';

const PARTITIONS = 4;
const test = suite('a life');
const clock = systemClock();
const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** A log in memory that can be copied, as a folder can. */
function copiedLog() {
  const appends: Parameters<Log['append']>[] = [];
  const log = memoryLog();
  const append: Log['append'] = async (...each) => {
    const answer = await log.append(...each);
    if (answer.kind === 'appended') appends.push(each);
    return answer;
  };
  const copy = async (): Promise<Log> => {
    const other = memoryLog();
    for (const each of appends) await other.append(...each);
    return other;
  };
  return { log: { ...log, append }, copy };
}

function system() {
  const { log, copy } = copiedLog();
  const { snapshots, queries } = memorySnapshots();
  const live = (changes: Partial<Snapshots> = {}, node = 'one', on: Log = log) => {
    const supervisor = new Supervisor(clock, silent);
    supervisor.start({
      node: nodeId(node),
      nodeName: `shop-${node}`,
      partitions: PARTITIONS,
      log: on,
      snapshots: { ...snapshots, ...changes },
      queries,
      cache: memoryCache(clock),
      events: undefined,
      eventsMayForget: false,
      payments: forgetfulPayments(1),
      context: { instantPayment: instantPayments(1) },
      post: localPost(clock),
      meter: { appended() {}, flushed() {}, unanswered() {}, retried() {}, cached() {}, deadLetter() {} },
      source: '/test',
      orderTimeoutMs: 30_000,
      holdTtlMs: 30_000,
      recordBytes: 1_000_000,
      byteLength: (text) => Buffer.byteLength(text),
      deliverAtHome: true,
    });
    return supervisor;
  };
  const claims = async (): Promise<readonly (Claim | null)[]> => (await readClaims(log)).records.at(-1)?.map ?? [];
  return { live, snapshots, claims, copy };
}

const within = <T>(answer: Promise<T>, ms = 3_000): Promise<T> => {
  let timer: NodeJS.Timeout;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), patientMs(ms));
  });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
};

/** A load that reports its call, and answers on command. */
function heldLoad(snapshots: Snapshots) {
  let asked = () => {};
  let letGo = () => {};
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const load: Snapshots['load'] = async (...all) => {
    asked();
    await held;
    return snapshots.load(...all);
  };
  return { load, isAsked, letGo: () => letGo() };
}

test('stopped during its load: it never runs, releases its claim, and another node takes over', async () => {
  const { live, snapshots, claims } = system();
  const { load, isAsked, letGo } = heldLoad(snapshots);
  const supervisor = live({ load });
  await within(isAsked);
  const stopped = supervisor.stop(2_000);
  letGo();
  await within(stopped);
  await within(supervisor.ended);
  assert.is(supervisor.incarnation, undefined);
  assert.ok((await claims()).every((claim) => claim?.released === 0));

  const next = live({}, 'two');
  await within(next.begun);
  await within(next.stop(2_000));
  assert.ok((await claims()).every((claim) => claim?.node === 'two' && claim.released !== undefined));
});

test('stopped while a load never answers: the stop ends at its deadline', async () => {
  const { live, snapshots } = system();
  const { load, isAsked, letGo } = heldLoad(snapshots);
  const supervisor = live({ load });
  await within(isAsked);
  await within(supervisor.stop(100), 1_000);
  letGo();
  await within(supervisor.ended);
  assert.is(supervisor.incarnation, undefined);
});

test('given up as broken: it ends at once with the cause, and releases nothing', async () => {
  const { live, claims } = system();
  const supervisor = live();
  await within(supervisor.begun);
  supervisor.abandon(new Error('broken'));
  await within(
    supervisor.ended.then(
      () => assert.unreachable(),
      (error: Error) => assert.is(error.message, 'broken'),
    ),
  );
  await within(supervisor.stop(2_000));
  assert.ok((await claims()).every((claim) => claim !== null && claim.released === undefined));
});

test('attempts that fail before their claim leave one row, and earlier leftovers are deleted', async () => {
  const { live, snapshots } = system();
  const opened = new Set<string>();
  let attempts = 0;
  const dead = live({
    async openJournal(journal, node) {
      await snapshots.openJournal(journal, node);
      opened.add(journal);
      attempts++;
      throw new Error('no answer');
    },
  });
  assert.ok(await until(() => attempts >= 2, 3_000, 5), 'a failed attempt is repeated');
  await within(dead.stop(2_000));
  assert.is(opened.size, 1);
  assert.is((await snapshots.journals()).length, 1);

  const supervisor = live();
  await within(supervisor.begun);
  const isAlone = async () => {
    const rows = await snapshots.journals();
    return rows.length === 1 && rows[0]?.journal === supervisor.incarnation?.journal;
  };
  assert.ok(await until(isAlone, 12 * limits.readSpareMs), 'the janitor has forgotten the leftover');
  await within(supervisor.stop(2_000));
});

const adjustment = {
  product: productId('P'),
  command: { type: 'adjust', ref: writeId('W'), fingerprint: '', delta: 1, reason: 'count' },
  correlation: 'C',
  fresh: true,
} as const;

test('a journal rolled back to an earlier record of the same epoch ends the start with an error that names it', async () => {
  const { live, snapshots, copy } = system();
  const first = live();
  await within(first.begun);
  const receive = async (ref: string) => {
    const stocked = { name: 'P', unitPrice: 100, currency: 'USD', quantity: 1 };
    const command = { type: 'receive', ref: writeId(ref), fingerprint: '', ...stocked } as const;
    const { kind } = await within(first.stock({ ...adjustment, command }, 1_000));
    assert.not.equal(kind, 'unavailable');
  };
  await receive('W1');
  const earlier = await copy();
  for (const ref of ['W2', 'W3', 'W4']) await receive(ref);
  await within(first.stop(2_000));
  const [journal] = await snapshots.journals();
  assert.is(journal?.folded.n, 5, 'a join and four receipts');

  const again = live({}, 'one', earlier);
  const error = await within(
    again.ended.then(
      () => undefined,
      (cause: unknown) => cause,
    ),
  );
  assert.instance(error, LostRecords);
  assert.match(String(error), `journal ${journal?.journal} ends before its acknowledged record`);
  assert.match(String(error), /at n 5: .* rolled back .* Put the newest journal back .* or restore .* same backup/);
  assert.equal(await snapshots.journals(), [journal], 'the start has changed nothing');
});

test('before its start it says that this node is starting and that no owner was asked; it stops at once', async () => {
  const supervisor = new Supervisor(clock, silent);
  const why = 'This node is starting.';
  assert.is(await supervisor.notReady(), why);
  assert.equal(await supervisor.stock(adjustment, 1_000), { kind: 'unavailable', why, absent: true });
  await supervisor.order(orderId('O')).then(
    () => assert.unreachable(),
    (error: Unavailable) => assert.equal([error.message, error.absent], [why, true]),
  );
  await within(supervisor.stop(60_000));
});

test('a waiting node names the owner by the name that the owner gave itself', async () => {
  const { live } = system();
  const first = live();
  await within(first.begun);
  const second = live({}, 'two');
  await within(second.up);
  const why =
    'This node waits for node shop-one, which serves now; it takes over when that one stops. Several nodes at once need NATS_URL.';
  assert.is(await second.notReady(), why);
  assert.equal(await second.stock(adjustment, 1_000), { kind: 'unavailable', why, absent: true });
  await within(first.stop(2_000));
  await within(second.begun);
  // A third node waits for the second: the claims have its name too.
  const third = live({}, 'three');
  await within(third.up);
  assert.match(third.absence ?? '', /waits for node shop-two,/);
  await within(third.stop(2_000));
  await within(second.stop(2_000));
});

test.run();
