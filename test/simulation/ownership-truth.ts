/**
 * Who owns which partition, by the records of the claims log and of the journals, in the order of their appends.
 *
 *  T1. A claim raises a partition's epoch by one. It follows a release or a seal of the last owner's journal. Only its
 *      owner releases a partition, and nothing else changes the map.
 *  T2. A record has a part of a partition only while the claims give this partition, at this epoch, to its journal.
 *      What a record does to an actor or a channel is in a part of it.
 *  T3. A release names an n that the journal's row has, and no record of the partition is later.
 *  T4. The numbers of a journal are dense, and nothing follows its seal. Only a sealed journal's row is closed.
 *  T5. At each epoch a partition begins with its join, and has one.
 *  T6. A journal is sealed by its own process, or when its process is dead, of the same folder, or judged dead.
 */
import type { JournalId, NodeId } from '../../actors/ids.js';
import type { Claim, ClaimsRecord, SealRecord, TurnRecord } from '../../actors/node/record.js';
import type { Counters } from './counters.js';
import type { Verdict } from './verdict.js';

interface JournalTruth {
  /** The last appended record. */
  n: number;
  /** The last record in the journal's row. */
  folded: number;
  isSealed: boolean;
  /** By partition: the last record with a part of it. */
  readonly last: Map<number, number>;
}

export class OwnershipTruth {
  /** By partition: its last claim. */
  map: readonly (Claim | null)[];
  private readonly journals = new Map<JournalId, JournalTruth>();
  /** By partition: the last epoch that has begun. */
  private readonly begun = new Map<number, number>();
  private readonly nodes = new Map<JournalId, NodeId>();
  /** Journals that somebody was told to seal. */
  readonly judged = new Set<JournalId>();
  /** Whether a process writes the journal. */
  lives: (journal: JournalId) => boolean = () => false;
  /** By partition: the journals that have claimed it. */
  private readonly claimants = new Map<number, Set<JournalId>>();
  /** By sealed journal: those that claimed its partitions. */
  private readonly successors = new Map<JournalId, Set<JournalId>>();

  constructor(
    private readonly verdict: Verdict,
    private readonly counters: Counters,
    partitions: number,
  ) {
    this.map = Array.from({ length: partitions }, () => null);
  }

  /** The journals that the claims have ever named. */
  get claimed(): Set<JournalId> {
    return new Set([...this.claimants.values()].flatMap((journals) => [...journals]));
  }

  /** The journal that owns the partition now. */
  ownerOf(partition: number): JournalId | undefined {
    const claim = this.map[partition];
    return claim == null || claim.released !== undefined ? undefined : claim.journal;
  }

  isSealed(journal: JournalId): boolean {
    return this.of(journal).isSealed;
  }

  /** The journal's row has everything up to this n. */
  folded(journal: JournalId, n: number): void {
    this.of(journal).folded = n;
  }

  nodeOf(journal: JournalId): NodeId | undefined {
    return this.nodes.get(journal);
  }

  /** The journal is of this node. */
  opened(journal: JournalId, node: NodeId): void {
    this.nodes.set(journal, node);
  }

  sealed({ journal, by }: SealRecord): void {
    const truth = this.of(journal);
    if (truth.isSealed) this.wrong(`journal ${journal} is sealed twice`); // ownership-truth.T4
    truth.isSealed = true;
    this.counters.add(
      `claims: a seal ${by === journal ? 'of its own' : this.lives(journal) ? 'of the living' : 'of the dead'}`,
    );
    const isSameNode = this.nodes.get(journal) === this.nodes.get(by);
    if (by === journal || isSameNode || this.judged.has(journal) || !this.lives(journal)) return;
    this.wrong(`journal ${journal} is sealed by ${by}, and nobody judged it dead`); // ownership-truth.T6
  }

  closed(journal: JournalId): void {
    if (!this.isSealed(journal)) this.wrong(`the row of journal ${journal} is closed, and the journal is not sealed`);
  }

