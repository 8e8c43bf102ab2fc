/** Finds what a restore is asked for: a dump's folder, an archive, or the newest one of a backup folder up to a moment. */
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unpackArchive } from './archive.js';
import { CannotRestore, MANIFEST, type Manifest } from './dump.js';

interface Found {
  /** Of a dump, with its manifest. */
  readonly folder: string;
  /** Removes what was unpacked for the restore. */
  release(): Promise<void>;
}

const TIME = /^\d{4}-\d\d-\d\d(T[\d:.]+Z)?$/;

/**
 * @param asked a path, or a UTC time such as 2026-11-30T18:05:00Z
 * @param backups the folder of a backup role: dumps/ and archives/
 * @param identity of age, for an encrypted archive
 * @throws CannotRestore
 */
export async function findBackup(asked: string, backups: string, identity: string | undefined): Promise<Found> {
  const path = TIME.test(asked) ? await newestUntil(Date.parse(asked), asked, backups) : asked;
  const file = await stat(path).catch(() => undefined);
  if (file === undefined) throw new CannotRestore(`there is no ${path}`);
  if (file.isDirectory()) return { folder: path, release: async () => {} };
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-unpacked-'));
  const release = () => rm(folder, { recursive: true, force: true });
  try {
    await unpackArchive(path, folder, identity);
    return { folder, release };
  } catch (error) {
    await release();
    throw new CannotRestore(error instanceof Error ? error.message : String(error));
  }
}

/** A dump is named once it is checked, and an archive has its description beside it. */
async function newestUntil(ms: number, asked: string, backups: string): Promise<string> {
  const dumps = (await namesIn(join(backups, 'dumps'))).map((name) => join(backups, 'dumps', name));
  const descriptions = (await namesIn(join(backups, 'archives'))).filter((name) => name.endsWith('.json'));
  const archives = descriptions.map((name) => join(backups, 'archives', name.slice(0, -'.json'.length)));
  const dated = await Promise.all([
    ...dumps.map(async (path) => ({ path, at: await takenAt(join(path, MANIFEST)) })),
    ...archives.map(async (path) => ({ path, at: await takenAt(`${path}.json`) })),
  ]);
  const [newest] = dated.filter(({ at }) => at <= ms).sort((a, b) => b.at - a.at);
  if (newest !== undefined) return newest.path;
  throw new CannotRestore(`${backups} has no dump and no archive of ${asked} or before`);
}

const namesIn = async (folder: string): Promise<string[]> =>
  (await readdir(folder).catch(() => [])).filter((name) => !name.startsWith('.'));

/** Infinity: it is none. */
async function takenAt(file: string): Promise<number> {
  try {
    return (JSON.parse(await readFile(file, 'utf8')) as Manifest).takenAt;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
