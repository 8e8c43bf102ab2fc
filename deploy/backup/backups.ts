// The schedule of backups: a dump every few minutes; at 00:00 UTC one archive of the day before; one upload a day.
//
// Law: each step goes on while another one fails. What was missed is done once: the last dump's time says when the next one is due,
// and the days without an archive are those that have dumps.

import type { Clock, Logger } from '../../actors/ports/runtime.js';
import type { SeenVerdict } from '../../http/node/overview.js';
import { DailyUpload } from '../../storage/backup/daily-upload.js';
import { type Dumps, NotClean } from '../../storage/backup/dump.js';
import { DayUsed, dayOf, type Offsite, startOfNextDay } from '../../storage/backup/offsite.js';
import { type Dump, type KeptArchive, type Uploaded, Volume, type VolumeParts } from '../../storage/backup/volume.js';
import { Step, type StepFailure } from './step.js';

/** What a run cost and whether it succeeded, for metrics. */
export interface BackupMeter {
  failed(step: StepName): void;
  /** `verify` has judged a dump. */
  judged(violations: number): void;
}

type StepName = 'dump' | 'archive' | 'upload';

export interface BackupsParts extends VolumeParts {
  readonly dumps: Dumps;
  /** Undefined: archives stay on the volume. */
  readonly offsite: Offsite | undefined;
  readonly recipient: string | undefined;
  readonly everyMs: number;
  readonly keepDumps: number;
  readonly keepDays: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: BackupMeter;
  /** At most so many orders were acknowledged since the moment. */
  readonly unsavedSince: (ms: number) => Promise<number>;
}

export class Backups {
  readonly volume: Volume;
  private readonly daily: DailyUpload | undefined;
  private readonly dump: Step<undefined, Dump>;
  private readonly archive: Step<Dump, KeptArchive>;
  private readonly upload: Step<{ readonly bypass: boolean }, Uploaded | undefined>;
  private readonly steps: readonly Pick<Step, 'look' | 'keep' | 'isRunning' | 'failure'>[];
  private dumpedAt = Number.NEGATIVE_INFINITY;
  private refused: SeenVerdict | undefined;
  private readonly inUse = new Set<string>();

  constructor(private readonly parts: BackupsParts) {
    const { clock, logger, meter, offsite, at } = parts;
    this.volume = new Volume(parts);
    this.daily = offsite && new DailyUpload({ volume: this.volume, offsite, clock, at });
    const common = (name: StepName) => ({
      ...{ name, clock, logger },
      ended: (failed: boolean) => {
        if (failed) meter.failed(name);
        for (const step of this.steps) step.look();
      },
    });
    this.dump = new Step({ ...common('dump'), due: () => this.dumpDue(), run: this.runDump });
    this.archive = new Step({ ...common('archive'), due: () => this.archiveDue(), run: this.runArchive });
    this.upload = new Step({
      ...common('upload'),
      due: () => this.uploadDue(),
      run: this.runUpload,
      isCalm: (error) => error instanceof DayUsed,
    });
    this.steps = [this.dump, this.archive, this.upload];
  }

  /** Removes what an earlier process left unfinished, and reads what there is. Only one process works here at a time. */
  async open(): Promise<void> {
    await this.volume.open();
    this.dumpedAt = this.volume.dumps[0]?.takenAt ?? Number.NEGATIVE_INFINITY;
    await this.retain();
  }

  /** Runs until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.steps.map((step) => step.keep(signal)));
  }

  get isBusy(): boolean {
    return this.steps.some(({ isRunning }) => isRunning);
  }

  get failures(): readonly StepFailure[] {
    return this.steps.flatMap(({ failure }) => failure ?? []);
  }

  get running(): readonly StepName[] {
    const names: readonly StepName[] = ['dump', 'archive', 'upload'];
    return names.filter((_, i) => this.steps[i]?.isRunning);
  }

  get place(): string | undefined {
    return this.daily?.place;
  }

  get waiting(): readonly KeptArchive[] {
    return this.daily?.waiting ?? [];
  }

  /** By itself; undefined: not before something waits. */
  get next(): Readonly<Record<StepName, number | undefined>> {
    const now = this.parts.clock.now();
    const time = (at: number) => (at === Number.POSITIVE_INFINITY ? undefined : Math.max(at, now));
    return { dump: time(this.dump.nextAt), archive: time(this.archive.nextAt), upload: time(this.upload.nextAt) };
  }

  /** When the next upload may be made without a bypass. */
  get freeAt(): number {
    return this.daily?.freeAt ?? this.parts.clock.now();
  }

  /** Since everything that was acknowledged is in a checked dump; undefined: there is none. */
  get ageMs(): number | undefined {
    const [newest] = this.volume.dumps;
    return newest && Math.max(0, this.parts.clock.now() - newest.takenAt);
  }

  /** Of verify on the last dump that it judged; undefined: it judged none. A dump is kept only if it is clean. */
  get verdict(): SeenVerdict | undefined {
    const [newest] = this.volume.dumps;
    return this.refused ?? (newest && { clean: true, at: newest.takenAt, violations: 0, of: 'last dump' });
  }

  /** What no checked dump has; undefined: there is no dump, or the database does not answer. */
  async unsaved(): Promise<{ readonly orders: number; readonly since: number } | undefined> {
    const [newest] = this.volume.dumps;
    if (newest === undefined) return undefined;
    const since = newest.takenAt;
    return this.parts.unsavedSince(since).then(
      (orders) => ({ orders, since }),
      () => undefined,
    );
  }

