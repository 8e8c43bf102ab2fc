/**
 * The join of a partition: what EVENTS must have before anything of the partition from its new journal.
 *
 * Law: each journal before is named: a sealed one as a whole, a released one up to the release. What those journals
 * owe themselves stands in their own joins. A journal of an older version has no joins, so everything that the claims
 * log still knows is named.
 */
import type { JournalId } from '../ids.js';
import type { Claim, Join } from './record.js';

interface Joining {
  readonly journal: JournalId;
  readonly partition: number;
  readonly epoch: number;
  /** The partition's claims before, oldest first. */
  readonly before: readonly Claim[];
}

export function joinOf({ journal, partition, epoch, before }: Joining): Join {
  const after = new Map<JournalId, number | 'seal'>();
  for (const { journal: earlier, released = 'seal' } of before) {
    if (earlier === journal || after.get(earlier) === 'seal') continue;
    after.delete(earlier); // The later claim of a journal comes after the earlier one.
    after.set(earlier, released);
  }
  return { partition, epoch, after: [...after] };
}
