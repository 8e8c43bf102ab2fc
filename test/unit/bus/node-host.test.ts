/** Partitions are taken, given away and adopted, one by one, between nodes that live on. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { nodeId, orderId, writeId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import { CLAIMS_LOG } from '../../../actors/node/record.js';
import type { Log } from '../../../actors/ports/log.js';
import type { Snapshots } from '../../../actors/ports/snapshots.js';
import type { Unavailable } from '../../../actors/unavailable.js';
import { isSealed } from '../../../bus/journal/seal.js';
import { patientMs, until } from '../../deadlines.js';
import { type Host, Hosts, journalsOf, orderIn, productIn, stateOf } from './node-hosts.js';

const test = suite('node host');
const ALL = [0, 1, 2, 3];

let hosts = new Hosts();
test.before.each(() => {
  hosts = new Hosts();
});
test.after.each(() => hosts.end());

const running = ({ host }: Host) => [...host.states()].filter(([, { state }]) => state === 'running').map(([p]) => p);
const onHand = async ({ owners }: Host, partition: number) => (await owners.product(productIn(partition)))?.onHand;
const isMovedRead = (asked: Promise<unknown>) =>
  asked.then(
    () => false,
    (error: Unavailable) => error.moved,
  );

test('two nodes own partitions at once; each answers for its own alone', async () => {
  const [one, two] = [hosts.node('one'), hosts.node('two')];
  await one.host.take([0, 1], []);
  await two.host.take(ALL, []);
  assert.equal(
    [running(one).sort(), running(two).sort()],
    [
      [0, 1],
      [2, 3],
    ],
  );
  await hosts.receive(one, productIn(0), 7);
  assert.is(await onHand(one, 0), 7);
  const elsewhere = await hosts.receive(two, productIn(0), 7);
  assert.ok(elsewhere.kind === 'unavailable' && elsewhere.moved);
  assert.ok(await isMovedRead(two.owners.product(productIn(0))));
  assert.ok(await isMovedRead(two.owners.order(orderId(orderIn(0)))));
  assert.ok(await isMovedRead(two.owners.flushed(orderId(orderIn(0)))));
});

const MOST = { name: 'Lamp', unitPrice: 100, currency: 'USD', quantity: limits.stock };
/** A receipt under a key. It finds too much stock where there is any. */
const receiveMost = ({ owners }: Host, partition: number, waitMs = patientMs(3_000)) => {
  const command = { type: 'receive', ref: writeId('K'), fingerprint: 'f', ...MOST } as const;
  return owners.stock({ product: productIn(partition), command, correlation: 'c', fresh: false }, waitMs);
};

test('a receipt that one owner has refused is refused by the other owners of its products', async () => {
  const [one, two] = [hosts.node('one'), hosts.node('two')];
  await one.host.take([0, 1], []);
  await two.host.take([2, 3], []);
  await hosts.receive(one, productIn(0), 7);
  for (const partition of [0, 2, 0, 1, 3]) {
    const reply = await receiveMost(partition < 2 ? one : two, partition);
    assert.ok(reply.kind === 'refused' && reply.refusal === 'too_much_stock', `${partition}: ${reply.kind}`);
  }
  assert.equal([await onHand(two, 2), await onHand(one, 1)], [undefined, undefined]);
});

test('while Postgres cannot store it, that refusal is no answer; where one node owns everything, it is told at once', async () => {
  const write: typeof hosts.snapshots.write = () => new Promise(() => {});
  const one = hosts.node('one', { snapshots: { write } });
  await one.host.take([0, 1], []);
  await hosts.receive(one, productIn(0), 7);
  const silent = await receiveMost(one, 0, 300);
  assert.ok(silent.kind === 'unavailable' && silent.absent !== true);
  await one.host.take([2, 3], []);
  assert.is((await receiveMost(one, 0)).kind, 'refused');
});

test('an order is held by the product of another node', async () => {
  const [one, two] = [hosts.node('one'), hosts.node('two')];
  await one.host.take([0, 1], []);
  await two.host.take([2, 3], []);
  await hosts.receive(two, productIn(2), 7);
  const reply = await hosts.place(one, orderIn(0), productIn(2));
  assert.ok(reply.kind === 'outcome' && reply.state.phase === 'confirmed');
  assert.ok(await until(async () => (await onHand(two, 2)) === 6, 3_000));
});

test('all partitions of a start are one claim and one join, the first record of the journal', async () => {
  const one = hosts.node('one');
  await one.host.take(ALL, []);
  assert.equal([one.node.appendedTo.n, (await hosts.log.read(CLAIMS_LOG, 0)).length], [1, 1]);
});

