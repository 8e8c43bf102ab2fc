/**
 * Waits until the lists show everything that any node answered before the question.
 *
 * Law:
 *  F1. What was answered is in a journal, and that journal has a row. So a look at the end of each open journal tells what the
 *      rows must have. A journal of a node that is gone has another end, its seal: its last records are in the rows once every
 *      partition's row names a later journal.
 *  F2. Both conditions stay true once they are. So the rows may be read at any later time, and one by one.
 *  F3. Rows that are waited for are written earlier: their node is asked to, as often as it would obey.
 *  F4. On a log with copies the answer may come from a broker that has just lost its lead, and be too early for a moment.
 */
import type { JournalId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import { journalLog } from '../../actors/node/record.js';
import type { Log, Position } from '../../actors/ports/log.js';
import type { Clock } from '../../actors/ports/runtime.js';
import type { JournalRow } from '../../actors/ports/snapshot-rows.js';
import type { Snapshots } from '../../actors/ports/snapshots.js';
import { within } from '../retry.js';
import { SharedCall } from '../shared-call.js';

interface FreshListsParts {
  readonly log: Pick<Log, 'end'>;
  readonly snapshots: Pick<Snapshots, 'journals' | 'partitionMarks'>;
  /** Asks the node of that journal, here or elsewhere, to write its rows soon up to this position. It may be lost. */
  readonly hurryFlush: (journal: JournalId, position: Position) => void;
  readonly clock: Clock;
}

type Ends = ReadonlyMap<JournalId, Position>;

interface Rows {
  readonly journals: readonly JournalRow[];
  /** Journals that a partition's row names. */
  readonly named: ReadonlySet<JournalId>;
}

/** About as long as a flush takes. All who wait share a look. */
const LOOK_AGAIN_MS = 15;

export class FreshLists {
  private readonly ends: SharedCall<Ends>;
  private readonly rows: SharedCall<Rows>;
  private hurriedMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly parts: FreshListsParts) {
    this.ends = new SharedCall(() => this.lookAtEnds());
    this.rows = new SharedCall(() => this.readRows());
  }

  /** @returns whether the lists caught up in time */
  async caughtUp(): Promise<boolean> {
    const { clock } = this.parts;
    const lastMs = clock.monotonic() + limits.freshMs;
    const rest = () => Math.max(0, lastMs - clock.monotonic());
    try {
      const ends = await within(clock, rest(), this.ends.ask(), LATE);
      for (;;) {
        const behind = behindOf(await within(clock, rest(), this.rows.ask(), LATE), ends);
        if (behind.length === 0) return true;
        if (rest() < LOOK_AGAIN_MS) return false;
        this.hurry(behind, ends);
        await new Promise<void>((resolve) => void clock.after(LOOK_AGAIN_MS, resolve));
      }
    } catch {
      return false; // A store does not answer, so nobody can tell.
    }
  }

  // -------------------------------------------------------------- machinery

  /** fresh-lists.F3 */
  private hurry(behind: readonly JournalRow[], ends: Ends): void {
    const now = this.parts.clock.monotonic();
    if (now - this.hurriedMs < limits.flushAwaitedEveryMs) return;
    this.hurriedMs = now;
    for (const { journal, closed } of behind) {
      if (!closed) this.parts.hurryFlush(journal, ends.get(journal) ?? 0);
    }
  }

  private async lookAtEnds(): Promise<Ends> {
    const { log, snapshots } = this.parts;
    const ends = (await snapshots.journals()).map(async ({ journal, closed }) => {
      return [journal, closed ? Number.POSITIVE_INFINITY : await log.end(journalLog(journal))] as const;
    });
    return new Map(await Promise.all(ends));
  }

  private async readRows(): Promise<Rows> {
    const { snapshots } = this.parts;
    const journals = await snapshots.journals();
    const marks = await snapshots.partitionMarks();
    return { journals, named: new Set(marks.map(({ journal }) => journal)) };
  }
}

const LATE = 'the journals or Postgres did not answer in time';

/** The journals whose rows lack something that was answered before (fresh-lists.F1). */
function behindOf({ journals, named }: Rows, ends: Ends): JournalRow[] {
  return journals.filter(({ journal, closed, folded }) => {
    const end = ends.get(journal) ?? 0; // A journal that began after the question.
    return folded.position < end && !(closed && !named.has(journal));
  });
}
