/** Reads a log to its end, and decodes its records. */
import type { JournalId } from '../../actors/ids.js';
import {
  CLAIMS_LOG,
  type ClaimsRecord,
  decodeRecord,
  journalLog,
  type StoredRecord,
} from '../../actors/node/record.js';
import type { JournalTail } from '../../actors/node/replay.js';
import type { Log, Position } from '../../actors/ports/log.js';
import type { JournalRow } from '../../actors/ports/snapshot-rows.js';

interface DecodedEntry<R> {
  readonly position: Position;
  readonly record: R;
}

/** Every record after the position, oldest first. @throws UnreadableRecord */
export async function* readFrom(
  log: Pick<Log, 'read'>,
  name: string,
  after: Position,
): AsyncGenerator<DecodedEntry<StoredRecord>> {
  for (let position = after; ; ) {
    const page = await log.read(name, position);
    if (page.length === 0) return;
    for (const entry of page) {
      position = entry.position;
      yield { position, record: decodeRecord(entry.record, `${name} at ${position}`) };
    }
  }
}

/** The claims that are not trimmed, and the end of the claims log. */
export async function readClaims(log: Log): Promise<{ records: ClaimsRecord[]; positions: Position[]; end: Position }> {
  const records: ClaimsRecord[] = [];
  const positions: Position[] = [];
  for await (const { position, record } of readFrom(log, CLAIMS_LOG, 0)) {
    records.push(claimsIn(record, position));
    positions.push(position);
  }
  return { records, positions, end: positions.at(-1) ?? 0 };
}

/** The record, as one of the claims log. @throws when it is of another kind */
export function claimsIn(record: StoredRecord, position: Position): ClaimsRecord {
  if (record.kind !== 'claims') throw new Error(`the claims log holds a ${record.kind} at ${position}`);
  return record;
}

/** The records of a journal after the place in its row. @param row undefined if the journal has no row */
export async function readTail(log: Log, journal: JournalId, row: JournalRow | undefined): Promise<JournalTail> {
  const turns: JournalTail['turns'][number][] = [];
  const place = row?.folded;
  let seal: JournalTail['seal'];
  let idAtPlace: string | undefined;
  const from = place !== undefined && place.position > 0 ? place.position - 1 : 0;
  for await (const { position, record } of readFrom(log, journalLog(journal), from)) {
    if (record.kind === 'seal') {
      seal = record;
      break;
    }
    if (record.kind !== 'turn') throw new Error(`${journalLog(journal)} holds a ${record.kind} at ${position}`);
    if (position === place?.position) idAtPlace = record.id;
    else turns.push(record);
  }
  return { turns, seal, idAtPlace };
}
