/**
 * Forgets what nobody needs any more, so that the journal stays bounded.
 *
 *  F1. A record goes only when the journal's row has passed it and its events are published, or when what
 *      waits to be published takes more than limits.keepUnpublishedBytes; the record at the row's place
 *      stays, so that the next start can compare its id.
 *  F2. Where EVENTS may forget what it acknowledged, published records stay for an hour, or until they
 *      take more than limits.keepPublishedBytes.
 *  F3. A predecessor's journal goes when this incarnation has flushed every partition it took over, and
 *      its tail is on EVENTS; the latest one stays as long as trimmer.F2 says. Claims go back as far as any partition's row.
 */
import type { JournalId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import { CLAIMS_LOG, journalLog } from '../../actors/node/record.js';
import type { Log, Position } from '../../actors/ports/log.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import type { Place } from '../../actors/ports/snapshot-rows.js';
import type { Snapshots } from '../../actors/ports/snapshots.js';

const EVERY_MS = 1_000;
/** Smaller trims are not worth their call. */
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
  /** trimmer.F2: EVENTS does not sync what it acknowledges. */
  readonly eventsMayForget: boolean;
}

/** Some records in a row, remembered together. */
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
  /** A trim up to here has no answer yet: it is tried again, whether there is more or not. */
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

  /** trimmer.F3: the tail is published and every partition taken over is flushed. @param isLatest of several, the one that trimmer.F2 keeps. */
  predecessorDone(journal: JournalId, isLatest: boolean): void {
    const wait = this.parts.eventsMayForget && isLatest ? limits.keepPublishedMs : 0;
    const fromMs = this.parts.clock.monotonic() + wait;
    this.old.push({ log: journalLog(journal), upTo: Number.MAX_SAFE_INTEGER, journal, fromMs });
  }

  /** Every partition's row stands at this claim. */
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
      // Forgotten first: what is appended meanwhile must not join them.
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
