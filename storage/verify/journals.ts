/**
 * Reads the journals and checks them against the rows of one snapshot.
 *
 *  - A journal has one writer. Its records are dense in n. Each touches partitions only at epochs that the claims gave to
 *    this journal. Nothing follows its seal.
 *  - The record at the place of the journal's row has the remembered id. No record is missing from there to the end. A
 *    journal with a successor ends in a seal or has released its partitions.
 *  - A part of a record is in the rows if the partition's row is at a later epoch, or at the same epoch while the
 *    journal's row has passed the record.
 * Trims may run meanwhile (hazard 9). A trim beyond the row's place makes this look start again; a trim before it only
 * leaves less to compare. So the tails are read first, right after the snapshot.
 */
import { type JournalId, partitionOf } from '../../actors/ids.js';
import { decodeRecord, journalLog, type SealRecord, type TurnRecord } from '../../actors/node/record.js';
import type { Log, Position } from '../../actors/ports/log.js';
import { type JournalRow, NOWHERE, type Place } from '../../actors/ports/snapshot-rows.js';
import type { Owners } from './ownership.js';
import type { Snapshot } from './snapshot.js';
import { CouldNotLook, type Findings, MovedOn } from './verdict.js';

export interface JournalTail {
  readonly journal: JournalId;
  /** The turns after the row's place; empty when the rows contain all of them. */
  readonly turns: readonly TurnRecord[];
  /** Records before the tail have at most this position. */
  readonly upTo: Position;
  readonly lastN: number;
}

export class Journals {
  records = 0;

  constructor(
    private readonly log: Log,
    private readonly partitions: number,
    private readonly owners: Owners,
    private readonly snapshot: Snapshot,
    private readonly findings: Findings,
  ) {}

  /** First the closed journals that only a row still names, then the claimed ones in the order of their claims. */
  get names(): JournalId[] {
    const claimed = new Set(this.owners.journals);
    // An open journal without a claim is about to take over. It has no turns for this look.
    const closed = [...this.snapshot.journals.values()].filter((row) => row.closed && !claimed.has(row.journal));
    return [...closed.map((row) => row.journal), ...claimed];
  }

  isFolded(partition: number, epoch: number, journal: JournalId, n: number): boolean {
    const row = this.snapshot.partitions.get(partition);
    if (row === undefined) return false;
    return row.epoch > epoch || (row.epoch === epoch && (this.snapshot.journals.get(journal)?.folded.n ?? 0) >= n);
  }

  /** @throws MovedOn when a record is missing. */
  async tail(journal: JournalId): Promise<JournalTail> {
    const row = this.snapshot.journals.get(journal);
    const place = row?.folded ?? NOWHERE;
    if (!this.isNeeded(journal))
      return { journal, turns: [], upTo: Number.MAX_SAFE_INTEGER, lastN: Number.POSITIVE_INFINITY };
    const turns: TurnRecord[] = [];
    let { n } = place;
    let isAtPlace = place.n === 0;
    let seal: SealRecord | undefined;
    for await (const { position, record } of this.read(journal, Math.max(0, place.position - 1))) {
      if (seal !== undefined) this.afterSeal(journal, position);
      else if (record.kind === 'seal') seal = record;
      else if (position === place.position) isAtPlace = this.atPlace(journal, record, place);
      else {
        if (!isAtPlace || record.n !== n + 1) throw new MovedOn(`journal ${journal} has record ${record.n} after ${n}`);
        n = record.n;
        turns.push(record);
        this.checkTurn(journal, record);
      }
    }
    if (!isAtPlace) throw new MovedOn(`journal ${journal} does not have the record ${place.recordId} at n ${place.n}`);
    this.checkEnd(journal, n, seal !== undefined, row);
    return { journal, turns, upTo: place.position, lastN: n };
  }

