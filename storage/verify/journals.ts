/**
 * The journals as one look sees them: the records that are not trimmed, each once, up to a consistent cut (cut.ts).
 *
 * The claims are read first, then the rows in one snapshot, then the tails, the claims again, and the rest of the tails.
 * Trims may run meanwhile (hazard 9). A trim beyond the place of a journal's row makes this look start again; a trim
 * before it only leaves less to compare.
 */
import type { JournalId } from '../../actors/ids.js';
import type { TurnRecord } from '../../actors/node/record.js';
import type { Log, Position } from '../../actors/ports/log.js';
import { channelLaws } from './channel-laws.js';
import { cutTails } from './cut.js';
import { InRows } from './in-rows.js';
import { checkEnd, JournalLaws } from './journal-laws.js';
import { type ClaimsReader, checkRows, type Owners } from './ownership.js';
import type { Snapshot } from './snapshot.js';
import { recordsOf, type Tail, Tails } from './tails.js';
import type { Findings } from './verdict.js';

interface JournalsParts {
  readonly log: Log;
  readonly partitions: number;
  readonly snapshot: Snapshot;
  readonly findings: Findings;
  readonly claims: ClaimsReader;
  /** What the claims were before the snapshot was taken. */
  readonly before: Owners;
}

export class Journals {
  /** How many records were read. */
  records = 0;

  private constructor(
    private readonly parts: JournalsParts,
    private readonly owners: Owners,
    readonly inRows: InRows,
    private readonly cut: ReadonlyMap<Tail, readonly TurnRecord[]>,
  ) {}

  /** @throws MovedOn when a record or a claim is missing. */
  static async read(parts: JournalsParts): Promise<Journals> {
    const { log, snapshot, findings, claims, before } = parts;
    const inRows = new InRows(snapshot, before);
    const tails = new Tails(log, snapshot, inRows, findings);
    tails.judgeRows(before);
    await tails.readOn(before);
    tails.nowSure();
    const owners = await claims.readOn();
    checkRows(before, owners, snapshot, findings);
    await tails.readOn(owners);
    for (const tail of tails.all()) checkEnd(tail, before, snapshot, findings);
    const rows = snapshot.partitions;
    const cut = cutTails({ tails: tails.all(), rows, inRows, owners, findings });
    const journals = new Journals(parts, owners, inRows, cut);
    channelLaws(rows, journals.tailTurns(), inRows, findings);
    return journals;
  }

  /** By journal with a tail: the last n before the cut. */
  get cutAt(): ReadonlyMap<JournalId, number> {
    return new Map(
      [...this.cut].map(([tail, turns]) => [tail.journal, turns.at(-1)?.n ?? tail.lastN - tail.turns.length]),
    );
  }

  /** The last record of the claims log that this look knows. */
  get claimsUpTo(): Position {
    return this.parts.claims.upTo;
  }

  /** The turns of all tails, one journal after the other. */
  tailTurns(): TurnRecord[] {
    return [...this.cut.values()].flat();
  }

  /** The last n of each journal whose tail was read, also beyond the cut. */
  ends(): ReadonlyMap<JournalId, number> {
    return new Map([...this.cut.keys()].map(({ journal, lastN }) => [journal, lastN]));
  }

  /** First the closed journals that only a row still names, then the claimed ones in the order of their claims. */
  get names(): JournalId[] {
    const claimed = new Set(this.owners.journals);
    // An open journal without a claim is about to take over. It has no turns for this look.
    const closed = [...this.parts.snapshot.journals.values()].filter((row) => row.closed && !claimed.has(row.journal));
    return [...closed.map((row) => row.journal), ...claimed];
  }

  /** The records of a journal that are not trimmed, up to the cut, oldest first. Each is judged. */
  async *recordsOf(journal: JournalId): AsyncGenerator<TurnRecord> {
    const { partitions, snapshot, findings } = this.parts;
    const { owners, inRows } = this;
    const laws = new JournalLaws(journal, { partitions, owners, snapshot, inRows, findings });
    const [tail, turns = []] = [...this.cut].find(([each]) => each.journal === journal) ?? [];
    const row = snapshot.journals.get(journal);
    // Without a tail nothing after the row's place counts: an open journal may grow meanwhile.
    const rest = row?.closed === false ? row.folded.position : Number.MAX_SAFE_INTEGER;
    for await (const turn of this.before(journal, tail?.upTo ?? rest)) {
      laws.check(turn);
      yield turn;
    }
    for (const turn of turns) {
      this.records++;
      laws.check(turn);
      yield turn;
    }
  }

  // -------------------------------------------------------------- machinery

  /** The untrimmed records up to a position. */
  private async *before(journal: JournalId, upTo: Position): AsyncGenerator<TurnRecord> {
    const { log, findings } = this.parts;
    const wrong = (sentence: string) => findings.add('durable', `journal ${journal}`, sentence);
    let last: TurnRecord | undefined;
    let isSealed = false;
    for await (const { position, record } of recordsOf(log, journal, 0)) {
      if (position > upTo) return;
      if (isSealed) wrong(`a record stands after its seal, at position ${position}`);
      if (record.kind === 'seal') {
        isSealed = true;
        continue;
      }
      if (last !== undefined && record.n !== last.n + 1 && !(await this.isTrimmedTo(journal, record.n)))
        wrong(`record ${record.n} stands after ${last.n}, expected ${last.n + 1}`);
      last = record;
      this.records++;
      yield record;
    }
  }

  /** A gap is no fault when everything before it has been trimmed meanwhile. */
  private async isTrimmedTo(journal: JournalId, n: number): Promise<boolean> {
    for await (const { record } of recordsOf(this.parts.log, journal, 0))
      return record.kind === 'seal' || record.n >= n;
    return true;
  }
}