  dumpNow(signal: AbortSignal): Promise<Dump> {
    return this.dump.now(signal);
  }

  /**
   * Uploads the newest archive that waits. Where none does, one is made of the newest dump.
   * @param bypass also where today's upload was made
   * @throws DayUsed
   */
  async uploadNow(bypass: boolean, signal: AbortSignal): Promise<Uploaded | undefined> {
    const { daily } = this;
    if (daily === undefined) throw new Error('there is no off-site: set BACKUP_OFFSITE_URL');
    if (!this.upload.isRunning) {
      if (!bypass && daily.freeAt > this.parts.clock.now()) throw new DayUsed();
      const [newest] = this.waiting.length > 0 ? [] : this.volume.dumps;
      const isArchived = (dump: Dump) =>
        this.volume.archives.some((archive) => archive.dump === dump.name) || this.volume.isArchived(dump.day);
      // The archive that is joined may be another one's.
      for (let tries = 0; tries < 2; tries++) {
        if (newest !== undefined && !isArchived(newest)) await this.archive.now(signal, newest);
      }
    }
    return this.upload.now(signal, { bypass });
  }

  // -------------------------------------------------------------- machinery

  private runDump = async (signal: AbortSignal): Promise<Dump> => {
    const { clock, dumps, logger, meter } = this.parts;
    this.dumpedAt = clock.now();
    const dump = await this.volume.addDump(dumps, signal).catch((error: unknown) => {
      if (error instanceof NotClean) {
        const { violations } = error;
        meter.judged(violations);
        this.refused = { clean: false, at: clock.now(), violations, of: 'last dump' };
      }
      throw error;
    });
    meter.judged(0);
    this.refused = undefined;
    const { name, bytes, orders, restoreMs } = dump;
    logger.info({ name, bytes, orders, restoreMs: Math.round(restoreMs) }, 'a dump was taken, restored and verified');
    await this.retain();
    return dump;
  };

  /** Of the given dump, or of the newest day that is over and has none. A damaged dump gives way to the one before. */
  private runArchive = async (signal: AbortSignal, asked: Dump | undefined): Promise<KeptArchive> => {
    const { recipient, logger } = this.parts;
    const day = asked === undefined ? this.openDays[0] : undefined;
    const candidates = asked === undefined ? this.volume.dumps.filter((dump) => dump.day === day) : [asked];
    let failure: unknown = new Error('there is no dump to make an archive of');
    for (const dump of candidates) {
      this.inUse.add(dump.name);
      try {
        const archive = await this.volume.addArchive(dump, day, recipient, signal);
        logger.info({ name: archive.name, bytes: archive.bytes, dump: dump.name }, 'an archive was made and read back');
        await this.retain();
        return archive;
      } catch (error) {
        failure = error;
        if (signal.aborted || !/ is damaged|ENOENT|Size mismatch/.test(String(error))) throw error;
        logger.warn({ dump: dump.name, cause: String(error) }, 'this dump is damaged: the one before is taken');
      } finally {
        this.inUse.delete(dump.name);
      }
    }
    throw failure;
  };

  private runUpload = async (
    signal: AbortSignal,
    asked: { readonly bypass: boolean } | undefined,
  ): Promise<Uploaded | undefined> => {
    const { logger, clock } = this.parts;
    const names = this.waiting.map(({ name }) => name);
    for (const name of names) this.inUse.add(name);
    try {
      const upload = await this.daily?.run(asked?.bypass ?? false, signal);
      if (upload !== undefined) {
        const { name, bytes } = upload;
        logger.info({ name, bytes, waiting: this.waiting.length, at: clock.now() }, 'an archive is off-site');
      }
      return upload;
    } finally {
      for (const name of names) this.inUse.delete(name);
    }
  };

  /** Days that are over and have dumps, and no archive; newest first. */
  private get openDays(): readonly string[] {
    const today = dayOf(this.parts.clock.now());
    const days = new Set(this.volume.dumps.map(({ day }) => day));
    return [...days].filter((day) => day < today && !this.volume.isArchived(day)).sort((a, b) => (a < b ? 1 : -1));
  }

  /** A clock that was set back must not put it off. */
  private dumpDue(): number {
    this.dumpedAt = Math.min(this.dumpedAt, this.parts.clock.now());
    return this.dumpedAt + this.parts.everyMs;
  }

  private archiveDue(): number {
    const now = this.parts.clock.now();
    return this.openDays.length > 0 ? now : startOfNextDay(now);
  }

  /** The newest archive goes first: one that is about to be made is waited for, unless that fails. */
  private uploadDue(): number {
    if (this.daily === undefined || this.waiting.length === 0) return Number.POSITIVE_INFINITY;
    const isMaking = this.openDays.length > 0 && this.archive.failure === undefined;
    return isMaking ? Number.POSITIVE_INFINITY : this.daily.freeAt;
  }

  private async retain(): Promise<void> {
    const { keepDumps, keepDays, logger } = this.parts;
    const waiting = new Set(this.waiting.map(({ name }) => name));
    const removed = await this.volume.retain(
      { keepDumps, keepDays },
      ({ name }) => waiting.has(name),
      (name) => this.inUse.has(name),
    );
    if (removed.length > 0) logger.debug({ removed }, 'older backups were removed');
  }
}
