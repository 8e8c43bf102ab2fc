/**
 * A dump: everything that was acknowledged before one moment, in a folder. Types only.
 *
 *   manifest.json     what the dump holds; written last
 *   database.dump     the tables, as pg_dump writes them (custom format)
 *   logs.ndjson.gz    of a journal in JetStream: its logs, and the journals' rows, which are then no part of database.dump
 *                     (logs-file.ts). A journal in Postgres is in its tables, and the file is empty.
 */
import type { Settlement } from '../../actors/ports/settlement.js';

export const MANIFEST = 'manifest.json';
export const DATABASE = 'database.dump';
export const LOGS = 'logs.ndjson.gz';

export interface DumpFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

export interface Manifest {
  readonly format: 1;
  /** Of the Holdfast that took the dump. */
  readonly version: string;
  /** The system's id. */
  readonly system: string;
  readonly partitions: number;
  readonly journal: Settlement['journal'];
  /** Wall clock, milliseconds: everything acknowledged before it is in the dump. */
  readonly takenAt: number;
  /** By journal: the n of its last record in the dump. */
  readonly ends: Readonly<Record<string, number>>;
  readonly files: readonly DumpFile[];
  /** The changes of the tables that they have seen (storage/migrations). Older dumps do not tell. */
  readonly migrations?: readonly string[];
  /** How many orders the tables have. */
  readonly orders: number;
}

export interface Dumps {
  /**
   * Writes manifest.json and the files it names into an existing empty folder. Rejects with a sentence, and with NotClean
   * if a look found a violation.
   */
  take(folder: string, signal: AbortSignal): Promise<Manifest>;
  /**
   * Restores the dump into a scratch database and judges it by `verify`. Rejects with a sentence if it is damaged, and
   * with NotClean if `verify` found something.
   * @returns how long the restore took, in milliseconds
   */
  check(folder: string, signal: AbortSignal): Promise<{ readonly tookMs: number }>;
}

/** pg_dump and pg_restore. Both reject with the tool's last words. */
export interface PostgresTools {
  /** @param without tables whose rows are left out */
  dump(
    what: {
      readonly url: string;
      readonly file: string;
      readonly snapshot: string;
      readonly without: readonly string[];
    },
    signal: AbortSignal,
  ): Promise<void>;
  /** All or nothing. */
  restore(what: { readonly url: string; readonly file: string }, signal: AbortSignal): Promise<void>;
}

/** Violations were found in the system while a dump was taken, or by `verify` in the dump. */
export class NotClean extends Error {
  override name = 'NotClean';

  constructor(
    message: string,
    readonly violations: number,
  ) {
    super(message);
  }
}

/** The dump cannot be used, or its target is not fit for it. The sentence says why. */
export class CannotRestore extends Error {
  override name = 'CannotRestore';
}
