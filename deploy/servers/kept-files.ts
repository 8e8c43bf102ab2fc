// The small files of DATA_DIR. Each is whole or absent, even after a power cut: it is written beside its place, synced and
// renamed. Only the owner may read them, because some hold passwords. What root writes there belongs to the owner of the folder: a
// command of root must not lock the node out.

import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Makes renames in a folder survive a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

export async function writeWhole(path: string, content: string, mode = 0o600): Promise<void> {
  const beside = `${path}.${randomBytes(4).toString('hex')}.new`;
  const file = await open(beside, 'wx', mode);
  try {
    await file.writeFile(content);
    if (process.getuid?.() === 0) {
      const { uid, gid } = await stat(dirname(path));
      await file.chown(uid, gid);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** The text of a file; undefined if there is none. */
export async function readWhole(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Error(`${path} cannot be read (${(error as Error).message}): run as the user who owns DATA_DIR.`);
  }
}

export async function remember(path: string, value: object): Promise<void> {
  await writeWhole(path, `${JSON.stringify(value, null, 2)}\n`);
}

/** The stored value, trusted to be a `T`: only this program writes these files. */
export async function recall<T extends object>(path: string): Promise<T | undefined> {
  const text = await readWhole(path);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new Error(`${path} is damaged: it is not JSON any more. Restore it from a backup of DATA_DIR.`);
  }
}

/** A random password. It starts with a letter, because a broker's configuration reads digits as a number. */
export function newPassword(): string {
  return `p${randomBytes(24).toString('base64url').replace(/[-_]/g, 'x')}`;
}
