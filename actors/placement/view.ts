/**
 * Who shares the partitions, as one node sees it.
 *
 *  V1. A member has put a heartbeat, is not gone (judge.J1), and is not leaving.
 *  V2. A node's digest is made of its members alone. Members with one digest see the same members, so they compute the
 *      same shares (rendezvous.R1).
 *  V3. A member that keeps another digest for disagreeMs has no share, until it agrees again. So a node with a view of
 *      its own, such as one behind a broken link, does not keep the others from sharing.
 */
import { fnv1a32, type NodeId } from '../ids.js';
import { limits } from '../limits.js';
import type { Heartbeat } from '../ports/members.js';

export interface View {
  readonly digest: string;
  /** The members that share the partitions, this node among them, in the order of their ids (view.V3). */
  readonly sharing: readonly NodeId[];
  /** Nodes that live and are stopping: what they have will be free. */
  readonly leaving: ReadonlySet<NodeId>;
  /** All of them agree. Until then nothing is moved: somebody would compute other shares. */
  readonly isSettled: boolean;
}

export class Views {
  /** In the judge's running time. */
  private readonly disagreeingSince = new Map<NodeId, number>();

  /**
   * @param heartbeats of all other nodes
   * @param isLeaving this node takes no share any more
   */
  see(
    me: NodeId,
    isLeaving: boolean,
    heartbeats: Iterable<Heartbeat>,
    gone: ReadonlySet<NodeId>,
    watchedMs: number,
  ): View {
    const living = [...heartbeats].filter(({ node }) => node !== me && !gone.has(node));
    const leaving = new Set(living.filter((each) => each.leaving).map(({ node }) => node));
    const others = living.filter(({ node }) => !leaving.has(node));
    const members = others.map(({ node }) => node);
    if (!isLeaving) members.push(me);
    const digest = digestOf(members);
    for (const node of this.disagreeingSince.keys()) if (!members.includes(node)) this.disagreeingSince.delete(node);
    for (const { node, digest: theirs } of others) {
      if (theirs === digest) this.disagreeingSince.delete(node);
      else if (!this.disagreeingSince.has(node)) this.disagreeingSince.set(node, watchedMs);
    }
    const sharing = members.filter(
      (node) => watchedMs - (this.disagreeingSince.get(node) ?? watchedMs) < limits.disagreeMs,
    );
    const isSettled = sharing.every((node) => !this.disagreeingSince.has(node));
    return { digest, sharing: sharing.sort(), leaving, isSettled };
  }
}

/** view.V2 */
export const digestOf = (members: readonly NodeId[]): string => fnv1a32([...members].sort().join('\n')).toString(16);
