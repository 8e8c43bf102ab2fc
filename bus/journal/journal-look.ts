/**
 * A look at the end of this incarnation's journal: whether it was still the owner of its partitions after a question was
 * asked. A process that slept may have been taken over, and its memory is then older than what others have acknowledged.
 *
 * Law: what is told without an append (a read, a refusal, a repeat) is told only after a look that began after the
 * question and found no seal. Where the log is replicated only an append counts, because a replica may answer that is
 * behind.
 */
import type { JournalId } from '../../actors/ids.js';
import { decodeRecord, journalLog } from '../../actors/node/record.js';
import type { Log, Position } from '../../actors/ports/log.js';
import { Unavailable } from '../../actors/unavailable.js';
import { SharedCall } from '../shared-call.js';

/** How a look is made: by a read of the log's end, or by an append. */
export type LookBy = 'end' | 'append';

interface LookParts {
  readonly journal: JournalId;
  readonly log: Pick<Log, 'end' | 'read'>;
  readonly by: LookBy;
  /** The last position that this incarnation knows to be its own. */
  readonly own: () => Position;
  /** Resolves when a record that is appended from now on is acknowledged. */
  readonly append: () => Promise<void>;
  /** Called when the journal is sealed: this incarnation is over. */
  readonly onSealed: () => void;
}

export class JournalLook {
  private readonly shared: SharedCall<void>;

  constructor(private readonly parts: LookParts) {
    this.shared = new SharedCall(() => (parts.by === 'append' ? parts.append() : this.lookAtEnd()));
  }

  /** Resolves when the journal had no seal after this call. @throws Unavailable */
  look(): Promise<void> {
    return this.shared.ask();
  }

  private async lookAtEnd(): Promise<void> {
    const { journal, log, own, onSealed } = this.parts;
    const name = journalLog(journal);
    let from = own();
    try {
      // A record beyond one's own last is of the append under way, or a seal.
      if ((await log.end(name)) <= from) return;
      let page = await log.read(name, from);
      if (page.length === 0) throw new Error('its end cannot be read');
      for (; page.length > 0; page = await log.read(name, from)) {
        for (const { position, record } of page) {
          if (decodeRecord(record, `${name} at ${position}`).kind === 'seal') {
            onSealed();
            throw new Unavailable('another node owns its partition by now; ask again', false, true);
          }
          from = position;
        }
      }
    } catch (error) {
      if (error instanceof Unavailable) throw error;
      throw new Unavailable(`the journal does not answer: ${String(error)}`);
    }
  }
}
