/**
 * One dump as one file: a tar of its files, gzipped where that helps, encrypted where a recipient is given.
 *
 * Law: an archive counts after it was read back from the disk and every file in it has the bytes that the manifest names. An
 * encrypted one is made for a second key as well, which is forgotten once it has been read back.
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip, gzipSync } from 'node:zlib';
import { extract, type Pack, pack } from 'tar-stream';
import { decrypted, encrypted, passingKeys } from './age.js';
import { MANIFEST, type Manifest } from './dump.js';
import { manifestOf } from './files.js';
import { sync } from './synced-files.js';

/** The dumps of the archive's day, of which it holds the newest. */
const LIST = 'dumps.json';
const AGE = 'age-encryption.org/';
const GZIP = [0x1f, 0x8b];
const SAMPLE_BYTES = 1_048_576;
/** A sample that shrinks by less is not worth the time. */
const WORTH = 0.9;
const FAST = 1;

export interface Packing {
  readonly folder: string;
  readonly manifest: Manifest;
  /** The dumps of the day, as JSON. */
  readonly list: string;
  /** Undefined: not encrypted. */
  readonly recipient: string | undefined;
}

interface Packed {
  readonly sha256: string;
  readonly bytes: number;
}

/** What follows the day in an archive's name. */
export async function endingOf({ folder, manifest, recipient }: Omit<Packing, 'list'>): Promise<string> {
  return `.tar${(await shrinks(folder, manifest)) ? '.gz' : ''}${recipient === undefined ? '' : '.age'}`;
}

/** Writes the archive, syncs it, and reads it back. @throws a sentence if it is not what the manifest names */
export async function packArchive(path: string, packing: Packing, signal: AbortSignal): Promise<Packed> {
  const keys = packing.recipient === undefined ? undefined : await passingKeys();
  const written = await write(path, packing, keys?.recipient, signal);
  await sync(path);
  const { files } = packing.manifest;
  const expected = new Map(files.map(({ name, sha256 }) => [name, sha256] as const));
  expected.set(MANIFEST, sha256Of(await readFile(join(packing.folder, MANIFEST))));
  expected.set(LIST, sha256Of(packing.list));
  const read = createHash('sha256');
  const found = new Map<string, string>();
  await inWords(path, signal, async () => {
    for await (const { name, body } of entriesOf(path, keys?.identity, read, signal)) {
      const hash = createHash('sha256');
      await pipeline(body, hashing(hash), nowhere());
      found.set(name, hash.digest('hex'));
    }
  });
  mustMatch(path, expected, found);
  if (read.digest('hex') !== written) throw new Error(`${path} has other bytes than were written`);
  return { sha256: written, bytes: (await stat(path)).size };
}

/**
 * Writes the files of an archive into an empty folder.
 * @throws a sentence: it is cut, damaged, of another kind, or for another key. What was written by then is worth nothing.
 */
export async function unpackArchive(path: string, folder: string, identity: string | undefined): Promise<Manifest> {
  const found = new Map<string, string>();
  await mkdir(folder, { recursive: true });
  await inWords(path, undefined, async () => {
    for await (const { name, body } of entriesOf(path, identity)) {
      if (!/^\w[\w.-]*$/.test(name)) throw new Error(`it holds a file ${name}`);
      const hash = createHash('sha256');
      await pipeline(body, hashing(hash), createWriteStream(join(folder, name), { flags: 'wx' }));
      found.set(name, hash.digest('hex'));
    }
  });
  if (!found.has(MANIFEST)) throw new Error(`${path} is no archive of Holdfast: it holds no ${MANIFEST}`);
  const manifest = await manifestOf(folder);
  mustMatch(path, new Map(manifest.files.map(({ name, sha256 }) => [name, sha256])), found);
  return manifest;
}

// ---------------------------------------------------------------- writing

/** @returns the sha256 of what was written */
async function write(path: string, packing: Packing, second: string | undefined, signal: AbortSignal): Promise<string> {
  const { folder, manifest, recipient } = packing;
  const tar = pack();
  const hash = createHash('sha256');
  const recipients = [recipient, second].filter((each) => each !== undefined);
  const written = pipeline(
    Readable.from(tar),
    zipping(await shrinks(folder, manifest)),
    async function* (plain: AsyncIterable<Buffer>) {
      yield* recipients.length === 0 ? plain : await encrypted(Readable.from(plain), recipients);
    },
    hashing(hash),
    createWriteStream(path),
    { signal },
  ).catch((error) => {
    tar.destroy(error); // What fills it may wait for room.
    throw error;
  });
  // Both have ended before anybody removes the file.
  const failures: unknown[] = [];
  const note = (error: unknown) => void failures.push(error);
  await Promise.all([written.catch(note), fill(tar, packing, signal).catch(note)]);
  if (failures.length > 0) throw failures[0];
  return hash.digest('hex');
}

