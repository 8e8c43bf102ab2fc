/**
 * The owners of each partition over time, folded from the claims log and judged.
 *
 *  - Each record carries the whole map. A partition's epoch grows by one with each claim. A release keeps the epoch and
 *    the owner. No claim or release is undone.
 *  - A partition's row names a claim that the log has. Without a row no claim of the partition is trimmed.
 *  - When a release is in the log, the journal's row has passed its n.
 */
import type { JournalId } from '../../actors/ids.js';
import { CLAIMS_LOG, type Claim, type ClaimsRecord, decodeRecord } from '../../actors/node/record.js';
import type { Log, Position } from '../../actors/ports/log.js';
import type { Snapshot } from './snapshot.js';
import { CouldNotLook, type Findings, MovedOn } from './verdict.js';

export interface Owners {
  /** By partition: its claims, oldest first, as far back as the log goes. */
  readonly chains: readonly (readonly Claim[])[];
  /** Journals that hold or held a claim, in the order of their claims. */
  readonly journals: readonly JournalId[];
}

/** The claims log, read on from time to time: a later reading knows more than an earlier one. */
export class ClaimsReader {
  private after: Position = 0;
  private readonly chains: Claim[][];
  private readonly journals = new Set<JournalId>();

  constructor(
    private readonly log: Log,
    private readonly partitions: number,
    private readonly findings: Findings,
  ) {
    this.chains = Array.from({ length: partitions }, () => []);
  }

  /** The position of the last record that was read. */
  get upTo(): Position {
    return this.after;
  }

  async readOn(): Promise<Owners> {
    for await (const record of this.records()) this.fold(record);
    return { chains: this.chains.map((chain) => [...chain]), journals: [...this.journals] };
  }

  private fold({ map }: ClaimsRecord): void {
    if (map.length !== this.partitions) {
      throw new CouldNotLook(`the claims log speaks of ${map.length} partitions, this system has ${this.partitions}`);
    }
    map.forEach((claim, partition) => {
      const chain = this.chains[partition] ?? [];
      const last = chain.at(-1);
      const wrong = last && step(last, claim);
      if (wrong !== undefined) this.findings.add('durable', `partition ${partition}`, wrong);
      if (claim === null) return;
      this.journals.add(claim.journal);
      if (last?.epoch === claim.epoch) chain[chain.length - 1] = claim;
      else chain.push(claim);
    });
  }

  private async *records(): AsyncGenerator<ClaimsRecord> {
    for (;;) {
      const page = await this.log.read(CLAIMS_LOG, this.after);
      if (page.length === 0) return;
      for (const { position, record } of page) {
        this.after = position;
        const decoded = decodeRecord(record, `${CLAIMS_LOG} at ${position}`);
        if (decoded.kind !== 'claims') throw new CouldNotLook(`the claims log holds a ${decoded.kind} at ${position}`);
        yield decoded;
      }
    }
  }
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

/**
 * @param before the claims that were read before the snapshot
 * @param owners those that were read after it
 * @throws MovedOn when the log lacks a row's claim: it was trimmed after the row was read.
 */
export function checkRows(before: Owners, owners: Owners, snapshot: Snapshot, findings: Findings): void {
  for (const { partition, epoch, journal } of snapshot.partitions.values()) {
    const chain = owners.chains[partition] ?? [];
    if (chain.some((claim) => claim.epoch === epoch && claim.journal === journal)) continue;
    throw new MovedOn(
      `partition ${partition} is remembered at epoch ${epoch} of journal ${journal}, which the claims log does not know`,
    );
  }
  for (const [partition, chain] of before.chains.entries()) {
    const thing = `partition ${partition}`;
    const [oldest] = chain;
    if (oldest !== undefined && oldest.epoch > 1 && !snapshot.partitions.has(partition)) {
      findings.add('durable', thing, `its row is missing, though its claims before epoch ${oldest.epoch} are gone`);
    }
    for (const { epoch, journal, released } of chain) {
      const row = snapshot.journals.get(journal);
      if (released === undefined || row === undefined || row.folded.n >= released) continue;
      // A late close makes the row of a forgotten journal again, empty.
      if (row.closed && row.folded.n === 0) continue;
      const where = `journal ${journal} at ${released}, expected at most ${row.folded.n}, which the journal's row has`;
      findings.add('durable', thing, `its epoch ${epoch} is released from ${where}`);
    }
  }
}
