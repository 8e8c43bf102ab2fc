/** Who owns which partition, as the claims log says. It knows no node's heartbeat, and no partition's state inside its node. */
import type { NodeId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import { foldClaims } from '../../actors/node/claims.js';
import type { Claim, ClaimsRecord } from '../../actors/node/record.js';
import type { Log } from '../../actors/ports/log.js';
import type {
  PlacedNode,
  PlacedPartition,
  Placement,
  PartitionState as ShownState,
} from '../../actors/ports/placement.js';
import type { Clock } from '../../actors/ports/runtime.js';
import { Unavailable } from '../../actors/unavailable.js';
import { readClaims } from '../journal/log-reader.js';
import { within } from '../retry.js';
import type { PartitionHost, PartitionState } from './partition-host.js';

const FRESH_MS = 1_000;

interface ClaimedPlaces {
  readonly partitions: readonly PlacedPartition[];
  /** The owners. Whether they live is not known. */
  readonly nodes: readonly PlacedNode[];
}

/** @param records as far back as the claims log still reaches, oldest first. */
export function claimedPlaces(records: readonly ClaimsRecord[], partitions: number): ClaimedPlaces {
  const { map, names } = foldClaims(records, partitions);
  const name = (node: NodeId) => names[node] ?? node;
  const since = changesOf(records);
  const owners = new Set<NodeId>();
  const places = map.map((claim, partition): PlacedPartition => {
    if (claim === null) return { partition, ...NOBODY, epoch: 0, since: undefined, state: 'free' };
    const { epoch, node, released } = claim;
    const state = claim.to === undefined ? 'free' : 'moving';
    if (released !== undefined) return { partition, ...NOBODY, epoch, since: since[partition], state };
    owners.add(node);
    return { partition, node, name: name(node), epoch, since: since[partition], state: 'running' };
  });
  return { partitions: places, nodes: Array.from(owners, (node) => ({ node, name: name(node), alive: undefined })) };
}

/** The owner's own states, as everybody calls them. */
export const shownState = (state: PartitionState): ShownState =>
  state === 'frozen' || state === 'leaving' ? 'moving' : state;

const NOBODY = { node: undefined, name: undefined } as const;

/** By partition: the time of the oldest record that shows its last claim or release. */
function changesOf(records: readonly ClaimsRecord[]): (number | undefined)[] {
  const last: { claim: Claim; at: number }[] = [];
  for (const { map, at } of records) {
    map.forEach((claim, partition) => {
      if (claim === null) return;
      const before = last[partition]?.claim;
      const isSame =
        before?.epoch === claim.epoch && (before.released === undefined) === (claim.released === undefined);
      if (!isSame) last[partition] = { claim, at };
    });
  }
  return Array.from(last, (change) => change?.at);
}

interface PlacementParts {
  readonly log: Log;
  readonly partitions: number;
  readonly clock: Clock;
  /** The node that answers. */
  /** The other nodes that are heard of. */
  readonly others: () => readonly PlacedNode[];
  readonly me: { readonly node: NodeId; readonly name: string; readonly host: () => PartitionHost | undefined };
}

/** Reads the claims log at most once a second, however many ask. */
export function placementByClaims({ log, partitions, clock, me, others }: PlacementParts): Placement {
  let reading: { readonly at: number; readonly places: Promise<ClaimedPlaces> } | undefined;
  const read = async (): Promise<ClaimedPlaces> => {
    try {
      const { records } = await within(clock, limits.readyMs, readClaims(log), 'the claims were not read in time');
      return claimedPlaces(records, partitions);
    } catch (error) {
      reading = undefined;
      throw new Unavailable(`the claims cannot be read: ${String(error)}`);
    }
  };
  const places = (): Promise<ClaimedPlaces> => {
    const now = clock.monotonic();
    if (reading === undefined || now - reading.at >= FRESH_MS) reading = { at: now, places: read() };
    return reading.places;
  };
  return {
    async partitions() {
      const { partitions: all } = await places();
      const states = me.host()?.states();
      return all.map((place) => {
        if (place.node !== me.node) return place;
        const own = states?.get(place.partition);
        return { ...place, state: own === undefined ? 'joining' : shownState(own.state) };
      });
    },
    async nodes() {
      const { nodes } = await places();
      const heard = [{ node: me.node, name: me.name, alive: true }, ...others()];
      const silent = nodes.filter(({ node }) => heard.every((each) => each.node !== node));
      return [...heard, ...silent].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    },
  };
}
