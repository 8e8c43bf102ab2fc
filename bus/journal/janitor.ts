/**
 * Removes what incarnations have left behind: sealed journals, rows without a use, old claims. Each node has one. Two at
 * once are harmless: what one may remove stays removable, and each call may be repeated.
 *
 *  N1. A sealed journal is removed when its event log has ended, and when the row of every partition that it ever had by
 *      an unreleased claim is past that claim's epoch, whoever owns the partition now (hazard 15). First its log is
 *      trimmed to the seal, then its row goes.
 *  N2. If EVENTS may forget acknowledged messages, a sealed journal stays until the end of its event log is old enough to
 *      be synced, and the latest one of each node stays for an hour.
 *  N3. A journal without a seal is left behind when its writer is gone and the map names it as no partition's owner. It is
 *      sealed and closed, and then it is a sealed journal. One that has a seal and an open row is closed, whoever lives:
 *      its last call may have had no answer.
 *  N4. The event log of a sealed journal is ended by whoever waits for it (event-order.O2). If nobody does, the janitor
 *      ends it, one after the other, oldest first: records of older versions have no joins that would tell the order.
 *  N5. A claims record goes once later records have every claim from the one on that a partition's row refers to. It
 *      stays while it is the last to name a sealed journal that has a row.
 *  N6. What goes was removable at the look before too, readSpareMs ago: whoever has read a row reads the log next.
 *  N7. A sealed journal goes only once the claims log has moved since it was seen sealed: a claim of its own that was on
 *      its way cannot land any more, and it makes no other (take-over.S1). If nobody else moves the log, the janitor does.
 */
