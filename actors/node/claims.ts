/**
 * Which node owns which partition, folded from the claims log.
 *
 *  K1. A claim follows a release or a seal. Before a node claims a partition that its owner has not released, it seals
 *      the owner's journal.
 *  K2. A partition's epoch grows by one with each claim; a release keeps the epoch.
 *  K3. Every record carries the whole map and is appended by compare-and-set. A node that loses reads the log again.
 */
import type { JournalId, NodeId } from '../ids.js';
import type { Claim, ClaimsRecord, NodeNames } from './record.js';

export interface Ownership {
  /** By partition: its present owner, or its last one. */
  readonly map: readonly (Claim | null)[];
  /** By partition: its claims, oldest first, as far back as the log still reaches. */
  readonly chains: readonly (readonly Claim[])[];
  readonly names: NodeNames;
}

export function foldClaims(records: readonly ClaimsRecord[], partitions: number): Ownership {
  const chains: Claim[][] = Array.from({ length: partitions }, () => []);
  let map: readonly (Claim | null)[] = Array.from({ length: partitions }, () => null);
  let names: NodeNames = {};
  for (const record of records) {
    if (record.map.length !== partitions) {
      throw new Error(`the claims log speaks of ${record.map.length} partitions, this system has ${partitions}`);
    }
    map = record.map;
    names = record.names ?? {};
    record.map.forEach((claim, partition) => {
      const chain = chains[partition] as Claim[];
      const last = chain[chain.length - 1];
      if (claim === null) return;
      if (last?.epoch === claim.epoch) chain[chain.length - 1] = claim;
      else chain.push(claim);
    });
  }
  return { map, chains, names };
}

/** A partition as a node sees it: free to claim, its own, or another node's. */
type Standing = 'free' | 'mine' | 'others';

export const standing = (claim: Claim | null, me: NodeId): Standing =>
  claim === null || claim.released !== undefined ? 'free' : claim.node === me ? 'mine' : 'others';

/** claims.K2: the map after this node's claim of the partitions. */
export const withClaims = (
  map: readonly (Claim | null)[],
  partitions: readonly number[],
  node: NodeId,
  journal: JournalId,
): (Claim | null)[] =>
  map.map((claim, partition) =>
    partitions.includes(partition) ? { epoch: (claim?.epoch ?? 0) + 1, node, journal } : claim,
  );

/** The names of the nodes that the map names. */
export const namesIn = (map: readonly (Claim | null)[], names: NodeNames): NodeNames =>
  Object.fromEntries(Object.entries(names).filter(([node]) => map.some((claim) => claim?.node === node)));

/** The map after the owner of the journal has released all partitions that it still owns. */
export const withRelease = (map: readonly (Claim | null)[], journal: JournalId, n: number): (Claim | null)[] =>
  map.map((claim) => (claim?.journal === journal && claim.released === undefined ? { ...claim, released: n } : claim));
