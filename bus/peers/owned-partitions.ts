/** What this folder needs to know of owners. Types only. */
import type { JournalId } from '../../actors/ids.js';
import type { Claim } from '../../actors/node/record.js';
import type { Owners } from '../../actors/ports/owners.js';
import type { Receiver } from '../letters/local-post.js';

/** The claims log as it was read last. It may be old: an owner itself decides what it owns. */
export interface OwnershipView {
  /** Undefined for a partition that is released, or was never claimed. */
  ownerOf(partition: number): Claim | undefined;
  refresh(): Promise<unknown>;
  /** Calls the listener after each change. @returns a function that removes the listener */
  watch(changed: () => void): () => void;
}

/** The running incarnation of this process. */
export interface LocalOwner {
  readonly journal: JournalId;
  readonly owners: Owners;
  readonly receiver: Receiver;
  /** The epoch at which it owns the partition; undefined when it does not. */
  epochOf(partition: number): number | undefined;
  /** Somebody waits until the rows have the journal up to this position. */
  hurryFlush(position: number): void;
  /** It owns every partition. */
  readonly ownsAll: boolean;
}
