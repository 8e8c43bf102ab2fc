/**
 * At most one archive a UTC day goes off-site, the newest first.
 *
 * Law: the volume's notes and the off-site's list are both asked, so a death between an upload and its note makes no second one.
 * What the off-site has is believed where it is the same, byte for byte.
 */
import type { Clock } from '../../actors/ports/runtime.js';
import { DayUsed, dayOf, type Offsite, startOfNextDay } from './offsite.js';
import type { KeptArchive, Point, Uploaded, Volume } from './volume.js';

/** An off-site that refuses is not asked again earlier. */
const LEAST_MS = 60_000;

interface DailyUploadParts {
  readonly volume: Volume;
  readonly offsite: Offsite;
  readonly clock: Clock;
  readonly at?: ((point: Point) => Promise<void>) | undefined;
}

export class DailyUpload {
  constructor(private readonly parts: DailyUploadParts) {}

  get place(): string {
    return this.parts.offsite.place;
  }

  /** Newest first. What was made by hand gives way to the archive of its whole day, and to what is newer of the same day. */
  get waiting(): readonly KeptArchive[] {
    const { volume } = this.parts;
    const isLatestOfDay = (archive: KeptArchive) =>
      archive.isDaily || volume.archives.find(({ day }) => day === archive.day) === archive;
    const byHandOnly = (archive: KeptArchive) => archive.isDaily || !volume.isArchived(archive.day);
    return volume.archives.filter((each) => isLatestOfDay(each) && byHandOnly(each) && !volume.isUploaded(each));
  }

  /** From when on the next upload may be made. */
  get freeAt(): number {
    const { volume, clock } = this.parts;
    const today = dayOf(clock.now());
    const isUsed = volume.uploads.some(({ at }) => dayOf(at) === today);
    return Math.max(isUsed ? startOfNextDay(clock.now()) : clock.now(), volume.usedUntil);
  }

  /**
   * Uploads the newest archive that waits.
   * @param bypass also where today's upload was made
   * @returns what was uploaded; undefined if nothing waits
   * @throws DayUsed
   */
  async run(bypass: boolean, signal: AbortSignal): Promise<Uploaded | undefined> {
    const { volume, offsite, clock } = this.parts;
    await this.learn(signal);
    const [archive] = this.waiting;
    if (archive === undefined) return undefined;
    if (this.freeAt > clock.now() && !bypass) throw new DayUsed();
    try {
      await offsite.upload(archive, bypass, signal);
    } catch (error) {
      if (error instanceof DayUsed) await this.noteUsed(error.afterMs);
      throw error;
    }
    await this.parts.at?.('uploaded');
    const upload = { name: archive.name, bytes: archive.bytes, at: clock.now() };
    await volume.note({ upload });
    return upload;
  }

  // -------------------------------------------------------------- machinery

  /** What the off-site has, and the notes do not: a death came between. */
  private async learn(signal: AbortSignal): Promise<void> {
    const { volume, offsite, clock } = this.parts;
    const listed = await offsite.list(signal);
    for (const archive of this.waiting) {
      const stored = listed.find(({ name, bytes }) => name === archive.name && bytes === archive.bytes);
      if (stored === undefined || !(await offsite.isSame(stored, archive, signal))) continue;
      await volume.note({ upload: { name: archive.name, bytes: archive.bytes, at: stored.at } });
    }
    const today = dayOf(clock.now());
    if (this.freeAt <= clock.now() && listed.some(({ at }) => dayOf(at) === today)) await this.noteUsed();
  }

  /** The off-site's clock may differ from ours: its day ends when it says. */
  private async noteUsed(afterMs = Number.POSITIVE_INFINITY): Promise<void> {
    const { volume, clock } = this.parts;
    const usedUntil = Math.min(startOfNextDay(clock.now()), clock.now() + Math.max(LEAST_MS, afterMs));
    await volume.note({ usedUntil });
  }
}
