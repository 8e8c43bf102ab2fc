/**
 * The folder of backups:
 *
 *   dumps/<UTC time>/              what Dumps wrote, and checked.json
 *   archives/<UTC day>.tar[.gz][.age] and <the same>.json, which says what it is; by hand also <UTC time>.tar...
 *   notes.json                     what was uploaded, and each day's dumps
 *
 * Law: what has its name is complete, on disk and checked. Everything else begins with `.partial-`, and the next start removes it.
 * Nothing is removed before what follows it is verified; what is removed loses its name first. One process works here at a time.
 */
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { endingOf, packArchive } from './archive.js';
import { type Dumps, MANIFEST, type Manifest } from './dump.js';
import { manifestOf } from './files.js';
import { type Archive, dayOf } from './offsite.js';
import { surplusArchives, surplusDumps } from './retention.js';
import { PARTIAL, renameSynced, sync, whyFailed, writeSynced } from './synced-files.js';

/** A dump that was restored and judged. */
export interface Dump {
  /** The UTC time at which it began. */
  readonly name: string;
  readonly folder: string;
  readonly day: string;
  readonly takenAt: number;
  readonly bytes: number;
  readonly orders: number;
  readonly restoreMs: number;
}

export interface KeptArchive extends Archive {
  readonly day: string;
  /** Of the whole day, made after its end. Others are made by hand. */
  readonly isDaily: boolean;
  /** The dump that it holds, and its time. */
  readonly dump: string;
  readonly takenAt: number;
  readonly madeAt: number;
}

export interface Uploaded {
  readonly name: string;
  readonly bytes: number;
  readonly at: number;
}

interface Notes {
  readonly uploads: readonly Uploaded[];
  /** Before this time the off-site takes no more. */
  readonly usedUntil?: number | undefined;
  /** By day: its dumps, also those that retention has removed since. */
  readonly taken: Readonly<Record<string, readonly Taken[]>>;
}

type Taken = Pick<Dump, 'name' | 'takenAt' | 'bytes' | 'orders' | 'restoreMs'>;

/** A moment at which a test may stop the world. */
export type Point =
  | 'dump taken'
  | 'dump checked'
  | 'dump named'
  | 'archive packed'
  | 'archive described'
  | 'archive named'
  | 'surplus unnamed'
  | 'notes written'
  | 'uploaded';

export interface VolumeParts {
  readonly path: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly at?: ((point: Point) => Promise<void>) | undefined;
}

const DAY_LENGTH = '2026-11-29'.length;
const NAME = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z$/;
const ARCHIVE = /^(\d{4}-\d\d-\d\d)(T[\d-]{8}\.\d{3}Z)?\.tar(\.gz)?(\.age)?$/;

export class Volume {
  private readonly dumpsPath: string;
  private readonly archivesPath: string;
  private held: { dumps: readonly Dump[]; archives: readonly KeptArchive[]; notes: Notes } = {
    dumps: [],
    archives: [],
    notes: { uploads: [], taken: {} },
  };

  constructor(private readonly parts: VolumeParts) {
    this.dumpsPath = join(parts.path, 'dumps');
    this.archivesPath = join(parts.path, 'archives');
  }

  /** Newest first. */
  get dumps(): readonly Dump[] {
    return this.held.dumps;
  }

  /** Newest first. */
  get archives(): readonly KeptArchive[] {
    return this.held.archives;
  }

  /** Newest first. */
  get uploads(): readonly Uploaded[] {
    return this.held.notes.uploads;
  }

  /** Before this time the off-site takes no more. */
  get usedUntil(): number {
    return this.held.notes.usedUntil ?? 0;
  }

  /** Removes what an earlier process left unfinished, and reads what there is. */
  async open(): Promise<void> {
    const { path } = this.parts;
    for (const folder of [path, this.dumpsPath, this.archivesPath]) {
      await mkdir(folder, { recursive: true });
      for (const name of await readdir(folder)) {
        if (name.startsWith(PARTIAL)) await rm(join(folder, name), { recursive: true, force: true });
      }
    }
    this.held = {
      dumps: newest(await this.each(this.dumpsPath, (name) => NAME.test(name), readDump)),
      archives: newest(await this.each(this.archivesPath, (name) => ARCHIVE.test(name), readKept)),
      notes: await this.readNotes(),
    };
    for (const name of await readdir(this.archivesPath)) {
      const of = name.replace(/\.json$/, '');
      const isAlone = name !== of && !this.archives.some((archive) => archive.name === of);
      if (isAlone && ARCHIVE.test(of)) await rm(join(this.archivesPath, name), { force: true });
    }
  }

