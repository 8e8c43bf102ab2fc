/**
 * What must hold for the records of one journal, in their order.
 *
 *  - A journal has one writer. Each record touches partitions only at epochs that the claims gave to this journal, and
 *    only up to the partition's release.
 *  - The first record of a partition at an epoch joins it, and no later one does. A join names the journal of the epoch
 *    before, up to its release at least. Once the journal's row contains a join, the partition's row is at its epoch.
 *    Claims of older versions have no time, and their journals no joins.
 *  - A record names the partition of every actor that it changes, and of every letter's sender. A letter is numbered in
 *    the channel of the partition that its receiver hashes to.
 *  - A journal whose partition was claimed by another has released the partition, or ends in a seal. So does one whose
 *    row is closed.
 */
import { type JournalId, partitionOf } from '../../actors/ids.js';
import type { Claim, Join, TurnRecord } from '../../actors/node/record.js';
import type { InRows } from './in-rows.js';
import type { Owners } from './ownership.js';
import type { Snapshot } from './snapshot.js';
import type { Tail } from './tails.js';
import type { Findings } from './verdict.js';

interface LawParts {
  readonly partitions: number;
  readonly owners: Owners;
  readonly snapshot: Snapshot;
  readonly inRows: InRows;
  readonly findings: Findings;
}

export class JournalLaws {
  /** By partition and epoch: the n of the first record, and whether it joins the partition. */
  private readonly first = new Map<string, { readonly n: number; readonly joins: boolean }>();
  private isWhole: boolean | undefined;

  constructor(
    private readonly journal: JournalId,
    private readonly parts: LawParts,
  ) {}

  check(turn: TurnRecord): void {
    this.isWhole ??= turn.n === 1;
    const { partitions } = this.parts;
    if (turn.journal !== this.journal) this.wrong(turn, `says it is of journal ${turn.journal}: a second writer`);
    for (const join of turn.joins ?? []) this.checkJoin(turn, join);
    for (const [partition, { epoch }] of Object.entries(turn.parts)) this.checkPart(turn, Number(partition), epoch);
    for (const { events } of turn.cascades) {
      for (const { of } of events) {
        const partition = partitionOf(of.kind, of.id, partitions);
        if (turn.parts[partition] === undefined)
          this.wrong(turn, `changes ${of.kind} ${of.id} without its partition ${partition}`);
      }
    }
    for (const { from, to, number, letter } of turn.letters) {
      const partition = partitionOf(letter.to.kind, letter.to.id, partitions);
      if (turn.parts[from] === undefined)
        this.wrong(turn, `sends a letter from partition ${from} without that partition`);
      if (partition !== to)
        this.wrong(
          turn,
          `sends letter ${number} of channel ${from} to ${to} to ${letter.to.kind} ${letter.to.id} of partition ${partition}`,
        );
    }
  }

  private checkPart(turn: TurnRecord, partition: number, epoch: number): void {
    const chain = this.parts.owners.chains[partition] ?? [];
    const claim = chain.find((each) => each.epoch === epoch);
    const what = `touches partition ${partition} at epoch ${epoch}`;
    const isKnown = epoch >= (chain[0]?.epoch ?? 1);
    // An epoch that nobody has claimed yet is judged by cut.ts.
    const isLater = epoch > (chain.at(-1)?.epoch ?? 0);
    if (isKnown && !isLater && claim?.journal !== this.journal) {
      this.wrong(turn, `${what}, which belongs to ${claim?.journal ?? 'nobody'}`);
    } else if (claim?.released !== undefined && turn.n > claim.released) {
      this.wrong(turn, `${what}, after its release at ${claim.released}`);
    }
    const name = `${partition} ${epoch}`;
    if (this.first.has(name)) return;
    this.first.set(name, { n: turn.n, joins: false });
    // The record of the join may be trimmed once the rows have it.
    const isFirst = this.isWhole === true || (this.parts.snapshot.partitions.get(partition)?.epoch ?? 0) < epoch;
    if (claim?.at !== undefined && claim.journal === this.journal && isFirst)
      this.wrong(turn, `${what} without a join`);
  }

  private checkJoin(turn: TurnRecord, { partition, epoch, after }: Join): void {
    const name = `${partition} ${epoch}`;
    const what = `joins partition ${partition} at epoch ${epoch}`;
    const earlier = this.first.get(name);
    if (earlier !== undefined) this.wrong(turn, `${what}, which record ${earlier.n} has touched before`);
    this.first.set(name, { n: turn.n, joins: true });
    const { owners, snapshot, inRows } = this.parts;
    const row = snapshot.partitions.get(partition);
    if (inRows.foldedN(this.journal) >= turn.n && (row?.epoch ?? 0) < epoch && !inRows.hasAllOf(partition, epoch)) {
      this.wrong(turn, `${what}, and is in the rows, though the partition's row is of epoch ${row?.epoch ?? 'none'}`);
    }
    const before: Claim | undefined = owners.chains[partition]?.find((claim) => claim.epoch === epoch - 1);
    if (before === undefined || before.journal === this.journal) return;
    const named = after.find(([journal]) => journal === before.journal)?.[1];
    const { released } = before;
    if (named === undefined) this.wrong(turn, `${what} without naming journal ${before.journal}, which had it before`);
    else if (named !== 'seal' && named < (released ?? Number.POSITIVE_INFINITY))
      this.wrong(turn, `${what} after n ${named} of journal ${before.journal}, expected ${released ?? 'its seal'}`);
  }

  private wrong(turn: TurnRecord, sentence: string): void {
    this.parts.findings.add('durable', `journal ${this.journal}`, `record ${turn.n} ${sentence}`);
  }
}

/** @param before the claims that were read before the tails */
export function checkEnd(
  { journal, lastN, isSealed }: Tail,
  before: Owners,
  { journals }: Snapshot,
  findings: Findings,
): void {
  if (isSealed) return;
  const wrong = (sentence: string) => findings.add('durable', `journal ${journal}`, sentence);
  if (journals.get(journal)?.closed === true) wrong(`it ends at ${lastN} without a seal, though its row is closed`);
  for (const [partition, chain] of before.chains.entries()) {
    for (const claim of chain) {
      if (claim.journal !== journal) continue;
      if (claim.released !== undefined && lastN < claim.released) {
        return wrong(`it ends at ${lastN}, before its release at ${claim.released}`);
      }
      if (claim !== chain.at(-1) && claim.released === undefined) {
        return wrong(
          `partition ${partition} was claimed from it, though it ends at ${lastN} without a seal or a release`,
        );
      }
    }
  }
}
