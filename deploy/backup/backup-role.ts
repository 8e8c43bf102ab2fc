// The role `backup`: one process of a system keeps the backups, by a lease in Postgres. Another one waits in case it ends.

import type { Leases } from '../../actors/ports/leases.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { Unavailable } from '../../actors/unavailable.js';
import { rest } from '../../bus/retry.js';
import type { BackupDesk, BackupView } from '../../http/backup/backup-routes.js';
import type { SeenVerdict } from '../../http/node/overview.js';
import { DayUsed } from '../../storage/backup/offsite.js';
import { whyFailed } from '../../storage/backup/synced-files.js';
import type { Backups } from './backups.js';

/** The lease, as `feed kafka` is another one. */
const LEASE = 'backup';
const AGAIN_MS = 5_000;
/** A dump that does not stop in time is left to its end with the process: it has no name yet. */
const STOP_MS = 2_000;
const ELSEWHERE = 'Another process of this system keeps the backups: ask it.';

interface BackupRoleParts {
  readonly backups: Backups;
  readonly folder: string;
  readonly leases: Leases;
  /** What else runs where the backups do. */
  readonly beside?: ((signal: AbortSignal) => Promise<void>) | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class BackupRole implements BackupDesk {
  private state: BackupView['role'] = 'elsewhere';
  private why: string | undefined;
  /** Of the lease; undefined while another process has it. */
  private held: AbortSignal | undefined;
  private readonly ending = new AbortController();
  private done: Promise<void> = Promise.resolve();

  constructor(private readonly parts: BackupRoleParts) {}

  start(): void {
    this.done = this.keep();
  }

  async stop(): Promise<void> {
    this.ending.abort();
    const late = new Promise<void>((resolve) => void this.parts.clock.after(STOP_MS, resolve));
    await Promise.race([this.done, late]);
  }

  get verdict(): SeenVerdict | undefined {
    return this.parts.backups.verdict;
  }

  // -------------------------------------------------------------- the desk

  status = async (): Promise<BackupView> => {
    const { backups, folder } = this.parts;
    const { volume, ageMs, next } = backups;
    const [dump] = volume.dumps;
    const [archive] = volume.archives;
    const [upload] = volume.uploads;
    const unsaved = await backups.unsaved();
    return {
      role: this.state,
      ...(this.why !== undefined && { why: this.why }),
      folder,
      offsite: backups.place ?? null,
      last_dump: dump
        ? {
            ...{ name: dump.name, taken_at: timeOf(dump.takenAt), bytes: dump.bytes, orders: dump.orders },
            restore_seconds: dump.restoreMs / 1_000,
          }
        : null,
      last_archive: archive
        ? {
            ...{ name: archive.name, dump: archive.dump, taken_at: timeOf(archive.takenAt) },
            ...{ made_at: timeOf(archive.madeAt), bytes: archive.bytes, sha256: archive.sha256 },
          }
        : null,
      last_upload: upload ? { name: upload.name, bytes: upload.bytes, uploaded_at: timeOf(upload.at) } : null,
      next: {
        dump_at: this.held ? timeOf(next.dump) : null,
        archive_at: this.held ? timeOf(next.archive) : null,
        upload_at: this.held ? timeOf(next.upload) : null,
      },
      running: backups.running,
      waiting: backups.waiting.map(({ name }) => name),
      dumps: volume.dumps.length,
      archives: volume.archives.length,
      errors: backups.failures.map(({ step, message, failures, at, triedAgainAt }) => ({
        ...{ step, message, failures, failed_at: timeOf(at), tried_again_at: timeOf(triedAgainAt) },
      })),
      unsaved: unsaved ? { orders: unsaved.orders, since: timeOf(unsaved.since) } : null,
      rpo_seconds: ageMs === undefined ? null : ageMs / 1_000,
      rto_seconds: dump === undefined ? null : dump.restoreMs / 1_000,
    };
  };

  dump = async (): Promise<void> => {
    await this.parts.backups.dumpNow(this.lease());
  };

  upload = async (bypass: boolean): ReturnType<BackupDesk['upload']> => {
    const { backups, clock } = this.parts;
    try {
      return { kind: (await backups.uploadNow(bypass, this.lease())) === undefined ? 'nothing' : 'uploaded' };
    } catch (error) {
      if (error instanceof DayUsed) return { kind: 'used', afterS: (backups.freeAt - clock.now()) / 1_000 };
      throw error;
    }
  };

  // -------------------------------------------------------------- machinery

  private lease(): AbortSignal {
    if (this.held === undefined) throw new Unavailable(this.why ?? ELSEWHERE, true);
    return this.held;
  }

  private async keep(): Promise<void> {
    const { leases, clock, logger } = this.parts;
    const { signal } = this.ending;
    const waits = () => {
      this.state = 'elsewhere';
      logger.info({}, 'another process keeps the backups: waiting in case it ends');
    };
    while (!signal.aborted) {
      try {
        await leases.holding(LEASE, signal, (lost) => this.hold(lost), waits);
      } catch (error) {
        this.why = whyFailed(error);
        logger.warn({ cause: this.why }, 'the backups have ended, and are tried again');
      }
      if (signal.aborted) return;
      this.state = 'failing';
      await rest(clock, AGAIN_MS, signal);
    }
  }

  private async hold(lost: AbortSignal): Promise<void> {
    const { backups, folder, logger, beside } = this.parts;
    await backups.open();
    this.held = lost;
    this.state = 'running';
    this.why = undefined;
    logger.info({ folder, offsite: backups.place }, 'the backups run here');
    try {
      await Promise.all([backups.run(lost), beside?.(lost)]);
    } finally {
      this.held = undefined;
    }
    if (lost.aborted && !this.ending.signal.aborted) throw lost.reason;
  }
}

function timeOf(ms: number): string;
function timeOf(ms: number | undefined): string | null;
function timeOf(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}
