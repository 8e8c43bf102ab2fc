/** Where archives go once a day: another house, which allows no more. Types, and what its days are. */

/** One archive on the volume. */
export interface Archive {
  /** A file's name, such as `2026-11-29.tar.gz.age`. */
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** One archive as the off-site lists it. */
export interface Stored {
  readonly name: string;
  readonly bytes: number;
  /** When it arrived, by the off-site's clock. */
  readonly at: number;
  /** Where the off-site tells it. */
  readonly sha256?: string | undefined;
}

export interface Offsite {
  /** Its address, without secrets. */
  readonly place: string;
  list(signal: AbortSignal): Promise<readonly Stored[]>;
  /** Whether the stored one is this archive, byte for byte. */
  isSame(stored: Stored, archive: Archive, signal: AbortSignal): Promise<boolean>;
  /**
   * Resolves when the off-site has it, whole. An unknown outcome rejects: the list tells.
   * @param bypass asks for a second upload of one day
   * @throws DayUsed
   */
  upload(archive: Archive, bypass: boolean, signal: AbortSignal): Promise<void>;
}

/** The off-site takes no more today. */
export class DayUsed extends Error {
  override readonly name = 'DayUsed';
  /** @param afterMs after which it takes one again; undefined: at 00:00 UTC */
  constructor(readonly afterMs?: number) {
    super("today's upload was made");
  }
}

const DAY_MS = 86_400_000;

/** The UTC day, such as `2026-11-29`. */
export const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

export const startOfNextDay = (ms: number): number => (Math.floor(ms / DAY_MS) + 1) * DAY_MS;

export const daysBetween = (from: number, to: number): number => (to - from) / DAY_MS;