  /** The untrimmed records before the tail, oldest first. */
  async *before({ journal, upTo }: JournalTail): AsyncGenerator<TurnRecord> {
    let last: TurnRecord | undefined;
    let isSealed = false;
    for await (const { position, record } of this.read(journal, 0)) {
      if (position > upTo) return;
      if (isSealed) this.afterSeal(journal, position);
      if (record.kind === 'seal') {
        isSealed = true;
        continue;
      }
      if (last !== undefined && record.n !== last.n + 1 && !(await this.isTrimmedTo(journal, record.n))) {
        this.findings.add(
          'durable',
          `journal ${journal}`,
          `record ${record.n} stands after ${last.n}, expected ${last.n + 1}`,
        );
      }
      this.checkTurn(journal, record);
      last = record;
      yield record;
    }
  }

  // -------------------------------------------------------------- machinery

  /** Whether the rows of some partition may still lack records of this journal. */
  private isNeeded(journal: JournalId): boolean {
    return this.owners.chains.some((chain, partition) => {
      const epoch = this.snapshot.partitions.get(partition)?.epoch ?? 1;
      return chain.some((claim) => claim.journal === journal && claim.epoch >= epoch);
    });
  }

  private atPlace(journal: JournalId, record: TurnRecord, place: Place): boolean {
    if (record.id === place.recordId && record.n === place.n) return true;
    const found = `record ${record.id} of n ${record.n} at the place that Postgres remembers`;
    this.findings.add('durable', `journal ${journal}`, `it has ${found}, expected ${place.recordId} of n ${place.n}`);
    return true;
  }

  private afterSeal(journal: JournalId, position: Position): void {
    this.findings.add('durable', `journal ${journal}`, `a record stands after its seal, at position ${position}`);
  }

  /** A partition is claimed only after a release or a seal. Only a sealed journal is closed. */
  private checkEnd(journal: JournalId, n: number, isSealed: boolean, row: JournalRow | undefined): void {
    if (isSealed) return;
    const wrong = (sentence: string) => this.findings.add('durable', `journal ${journal}`, sentence);
    if (row?.closed === true) wrong(`it ends at ${n} without a seal, though its row is closed`);
    for (const [partition, chain] of this.owners.chains.entries()) {
      for (const claim of chain) {
        if (claim.journal !== journal) continue;
        if (claim.released !== undefined && n < claim.released) {
          return wrong(`it ends at ${n}, before its release at ${claim.released}`);
        }
        if (claim !== chain.at(-1) && claim.released === undefined) {
          return wrong(
            `partition ${partition} was claimed from it, though it ends at ${n} without a seal or a release`,
          );
        }
      }
    }
  }

  private checkTurn(journal: JournalId, turn: TurnRecord): void {
    this.records++;
    const wrong = (sentence: string) =>
      this.findings.add('durable', `journal ${journal}`, `record ${turn.n} ${sentence}`);
    if (turn.journal !== journal) wrong(`says it is of journal ${turn.journal}: a second writer`);
    for (const [partition, { epoch }] of Object.entries(turn.parts)) {
      const chain = this.owners.chains[Number(partition)] ?? [];
      const oldest = chain[0]?.epoch ?? 1;
      const owner = chain.find((claim) => claim.epoch === epoch)?.journal;
      if (epoch < oldest || owner === journal) continue;
      wrong(`touches partition ${partition} at epoch ${epoch}, which belongs to ${owner ?? 'nobody'}`);
    }
    for (const { events } of turn.cascades) {
      for (const { of } of events) {
        const partition = partitionOf(of.kind, of.id, this.partitions);
        if (turn.parts[partition] === undefined)
          wrong(`changes ${of.kind} ${of.id} without its partition ${partition}`);
      }
    }
  }

  /** A gap is no fault when everything before it has been trimmed meanwhile. */
  private async isTrimmedTo(journal: JournalId, n: number): Promise<boolean> {
    for await (const { record } of this.read(journal, 0)) return record.kind === 'seal' || record.n >= n;
    return true;
  }

  private async *read(
    journal: JournalId,
    after: Position,
  ): AsyncGenerator<{ position: Position; record: TurnRecord | SealRecord }> {
    const name = journalLog(journal);
    for (let from = after; ; ) {
      const page = await this.log.read(name, from);
      if (page.length === 0) return;
      for (const entry of page) {
        from = entry.position;
        const record = decodeRecord(entry.record, `${name} at ${from}`);
        if (record.kind === 'claims') throw new CouldNotLook(`${name} holds claims at ${from}`);
        yield { position: from, record };
      }
    }
  }
}