test('a live journal is neither sealed nor closed, and keeps its partitions', async () => {
  const [one, two] = [hosts.node('one'), hosts.node('two')];
  await one.host.take(ALL, []);
  await two.host.take(ALL, []);
  assert.equal(running(two), []);
  assert.not(await isSealed(hosts.log, one.journal));
  assert.equal([...(await journalsOf(hosts)).values()], [false]);
});

// ---------------------------------------------------------------- moves

test('a partition is given away while the rest goes on, and takes its stock along', async () => {
  const [one, two] = [hosts.node('one'), hosts.node('two')];
  await one.host.take(ALL, []);
  for (const partition of ALL) await hosts.receive(one, productIn(partition), 10 + partition);
  assert.ok(await one.host.giveAway(2, nodeId('two'), 3_000));
  const claim = (await hosts.claims())[2];
  assert.equal([claim?.to, claim?.epoch, stateOf(one, 2)], ['two', 1, undefined]);
  assert.ok((claim?.released ?? 0) > 0 && (claim?.released ?? 0) <= one.node.flushedTo.n);
  assert.is(await onHand(one, 3), 13);
  await two.host.take([2], []);
  assert.equal([await onHand(two, 2), two.node.world.epochOf(2)], [12, 2]);
  assert.not(await isSealed(hosts.log, one.journal));
});

test('a partition comes back to the same journal', async () => {
  const [one, two] = [hosts.node('one'), hosts.node('two')];
  await one.host.take(ALL, []);
  await hosts.receive(one, productIn(1), 10);
  assert.ok(await one.host.giveAway(1, nodeId('two'), 3_000));
  await two.host.take([1], []);
  await hosts.receive(two, productIn(1), 5);
  assert.ok(await two.host.giveAway(1, nodeId('one'), 3_000));
  await one.host.take([1], []);
  assert.equal([await onHand(one, 1), one.node.world.epochOf(1)], [15, 3]);
  await hosts.receive(one, productIn(1), 1);
  assert.is(await onHand(one, 1), 16);
});

test('a partition that was preloaded reads only what has changed since, once', async () => {
  const one = hosts.node('one');
  const loads: string[][] = [];
  const load: Snapshots['load'] = async (...asked) => {
    const loaded = await hosts.snapshots.load(...asked);
    loads.push(loaded.products.map(({ state }) => state.id).sort());
    return loaded;
  };
  const two = hosts.node('two', { snapshots: { load } });
  const [still, moving, late, after] = [0, 1, 2, 3].map((rank) => productIn(2, rank));
  assert.ok(still && moving && late && after);
  await one.host.take(ALL, []);
  await two.host.preload(2); // Nothing is stored yet.
  for (const product of [still, moving]) await hosts.receive(one, product, 10);
  await hosts.flushed(one);
  await two.host.preload(2);
  for (const product of [moving, late]) await hosts.receive(one, product, 5);
  assert.ok(await one.host.giveAway(2, nodeId('two'), 3_000));
  await two.host.take([2], []);
  const onHandOf = (host: Host) =>
    Promise.all([still, moving, late].map(async (each) => (await host.owners.product(each))?.onHand));
  assert.equal(await onHandOf(two), [10, 15, 5]);
  assert.equal(loads, [[], [still, moving].sort(), [moving, late].sort()]);

  await hosts.receive(two, still, 1);
  assert.ok(await two.host.giveAway(2, nodeId('one'), 3_000));
  await one.host.take([2], []);
  await hosts.receive(one, after, 1);
  assert.ok(await one.host.giveAway(2, nodeId('two'), 3_000));
  await two.host.take([2], []);
  assert.equal(await onHandOf(two), [11, 15, 5]);
  assert.is(loads.at(-1)?.length, 4, 'what was preloaded counts for one take');
});

test('a preload that ends after its take is not kept', async () => {
  const one = hosts.node('one');
  let letGo = () => {};
  let isPreload = true;
  const sinces: unknown[] = [];
  const load: Snapshots['load'] = async (...asked) => {
    const isHeld = isPreload;
    const loaded = await hosts.snapshots.load(...asked);
    if (isHeld) {
      await new Promise<void>((resolve) => {
        letGo = resolve;
      });
    } else sinces.push(asked[3]?.size ?? 0);
    return loaded;
  };
  const two = hosts.node('two', { snapshots: { load } });
  await one.host.take(ALL, []);
  await hosts.receive(one, productIn(2), 10);
  await hosts.flushed(one);
  const preloaded = two.host.preload(2);
  isPreload = false;
  assert.ok(await one.host.giveAway(2, nodeId('two'), 3_000));
  await two.host.take([2], []);
  letGo();
  await preloaded;
  await hosts.receive(two, productIn(2), 1);
  assert.ok(await two.host.giveAway(2, nodeId('two'), 3_000));
  await two.host.take([2], []);
  assert.equal([sinces, await onHand(two, 2)], [[0, 0], 11], 'nothing was loaded ahead');
});

