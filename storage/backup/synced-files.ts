/** Files that survive a power cut, and what went wrong with one in words. */
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** What is not complete. No other name begins so. */
export const PARTIAL = '.partial-';

/** For a file or a folder. */
export async function sync(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The new name is on disk when this returns. Both are in one folder. */
export async function renameSynced(from: string, to: string): Promise<void> {
  await rename(from, to);
  await sync(dirname(to));
}

export async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Why a step failed, as a sentence without its end. */
export function whyFailed(error: unknown): string {
  const { code, message = String(error) } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC') return 'the disk of BACKUP_DIR is full: make room there, or keep less (BACKUP_KEEP_DUMPS)';
  if (code === 'EDQUOT') return 'the quota of BACKUP_DIR is used up: make room there, or keep less (BACKUP_KEEP_DUMPS)';
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return `BACKUP_DIR may not be written: ${message}`;
  return message;
}
