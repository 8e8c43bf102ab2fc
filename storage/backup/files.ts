/** The files of a dump: their hashes, and the comparison with the manifest. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { CannotRestore, DATABASE, type DumpFile, LOGS, MANIFEST, type Manifest } from './dump.js';

const FORMAT = 1;

/** @param name of a file in the folder */
export async function hashOf(folder: string, name: string): Promise<DumpFile> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(join(folder, name)), hash);
  return { name, bytes: (await stat(join(folder, name))).size, sha256: hash.digest('hex') };
}

/** @throws CannotRestore: there is none, or it is of another format */
export async function manifestOf(folder: string): Promise<Manifest> {
  const text = await readFile(join(folder, MANIFEST), 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new CannotRestore(`${folder} is no dump: its ${MANIFEST} cannot be read (${error.code ?? error.message})`);
  });
  return parsed(text, folder);
}

/** Reads the manifest and compares every file with it. @throws CannotRestore */
export async function readManifest(folder: string): Promise<Manifest> {
  const manifest = await manifestOf(folder);
  for (const name of [DATABASE, LOGS]) {
    const wanted = manifest.files.find((file) => file.name === name);
    if (wanted === undefined) throw new CannotRestore(`the manifest of ${folder} names no ${name}`);
    const found = await hashOf(folder, name).catch((error: NodeJS.ErrnoException) => {
      throw new CannotRestore(
        `the dump ${folder} is not whole: ${name} cannot be read (${error.code ?? error.message})`,
      );
    });
    if (found.bytes !== wanted.bytes || found.sha256 !== wanted.sha256) {
      throw new CannotRestore(
        `the dump ${folder} is damaged: ${name} has ${found.bytes} bytes or another content, expected ${wanted.bytes} bytes with SHA-256 ${wanted.sha256}`,
      );
    }
  }
  return manifest;
}

function parsed(text: string, folder: string): Manifest {
  let raw: Partial<Omit<Manifest, 'format'>> & { readonly format?: unknown };
  try {
    raw = JSON.parse(text);
  } catch {
    throw new CannotRestore(`the dump ${folder} is damaged: its ${MANIFEST} is no JSON`);
  }
  if (raw.format !== FORMAT) {
    throw new CannotRestore(
      `the dump ${folder} has format ${String(raw.format)}, and this Holdfast reads format ${FORMAT}: restore it with the version that took it (${String(raw.version)})`,
    );
  }
  const { system, partitions, journal, files } = raw;
  if (typeof system !== 'string' || !Number.isInteger(partitions) || journal === undefined || !Array.isArray(files)) {
    throw new CannotRestore(
      `the dump ${folder} is damaged: its ${MANIFEST} lacks the system, its journal or the files`,
    );
  }
  return raw as Manifest;
}
