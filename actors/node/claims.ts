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

export const nobody = (partitions: number): Ownership => ({
  map: Array.from({ length: partitions }, () => null),
  chains: Array.from({ length: partitions }, () => []),
  names: {},
});

/** @param from the ownership before the records */
export function foldClaims(records: readonly ClaimsRecord[], partitions: number, from = nobody(partitions)): Ownership {
  if (records.length === 0) return from;
  const chains = from.chains.map((chain) => [...chain]);
  let { map, names } = from;
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

/** Whether the claim still stands: its owner has not released it. */
export const isHeld = (claim: Claim | null | undefined): claim is Claim & { readonly released?: undefined } =>
  claim != null && claim.released === undefined;

/** claims.K2: the map after the claim of these partitions. */
export const withClaims = (
  map: readonly (Claim | null)[],
  partitions: readonly number[],
  { node, journal, at }: Pick<Claim, 'node' | 'journal' | 'at'>,
): (Claim | null)[] =>
  map.map((claim, partition) =>
    partitions.includes(partition)
      ? { epoch: (claim?.epoch ?? 0) + 1, node, journal, ...(at !== undefined && { at }) }
      : claim,
  );

/** The names of the nodes that the map names. */
export const namesIn = (map: readonly (Claim | null)[], names: NodeNames): NodeNames =>
  Object.fromEntries(Object.entries(names).filter(([node]) => map.some((claim) => claim?.node === node)));

/**
 * The map after the owner of the journal has released partitions, each with its epoch, at this n.
 * @param to the node that shall claim them next
 */
export const withRelease = (
  map: readonly (Claim | null)[],
  partitions: ReadonlyMap<number, number>,
  { journal, n, to }: { readonly journal: JournalId; readonly n: number; readonly to?: NodeId | undefined },
): (Claim | null)[] =>
  map.map((claim, partition) =>
    isHeld(claim) && claim.journal === journal && claim.epoch === partitions.get(partition)
      ? { ...claim, released: n, ...(to !== undefined && { to }) }
      : claim,
  );