  isArchived(day: string): boolean {
    return this.archives.some((archive) => archive.isDaily && archive.day === day);
  }

  /** The newest day that is off-site. */
  private get offsiteUpTo(): string | undefined {
    return this.uploads
      .map(({ name }) => name.slice(0, DAY_LENGTH))
      .sort()
      .at(-1);
  }

  isUploaded({ name, bytes }: Archive): boolean {
    return this.uploads.some((upload) => upload.name === name && upload.bytes === bytes);
  }

  /** Takes a dump, checks it, and only then gives it its name. */
  async addDump(dumps: Dumps, signal: AbortSignal): Promise<Dump> {
    const name = new Date(this.parts.clock.now()).toISOString().replaceAll(':', '-');
    const folder = join(this.dumpsPath, name);
    const partial = join(this.dumpsPath, PARTIAL + name);
    const dump = await this.orRemoved(partial, async () => {
      await mkdir(partial);
      const manifest = await dumps.take(partial, signal);
      await this.at('dump taken');
      for (const { name: file } of manifest.files) await sync(join(partial, file));
      await sync(join(partial, MANIFEST));
      const { tookMs } = await dumps.check(partial, signal);
      await this.at('dump checked');
      signal.throwIfAborted();
      await writeSynced(join(partial, 'checked.json'), JSON.stringify({ tookMs, at: this.parts.clock.now() }));
      await sync(partial);
      await renameSynced(partial, folder);
      return dumpOf(name, folder, manifest, tookMs);
    });
    await this.at('dump named');
    this.held.dumps = newest([...this.dumps, dump]);
    await this.note({}); // Its day's list.
    return dump;
  }

  /** Makes one file of a dump, and reads it back before it counts. @param day whose archive it becomes; undefined: by hand */
  async addArchive(
    { name: dump, folder, takenAt, day: dumpDay }: Dump,
    day: string | undefined,
    recipient: string | undefined,
    signal: AbortSignal,
  ): Promise<KeptArchive> {
    const manifest = await manifestOf(folder);
    const list = JSON.stringify(this.takenOn(day ?? dumpDay), undefined, 1);
    const name = (day ?? dump) + (await endingOf({ folder, manifest, recipient }));
    const [path, partial] = [join(this.archivesPath, name), join(this.archivesPath, PARTIAL + name)];
    const archive = await this.orRemoved(partial, async () => {
      const packed = await packArchive(partial, { folder, manifest, list, recipient }, signal);
      await this.at('archive packed');
      signal.throwIfAborted();
      const isDaily = day !== undefined;
      const about = { name, ...packed, day: day ?? dumpDay, isDaily, dump, takenAt, madeAt: this.parts.clock.now() };
      await this.orRemoved(`${partial}.json`, async () => {
        await writeSynced(`${partial}.json`, JSON.stringify(about, undefined, 1));
        await renameSynced(`${partial}.json`, `${path}.json`);
      });
      await this.at('archive described');
      await renameSynced(partial, path);
      return { ...about, path };
    });
    await this.at('archive named');
    this.held.archives = newest([...this.archives, archive]);
    return archive;
  }

  /** Remembers an upload, or until when the off-site takes no more. A disk that is full does not undo what has happened. */
  async note({ upload, usedUntil }: { readonly upload?: Uploaded; readonly usedUntil?: number }): Promise<void> {
    const { notes } = this.held;
    const others = notes.uploads.filter(({ name }) => name !== upload?.name);
    const uploads = upload === undefined ? notes.uploads : [upload, ...others];
    const days = new Set([...this.dumps.map(({ day }) => day), ...Object.keys(notes.taken)]);
    const open = [...days].filter((day) => !this.isArchived(day) || day === this.dumps[0]?.day);
    this.held.notes = {
      // The newest is told for ever; of the others, those whose archive is here.
      uploads: uploads.filter(({ name }, place) => place === 0 || this.archives.some((each) => each.name === name)),
      usedUntil: usedUntil ?? notes.usedUntil,
      taken: Object.fromEntries(open.map((day) => [day, this.takenOn(day)])),
    };
    const partial = join(this.parts.path, `${PARTIAL}notes.json`);
    try {
      await writeSynced(partial, JSON.stringify(this.held.notes, undefined, 1));
      await renameSynced(partial, join(this.parts.path, 'notes.json'));
    } catch (error) {
      this.parts.logger.warn({ cause: whyFailed(error) }, 'the notes of BACKUP_DIR could not be written');
      await rm(partial, { force: true }).catch(() => {});
    }
    await this.at('notes written');
  }

