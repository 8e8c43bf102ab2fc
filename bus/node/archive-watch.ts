/** Looks from time to time whether orders were archived, and tells whoever archives what this node has seen of it. */
import type { JournalId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { Node } from '../../actors/node/node.js';
import type { Clock } from '../../actors/ports/runtime.js';
import type { Snapshots } from '../../actors/ports/snapshots.js';

const SOON_MS = 100;

interface Watch {
  readonly journal: JournalId;
  readonly node: Pick<Node, 'seeArchives' | 'archivesSeen'>;
  readonly snapshots: Pick<Snapshots, 'seeArchives'>;
  readonly clock: Clock;
  /** Orders were archived, or archives were made anew: what Postgres told of orders counts no more. */
  readonly onArchived: () => void;
}

/** @returns what ends it: no timer of an ended incarnation keeps its process alive */
export function watchArchives({ journal, node, snapshots, clock, onArchived }: Watch): () => void {
  let isOver = false;
  let cancel = () => {};
  let known = 0;
  let told = 0;
  const look = async (): Promise<void> => {
    if (isOver) return;
    const seen = node.archivesSeen;
    const barrier = await snapshots.seeArchives(journal, seen).catch(() => undefined); // It looks again.
    if (barrier === undefined) return again();
    told = seen;
    if (barrier > known) {
      known = barrier;
      node.seeArchives(barrier);
      onArchived();
    }
    again();
  };
  /** Sooner while somebody waits for what this node has seen. */
  const again = () => {
    if (!isOver) cancel = clock.after(told < known ? SOON_MS : limits.archiveLookMs, () => void look());
  };
  again();
  return () => {
    isOver = true;
    cancel();
  };
}
