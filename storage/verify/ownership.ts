/**
 * The owners of each partition over time, folded from the claims log and judged.
 *
 *  - Each record carries the whole map. A partition's epoch grows by one with each claim. A release keeps the epoch and
 *    the owner. No claim or release is undone.
 *  - A partition's row names a claim that the log has.
 */
import type { JournalId } from '../../actors/ids.js';
import { CLAIMS_LOG, type Claim, type ClaimsRecord, decodeRecord } from '../../actors/node/record.js';
import type { Log } from '../../actors/ports/log.js';
import type { PartitionRow } from '../../actors/ports/snapshot-rows.js';
import { CouldNotLook, type Findings, MovedOn } from './verdict.js';

export interface Owners {
  /** By partition: its claims, oldest first, as far back as the log goes. */
  readonly chains: readonly (readonly Claim[])[];
  /** Journals that hold or held a claim, in the order of their claims. */
  readonly journals: readonly JournalId[];
}

export async function readOwners(log: Log, partitions: number, findings: Findings): Promise<Owners> {
  const chains: Claim[][] = Array.from({ length: partitions }, () => []);
  const journals = new Set<JournalId>();
  for await (const record of claims(log)) {
    if (record.map.length !== partitions) {
      throw new CouldNotLook(`the claims log speaks of ${record.map.length} partitions, this system has ${partitions}`);
    }
    record.map.forEach((claim, partition) => {
      const chain = chains[partition] ?? [];
      const last = chain.at(-1);
      const wrong = last && step(last, claim);
      if (wrong !== undefined) findings.add('durable', `partition ${partition}`, wrong);
      if (claim === null) return;
      journals.add(claim.journal);
      if (last?.epoch === claim.epoch) chain[chain.length - 1] = claim;
      else chain.push(claim);
    });
  }
  return { chains, journals: [...journals] };
}

/** @returns the fault of the later claim after the earlier one, or undefined. */
function step(last: Claim, next: Claim | null): string | undefined {
  if (next === null) return `its claim of epoch ${last.epoch} is gone from the claims log`;
  if (next.epoch === last.epoch) {
    if (next.journal !== last.journal || next.node !== last.node) {
      return `its epoch ${last.epoch} belongs to journal ${next.journal}, expected ${last.journal}`;
    }
    if (last.released !== undefined && next.released !== last.released) {
      return `its release at ${last.released} of epoch ${last.epoch} became ${next.released ?? 'none'}`;
    }
    return undefined;
  }
  return next.epoch === last.epoch + 1 ? undefined : `epoch ${next.epoch} was claimed, expected ${last.epoch + 1}`;
}

/** @throws MovedOn when the log lacks a row's claim: it was trimmed after the row was read. */
export function checkRows(owners: Owners, rows: ReadonlyMap<number, PartitionRow>): void {
  for (const { partition, epoch, journal } of rows.values()) {
    const chain = owners.chains[partition] ?? [];
    if (chain.some((claim) => claim.epoch === epoch && claim.journal === journal)) continue;
    throw new MovedOn(
      `partition ${partition} is remembered at epoch ${epoch} of journal ${journal}, which the claims log does not know`,
    );
  }
}

async function* claims(log: Log): AsyncGenerator<ClaimsRecord> {
  for (let after = 0; ; ) {
    const page = await log.read(CLAIMS_LOG, after);
    if (page.length === 0) return;
    for (const { position, record } of page) {
      after = position;
      const decoded = decodeRecord(record, `${CLAIMS_LOG} at ${position}`);
      if (decoded.kind !== 'claims') throw new CouldNotLook(`the claims log holds a ${decoded.kind} at ${position}`);
      yield decoded;
    }
  }
}
