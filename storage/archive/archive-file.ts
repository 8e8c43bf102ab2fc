/**
 * Writes one archive, and reads it back.
 *
 * Law: an archive counts once its file was read from its place from end to end, has the bytes that were written, and each of
 * its blocks has the orders that it should have.
 */
import { createHash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { limits } from '../../actors/limits.js';
import { PARTIAL } from '../backup/synced-files.js';
import { pack, parse, unpack } from './archive-lines.js';
import { type ArchivePlace, BadArchive, putText, workPath } from './archive-place.js';

export interface Block {
  readonly at: number;
  readonly bytes: number;
}

/** An order in the file. */
export interface Entry {
  readonly id: string;
  readonly version: number;
  readonly block: number;
}

export interface ArchiveFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly blocks: readonly Block[];
  readonly entries: readonly Entry[];
}

/** What the manifest tells beside the file: for people, and for a reader without the database. */
interface Manifest {
  readonly format: 1;
  readonly system: string;
  readonly name: string;
  readonly orders: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly first_placed_at: string;
  readonly last_placed_at: string;
  readonly made_at: string;
}

export const manifestName = (name: string): string => `${name}.manifest.json`;
export const partialName = (name: string): string => `${PARTIAL}${name}`;

/** @param lines of orders, as many as there are. @returns undefined if there were none */
export async function writeFile(
  place: ArchivePlace,
  name: string,
  lines: AsyncIterable<string>,
  signal: AbortSignal,
): Promise<ArchiveFile | undefined> {
  const path = workPath(place, partialName(name));
  await rm(path, { force: true }); // Of a run that was killed.
  const file = await open(path, 'wx');
  const hash = createHash('sha256');
  const blocks: Block[] = [];
  const entries: Entry[] = [];
  let bytes = 0;
  let waiting: string[] = [];
  const end = async () => {
    const block = await pack(waiting);
    waiting = [];
    hash.update(block);
    blocks.push({ at: bytes, bytes: block.length });
    bytes += block.length;
    await file.writeFile(block);
  };
  try {
    try {
      for await (const line of lines) {
        signal.throwIfAborted();
        const { id, version } = parse(line, name).order;
        entries.push({ id, version, block: blocks.length });
        waiting.push(line.replaceAll('\n', ' ')); // No text in JSON has a line feed of its own.
        if (waiting.length === limits.archiveBlockOrders) await end();
      }
      if (waiting.length > 0) await end();
      await file.sync();
    } finally {
      await file.close();
    }
    if (entries.length === 0) return undefined;
    const sha256 = hash.digest('hex');
    await place.put(name, path, sha256, signal);
    return { name, bytes, sha256, blocks, entries };
  } finally {
    await rm(path, { force: true });
  }
}

export async function writeManifest(place: ArchivePlace, manifest: Manifest, signal: AbortSignal): Promise<void> {
  await putText(place, manifestName(manifest.name), `${JSON.stringify(manifest, null, 2)}\n`, signal);
}

type Known = Pick<ArchiveFile, 'name' | 'bytes' | 'sha256' | 'blocks'>;

/** Its lines, block by block. After the last one the whole file has been compared. @throws BadArchive */
export async function* blocksOf(
  place: ArchivePlace,
  { name, bytes, sha256, blocks }: Known,
  signal: AbortSignal,
): AsyncGenerator<readonly string[]> {
  const hash = createHash('sha256');
  let rest: Buffer = Buffer.alloc(0);
  let next = 0;
  let read = 0;
  const pieces = await place.read(name, signal).catch((error: Error) => {
    throw new BadArchive(`the archive ${name} at ${place.place} cannot be read (${error.message})`);
  });
  for await (const piece of pieces) {
    hash.update(piece);
    read += piece.length;
    rest = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    for (let block = blocks[next]; block !== undefined && rest.length >= block.bytes; block = blocks[++next]) {
      yield unpack(rest.subarray(0, block.bytes), name);
      rest = rest.subarray(block.bytes);
    }
  }
  if (read !== bytes || hash.digest('hex') !== sha256) {
    const has = `has ${read} bytes or another content, expected ${bytes} bytes with SHA-256 ${sha256}`;
    throw new BadArchive(`the archive ${name} at ${place.place} is damaged or cut: it ${has}`);
  }
}

/** Reads the whole file. @returns its orders. @throws BadArchive */
export async function readBack(place: ArchivePlace, known: Known, signal: AbortSignal): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  let block = 0;
  for await (const lines of blocksOf(place, known, signal)) {
    for (const line of lines) {
      const { id, version } = parse(line, known.name).order;
      entries.push({ id, version, block });
    }
    block++;
  }
  return entries;
}

/** @throws BadArchive */
export function mustBeSame({ name, entries }: ArchiveFile, found: readonly Entry[]): void {
  const differs = (entry: Entry, i: number) =>
    found[i]?.id !== entry.id || found[i]?.version !== entry.version || found[i]?.block !== entry.block;
  if (found.length === entries.length && !entries.some(differs)) return;
  throw new BadArchive(`the archive ${name} does not have the orders that were written to it`);
}