/** The manifest comes first: whoever reads the archive knows early what it is. */
async function fill(tar: Pack, { folder, manifest, list }: Packing, signal: AbortSignal): Promise<void> {
  const mtime = new Date(manifest.takenAt);
  try {
    const { size } = await stat(join(folder, MANIFEST));
    for (const { name, bytes } of [{ name: MANIFEST, bytes: size }, ...manifest.files]) {
      // A file that has another size than the manifest says ends this with an error.
      await pipeline(createReadStream(join(folder, name)), tar.entry({ name, size: bytes, mtime }), { signal });
    }
    tar.entry({ name: LIST, mtime }, list);
    tar.finalize();
  } catch (error) {
    tar.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
}

const zipping = (isWorthIt: boolean) =>
  async function* (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    if (isWorthIt) yield* through(source, createGzip({ level: FAST }));
    else yield* source;
  };

/** Whether gzip makes the largest file smaller. Dumps are often compressed already. */
async function shrinks(folder: string, { files }: Manifest): Promise<boolean> {
  const [largest] = [...files].sort((a, b) => b.bytes - a.bytes);
  if (largest === undefined) return false;
  const file = await open(join(folder, largest.name));
  try {
    const sample = Buffer.alloc(Math.min(SAMPLE_BYTES, largest.bytes));
    const { bytesRead } = await file.read(sample, 0, sample.length, 0);
    return gzipSync(sample.subarray(0, bytesRead), { level: FAST }).length < bytesRead * WORTH;
  } finally {
    await file.close();
  }
}

// ---------------------------------------------------------------- reading

interface Found {
  readonly name: string;
  readonly body: AsyncIterable<Buffer>;
}

/** @param raw gets the bytes of the file itself */
async function* entriesOf(
  path: string,
  identity: string | undefined,
  raw?: Hash,
  signal?: AbortSignal,
): AsyncGenerator<Found> {
  const isEncrypted = await beginsWithAge(path);
  if (isEncrypted && identity === undefined) throw new Error('it is encrypted, and its age identity is needed');
  const tar = extract();
  const fed = pipeline(
    createReadStream(path),
    raw === undefined ? (source: AsyncIterable<Buffer>) => source : hashing(raw),
    async function* (source: AsyncIterable<Buffer>) {
      yield* isEncrypted && identity !== undefined ? await decrypted(Readable.from(source), identity) : source;
    },
    unzippedIfZipped,
    tar,
    { ...(signal && { signal }) },
  );
  fed.catch(() => {}); // It is awaited below, or the entries end with its error.
  for await (const body of tar) yield { name: body.header.name, body: body as AsyncIterable<Buffer> };
  await fed;
}

/** What a library says of bytes that it cannot read, as a sentence. What the disk says stays as it is. */
async function inWords(path: string, signal: AbortSignal | undefined, read: () => Promise<void>): Promise<void> {
  try {
    await read();
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (signal?.aborted || /^E(?!RR_)/.test(code)) throw error;
    throw new Error(`${path} is no archive of Holdfast, is damaged, or is for another key: ${message}`, {
      cause: error,
    });
  }
}

async function beginsWithAge(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(AGE.length), 0, AGE.length, 0);
    return buffer.toString('latin1') === AGE;
  } finally {
    await file.close();
  }
}

async function* unzippedIfZipped(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const pieces = source[Symbol.asyncIterator]();
  const first = await pieces.next();
  if (first.done) return;
  const all = async function* () {
    yield first.value;
    yield* { [Symbol.asyncIterator]: () => pieces };
  };
  if (GZIP.every((byte, i) => first.value[i] === byte)) yield* through(all(), createGunzip());
  else yield* all();
}

function mustMatch(path: string, expected: ReadonlyMap<string, string>, found: ReadonlyMap<string, string>): void {
  for (const [name, sha256] of expected) {
    if (!found.has(name)) throw new Error(`${path} is damaged: it lacks ${name}`);
    if (found.get(name) !== sha256)
      throw new Error(`${path} is damaged: ${name} has other bytes than its manifest says`);
  }
}

// ---------------------------------------------------------------- streams

/** A pipeline within one: an error of the source ends what comes out. */
async function* through(source: AsyncIterable<Buffer>, stage: ReturnType<typeof createGzip>): AsyncGenerator<Buffer> {
  const fed = pipeline(source, stage);
  fed.catch(() => {}); // The stage ends with the same error.
  yield* stage;
  await fed;
}

const hashing = (hash: Hash) =>
  async function* (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const piece of source) {
      hash.update(piece);
      yield piece;
    }
  };

const nowhere = (): Writable => new Writable({ write: (_piece, _encoding, done) => done() });

const sha256Of = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');