  /** @param waits whether an archive is still to go off-site. @returns the names of what was removed */
  async retain(
    bounds: { readonly keepDumps: number; readonly keepDays: number },
    waits: (archive: Archive) => boolean,
    isInUse: (name: string) => boolean,
  ): Promise<string[]> {
    const given = { now: this.parts.clock.now(), ...bounds };
    const isFree = ({ name }: { readonly name: string }) => !isInUse(name);
    const dumps = surplusDumps(this.dumps, (day) => this.isArchived(day), given).filter(isFree);
    const archives = surplusArchives(this.archives, waits, this.offsiteUpTo, given).filter(isFree);
    // Forgotten first: retention may run twice at once.
    this.held.dumps = this.dumps.filter((each) => !dumps.includes(each));
    this.held.archives = this.archives.filter((each) => !archives.includes(each));
    for (const dump of dumps) {
      const unnamed = join(this.dumpsPath, PARTIAL + dump.name);
      await rename(dump.folder, unnamed);
      await this.at('surplus unnamed');
      await rm(unnamed, { recursive: true, force: true });
    }
    for (const archive of archives) {
      await rm(archive.path, { force: true });
      await this.at('surplus unnamed');
      await rm(`${archive.path}.json`, { force: true });
    }
    return [...dumps, ...archives].map(({ name }) => name);
  }

  // -------------------------------------------------------------- machinery

  private async at(point: Point): Promise<void> {
    await this.parts.at?.(point);
  }

  private async orRemoved<T>(partial: string, make: () => Promise<T>): Promise<T> {
    try {
      return await make();
    } catch (error) {
      await rm(partial, { recursive: true, force: true }).catch(() => {});
      throw error;
    }
  }

  private takenOn(day: string): readonly Taken[] {
    const noted = this.held.notes.taken[day] ?? [];
    const unnoted = this.dumps.filter((dump) => dump.day === day && noted.every(({ name }) => name !== dump.name));
    return [...noted, ...unnoted.map(takenOf)].sort((a, b) => a.takenAt - b.takenAt);
  }

  /** What cannot be read does not count, and stays for whoever looks into it. */
  private async each<T>(
    folder: string,
    isOne: (name: string) => boolean,
    read: (name: string, path: string) => Promise<T>,
  ): Promise<T[]> {
    const found: T[] = [];
    for (const name of (await readdir(folder)).filter(isOne)) {
      const path = join(folder, name);
      try {
        found.push(await read(name, path));
      } catch (error) {
        this.parts.logger.warn({ path, cause: whyFailed(error) }, 'this backup is damaged, and does not count');
      }
    }
    return found;
  }

  private async readNotes(): Promise<Notes> {
    try {
      return JSON.parse(await readFile(join(this.parts.path, 'notes.json'), 'utf8')) as Notes;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        this.parts.logger.warn({ cause: whyFailed(error) }, 'the notes of BACKUP_DIR cannot be read: they begin anew');
      }
      return { uploads: [], taken: {} };
    }
  }
}

const newest = <T extends { readonly takenAt: number }>(all: readonly T[]): T[] =>
  [...all].sort((a, b) => b.takenAt - a.takenAt);

const takenOf = ({ name, takenAt, bytes, orders, restoreMs }: Dump): Taken => ({
  ...{ name, takenAt, bytes, orders, restoreMs },
});

const dumpOf = (name: string, folder: string, { takenAt, files, orders }: Manifest, restoreMs: number): Dump => ({
  ...{ name, folder, day: dayOf(takenAt), takenAt, orders, restoreMs },
  bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
});

async function readDump(name: string, folder: string): Promise<Dump> {
  const manifest = await manifestOf(folder);
  for (const { name: file, bytes } of manifest.files) {
    const { size } = await stat(join(folder, file));
    if (size !== bytes) throw new Error(`${file} has ${size} bytes instead of ${bytes}`);
  }
  const { tookMs } = JSON.parse(await readFile(join(folder, 'checked.json'), 'utf8')) as { readonly tookMs: number };
  return dumpOf(name, folder, manifest, tookMs);
}

async function readKept(name: string, path: string): Promise<KeptArchive> {
  const about = JSON.parse(await readFile(`${path}.json`, 'utf8')) as Omit<KeptArchive, 'path'>;
  const { size } = await stat(path);
  if (size !== about.bytes) throw new Error(`${name} has ${size} bytes instead of ${about.bytes}`);
  return { ...about, name, path };
}
