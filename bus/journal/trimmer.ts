/**
 * Removes the records of this incarnation's own journal that are not needed any more, so that the journal stays bounded.
 * What others left behind is removed by janitor.ts.
 *
 *  F1. A record is removed only when the journal's row has passed it, and when its events are published or the
 *      unpublished records take more than limits.keepUnpublishedBytes. The record at the row's place stays, so that
 *      the next start can compare its id. Nothing else holds a record: what has left this journal is not replayed from it.
 *  F2. If EVENTS may forget acknowledged messages, published records stay for an hour, or until they take more
 *      than limits.keepPublishedBytes.
 *  F3. A record stays for readSpareMs after the row has passed it: whoever has read the row reads the tail next.
 *  F4. All nodes share the journal's store, so each of these budgets is divided by the members (hazard 18).
 */
import type { JournalId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import { journalLog } from '../../actors/node/record.js';
import type { Log, Position } from '../../actors/ports/log.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import type { Place } from '../../actors/ports/snapshot-rows.js';
import { pauseMs } from '../retry.js';

const EVERY_MS = 1_000;
/** After failures. What is owed meanwhile is small beside the stream. */
const LONGEST_PAUSE_MS = 15_000;
/** The first pause is 2.5 to 5 seconds: each try may make a connection. */
const FIRST_ATTEMPT = 7;
/** Smaller trims are not worth a call. */
const LEAST_RECORDS = 256;
const LEAST_BYTES = 1_048_576;

interface TrimmerParts {
  readonly journal: JournalId;
  readonly log: Log;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly flushedN: () => number;
  readonly publishedN: () => number;
  /** trimmer.F2: the broker acknowledges a message of EVENTS before it syncs the message. */
  readonly eventsMayForget: boolean;
  /** trimmer.F3 */
  readonly readSpareMs: number;
  /** The nodes that append to the same store, this one included. */
  readonly members: () => number;
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
  private failures = 0;
  /** A trim up to this position has no answer yet. It is repeated even if nothing else can be trimmed. */
  private owed: Position | undefined;
  /** How far the row was at the last passes, oldest first (trimmer.F3). */
  private flushes: { readonly n: number; readonly atMs: number }[] = [];
  private readableN = 0;

  constructor(private readonly parts: TrimmerParts) {}

  start(): void {
    if (this.stopped) return;
    const { clock } = this.parts;
    const pause = this.failures === 0 ? 0 : pauseMs(clock, FIRST_ATTEMPT + this.failures, LONGEST_PAUSE_MS);
    clock.after(Math.max(EVERY_MS, pause), () => {
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

  private async trim(): Promise<void> {
    const { log, journal, logger } = this.parts;
    this.choose();
    if (this.owed === undefined) return;
    try {
      await log.trim(journalLog(journal), this.owed);
      this.owed = undefined;
      this.failures = 0;
    } catch (error) {
      this.failures++;
      logger.warn({ cause: String(error) }, 'a trim has no answer: it is tried again');
    }
  }

  private choose(): void {
    const { publishedN, eventsMayForget, members, clock } = this.parts;
    const published = publishedN();
    const flushed = this.passedN() - 1;
    const keepUnpublished = limits.keepUnpublishedBytes / members(); // trimmer.F4
    const keepPublished = limits.keepPublishedBytes / members();
    const oldest = clock.monotonic() - limits.keepPublishedMs;
    let count = 0;
    let records = 0;
    let bytes = 0;
    for (const each of this.kept) {
      const left = this.keptBytes - bytes;
      const isOwed = each.n > published && left <= keepUnpublished;
      const isKept = eventsMayForget && each.atMs > oldest && left <= keepPublished; // trimmer.F2
      if (each.n > flushed || isOwed || isKept) break;
      count++;
      records += each.records;
      bytes += each.bytes;
    }
    const last = this.kept[count - 1];
    if (last === undefined || (records < LEAST_RECORDS && bytes < LEAST_BYTES)) return;
    // Removed from the list before the call: a record that is appended meanwhile must not join these entries.
    this.kept = this.kept.slice(count);
    this.keptBytes -= bytes;
    this.owed = last.position;
  }

  /** trimmer.F3: where the row was readSpareMs ago. */
  private passedN(): number {
    const now = this.parts.clock.monotonic();
    this.flushes.push({ n: this.parts.flushedN(), atMs: now });
    for (
      let next = this.flushes[0];
      next !== undefined && next.atMs <= now - this.parts.readSpareMs;
      next = this.flushes[0]
    ) {
      this.readableN = next.n;
      this.flushes.shift();
    }
    return this.readableN;
  }
}
