/**
 * Waits until the lists show everything that any node answered before the question.
 *
 * Law:
 *  F1. What was answered is in a journal, and that journal has a row. So a look at the end of each open journal tells what the
 *      rows must have. A journal of a node that is gone has another end, its seal: its last records are in the rows once every
 *      partition's row names a later journal.
 *  F2. Both conditions stay true once they are. So the rows may be read at any later time, and one by one.
 *  F3. On a log with copies the answer may come from a broker that has just lost its lead, and be too early for a moment.
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
  readonly clock: Clock;
}

interface Rows {
  readonly journals: readonly JournalRow[];
  /** Journals that a partition's row names. */
  readonly named: ReadonlySet<JournalId>;
}

/** A flush follows an append within 600 ms: looking more often gains little. */
const LOOK_AGAIN_MS = 30;

export class FreshLists {
  private readonly ends: SharedCall<ReadonlyMap<JournalId, Position>>;
  private readonly rows: SharedCall<Rows>;

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
      while (!hasAll(await within(clock, rest(), this.rows.ask(), LATE), ends)) {
        if (rest() < LOOK_AGAIN_MS) return false;
        await new Promise<void>((resolve) => void clock.after(LOOK_AGAIN_MS, resolve));
      }
      return true;
    } catch {
      return false; // A store does not answer, so nobody can tell.
    }
  }

  // -------------------------------------------------------------- machinery

  private async lookAtEnds(): Promise<ReadonlyMap<JournalId, Position>> {
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

/** fresh-lists.F1 */
function hasAll({ journals, named }: Rows, ends: ReadonlyMap<JournalId, Position>): boolean {
  return journals.every(({ journal, closed, folded }) => {
    const end = ends.get(journal) ?? 0; // A journal that began after the question.
    return folded.position >= end || (closed && !named.has(journal));
  });
}
