/**
 * Which member should own which partition: each an equal share, with as few moves as possible, and the rest by
 * rendezvous hashing.
 *
 *  R1. The shares follow from the members and from who holds what. Whoever sees the same computes the same.
 *  R2. Each of n members has P/n partitions, rounded down or up.
 *  R3. A member keeps what it holds up to its share. So from equal shares a node that joins moves at most P/n + 1
 *      partitions, all to itself, and one that leaves moves only its own.
 *  R4. Of what is free or too much, each partition goes to the member with the highest weight that has room.
 *  R5. A move to where a partition should be changes no other partition's place. So moves under way do not turn round.
 *
 * Rendezvous hashing alone follows from the members, and its shares are unequal: with 16 partitions the largest of 3 is
 * often twice the smallest. So the present holders count as well.
 */
import { fnv1a32, type NodeId } from '../ids.js';

/**
 * @param held by partition: the member that has it; undefined where none of the members has it
 * @returns by partition: the member that should have it; undefined without members
 */
export function sharesOf(
  members: readonly NodeId[],
  held: readonly (NodeId | undefined)[],
): readonly (NodeId | undefined)[] {
  const room = sharesInNumbers(members, held);
  const shares: (NodeId | undefined)[] = held.map(() => undefined);
  for (const member of members) {
    const own = held.flatMap((holder, partition) => (holder === member ? [partition] : []));
    for (const partition of inOrderOf(own, (each) => weight(member, each)).slice(0, room.get(member))) {
      shares[partition] = member; // rendezvous.R3
      take(room, member);
    }
  }
  for (const [partition, member] of shares.entries()) {
    if (member !== undefined) continue;
    const taker = ranked(members, partition).find((each) => (room.get(each) ?? 0) > 0); // rendezvous.R4
    if (taker === undefined) continue;
    shares[partition] = taker;
    take(room, taker);
  }
  return shares;
}

/** Members by their weight for a partition, the highest first. */
export const ranked = (members: readonly NodeId[], partition: number): readonly NodeId[] =>
  inOrderOf(members, (member) => weight(member, partition));

// ---------------------------------------------------------------- machinery

/**
 * How many partitions each member may have (rendezvous.R2). The one more that some have stays with members that have more
 * than the others already. Which of them is a matter of weight, not of how many they have: that changes with each move
 * (rendezvous.R5).
 */
function sharesInNumbers(members: readonly NodeId[], held: readonly (NodeId | undefined)[]): Map<NodeId, number> {
  const base = Math.floor(held.length / members.length);
  const counts = new Map<NodeId, number>();
  for (const holder of held) if (holder !== undefined) counts.set(holder, (counts.get(holder) ?? 0) + 1);
  const hasMore = (member: NodeId) => (counts.get(member) ?? 0) > base;
  const order = ranked(members, held.length);
  const larger = [...order.filter(hasMore), ...order.filter((each) => !hasMore(each))];
  const extra = held.length - base * members.length;
  return new Map(larger.map((member, at) => [member, at < extra ? base + 1 : base]));
}

const take = (room: Map<NodeId, number>, member: NodeId): void => {
  room.set(member, (room.get(member) ?? 0) - 1);
};

const inOrderOf = <T extends string | number>(items: readonly T[], weightOf: (item: T) => number): readonly T[] =>
  items
    .map((item) => ({ item, weight: weightOf(item) }))
    .sort((a, b) => b.weight - a.weight || (a.item < b.item ? -1 : 1))
    .map(({ item }) => item);

/** FNV spreads the last characters badly: MurmurHash3's finalizer spreads all bits (github.com/aappleby/smhasher). */
function weight(member: NodeId, partition: number): number {
  let hash = fnv1a32(`${member}/${partition}`);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