test('a partition that was released for this node is claimed and loaded in few calls', async () => {
  const one = hosts.node('one');
  const calls: string[] = [];
  const noted = <Args extends unknown[], Answer>(call: string, ask: (...args: Args) => Promise<Answer>) => ({
    [call]: (...args: Args) => {
      calls.push(call);
      return ask(...args);
    },
  });
  const { log, snapshots } = hosts;
  const append: Log['append'] = (name, ...rest) => {
    calls.push(name === CLAIMS_LOG ? 'claim' : 'join');
    return log.append(name, ...rest);
  };
  const two = hosts.node('two', {
    log: { append, ...noted('read', log.read) },
    snapshots: {
      ...noted('load', snapshots.load),
      ...noted('journals', snapshots.journals),
      ...noted('partitionMarks', snapshots.partitionMarks),
      ...noted('closeJournals', snapshots.closeJournals),
    },
  });
  await one.host.take(ALL, []);
  await hosts.receive(one, productIn(2), 10);
  assert.ok(await one.host.giveAway(2, nodeId('two'), 3_000));
  await two.ownership.refresh();
  calls.length = 0;
  await two.host.take([2], []);
  assert.equal([calls, await onHand(two, 2)], [['read', 'claim', 'load', 'join'], 10], 'one look at the own journal');
});

test('two partitions move at once', async () => {
  const [one, two] = [hosts.node('one'), hosts.node('two')];
  await one.host.take(ALL, []);
  for (const partition of ALL) await hosts.receive(one, productIn(partition), 10);
  const given = await Promise.all([0, 3].map((partition) => one.host.giveAway(partition, nodeId('two'), 3_000)));
  assert.equal(given, [true, true]);
  await Promise.all([two.host.take([0], []), two.host.take([3], [])]);
  assert.equal(
    [running(one), running(two).sort()],
    [
      [1, 2],
      [0, 3],
    ],
  );
  assert.equal([await onHand(two, 0), await onHand(two, 3)], [10, 10]);
});

test('others wait a second for the node that a release names', async () => {
  const [one, two] = [hosts.node('one'), hosts.node('two')];
  await one.host.take(ALL, []);
  await two.ownership.refresh();
  assert.ok(await one.host.giveAway(2, nodeId('three'), 3_000));
  await two.host.take([2], []);
  assert.equal(running(two), []);
  const takes = async () => {
    await two.host.take([2], []);
    return stateOf(two, 2) === 'running';
  };
  assert.ok(await until(takes, 3_000));
  assert.ok(two.ownership.releasedForMs(2) === 0);
});

test('a partition that is not flushed in time goes on here, with what was parked', async () => {
  let isAway = false;
  const write = (
    journal: Parameters<typeof hosts.snapshots.write>[0],
    statement: Parameters<typeof hosts.snapshots.write>[1],
  ) => (isAway ? Promise.reject(new Error('away')) : hosts.snapshots.write(journal, statement));
  const one = hosts.node('one', { snapshots: { write } });
  await one.host.take(ALL, []);
  await hosts.receive(one, productIn(2), 10);
  assert.ok(await until(() => one.node.flushedTo.n === one.node.appendedTo.n, 3_000));
  isAway = true;
  await hosts.receive(one, productIn(2), 1);
  assert.not(await one.host.giveAway(2, nodeId('two'), 200));
  assert.is(stateOf(one, 2), 'running');
  await hosts.receive(one, productIn(2), 1);
  assert.is(await onHand(one, 2), 12);
  assert.is((await hosts.claims())[2]?.released, undefined);
});

test('a release without an answer is sent until the claims log shows it; meanwhile nothing of the partition is answered', async () => {
  let silent = 3;
  const append: Log['append'] = async (name, after, record, options) => {
    if (name === CLAIMS_LOG && record.includes('"released"') && silent-- > 0) throw new Error('no answer');
    return hosts.log.append(name, after, record, options);
  };
  const one = hosts.node('one', { log: { append } });
  await one.host.take(ALL, []);
  const given = one.host.giveAway(2, nodeId('two'), 3_000);
  assert.ok(await until(() => stateOf(one, 2) === 'leaving', 3_000, 1));
  assert.ok(await isMovedRead(one.owners.product(productIn(2))));
  assert.ok(await given);
  assert.ok(((await hosts.claims())[2]?.released ?? -1) >= 0);
  assert.is(stateOf(one, 2), undefined);
});

// ---------------------------------------------------------------- the dead

