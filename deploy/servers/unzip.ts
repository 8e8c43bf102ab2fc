// Reads files out of a zip (a wheel is a zip), through the central directory at its end. Law: anything unexpected is an
// error. The caller has already checked the hash of the whole file.

import { inflateRawSync } from 'node:zlib';

const END_OF_DIRECTORY = 0x06054b50;
const ENTRY = 0x02014b50;
const STORED = 0;
const DEFLATED = 8;
const MAX_UNPACKED_BYTES = 256 * 1024 * 1024;

interface Unzipped {
  readonly name: string;
  readonly bytes: Buffer;
}

export function unzipOne(zip: Buffer, wanted: (name: string) => boolean): Buffer {
  const [first] = unzip(zip, wanted);
  if (first === undefined) throw new Error('The file wanted is not in the zip.');
  return first.bytes;
}

export function unzip(zip: Buffer, wanted: (name: string) => boolean): readonly Unzipped[] {
  const marker = Buffer.alloc(4);
  marker.writeUInt32LE(END_OF_DIRECTORY);
  const end = zip.lastIndexOf(marker);
  if (end < 0) throw new Error('It is not a zip.');
  const found: Unzipped[] = [];
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0 && zip.readUInt32LE(at) === ENTRY; left--) {
    const [nameLength = 0, extraLength = 0, noteLength = 0] = [28, 30, 32].map((field) => zip.readUInt16LE(at + field));
    const nameEnd = at + 46 + nameLength;
    const name = zip.toString('utf8', at + 46, nameEnd);
    if (wanted(name)) found.push({ name, bytes: unpacked(zip, at) });
    at = nameEnd + extraLength + noteLength;
  }
  return found;
}

/** @param at of its entry in the directory */
function unpacked(zip: Buffer, at: number): Buffer {
  const method = zip.readUInt16LE(at + 10);
  const header = zip.readUInt32LE(at + 42);
  const start = header + 30 + zip.readUInt16LE(header + 26) + zip.readUInt16LE(header + 28);
  const packed = zip.subarray(start, start + zip.readUInt32LE(at + 20));
  if (method === STORED) return packed;
  if (method === DEFLATED) return inflateRawSync(packed, { maxOutputLength: MAX_UNPACKED_BYTES });
  throw new Error(`The zip is packed in a way (${method}) that is not known here.`);
}
