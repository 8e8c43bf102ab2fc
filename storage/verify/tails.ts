/**
 * The tails of the journals: the records that the rows of one snapshot may lack.
 *
 *  T1. A tail is dense in n from the place in the journal's row. The record at that place has the remembered id. A trim
 *      beyond the place makes the look start again (hazard 9). A record after a seal is a violation.
 *  T2. Tails are read twice, all of them once before any is read on. What the first reading has, and all that it depends
 *      on, had happened when the second reading began. So a letter that a record of the first reading has seen is in
 *      the tails, and its claims are read, or they are lost.
 *  T3. A journal of a claim that the rows do not contain has a row. It was made before the claim, and goes only when
 *      nobody needs the journal (hazard 15).
 */
import type { JournalId } from '../../actors/ids.js';
import { decodeRecord, journalLog, type SealRecord, type TurnRecord } from '../../actors/node/record.js';
import type { Log, Position } from '../../actors/ports/log.js';
import { type JournalRow, NOWHERE, type Place } from '../../actors/ports/snapshot-rows.js';
import type { InRows } from './in-rows.js';
import type { Owners } from './ownership.js';
import type { Snapshot } from './snapshot.js';
import { CouldNotLook, type Findings, MovedOn } from './verdict.js';

/** The journals that are read at once. */
const AT_ONCE = 4;

export class Tail {
  /** The turns after the row's place; empty when the rows contain all of them. */
  readonly turns: TurnRecord[] = [];
  /** tails.T2: the last n of the first reading. */
  sureN: number;
  isSealed = false;
  private readonly place: Place;
  private readPosition: Position;
  private isAtPlace: boolean;
  private n: number;

  constructor(
    readonly journal: JournalId,
    row: JournalRow | undefined,
    private readonly findings: Findings,
  ) {
    this.place = row?.folded ?? NOWHERE;
    this.n = this.place.n;
    this.sureN = this.n;
    this.isAtPlace = this.n === 0;
    this.readPosition = Math.max(0, this.place.position - 1);
  }

  /** Records before the tail have at most this position. */
  get upTo(): Position {
    return this.place.position;
  }

  get lastN(): number {
    return this.n;
  }

  /** @throws MovedOn when a record is missing. */
  async readOn(log: Log): Promise<void> {
    for await (const { position, record } of recordsOf(log, this.journal, this.readPosition)) {
      this.readPosition = position;
      this.take(position, record);
    }
    if (!this.isAtPlace) {
      const { recordId, n } = this.place;
      throw new MovedOn(`journal ${this.journal} does not have the record ${recordId} at n ${n}`);
    }
  }

  private take(position: Position, record: TurnRecord | SealRecord): void {
    if (this.isSealed) this.wrong(`a record stands after its seal, at position ${position}`);
    else if (record.kind === 'seal') this.isSealed = true;
    else if (position === this.place.position) {
      this.isAtPlace = true;
      if (record.id === this.place.recordId && record.n === this.place.n) return;
      const found = `record ${record.id} of n ${record.n} at the place that Postgres remembers`;
      this.wrong(`it has ${found}, expected ${this.place.recordId} of n ${this.place.n}`);
    } else {
      if (!this.isAtPlace || record.n !== this.n + 1)
        throw new MovedOn(`journal ${this.journal} has record ${record.n} after ${this.n}`);
      this.n = record.n;
      this.turns.push(record);
    }
  }

  private wrong(sentence: string): void {
    this.findings.add('durable', `journal ${this.journal}`, sentence);
  }
}

export class Tails {
  private readonly tails = new Map<JournalId, Tail>();
  private readonly withoutRow = new Set<JournalId>();

  constructor(
    private readonly log: Log,
    private readonly snapshot: Snapshot,
    private readonly inRows: InRows,
    private readonly findings: Findings,
  ) {}

  /** Reads the tails of all open journals, and of others that the rows may lack something of. @throws MovedOn */
  async readOn(owners: Owners): Promise<void> {
    for (const journal of owners.journals) {
      if (this.tails.has(journal) || this.withoutRow.has(journal) || !this.isRead(journal, owners)) continue;
      this.tails.set(journal, new Tail(journal, this.snapshot.journals.get(journal), this.findings));
    }
    const todo = [...this.tails.values()];
    const reader = async () => {
      for (let next = todo.shift(); next !== undefined; next = todo.shift()) await next.readOn(this.log);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, reader));
  }

  /** tails.T2: call it between the two readings. */
  nowSure(): void {
    for (const tail of this.tails.values()) tail.sureN = tail.lastN;
  }

  /** tails.T3: call it first. @param before the claims that were read before the snapshot */
  judgeRows(before: Owners): void {
    for (const [partition, chain] of before.chains.entries()) {
      for (const { epoch, journal } of chain) {
        if (this.inRows.hasAllOf(partition, epoch) || this.snapshot.journals.has(journal)) continue;
        const what = `its row is missing, though the rows lack what partition ${partition} did in it at epoch ${epoch}`;
        this.withoutRow.add(journal);
        this.findings.add('durable', `journal ${journal}`, what);
      }
    }
  }

  all(): Tail[] {
    return [...this.tails.values()];
  }

  /** An open journal is always read: nothing may be appended after its releases. */
  private isRead(journal: JournalId, { chains }: Owners): boolean {
    if (this.snapshot.journals.get(journal)?.closed === false) return true;
    return chains.some((chain, partition) =>
      chain.some((claim) => claim.journal === journal && !this.inRows.hasAllOf(partition, claim.epoch)),
    );
  }
}

/** The records of a journal after a position, oldest first. */
export async function* recordsOf(
  log: Log,
  journal: JournalId,
  after: Position,
): AsyncGenerator<{ position: Position; record: TurnRecord | SealRecord }> {
  const name = journalLog(journal);
  for (let from = after; ; ) {
    const page = await log.read(name, from);
    if (page.length === 0) return;
    for (const entry of page) {
      from = entry.position;
      const record = decodeRecord(entry.record, `${name} at ${from}`);
      if (record.kind === 'claims') throw new CouldNotLook(`${name} holds claims at ${from}`);
      yield { position: from, record };
    }
  }
}
