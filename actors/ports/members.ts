/** What the nodes tell one another of themselves. Hints only: they decide when something is tried, never whether it is allowed. */
import type { JournalId, NodeId } from '../ids.js';

/** A partition that a node has preloaded, and would take over from its owner of this epoch. */
export interface Want {
  readonly partition: number;
  readonly epoch: number;
}

export interface Heartbeat {
  readonly node: NodeId;
  /** The node's name for people. */
  readonly name: string;
  /** The journal of its present incarnation. */
  readonly journal: JournalId;
  /** A digest of the members that it sees: nodes with the same digest agree about who is there. */
  readonly digest: string;
  readonly wants: readonly Want[];
  /** It is stopping: it takes nothing more, and gives up what it has. */
  readonly leaving: boolean;
}

export interface Seen {
  readonly heartbeat: Heartbeat;
  /** Another one means that the node has put its heartbeat again. It may fall, after the bucket was lost. */
  readonly revision: number;
}

/** The last heartbeat of each node. A broker may lose all of them at once. */
export interface Members {
  put(heartbeat: Heartbeat): Promise<void>;
  /** The last heartbeats, at most limits.members of them. What is no heartbeat is left out. */
  all(): Promise<readonly Seen[]>;
}
