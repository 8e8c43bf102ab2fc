// The first start settles the system's identity, its number of partitions and the place of its journal. The first
// insert into Postgres wins, the broker keeps a copy, and every later start compares both with the environment.
//
// Law: a difference is refused, and the error names the variable. Two nodes with different settings would both own
// every partition.

import { SYSTEM_LOG } from '../actors/node/record.js';
import type { Log } from '../actors/ports/log.js';
import type { Settlement } from '../actors/ports/settlement.js';
import { decodeSettlement, encodeSettlement } from '../actors/ports/settlement.js';
import type { Settlements } from '../actors/ports/snapshots.js';

class SettledOtherwise extends Error {
  override readonly name = 'SettledOtherwise';
}

interface Wanted {
  readonly partitions: number;
  readonly journal: 'auto' | 'jetstream' | 'postgres';
  readonly seed: 'demo' | 'none';
}

/**
 * @param choose chooses the journal of a first start
 * @param broker the broker's logs; undefined if there is no broker
 * @param hasHistory whether any node has ever run on this database
 */
export async function settle(
  wanted: Wanted,
  newId: () => string,
  choose: () => 'jetstream' | 'postgres',
  settlements: Settlements,
  broker: Log | undefined,
  hasHistory: () => Promise<boolean>,
): Promise<Settlement> {
  const copy = broker && (await readCopy(broker));
  let settled = await settlements.settled();
  if (settled === undefined) {
    if (copy !== undefined) {
      throw new SettledOtherwise(
        `The broker belongs to system ${copy.id}, but the database remembers no system: DATABASE_URL points at another database than before, or the database is lost. Set DATABASE_URL to the right one, or restore it from a backup. The broker's journal may be the only copy of the last orders: nothing of it is touched. To begin anew, use another broker, or a new DATA_DIR.`,
      );
    }
    const { partitions, seed } = wanted;
    settled = await settlements.settle({ id: newId(), partitions, journal: choose(), seed });
  }
  compare('PARTITIONS', String(wanted.partitions), String(settled.partitions));
  if (wanted.journal !== 'auto') compare('JOURNAL', wanted.journal, settled.journal);
  if (broker === undefined) {
    if (settled.journal === 'postgres') return settled;
    throw new SettledOtherwise(
      'This system keeps its journal in JetStream, and there is no NATS now: set NATS_URL as it was.',
    );
  }
  if (copy === undefined && settled.journal === 'jetstream' && (await hasHistory())) {
    throw new SettledOtherwise(
      `The database belongs to system ${settled.id}, whose journal is in JetStream, but this broker remembers nothing of it: NATS_URL points at another broker than before, or its files are lost. Nothing is served over lost records.`,
    );
  }
  const theirs = copy ?? (await writeCopy(broker, settled));
  if (theirs.id !== settled.id) {
    throw new SettledOtherwise(
      `The broker belongs to system ${theirs.id}, the database to system ${settled.id}: DATABASE_URL or NATS_URL points at another one than before.`,
    );
  }
  compare('PARTITIONS', String(settled.partitions), String(theirs.partitions), 'the broker says');
  compare('JOURNAL', settled.journal, theirs.journal, 'the broker says');
  return settled;
}

function compare(name: string, now: string, settled: string, by = 'the first start settled'): void {
  if (now === settled) return;
  throw new SettledOtherwise(
    `${name} is ${now}, but ${by} ${settled}, and it stays so for the life of a system: set ${name}=${settled}.`,
  );
}

async function readCopy(broker: Log): Promise<Settlement | undefined> {
  const [entry] = await broker.read(SYSTEM_LOG, 0);
  return entry && decodeSettlement(entry.record);
}

async function writeCopy(broker: Log, settlement: Settlement): Promise<Settlement> {
  await broker.append(SYSTEM_LOG, 0, encodeSettlement(settlement), { urgent: true });
  const copy = await readCopy(broker);
  if (copy === undefined) throw new Error('the broker took the settlement but does not show it: start again');
  return copy;
}
