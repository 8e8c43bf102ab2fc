/** Which node owns which partition, for people and for load balancers. Types only. */
import type { NodeId } from '../ids.js';

/**
 * `running`   a node owns the partition
 * `joining`   its node has claimed it and loads it, which this node alone tells; the partition's requests wait
 * `moving`    its node gives it to another one, which this node alone tells; or it was released for a node, and waits for it
 * `free`      nobody owns the partition
 */
export type PartitionState = 'running' | 'joining' | 'moving' | 'free';

export interface PlacedPartition {
  readonly partition: number;
  /** The owner; undefined when the partition is free. */
  readonly node: NodeId | undefined;
  /** The owner's NODE_NAME, or its id where the claims have no name. */
  readonly name: string | undefined;
  /** 0 before the first claim. */
  readonly epoch: number;
  /** When it was claimed or, if it is free, released: wall clock, milliseconds. Undefined before the first claim. */
  readonly since: number | undefined;
  readonly state: PartitionState;
}

export interface PlacedNode {
  readonly node: NodeId;
  readonly name: string;
  /** Whether the node was heard of lately; undefined when this node cannot know. */
  readonly alive: boolean | undefined;
}

/** Safety never rests on what this tells: it may be a second old. Rejects with Unavailable (unavailable.ts). */
export interface Placement {
  partitions(): Promise<readonly PlacedPartition[]>;
  /** Every node that owns a partition or is heard of. */
  nodes(): Promise<readonly PlacedNode[]>;
}
