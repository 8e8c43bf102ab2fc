/**
 * The file of a dump with what is not in its tables: a line of JSON for each record of a log, and for each journal's row.
 *
 *   {"log":"claims","position":7,"record":"..."}
 *   {"row":{"journal":"...","node":"...","closed":false,"folded":{...},"publishedN":9}}
 *
 *  L1. The records of one log stand together, in order. Its positions are those that it had.
 *  L2. A restored log has other positions: a log of JetStream shares its numbers with all others. So the journals' rows
 *      get the new position of the record that they name.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import type { JournalRow } from '../../actors/ports/snapshot-rows.js';

export interface LogLine {
  readonly log: string;
  readonly position: number;
  readonly record: string;
}

interface RowLine {
  readonly row: JournalRow;
}

export type Line = LogLine | RowLine;

export async function writeLines(file: string, lines: AsyncIterable<Line>, signal: AbortSignal): Promise<void> {
  const texts = async function* () {
    for await (const line of lines) yield `${JSON.stringify(line)}\n`;
  };
  await pipeline(Readable.from(texts()), createGzip(), createWriteStream(file, { flags: 'wx', flush: true }), {
    signal,
  });
}

/** @throws when the file is no gzip, is cut off, or has a line that is no JSON */
export async function* readLines(file: string): AsyncGenerator<Line> {
  const source = createReadStream(file);
  const unpacked = createGunzip();
  const ended = pipeline(source, unpacked);
  ended.catch(() => {}); // The loop meets it too.
  for await (const line of createInterface({ input: unpacked, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line !== '') yield JSON.parse(line) as Line;
  }
  await ended;
}
