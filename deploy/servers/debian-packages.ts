// Unpacks Debian packages into a folder. The packages are signed by Debian. It needs no root and no install.

import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { lastLine, run } from './processes.js';

export const FETCH_WITHIN_MS = 60_000;
export const LISTS_WITHIN_MS = 45_000;
const SHORT_MS = 20_000;
const UNPACK_MS = 60_000;

type Unpacked = { readonly folder: string } | { readonly missing: string };

interface Unpacking {
  readonly signal?: AbortSignal | undefined;
  /** Also what the packages need and this machine lacks. */
  readonly withNeeds?: boolean;
}

/** Unpacks all packages into one folder below `work`. */
export async function unpackDebian(
  names: readonly string[],
  work: string,
  { signal, withNeeds = false }: Unpacking = {},
): Promise<Unpacked> {
  if ((await run('apt-get', ['--version'], { deadlineMs: SHORT_MS, signal })).code !== 0)
    return { missing: 'no apt-get' };
  const missing = (output: string) => ({ missing: `Debian's package: ${lastLine(output)}` });
  const download = async (options: readonly string[]) => {
    const wanted = withNeeds ? await neededFor(names, options, signal) : names;
    return run('apt-get', [...options, 'download', ...wanted], { deadlineMs: FETCH_WITHIN_MS, cwd: work, signal });
  };
  let done = await download([]);
  if (done.code !== 0 && !signal?.aborted) {
    // A fresh image has no package lists, and only root may fetch them. A list folder of our own needs no rights.
    await mkdir(join(work, 'lists', 'partial'), { recursive: true });
    const lists = ['-o', `Dir::State::lists=${join(work, 'lists')}`];
    const own = [...lists, '-o', `Dir::Cache=${work}`, '-o', 'APT::Sandbox::User='];
    await run('apt-get', [...own, 'update'], { deadlineMs: LISTS_WITHIN_MS, cwd: work, signal });
    done = await download(own);
  }
  const files = (await readdir(work)).filter((name) => name.endsWith('.deb'));
  if (done.code !== 0 || files.length === 0) return missing(done.output);
  for (const file of files) {
    const unpacked = await run('dpkg-deb', ['-x', file, 'x'], { deadlineMs: UNPACK_MS, cwd: work, signal });
    if (unpacked.code !== 0) return missing(unpacked.output);
  }
  return { folder: join(work, 'x') };
}

/** The packages that an install would bring, as a simulated one tells; the given ones alone if it tells nothing. */
async function neededFor(
  names: readonly string[],
  options: readonly string[],
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const simulated = [...options, '-s', '--no-install-recommends', 'install', ...names];
  const { output } = await run('apt-get', simulated, { deadlineMs: SHORT_MS, signal });
  const needed = [...output.matchAll(/^Inst (\S+)/gm)].map((found) => found[1] ?? '');
  return needed.length > 0 ? needed : names;
}
