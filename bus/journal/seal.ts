/** A seal is the end of a journal: after it no append to the journal succeeds. */
import type { JournalId } from '../../actors/ids.js';
import { LostRecords } from '../../actors/node/lost-records.js';
import { encodeSeal, journalLog } from '../../actors/node/record.js';
import type { Log, Position } from '../../actors/ports/log.js';
import type { Clock } from '../../actors/ports/runtime.js';
import { NOWHERE, type Place } from '../../actors/ports/snapshot-rows.js';
import { pause } from '../retry.js';
import { readFrom } from './log-reader.js';

interface Sealing {
  readonly log: Log;
  readonly clock: Clock;
  /** The journal that ends. */
  readonly journal: JournalId;
  /** The journal of the incarnation that seals it. */
  readonly by: JournalId;
  /** A remembered record, or a place before the first one: the search begins there. */
  readonly from?: Place | undefined;
  /** Ends the attempts. */
  readonly stopped: () => boolean;
}

/**
 * Seals the journal. A seal of another incarnation will do.
 * @returns false when stopped before that. @throws LostRecords when the journal ends before `from`
 */
export async function sealJournal({ log, clock, journal, by, from = NOWHERE, stopped }: Sealing): Promise<boolean> {
  const name = journalLog(journal);
  let after: Position = from.position;
  let { n } = from;
  for (let attempt = 0; !stopped(); await pause(clock, attempt++)) {
    for await (const found of readFrom(log, name, after)) {
      if (found.record.kind === 'seal') return true;
      after = found.position;
      if (found.record.kind === 'turn') n = found.record.n;
    }
    try {
      const record = encodeSeal({ id: clock.id(), journal, by, at: clock.now(), n });
      const answer = await log.append(name, after, record, { urgent: true });
      if (answer.kind === 'appended') return true;
      // A log keeps its last record. So after a conflict there is a later record, unless the log ends before `after`.
      if (answer.kind === 'conflict' && (await log.read(name, after)).length === 0) throw endsBefore(journal, from);
    } catch (error) {
      if (error instanceof LostRecords) throw error;
      // No answer: the next read shows whether the seal is stored.
    }
  }
  return false;
}

const endsBefore = (journal: JournalId, { n, recordId }: Place): LostRecords =>
  new LostRecords(
    `journal ${journal} ends before its acknowledged record ${recordId} at n ${n}: the log was rolled back or replaced`,
  );

/**
 * Whether the journal has a seal. Of one's own journal this means: missing records were trimmed, not lost (hazard 9).
 * @param from a remembered record: the search begins there
 */
export async function isSealed(log: Pick<Log, 'read'>, journal: JournalId, from: Place = NOWHERE): Promise<boolean> {
  for await (const { record } of readFrom(log, journalLog(journal), from.position)) {
    if (record.kind === 'seal') return true;
  }
  return false;
}
