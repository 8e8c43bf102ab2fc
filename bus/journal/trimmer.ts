/**
 * Removes records that are not needed any more, so that the journal stays bounded.
 *
 *  F1. A record is removed only when the journal's row has passed it, and when its events are published or the
 *      unpublished records take more than limits.keepUnpublishedBytes. The record at the row's place stays, so that
 *      the next start can compare its id.
 *  F2. If EVENTS may forget acknowledged messages, published records stay for an hour, or until they take more
 *      than limits.keepPublishedBytes.
 *  F3. A predecessor's journal is removed when this incarnation has flushed every partition that it took over, and the
 *      journal's tail is on EVENTS. The latest predecessor's journal stays as long as trimmer.F2 says. Claims stay
 *      from the oldest one that a partition's row refers to.
 */
import type { JournalId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import { CLAIMS_LOG, journalLog } from '../../actors/node/record.js';
import type { Log, Position } from '../../actors/ports/log.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import type { Place } from '../../actors/ports/snapshot-rows.js';
import type { Snapshots } from '../../actors/ports/snapshots.js';

const EVERY_MS = 1_000;
/** Smaller trims are not worth a call. */
const LEAST_RECORDS = 256;
const LEAST_BYTES = 1_048_576;

interface TrimmerParts {
  readonly journal: JournalId;
  readonly log: Log;
  readonly snapshots: Snapshots;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly flushedN: () => number;
  readonly publishedN: () => number;
  /** trimmer.F2: the broker acknowledges a message of EVENTS before it syncs the message. */
  readonly eventsMayForget: boolean;
}

/** Some consecutive records, kept as one entry. */
interface Kept {
  n: number;
  position: Position;
  bytes: number;
  records: number;
  atMs: number;
}

const RECORDS_TOGETHER = 32;

export class Trimmer {
  private kept: Kept[] = [];
  private keptBytes = 0;
  private stopped = false;
  /** A trim up to this position has no answer yet. It is repeated even if nothing else can be trimmed. */
  private owed: Position | undefined;
  private readonly old: {
    readonly log: string;
    readonly upTo: Position;
    readonly journal?: JournalId;
    readonly fromMs: number;
  }[] = [];

  constructor(private readonly parts: TrimmerParts) {}

  start(): void {
    if (this.stopped) return;
    this.parts.clock.after(EVERY_MS, () => {
      void this.trim().finally(() => this.start());
    });
  }

  stop(): void {
    this.stopped = true;
  }

  appended(place: Place, bytes: number): void {
    const { n, position } = place;
    const atMs = this.parts.clock.monotonic();
    const last = this.kept.at(-1);
    if (last !== undefined && last.records < RECORDS_TOGETHER) {
      Object.assign(last, { n, position, atMs, bytes: last.bytes + bytes, records: last.records + 1 });
    } else this.kept.push({ n, position, bytes, records: 1, atMs });
    this.keptBytes += bytes;
  }

  /**
   * trimmer.F3: the journal's tail is published, and every partition that was taken over is flushed.
   * @param isLatest it is the latest predecessor, which trimmer.F2 keeps
   */
  predecessorDone(journal: JournalId, isLatest: boolean): void {
    const wait = this.parts.eventsMayForget && isLatest ? limits.keepPublishedMs : 0;
    const fromMs = this.parts.clock.monotonic() + wait;
    this.old.push({ log: journalLog(journal), upTo: Number.MAX_SAFE_INTEGER, journal, fromMs });
  }

  /** Every partition's row refers to this claim. */
  claimsDone(claim: Position): void {
    this.old.push({ log: CLAIMS_LOG, upTo: claim - 1, fromMs: this.parts.clock.monotonic() });
  }

  private async trim(): Promise<void> {
    try {
      await this.trimOwn();
      await this.trimOld();
    } catch (error) {
      this.parts.logger.warn({ cause: String(error) }, 'a trim has no answer: it is tried again');
    }
  }

  private async trimOwn(): Promise<void> {
    const { flushedN, publishedN, eventsMayForget, clock, log, journal } = this.parts;
    const published = publishedN();
    const flushed = flushedN() - 1;
    const oldest = clock.monotonic() - limits.keepPublishedMs;
    let count = 0;
    let records = 0;
    let bytes = 0;
    for (const each of this.kept) {
      const left = this.keptBytes - bytes;
      const isOwed = each.n > published && left <= limits.keepUnpublishedBytes;
      const isKept = eventsMayForget && each.atMs > oldest && left <= limits.keepPublishedBytes; // trimmer.F2
      if (each.n > flushed || isOwed || isKept) break;
      count++;
      records += each.records;
      bytes += each.bytes;
    }
    const last = this.kept[count - 1];
    if (last !== undefined && (records >= LEAST_RECORDS || bytes >= LEAST_BYTES)) {
      // Removed from the list before the call: a record that is appended meanwhile must not join these entries.
      this.kept = this.kept.slice(count);
      this.keptBytes -= bytes;
      this.owed = last.position;
    }
    if (this.owed === undefined) return;
    await log.trim(journalLog(journal), this.owed);
    this.owed = undefined;
  }

  private async trimOld(): Promise<void> {
    const { clock, log, snapshots } = this.parts;
    for (let next = this.old.find((each) => each.fromMs <= clock.monotonic()); next !== undefined && !this.stopped; ) {
      await log.trim(next.log, next.upTo);
      if (next.journal !== undefined) await snapshots.forgetJournal(next.journal);
      this.old.splice(this.old.indexOf(next), 1);
      next = this.old.find((each) => each.fromMs <= clock.monotonic());
    }
  }
}