test("several successors take a dead node's partitions, each its part, flushed or not", async () => {
  const dead = hosts.node('dead');
  await dead.host.take(ALL, []);
  for (const partition of ALL) await hosts.receive(dead, productIn(partition), 10 + partition);
  hosts.kill(dead);
  const [two, three] = [hosts.node('two'), hosts.node('three')];
  await Promise.all([two.host.take([0, 1], [dead.journal]), three.host.take([2, 3], [dead.journal])]);
  assert.equal(
    [running(two).sort(), running(three).sort()],
    [
      [0, 1],
      [2, 3],
    ],
  );
  const all = [await onHand(two, 0), await onHand(two, 1), await onHand(three, 2), await onHand(three, 3)];
  assert.equal(all, [10, 11, 12, 13]);
  assert.ok(await isSealed(hosts.log, dead.journal));
  assert.is((await journalsOf(hosts)).get(dead.journal), true);
});

test('a partition moves on from a successor that dies before its first flush', async () => {
  const dead = hosts.node('dead');
  await dead.host.take(ALL, []);
  await hosts.receive(dead, productIn(1), 10);
  hosts.kill(dead);
  const write: typeof hosts.snapshots.write = () => new Promise(() => {});
  const two = hosts.node('two', { snapshots: { write } });
  await two.host.take([1], [dead.journal]);
  await hosts.receive(two, productIn(1), 5);
  hosts.kill(two);
  const three = hosts.node('three');
  await three.host.take([1], [two.journal]);
  assert.equal([await onHand(three, 1), three.node.world.epochOf(1)], [15, 3]);
});

test("a node that was moved to and then died leaves the giver's live journal alone", async () => {
  const [one, two] = [hosts.node('one'), hosts.node('two')];
  await one.host.take(ALL, []);
  await hosts.receive(one, productIn(1), 10);
  assert.ok(await one.host.giveAway(1, nodeId('two'), 3_000));
  await two.host.take([1], []);
  await hosts.receive(two, productIn(1), 5);
  hosts.kill(two);
  const three = hosts.node('three');
  await three.host.take(ALL, [two.journal]);
  assert.equal([running(three), await onHand(three, 1)], [[1], 15]);
  assert.equal([(await journalsOf(hosts)).get(one.journal), await isSealed(hosts.log, one.journal)], [false, false]);
  assert.ok((await hosts.receive(one, productIn(0), 1)).kind === 'done', 'and it goes on');
});

test('a sleeper that was taken over answers no read and no repeat from its old memory', async () => {
  const asleep = hosts.node('asleep');
  await asleep.host.take(ALL, []);
  await hosts.receive(asleep, productIn(0), 10);
  const write = { type: 'adjust', ref: writeId('A'), fingerprint: 'f', delta: -1, reason: 'count' } as const;
  const adjust = ({ owners }: Host) =>
    owners.stock({ product: productIn(0), command: write, correlation: 'c', fresh: false }, 3_000);
  assert.is((await adjust(asleep)).kind, 'done');
  const two = hosts.node('two');
  await two.host.take(ALL, [asleep.journal]);
  await hosts.receive(two, productIn(0), 5);
  const [read, repeat] = [asleep.owners.product(productIn(0)), adjust(asleep)];
  assert.ok(await isMovedRead(read));
  assert.is((await repeat).kind, 'unavailable');
  assert.is((await asleep.ended).kind, 'sealed');
  const again = await adjust(two);
  assert.ok(again.kind === 'done' && again.repeat && again.state.onHand === 14);
});

// ---------------------------------------------------------------- what the map says runs

test('a claimed partition whose load failed runs later', async () => {
  let failures = 1;
  const load: typeof hosts.snapshots.load = (...all) =>
    failures-- > 0 ? Promise.reject(new Error('away')) : hosts.snapshots.load(...all);
  const one = hosts.node('one', { snapshots: { load } });
  one.keep();
  await one.host.take(ALL, []).then(
    () => assert.unreachable(),
    (error: Error) => assert.is(error.message, 'away'),
  );
  assert.is(one.host.states().size, 0);
  assert.ok((await hosts.claims()).every((claim) => claim?.journal === one.journal));
  assert.ok(await until(() => running(one).length === 4, 5_000));
});

test('a stop releases what runs and what is only claimed, and seals the journal', async () => {
  const one = hosts.node('one');
  await one.host.take(ALL, []);
  await hosts.receive(one, productIn(0), 10);
  await one.stop(3_000);
  assert.ok((await hosts.claims()).every((claim) => claim?.released === one.node.flushedTo.n));
  assert.ok(await isSealed(hosts.log, one.journal));
  const two = hosts.node('two');
  await two.host.take(ALL, []);
  assert.is(await onHand(two, 0), 10);
});

test.run();
