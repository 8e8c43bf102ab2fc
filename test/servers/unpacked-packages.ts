// Debian packages for a test, fetched and unpacked once into the checkout's caches. Needs no root and installs nothing.

import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unpackDebian } from '../../deploy/servers/debian-packages.js';
import { run } from '../../deploy/servers/processes.js';
import { patientMs } from '../deadlines.js';
import { CACHE } from './real-servers.js';

const COPY_MS = 20_000;

/**
 * @param name the folder's name in the cache
 * @param withNeeds also unpacks what the packages need and this machine lacks
 */
export async function unpackedOnce(
  name: string,
  packages: readonly string[],
  withNeeds = false,
): Promise<{ readonly folder: string } | { readonly missing: string }> {
  const folder = join(CACHE, name);
  if (existsSync(folder)) return { folder };
  const work = await mkdtemp(join(tmpdir(), 'holdfast-fetch-'));
  try {
    await mkdir(CACHE, { recursive: true });
    const unpacked = await unpackDebian(packages, work, { withNeeds });
    if ('missing' in unpacked) return unpacked;
    await run('cp', ['-a', unpacked.folder, `${folder}.${process.pid}`], { deadlineMs: patientMs(COPY_MS) });
    // Another process may have been quicker: its folder is as good.
    await rename(`${folder}.${process.pid}`, folder).catch(() => rm(`${folder}.${process.pid}`, { recursive: true }));
    return existsSync(folder) ? { folder } : { missing: `${folder} could not be made` };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
