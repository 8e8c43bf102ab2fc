/** A partition that this node owns: from the append of its join until its release is sent. */
import type { Channels } from './channels.js';
import type { EdgeItem, InboxItem } from './effects.js';

export class OwnedPartition {
  /** The last record that touches it, its join at first. It may be the record under way. */
  lastN = 0;
  /** It takes no turn: its commands are parked, and letters to it are numbered. */
  isFrozen = false;
  /** What was sent to it while it was frozen. */
  readonly parked: Exclude<InboxItem, { kind: 'letter' }>[] = [];

  constructor(
    readonly partition: number,
    readonly epoch: number,
    readonly channels: Channels,
  ) {}
}

/** The partition that an item is for; undefined for one of the whole node. */
export function partitionIn(item: InboxItem): number | undefined {
  if (item.kind === 'letter') return item.letter.to;
  return item.kind === 'probe' || item.kind === 'join' ? undefined : item.partition;
}

export const isAsked = (item: InboxItem): item is EdgeItem =>
  item.kind === 'place' || item.kind === 'act' || item.kind === 'stock';
