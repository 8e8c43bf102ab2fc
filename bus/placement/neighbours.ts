/**
 * The other nodes, as this node knows them from their heartbeats and from the claims. A node that the claims name is
 * watched also without a heartbeat: after a stop of all nodes, one of them may not come back.
 */
import type { JournalId, NodeId } from '../../actors/ids.js';
import type { Claim } from '../../actors/node/record.js';
import type { Heartbeat, Seen } from '../../actors/ports/members.js';

export class Neighbours {
  private seen = new Map<NodeId, Seen>();

  constructor(private readonly me: NodeId) {}

  get heartbeats(): readonly Heartbeat[] {
    return [...this.seen.values()].map(({ heartbeat }) => heartbeat);
  }

  heartbeatOf(node: NodeId): Heartbeat | undefined {
    return this.seen.get(node)?.heartbeat;
  }

  /** Takes what the bucket holds now. */
  saw(seen: readonly Seen[]): void {
    const others = seen.filter(({ heartbeat }) => heartbeat.node !== this.me);
    this.seen = new Map(others.map((each) => [each.heartbeat.node, each]));
  }

  /** Everybody else who may live: with a heartbeat, or with partitions. */
  watched(map: readonly (Claim | null)[]): Map<NodeId, { revision: number | undefined; journals: JournalId[] }> {
    const watched = new Map<NodeId, { revision: number | undefined; journals: JournalId[] }>();
    for (const [node, { heartbeat, revision }] of this.seen) {
      watched.set(node, { revision, journals: [heartbeat.journal] });
    }
    for (const claim of map) {
      if (claim === null || claim.released !== undefined || claim.node === this.me) continue;
      const one = watched.get(claim.node) ?? { revision: undefined, journals: [] };
      watched.set(claim.node, one);
      if (!one.journals.includes(claim.journal)) one.journals.push(claim.journal);
    }
    return watched;
  }
}
