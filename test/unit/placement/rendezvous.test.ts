/** The shares of the members: equal, the same everywhere, and with as few moves as possible. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type NodeId, nodeId } from '../../../actors/ids.js';
import { ranked, sharesOf } from '../../../actors/placement/rendezvous.js';

const test = suite('rendezvous');
type Held = readonly (NodeId | undefined)[];

const nodes = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 26 }).map(nodeId), {
  minLength: 1,
  maxLength: 9,
});
const partitions = fc.integer({ min: 1, max: 64 });
const nobody = (count: number): Held => Array.from({ length: count }, () => undefined);
const counts = (shares: Held, members: readonly NodeId[]) =>
  members.map((member) => shares.filter((each) => each === member).length);
const moved = (before: Held, after: Held) =>
  before.flatMap((each, partition) => (each === after[partition] ? [] : [partition]));

test('every partition has a member, and the shares differ by one at most', () => {
  fc.assert(
    fc.property(nodes, partitions, fc.infiniteStream(fc.nat()), (members, count, draw) => {
      const held = Array.from({ length: count }, () => members[draw.next().value % (members.length + 1)]);
      const shares = sharesOf(members, held);
      assert.ok(shares.every((each) => each !== undefined && members.includes(each)));
      const sizes = counts(shares, members);
      assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, `shares of ${sizes}`);
    }),
  );
});

test('the order in which the members are seen makes no difference', () => {
  fc.assert(
    fc.property(nodes, partitions, (members, count) => {
      const shares = sharesOf(members, nobody(count));
      assert.equal(sharesOf(members.toReversed(), nobody(count)), shares);
    }),
  );
});

test('where the shares are equal nothing moves', () => {
  fc.assert(
    fc.property(nodes, partitions, (members, count) => {
      const shares = sharesOf(members, nobody(count));
      assert.equal(sharesOf(members, shares), shares);
    }),
  );
});

test('a node that joins moves at most P/n + 1 partitions, all to itself', () => {
  fc.assert(
    fc.property(nodes, partitions, (members, count) => {
      fc.pre(members.length > 1);
      const [joining, ...others] = members;
      const before = sharesOf(others, nobody(count));
      const after = sharesOf(members, before);
      const moves = moved(before, after);
      assert.ok(moves.length <= count / members.length + 1, `${moves.length} of ${count} on ${members.length}`);
      assert.ok(moves.every((partition) => after[partition] === joining));
    }),
  );
});

test('a node that leaves moves only what it had', () => {
  fc.assert(
    fc.property(nodes, partitions, (members, count) => {
      fc.pre(members.length > 1);
      const [leaving, ...others] = members;
      const before = sharesOf(members, nobody(count));
      const held = before.map((each) => (each === leaving ? undefined : each));
      const after = sharesOf(others, held);
      assert.equal(
        moved(before, after),
        before.flatMap((each, partition) => (each === leaving ? [partition] : [])),
      );
    }),
  );
});

test('nodes that come and go, and moves half done: whatever is held, the moves are the fewest for equal shares', () => {
  fc.assert(
    fc.property(nodes, partitions, fc.infiniteStream(fc.nat()), (members, count, draw) => {
      const held = Array.from({ length: count }, () => members[draw.next().value % members.length]);
      const sizes = counts(held, members).sort((a, b) => b - a);
      const base = Math.floor(count / members.length);
      const extra = count % members.length;
      const fewest = sizes.reduce((all, size, at) => all + Math.max(0, size - base - (at < extra ? 1 : 0)), 0);
      assert.is(moved(held, sharesOf(members, held)).length, fewest);
    }),
  );
});

test('moves under way do not turn round: done in any order, each leaves the others where they should go', () => {
  fc.assert(
    fc.property(nodes, partitions, fc.infiniteStream(fc.nat()), (members, count, draw) => {
      const held: (NodeId | undefined)[] = Array.from(
        { length: count },
        () => members[draw.next().value % (members.length + 1)],
      );
      const aim = sharesOf(members, held);
      for (let left = moved(held, aim); left.length > 0; left = moved(held, aim)) {
        const next = left[draw.next().value % left.length] as number;
        held[next] = aim[next];
        assert.equal(sharesOf(members, held), aim);
      }
    }),
    { numRuns: 300 },
  );
});

test('names that differ little rank differently from partition to partition', () => {
  for (let set = 0; set < 100; set++) {
    const members = ['A', 'B', 'C'].map((last) => nodeId(`01JABCDEFGHJKMNPQRSTVWXY${set}${last}`));
    const first = Array.from({ length: 300 }, (_, partition) => ranked(members, partition)[0]);
    for (const size of counts(first, members)) assert.ok(size > 60 && size < 140, `${size} of 300`);
  }
});

test('a free partition goes to the member that ranks first of those with room', () => {
  const members = ['A', 'B', 'C'].map(nodeId);
  const [first, second] = ranked(members, 0);
  assert.is(sharesOf(members, nobody(6))[0], first);
  const full = [undefined, first, first, undefined, undefined, undefined];
  assert.is(sharesOf(members, full)[0], second);
});

test('without members nobody has anything', () => {
  assert.equal(sharesOf([], [nodeId('A'), undefined]), [undefined, undefined]);
});

test.run();
