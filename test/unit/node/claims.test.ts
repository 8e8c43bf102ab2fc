/** The owners of the partitions, from the claims log. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId, nodeId } from '../../../actors/ids.js';
import { foldClaims, isHeld, namesIn, withClaims, withRelease } from '../../../actors/node/claims.js';
import type { Claim, ClaimsRecord } from '../../../actors/node/record.js';

const test = suite('claims');
const [me, other] = [nodeId('me'), nodeId('other')];
const [J1, J2] = [journalId('J1'), journalId('J2')];
const mine = (epoch: number, journal = J1): Claim => ({ epoch, node: me, journal });
const theirs = (epoch: number): Claim => ({ epoch, node: other, journal: J2 });
const record = (...map: (Claim | null)[]): ClaimsRecord => ({ kind: 'claims', id: 'C', by: J1, at: 0, map });

test('before the first record nobody owns anything', () => {
  assert.equal(foldClaims([], 2), { map: [null, null], chains: [[], []], names: {} });
});

test('the last record is the map; the chains keep every claim, oldest first', () => {
  const { map, chains } = foldClaims([record(mine(1), null), record(theirs(2), mine(1)), record(mine(3), mine(1))], 2);
  assert.equal(map, [mine(3), mine(1)]);
  assert.equal(chains, [[mine(1), theirs(2), mine(3)], [mine(1)]]);
});

test('a release is in the chain at the epoch it ends (K2)', () => {
  const released = { ...mine(1), released: 9 };
  assert.equal(foldClaims([record(mine(1)), record(released), record(theirs(2))], 1).chains, [[released, theirs(2)]]);
});

test('a log of another number of partitions is refused, naming both', () => {
  assert.throws(() => foldClaims([record(null, null)], 16), /speaks of 2 partitions, this system has 16/);
});

test('a claim raises the epoch of what is claimed by one, and leaves the rest (K2)', () => {
  assert.equal(withClaims([null, theirs(4), mine(7)], [0, 1], { node: me, journal: J1 }), [mine(1), mine(5), mine(7)]);
});

test('a claim after a release carries no release of its own', () => {
  assert.equal(withClaims([{ ...theirs(4), released: 3, to: me }], [0], { node: me, journal: J1, at: 9 }), [
    { ...mine(5), at: 9 },
  ]);
});

test('a release gives up what the journal still holds at that epoch, and nothing else', () => {
  const gone = { ...mine(1), released: 2 };
  const all = new Map(
    [0, 1, 2, 3, 4, 5].map((partition) => [partition, partition === 1 ? 4 : partition === 3 ? 1 : 3]),
  );
  all.delete(5);
  const map = [mine(3), theirs(4), null, gone, mine(2), mine(3)];
  assert.equal(withRelease(map, all, { journal: J1, n: 8 }), [
    { ...mine(3), released: 8 },
    theirs(4),
    null,
    gone,
    mine(2),
    mine(3),
  ]);
  assert.equal(withRelease([mine(3)], new Map([[0, 3]]), { journal: J1, n: 8, to: other }), [
    { ...mine(3), released: 8, to: other },
  ]);
});

test('a claim is held until its release', () => {
  assert.equal([null, undefined, { ...theirs(1), released: 0 }, theirs(1)].map(isHeld), [false, false, false, true]);
});

test('later records are folded onto the ownership before them', () => {
  const before = foldClaims([record(mine(1), null)], 2);
  const after = foldClaims([record(theirs(2), mine(1))], 2, before);
  assert.equal(after, foldClaims([record(mine(1), null), record(theirs(2), mine(1))], 2));
  assert.equal(before.chains, [[mine(1)], []], 'and the earlier one stays as it was');
});

test('folding does not change the records', () => {
  const records = [record(mine(1)), record({ ...mine(1), released: 1 })];
  const before = structuredClone(records);
  foldClaims(records, 1);
  withRelease(records[0]?.map ?? [], new Map([[0, 1]]), { journal: J1, n: 4 });
  assert.equal(records, before);
});

test('names come from the last record, for the owners in the map; records of older versions have none', () => {
  const names = { [me]: 'shop-one', [other]: 'shop-two', gone: 'shop-zero' };
  assert.equal(foldClaims([{ ...record(mine(1)), names }], 1).names, names);
  assert.equal(foldClaims([{ ...record(mine(1)), names }, record(theirs(2))], 1).names, {});
  assert.equal(namesIn([mine(1), null, theirs(2)], names), { [me]: 'shop-one', [other]: 'shop-two' });
});

test.run();
