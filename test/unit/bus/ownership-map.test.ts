/** The claims log as one process sees it. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId, nodeId } from '../../../actors/ids.js';
import { withClaims } from '../../../actors/node/claims.js';
import { LostRecords } from '../../../actors/node/lost-records.js';
import { CLAIMS_LOG, type Claim, encodeClaims } from '../../../actors/node/record.js';
import type { Log } from '../../../actors/ports/log.js';
import { memoryLog } from '../../../bus/journal/memory-log.js';
import { OwnershipMap } from '../../../bus/node/ownership-map.js';
import { systemClock } from '../../../bus/system-clock.js';

const test = suite('ownership map');
const clock = systemClock();
const logger = { debug() {}, info() {}, warn() {}, error() {} };
const [J1, J2] = [journalId('J1'), journalId('J2')];
const claimOf = (journal = J1, epoch = 1): Claim => ({ epoch, node: nodeId(`N-${journal}`), journal });

const mapOver = (log: Log, onStored?: () => void) =>
  new OwnershipMap({ partitions: 2, log, clock, logger, ...(onStored && { onStored }) });
const record = (id: string, ...map: (Claim | null)[]) => encodeClaims({ id, by: J1, at: 0, map });
const claims = (
  map: OwnershipMap,
  partition: number,
  journal = J1,
  stopped = () => false,
  mayAppend = async () => true,
) =>
  map.change({
    by: journal,
    make: ({ map: now }) =>
      now[partition]?.journal === journal
        ? undefined
        : withClaims(now, [partition], { node: nodeId(`N-${journal}`), journal }),
    name: { node: nodeId(`N-${journal}`), name: `shop-${journal}` },
    ...{ mayAppend, stopped },
  });

test('a change is stored once, with the name, and others read it', async () => {
  const log = memoryLog();
  let stored = 0;
  const [mine, theirs] = [mapOver(log, () => stored++), mapOver(log)];
  assert.ok(await claims(mine, 0));
  assert.ok(await claims(mine, 0), 'nothing is left to change');
  assert.is(stored, 1, 'others are told once');
  assert.is(mine.ownerOf(0)?.journal, J1);
  assert.is(theirs.ownerOf(0), undefined);
  await theirs.refresh();
  assert.equal([theirs.ownerOf(0)?.journal, theirs.ownership.names[nodeId('N-J1')]], [J1, 'shop-J1']);
});

test('a change that loses the race is made anew from the newer map (G3)', async () => {
  const log = memoryLog();
  const [mine, theirs] = [mapOver(log), mapOver(log)];
  await mine.refresh();
  await Promise.all([claims(mine, 0, J1), claims(theirs, 1, J2)]);
  assert.equal(
    (await mine.refresh()).map.map((claim) => claim?.journal),
    [J1, J2],
  );
});

test('a change whose answer is lost is not made twice', async () => {
  const log = memoryLog();
  let lost = 1;
  const append: Log['append'] = async (...all) => {
    const answer = await log.append(...all);
    if (lost-- > 0) throw new Error('no answer');
    return answer;
  };
  const map = mapOver({ ...log, append });
  assert.ok(await claims(map, 0));
  assert.equal([map.ownerOf(0)?.epoch, (await log.read(CLAIMS_LOG, 0)).length], [1, 1]);
});

test('a change is made of the map at whose end it is appended, whatever else ends in between (G3)', async () => {
  const microtasks = async (count: number) => {
    for (let i = 0; i < count; i++) await undefined;
  };
  for (let rounds = 0; rounds < 40; rounds++) {
    const log = memoryLog();
    let letGo = () => {};
    const held = new Promise<boolean>((resolve) => {
      letGo = () => resolve(true);
    });
    let isSecond = false;
    const read: Log['read'] = (...all) => {
      if (isSecond) void microtasks(rounds).then(letGo);
      return log.read(...all);
    };
    const map = mapOver({ ...log, read });
    const first = claims(
      map,
      1,
      J1,
      () => false,
      () => held,
    );
    await new Promise((resolve) => setImmediate(resolve)); // It has read the claims by now.
    isSecond = true;
    await Promise.all([first, claims(map, 0)]);
    const stored = await log.read(CLAIMS_LOG, 0);
    const last = stored.at(-1)?.record ?? '';
    assert.is(last.match(/"epoch":1/g)?.length, 2, `after ${rounds} microtasks: ${last}`);
  }
});

test('a change right after a read makes no second one, and reads again once it lost the race', async () => {
  const log = memoryLog();
  let reads = 0;
  const read: Log['read'] = (...all) => {
    reads++;
    return log.read(...all);
  };
  const [mine, theirs] = [mapOver({ ...log, read }), mapOver(log)];
  await mine.refresh();
  const claimed = (partition: number) =>
    mine.change({
      ...{ by: J1, isRead: true, stopped: () => false },
      make: ({ map }) => withClaims(map, [partition], { node: nodeId('N-J1'), journal: J1 }),
    });
  reads = 0;
  assert.ok(await claimed(0));
  assert.is(reads, 0);
  assert.ok(await claims(theirs, 1, J2));
  await log.append(CLAIMS_LOG, 2, record('C3', { ...claimOf(), released: 3 }, claimOf(J2)));
  assert.ok(await claimed(0));
  assert.ok(reads > 0);
  assert.equal(
    mine.ownership.map.map((claim) => [claim?.journal, claim?.epoch]),
    [
      [J1, 2],
      [J2, 1],
    ],
  );
});

test('a change ends when told to stop', async () => {
  const log = { ...memoryLog(), read: () => Promise.reject(new Error('away')) };
  let attempts = 0;
  assert.not(await claims(mapOver(log), 0, J1, () => ++attempts > 2));
});

test('a refresh reads after the call: one read serves all who wait (G1)', async () => {
  const log = memoryLog();
  let reads = 0;
  let letGo = () => {};
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const read: Log['read'] = async (...all) => {
    reads++;
    const page = await log.read(...all);
    if (reads === 1) await held;
    return page;
  };
  const map = mapOver({ ...log, read });
  const first = map.refresh();
  await log.append(CLAIMS_LOG, 0, record('C1', claimOf(), null));
  const [second, third] = [map.refresh(), map.refresh()];
  letGo();
  assert.is((await first).map[0], null, 'that read began before the claim');
  assert.equal([(await second).map[0]?.epoch, (await third).map[0]?.epoch], [1, 1]);
  assert.is(reads, 4, 'one read, then one that found a page and the end, and looked whether its begin is still there');
});

const chainIn = (map: OwnershipMap) => map.ownership.chains[0]?.map(({ epoch, released }) => [epoch, released]);

test('chains grow by what is read', async () => {
  const log = memoryLog();
  const map = mapOver(log);
  await log.append(CLAIMS_LOG, 0, record('C1', claimOf(), null));
  await map.refresh();
  await log.append(CLAIMS_LOG, 1, record('C2', { ...claimOf(), released: 7 }, null));
  await log.append(CLAIMS_LOG, 2, record('C3', claimOf(J2, 2), null));
  await log.trim(CLAIMS_LOG, 0);
  await map.refresh();
  assert.equal(chainIn(map), [
    [1, 7],
    [2, undefined],
  ]);
});

test('a record that follows the known one is read in one request, and so is none; more are read one after the other (G4)', async () => {
  const log = memoryLog();
  const asked: string[] = [];
  const map = mapOver({
    ...log,
    last: (name) => {
      asked.push('last');
      return log.last(name);
    },
    read: (name, after) => {
      asked.push('read');
      return log.read(name, after);
    },
  });
  await claims(map, 0);
  const other = mapOver(log);
  const asks = async (): Promise<string[]> => {
    asked.length = 0;
    await map.refresh();
    return [...asked];
  };
  assert.equal(await asks(), ['last'], 'nothing has come');
  await claims(other, 1, J2);
  assert.equal(await asks(), ['last']);
  assert.equal(
    map.ownership.map.map((claim) => claim?.journal),
    [J1, J2],
  );
  await claims(other, 0, J2);
  await claims(other, 1, J1);
  assert.ok((await asks()).includes('read'));
  assert.equal(chainIn(map), chainIn(other));
  await log.append(CLAIMS_LOG, (await log.end(CLAIMS_LOG)) ?? 0, record('of an older version', null, null));
  assert.ok((await asks()).includes('read'), 'it does not say what comes before it');
});

test('a release that was trimmed before it was read leaves no claim that looks sealed (G4)', async () => {
  const log = memoryLog();
  const map = mapOver(log);
  await log.append(CLAIMS_LOG, 0, record('C1', claimOf(), null));
  await map.refresh();
  await log.append(CLAIMS_LOG, 1, record('C2', { ...claimOf(), released: 7 }, null));
  await log.append(CLAIMS_LOG, 2, record('C3', claimOf(J2, 2), null));
  await log.append(CLAIMS_LOG, 3, record('C4', claimOf(J2, 2), claimOf()));
  await log.trim(CLAIMS_LOG, 2);
  await map.refresh();
  assert.equal(chainIn(map), [[2, undefined]]);
  assert.is(map.ownerOf(1)?.journal, J1);
});

test('a trim while the log is read is noticed (G4)', async () => {
  const log = memoryLog({ pageRecords: 1 });
  await log.append(CLAIMS_LOG, 0, record('C1', claimOf(), null));
  await log.append(CLAIMS_LOG, 1, record('C2', { ...claimOf(), released: 7 }, null));
  await log.append(CLAIMS_LOG, 2, record('C3', claimOf(J2, 2), null));
  let mustTrim = true;
  const map = mapOver({
    ...log,
    async read(name, after) {
      const page = await log.read(name, after);
      if (mustTrim) await log.trim(CLAIMS_LOG, 2);
      mustTrim = false;
      return page;
    },
  });
  await map.refresh();
  assert.equal(chainIn(map), [[2, undefined]]);
});

test('a log that ends before what was read, or has another record there, has lost records (G2)', async () => {
  const stored = memoryLog();
  let log: Log = stored;
  const map = mapOver({ ...stored, read: (name, after) => log.read(name, after), last: (name) => log.last(name) });
  await stored.append(CLAIMS_LOG, 0, record('C1', claimOf(), null));
  await map.refresh();
  const lost = () =>
    map.refresh().then(
      () => assert.unreachable(),
      (error) => assert.ok(error instanceof LostRecords && /ends before its record C1/.test(error.message)),
    );
  log = memoryLog();
  await lost();
  await log.append(CLAIMS_LOG, 0, record('other', claimOf(J2), null));
  await lost();
  assert.is(map.ownerOf(0)?.journal, J1);
});

test('listeners hear of each newer map, until they end', async () => {
  const log = memoryLog();
  const map = mapOver(log);
  const heard: (string | undefined)[] = [];
  const end = map.watch(({ map: [claim] }) => heard.push(claim?.journal));
  await map.refresh();
  await claims(map, 0);
  await log.append(CLAIMS_LOG, 1, record('C2', claimOf(J2, 2), null));
  await map.refresh();
  end();
  await log.append(CLAIMS_LOG, 2, record('C3', claimOf(J1, 3), null));
  await map.refresh();
  assert.equal(heard, [J1, J2]);
});

test('how long a release is known is counted from when this process saw it', async () => {
  const log = memoryLog();
  const map = mapOver(log);
  await log.append(CLAIMS_LOG, 0, record('C1', { ...claimOf(), released: 3 }, null));
  assert.is(map.releasedForMs(0), 0);
  await map.refresh();
  const since = clock.monotonic();
  while (map.releasedForMs(0) === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(map.releasedForMs(0) <= clock.monotonic() - since + 50);
  assert.equal([map.releasedForMs(1), map.ownerOf(0)], [0, undefined]);
});

test.run();