  claims({ map }: ClaimsRecord): void {
    const { length } = this.map;
    if (map.length !== length) return this.wrong(`the claims speak of ${map.length} partitions, there are ${length}`);
    for (const [partition, claim] of map.entries()) this.change(partition, this.map[partition] ?? null, claim);
    this.map = map;
  }

  turn({ journal, n, parts, joins = [] }: TurnRecord): void {
    const truth = this.of(journal);
    if (truth.isSealed || n !== truth.n + 1)
      this.wrong(
        `journal ${journal} stands at ${truth.n}${truth.isSealed ? ' and a seal' : ''}, and ${n} was appended`,
      );
    truth.n = n;
    for (const [partition, { epoch }] of Object.entries(parts)) {
      const claim = this.map[Number(partition)];
      truth.last.set(Number(partition), n);
      const isJoin = joins.some((join) => join.partition === Number(partition) && join.epoch === epoch);
      if (isJoin === (this.begun.get(Number(partition)) === epoch))
        this.wrong(`record ${n} of ${journal}: partition ${partition} ${isJoin ? 'joins again' : 'has no join'}`); // ownership-truth.T5
      if (isJoin) this.begun.set(Number(partition), epoch);
      if (claim != null && claim.journal === journal && claim.epoch === epoch && claim.released === undefined) continue;
      this.wrong(
        `journal ${journal} appends ${n} for partition ${partition} at epoch ${epoch}; the claims say ${JSON.stringify(claim)}`,
      );
    }
  }

  // -------------------------------------------------------------- machinery

  /** ownership-truth.T1 */
  private change(partition: number, before: Claim | null, claim: Claim | null): void {
    const what = `partition ${partition}: ${JSON.stringify(claim)} after ${JSON.stringify(before)}`;
    if (claim === null) return before === null ? undefined : this.wrong(what);
    const isSame = before?.epoch === claim.epoch && before.journal === claim.journal;
    if (isSame && before.released === claim.released) return;
    if (isSame && before.released === undefined && claim.released !== undefined)
      return this.release(partition, claim.journal, claim.released);
    if (claim.released !== undefined || claim.epoch !== (before?.epoch ?? 0) + 1) return this.wrong(what);
    if (before !== null && before.released === undefined && !this.isSealed(before.journal))
      this.wrong(`${what}, which is neither released nor sealed`);
    this.count(partition, before, claim);
  }

  private count(partition: number, before: Claim | null, { journal }: Claim): void {
    const claimants = this.claimants.get(partition) ?? new Set();
    this.claimants.set(partition, claimants);
    if (before?.released === undefined && before !== null) this.succeed(before.journal, journal);
    if (before === null) this.counters.add('claims: a first claim');
    else this.counters.add(`claims: a claim after a ${before.released === undefined ? 'seal' : 'release'}`);
    if (claimants.has(journal)) this.counters.add('claims: a partition came back to the same journal');
    claimants.add(journal);
  }

  private succeed(sealed: JournalId, by: JournalId): void {
    const successors = this.successors.get(sealed) ?? new Set();
    this.successors.set(sealed, successors);
    if (!successors.has(by) && successors.size > 0) this.counters.add('claims: one more successor of a sealed journal');
    successors.add(by);
  }

  /** ownership-truth.T3 */
  private release(partition: number, journal: JournalId, released: number): void {
    const { folded, last } = this.of(journal);
    this.counters.add('claims: a release');
    if (released < (last.get(partition) ?? 0))
      this.wrong(`partition ${partition} is released at ${released}, and its last record is ${last.get(partition)}`);
    if (folded < released)
      this.wrong(`partition ${partition} is released at ${released}, and the row of ${journal} stands at ${folded}`);
  }

  private of(journal: JournalId): JournalTruth {
    const truth = this.journals.get(journal) ?? { n: 0, folded: 0, isSealed: false, last: new Map() };
    this.journals.set(journal, truth);
    return truth;
  }

  private wrong(how: string): void {
    this.verdict.fail('one owner', how);
  }
}