import type { JournalId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import { foldClaims, isHeld } from '../../actors/node/claims.js';
import { CLAIMS_LOG, type ClaimsRecord, encodeClaims, journalLog } from '../../actors/node/record.js';
import type { EventLog } from '../../actors/ports/events.js';
import type { Log, Position } from '../../actors/ports/log.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import type { JournalRow } from '../../actors/ports/snapshot-rows.js';
import type { Snapshots } from '../../actors/ports/snapshots.js';
import { FORGETTABLE_MS } from '../events/published-turns.js';
import { readClaims } from './log-reader.js';
import { isSealed, sealJournal } from './seal.js';

/** Others end the event log of a sealed journal within seconds, if anybody waits for it. */
const TAIL_AFTER_LOOKS = 3;

interface JanitorParts {
  /** The journal of this incarnation. */
  readonly journal: JournalId;
  readonly partitions: number;
  readonly log: Log;
  readonly snapshots: Pick<Snapshots, 'journals' | 'partitionMarks' | 'closeJournals' | 'published' | 'forgetJournal'>;
  /** Undefined without a broker: then no journal has an event log. */
  readonly events: Pick<EventLog, 'last'> | undefined;
  readonly eventsMayForget: boolean;
  /** Publishes what a sealed journal owes to EVENTS, and ends its event log. */
  readonly tail: (row: JournalRow) => Promise<unknown>;
  /** The journal's writer is dead for certain, or judged dead. */
  readonly isGone: (row: JournalRow) => boolean;
  /** The time between two looks (janitor.N6). */
  readonly readSpareMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Claims {
  readonly records: readonly ClaimsRecord[];
  readonly positions: readonly Position[];
}

/** What a look has found. */
interface Findings {
  readonly removable: ReadonlySet<JournalId>;
  readonly abandoned: ReadonlySet<JournalId>;
  /** Claims before this position are not needed. */
  readonly claimsFrom: Position;
  /** The end of the claims log. */
  readonly claimsEnd: Position;
}

const NOTHING: Findings = { removable: new Set(), abandoned: new Set(), claimsFrom: 0, claimsEnd: 0 };

export class Janitor {
  private before = NOTHING;
  private stopped = false;
  private cancel = () => {};
  /** Since when a journal's event log has ended, on the monotonic clock. */
  private readonly endedAt = new Map<JournalId, number>();
  /** How often a sealed journal was seen without the end of its event log. */
  private readonly looks = new Map<JournalId, number>();
  private isTailing = false;

  constructor(private readonly parts: JanitorParts) {}

  start(): void {
    if (this.stopped) return;
    const { clock, readSpareMs } = this.parts;
    this.cancel = clock.after(readSpareMs * (1 + clock.random() / 4), () => {
      void this.look().finally(() => this.start());
    });
  }

  stop(): void {
    this.stopped = true;
    this.cancel();
  }

  // -------------------------------------------------------------- machinery

  private async look(): Promise<void> {
    try {
      await this.clean();
    } catch (error) {
      this.before = NOTHING;
      this.parts.logger.warn({ cause: String(error) }, 'old journals stay for now: a store gave no answer');
    }
  }

  private async clean(): Promise<void> {
    const { snapshots, log, journal } = this.parts;
    // The rows come first: a claim that lands after a journal's seal has nothing in that journal.
    const rows = await snapshots.journals();
    const claims = await readClaims(log);
    const marks = new Map((await snapshots.partitionMarks()).map(({ partition, epoch }) => [partition, epoch]));
    this.forgetWhatIsGone(rows);

    const others = rows.filter((row) => row.journal !== journal);
    const removable = new Set<JournalId>();
    let oldestOpen: JournalRow | undefined;
    for (const row of others.filter(({ closed }) => closed)) {
      if (!(await this.hasEnded(row))) oldestOpen ??= row;
      else if (this.isRemovable(row, rows, claims, marks)) removable.add(row.journal);
    }
    if (oldestOpen !== undefined && (this.looks.get(oldestOpen.journal) ?? 0) > TAIL_AFTER_LOOKS) this.tail(oldestOpen);
    const abandoned: JournalId[] = [];
    for (const row of others) if (await this.isAbandoned(row, claims)) abandoned.push(row.journal);
    const claimsFrom = neededFrom(claims, this.parts.partitions, marks, rows);
    const { before } = this;
    const claimsEnd = claims.positions.at(-1) ?? 0;
    this.before = { removable, abandoned: new Set(abandoned), claimsFrom, claimsEnd };

    const gone = [...removable].filter((name) => before.removable.has(name)); // janitor.N6
    const hasMoved = gone.length === 0 || claimsEnd !== before.claimsEnd || (await this.moveClaims(claims));
    // Before the removals: a trim that fails ends this look, and journals must get their ends though no trim succeeds.
    for (const name of abandoned) if (before.abandoned.has(name) && !this.stopped) await this.end(name);
    for (const name of hasMoved ? gone : []) if (!this.stopped) await this.remove(name);
    const upTo = Math.min(before.claimsFrom, claimsFrom) - 1;
    if (upTo >= (claims.positions[0] ?? Number.POSITIVE_INFINITY) && !this.stopped) await log.trim(CLAIMS_LOG, upTo);
  }

  private isRemovable(
    row: JournalRow,
    rows: readonly JournalRow[],
    { records }: Claims,
    marks: ReadonlyMap<number, number>,
  ): boolean {
    const { partitions, eventsMayForget, clock } = this.parts;
    const { journal, node } = row;
    const isPassed = foldClaims(records, partitions).chains.every((chain, partition) =>
      chain.every(
        ({ journal: of, released, epoch }) =>
          of !== journal || released !== undefined || (marks.get(partition) ?? 0) > epoch,
      ),
    );
    const latest = rows.findLast((each) => each.closed && each.node === node);
    const keepMs = latest === row ? limits.keepPublishedMs : FORGETTABLE_MS; // janitor.N2
    const ended = this.endedAt.get(journal) ?? clock.monotonic();
    return isPassed && !(eventsMayForget && clock.monotonic() - ended < keepMs);
  }

  /** Whether all events of a sealed journal are on EVENTS. */
  private async hasEnded(row: JournalRow): Promise<boolean> {
    const { events, snapshots, clock } = this.parts;
    const { journal } = row;
    const last = await events?.last(journal);
    if (events !== undefined && last?.sealed !== true) {
      this.looks.set(journal, (this.looks.get(journal) ?? 0) + 1);
      this.endedAt.delete(journal);
      return false;
    }
    if (last !== undefined && row.publishedN < last.n) await snapshots.published(journal, last.n);
    if (!this.endedAt.has(journal)) this.endedAt.set(journal, clock.monotonic());
    return true;
  }

  /** janitor.N4. It may wait for others, and nothing here waits for it. */
  private tail(row: JournalRow): void {
    const { tail, logger } = this.parts;
    const { journal } = row;
    if (this.isTailing) return;
    this.isTailing = true;
    tail(row)
      .catch((error) => {
        if (!this.stopped) logger.warn({ journal, cause: String(error) }, 'the end of an event log must wait');
      })
      .finally(() => {
        this.isTailing = false;
      });
  }

  /** janitor.N3 */
  private async isAbandoned(row: JournalRow, { records }: Claims): Promise<boolean> {
    const { log, isGone } = this.parts;
    const map = records.at(-1)?.map ?? [];
    if (row.closed || map.some((claim) => isHeld(claim) && claim.journal === row.journal)) return false;
    return isGone(row) || isSealed(log, row.journal, row.folded);
  }

  /** janitor.N7: appends the map once more. @returns false when another record has come between: then look again */
  private async moveClaims({ records, positions }: Claims): Promise<boolean> {
    const { log, clock, journal } = this.parts;
    const last = records.at(-1);
    if (last === undefined || this.stopped) return false;
    const record = encodeClaims({ ...last, id: clock.id(), by: journal, at: clock.now(), previous: last.id });
    const answer = await log.append(CLAIMS_LOG, positions.at(-1) ?? 0, record, { urgent: true });
    return answer.kind === 'appended';
  }

  /** janitor.N1 */
  private async remove(journal: JournalId): Promise<void> {
    const { log, snapshots, logger } = this.parts;
    await log.trim(journalLog(journal), Number.MAX_SAFE_INTEGER);
    await snapshots.forgetJournal(journal);
    logger.debug({ journal }, 'a sealed journal is not needed any more, and is forgotten');
  }

  /** janitor.N3 */
  private async end(journal: JournalId): Promise<void> {
    const { log, clock, snapshots, journal: by } = this.parts;
    const isSealed = await sealJournal({ log, clock, journal, by, stopped: () => this.stopped });
    if (isSealed) await snapshots.closeJournals([journal]);
  }

  private forgetWhatIsGone(rows: readonly JournalRow[]): void {
    const names = new Set(rows.map((row) => row.journal));
    for (const known of [this.endedAt, this.looks]) {
      for (const journal of known.keys()) if (!names.has(journal)) known.delete(journal);
    }
  }
}

/** janitor.N5: the position of the oldest claims record that is needed. */
function neededFrom(
  { records, positions }: Claims,
  partitions: number,
  marks: ReadonlyMap<number, number>,
  rows: readonly JournalRow[],
): Position {
  let oldest = records.length - 1;
  for (let partition = 0; partition < partitions; partition++) {
    const mark = marks.get(partition) ?? 0;
    oldest = Math.min(
      oldest,
      records.findLastIndex(({ map }) => (map[partition]?.epoch ?? 0) <= mark),
    );
  }
  for (const { journal, closed } of rows) {
    const last = records.findLastIndex(({ map }) => map.some((claim) => claim?.journal === journal));
    if (closed && last >= 0) oldest = Math.min(oldest, last);
  }
  return positions[oldest] ?? 0;
}
