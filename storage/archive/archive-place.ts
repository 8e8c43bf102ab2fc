/**
 * Where archives of orders are kept: a folder, or a bucket. Each archive is one file, with its manifest beside it.
 *
 *  P1. A name is a promise: a file has it once it is complete and on disk. Nothing is ever overwritten.
 *  P2. A place is of one system. Its mark says of which; a place with anything else in it is refused.
 */
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { link, mkdir, open, readdir, rm, stat, unlink } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import type { S3Bucket } from '../backup/s3-bucket.js';
import { PARTIAL, sync, writeSynced } from '../backup/synced-files.js';
import { inTime } from './in-time.js';

export interface ArchivePlace {
  /** An absolute path, or a URL of s3. It is what Postgres remembers. */
  readonly place: string;
  /** The names of all that is there. */
  list(signal: AbortSignal): Promise<readonly string[]>;
  /** Undefined: there is none. */
  sizeOf(name: string, signal: AbortSignal): Promise<number | undefined>;
  read(name: string, signal: AbortSignal, range?: readonly [number, number]): Promise<AsyncIterable<Buffer>>;
  /** Gives a local file its name here. @throws if the name is taken */
  put(name: string, path: string, sha256: string, signal: AbortSignal): Promise<void>;
  /**
   * Where a file is made before it has its name: in the folder itself, so that its disk must have room for it once only.
   * Undefined for a bucket that is only read.
   */
  readonly workFolder: string | undefined;
  /** No matter whether it is there. @returns why old versions of it are left, as a sentence; undefined: none is */
  remove(name: string, signal: AbortSignal): Promise<string | undefined>;
}

/** The archive, or its place, cannot be used: why, as a sentence without its end. */
export class BadArchive extends Error {
  override readonly name = 'BadArchive';
}

/**
 * @param where a folder, or `s3://bucket/prefix`
 * @param endpoint of the bucket's server; undefined: AWS itself
 * @param scratch a folder for files on their way to a bucket (`emptyScratch`); undefined for who only reads
 */
export async function archivePlace(
  where: string,
  endpoint: string | undefined,
  scratch?: string,
): Promise<ArchivePlace> {
  if (!where.startsWith('s3://')) return folderPlace(resolve(where));
  const { s3Bucket, s3PlaceOf } = await import('../backup/s3-bucket.js');
  const at = s3PlaceOf(where, endpoint);
  if (at === undefined) throw new BadArchive(`${where} is no place for archives: name a folder or s3://bucket/prefix`);
  return bucketPlace(s3Bucket(at), scratch);
}

/** What a killed run left there goes: it has personal data. Nobody else may read the folder. */
export async function emptyScratch(scratch: string): Promise<void> {
  await rm(scratch, { recursive: true, force: true });
  await mkdir(scratch, { recursive: true, mode: 0o700 });
}

export const isPlace = (where: string): boolean => isAbsolute(where) || /^s3:\/\/[a-z0-9]/.test(where);

// ---------------------------------------------------------------- whose place

const MARK = 'holdfast-archives.json';
const FORMAT = 1;

/** archive-place.P2: marks an empty place as this system's. @throws BadArchive if it is another's, or has other files */
export async function mustBeOurs(place: ArchivePlace, system: string, signal: AbortSignal): Promise<void> {
  const names = await place.list(signal);
  if (names.includes(MARK)) {
    const owner = systemIn(await textOf(place, MARK, signal));
    if (owner === system) return;
    const whose = owner === undefined ? 'has a damaged mark' : `has the archives of another system (${owner})`;
    throw new BadArchive(`${place.place} ${whose}: name a new folder or prefix. Nothing was written there`);
  }
  const [other] = names.filter((name) => !name.startsWith(PARTIAL));
  if (other !== undefined) {
    const has = `is not empty (it has ${other}) and has no mark of Holdfast`;
    throw new BadArchive(`${place.place} ${has}: name a new folder or prefix. Nothing was written there`);
  }
  await putText(place, MARK, JSON.stringify({ format: FORMAT, system }), signal);
}

function systemIn(mark: string): string | undefined {
  try {
    const { system } = JSON.parse(mark) as { readonly system?: unknown };
    return typeof system === 'string' ? system : undefined;
  } catch {
    return undefined;
  }
}

async function textOf(place: ArchivePlace, name: string, signal: AbortSignal): Promise<string> {
  return (await bytesOf(place, name, signal)).toString();
}

export async function bytesOf(
  place: ArchivePlace,
  name: string,
  signal: AbortSignal,
  range?: readonly [number, number],
): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of await place.read(name, signal, range)) pieces.push(piece);
  return Buffer.concat(pieces);
}

export async function putText(place: ArchivePlace, name: string, text: string, signal: AbortSignal): Promise<void> {
  const path = workPath(place, `${PARTIAL}${randomUUID()}`);
  try {
    await writeSynced(path, text);
    await place.put(name, path, '', signal);
  } finally {
    await rm(path, { force: true });
  }
}

/** Of a file that has no name yet. */
export function workPath({ place, workFolder }: ArchivePlace, name: string): string {
  if (workFolder === undefined) throw new Error(`${place} was opened to be read only`);
  return join(workFolder, name);
}

// ---------------------------------------------------------------- a folder

/** A folder that is slower is away. */
const ANSWER_MS = 10_000;

function folderPlace(folder: string): ArchivePlace {
  const at = (name: string) => join(folder, name);
  return {
    place: folder,
    workFolder: folder,
    async list() {
      await mkdir(folder, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
        throw new BadArchive(`${folder} is no folder for archives (${error.code ?? error.message}): name another one`);
      });
      return readdir(folder);
    },
    sizeOf: (name) =>
      inTime(
        stat(at(name)).then(
          ({ size }) => size,
          (error: NodeJS.ErrnoException) => {
            if (error.code === 'ENOENT') return undefined;
            throw error;
          },
        ),
        ANSWER_MS,
      ),
    async read(name, signal, range) {
      const file = await open(at(name), 'r'); // So that a missing file is an error of this call.
      const part = range && { start: range[0], end: range[1] - 1 };
      return createReadStream('', { fd: file, signal, ...part });
    },
    async put(name, path) {
      await sync(path);
      await link(path, at(name)); // Unlike a rename it fails where the name is taken.
      await unlink(path);
      await sync(folder);
    },
    async remove(name) {
      await rm(at(name), { force: true });
      await sync(folder);
      return undefined;
    },
  };
}

// ---------------------------------------------------------------- a bucket

function bucketPlace(bucket: S3Bucket, scratch: string | undefined): ArchivePlace {
  return {
    workFolder: scratch,
    place: bucket.place.replace(/\/+$/, ''),
    list: async (signal) => (await bucket.list(signal)).map(({ name }) => name),
    sizeOf: (name, signal) => bucket.sizeOf(name, signal),
    read: (name, signal, range) => bucket.read(name, signal, range),
    async put(name, path, sha256, signal) {
      if ((await bucket.sizeOf(name, signal)) !== undefined)
        throw new BadArchive(`${bucket.place} has ${name} already`);
      await bucket.upload(name, path, sha256, signal);
      await rm(path, { force: true });
    },
    remove: (name, signal) => bucket.remove(name, signal),
  };
}
