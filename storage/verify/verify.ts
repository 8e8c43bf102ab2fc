/**
 * `holdfast verify` checks the promises on the stored data, while the system runs or after it has stopped.
 *
 *  V1. verify has its own fold. It uses none of the actors' tables, so a mistake in them shows.
 *  V2. A look reads one database snapshot, and right after it the claims and the journals' tails. Rows and tails together
 *      are the state at the journals' ends (hazard 9).
 *  V3. A change that a running system makes between two reads is no violation. A look that meets a gap is repeated, and
 *      only violations found by two looks are reported.
 *  V4. The heavy laws are queries that return only offenders. Journals are streamed.
 */

import { partitionOf } from '../../actors/ids.js';
import { minorDigits } from '../../actors/money.js';
import type { JournaledEvent, RefusedWrite, TurnRecord } from '../../actors/node/record.js';
import type { EventLog } from '../../actors/ports/events.js';
import type { Log } from '../../actors/ports/log.js';
import { type PostgresClient, type Session, sqlState } from '../postgres/postgres.js';
import { compare, eventsOf, type Happened, notYetInRows } from './event-rows.js';
import { holdLaw } from './hold-laws.js';
import { Journals, type JournalTail } from './journals.js';
import { lifeLaws } from './life-laws.js';
import { orderLaws } from './order-laws.js';
import { checkRows, readOwners } from './ownership.js';
import { compareRefusals } from './refused-rows.js';
import { beginSnapshot, countRows, type Snapshot } from './snapshot.js';
import { judge, LONG_MS, type SqlLaw } from './sql-laws.js';
import { stockLaws } from './stock-laws.js';
import { judgeMovingOrders, lettersUnderWay } from './under-way.js';
import {
  type Checked,
  CouldNotLook,
  confirmed,
  Findings,
  KEPT,
  MovedOn,
  PROMISES,
  type Verdict,
  type Violation,
} from './verdict.js';

interface VerifyParts {
  readonly client: PostgresClient;
  /** The log with this system's journals and claims. */
  readonly log: Log;
  readonly partitions: number;
  /** With a broker: every published event must have been appended. */
  readonly events?: EventLog | undefined;
  readonly onProgress?: (line: string) => void;
}

const LOOKS = 6;
const BATCH = 2_000;
const NO_TABLE = '42P01';

interface Look {
  readonly findings: Findings;
  readonly checked: Checked;
}

/** @throws CouldNotLook with a sentence that says why. */
export async function verify(parts: VerifyParts): Promise<Verdict> {
  const began = performance.now();
  const report = parts.onProgress ?? (() => {});
  let earlier: Findings | undefined;
  let moved: MovedOn | undefined;
  for (let looks = 1; looks <= LOOKS; looks++) {
    const look = await lookOnce(parts, report);
    if (look instanceof MovedOn) {
      // The same gap twice was not caused by a trim under way.
      if (moved?.message === look.message && looks >= 3) return verdictOf(lost(look), NOTHING, began, looks);
      moved = look;
      report(`the system moved on (${look.message}): looking again`);
      continue;
    }
    const { findings, checked } = look;
    const violations = earlier === undefined ? findings.violations : confirmed(earlier, findings);
    if (findings.total === 0) return verdictOf(new Findings(), checked, began, looks);
    if (earlier !== undefined && violations.length > 0) {
      const total = violations.length + findings.total - findings.violations.length;
      return { violations: firstOf(violations), total, checked, tookMs: performance.now() - began, looks };
    }
    earlier = findings;
    report(`${findings.total} found; looking again, whether it stands`);
  }
  throw new CouldNotLook(
    `the system moved on in each of ${LOOKS} looks${moved ? `: ${moved.message}` : ''}; try again`,
  );
}

async function lookOnce(parts: VerifyParts, report: (line: string) => void): Promise<Look | MovedOn> {
  try {
    return await parts.client.session((session) => look(session, parts, report));
  } catch (error) {
    if (error instanceof MovedOn) return error;
    if (error instanceof CouldNotLook) throw error;
    if (sqlState(error) === NO_TABLE)
      throw new CouldNotLook('this database has no tables of Holdfast: was it ever started on it?');
    throw new CouldNotLook(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

async function look(session: Session, parts: VerifyParts, report: (line: string) => void): Promise<Look> {
  const { log, partitions, events } = parts;
  const findings = new Findings();
  const snapshot = await beginSnapshot(session);
  const { settledPartitions } = snapshot;
  if (settledPartitions !== undefined && settledPartitions !== partitions) {
    throw new CouldNotLook(`this system has ${settledPartitions} partitions, not ${partitions}`);
  }
  const published = new Map<string, number>();
  for (const journal of snapshot.journals.keys()) published.set(journal, (await events?.last(journal))?.n ?? 0);

  // verify.V2: the claims and tails are read right after the snapshot.
  const owners = await readOwners(log, partitions, findings);
  checkRows(owners, snapshot.partitions);
  const journals = new Journals(log, partitions, owners, snapshot, findings);
  const tails: JournalTail[] = [];
  for (const name of journals.names) tails.push(await journals.tail(name));
  for (const { journal, lastN } of tails) {
    const row = snapshot.journals.get(journal);
    for (const n of [published.get(journal) ?? 0, row?.publishedN ?? 0]) {
      if (n > lastN)
        findings.add('durable', `journal ${journal}`, `events of its turn ${n} are published, but it ends at ${lastN}`);
    }
  }
  const compared = await readJournals(session, journals, tails, snapshot, partitions, findings, report);
  await judgeHolds(session, snapshot, tails, compared.beyond, findings);
  for (const law of [...stockLaws, ...orderLaws(await scalesOf(session)), ...lifeLaws])
    await judgeAndReport(session, law, findings, report);

  const rows = await countRows(session, LONG_MS);
  await snapshot.end();
  const checked = { ...rows, journals: tails.length, records: journals.records, events: compared.count };
  return { findings, checked };

  async function judgeHolds(
    session: Session,
    { partitions: rows }: Snapshot,
    tails: readonly JournalTail[],
    beyond: readonly Happened[],
    findings: Findings,
  ): Promise<void> {
    const letters = lettersUnderWay(
      rows,
      tails.flatMap(({ turns }) => turns),
    );
    const moving = await judgeMovingOrders(session, beyond, letters, findings);
    await judgeAndReport(session, holdLaw(moving), findings, report);
  }
}

const REPORT_EVERY_MS = 1_000;

/** Compares every journal with the rows, in batches. */
async function readJournals(
  session: Session,
  journals: Journals,
  tails: readonly JournalTail[],
  { steadySinceMs }: Snapshot,
  partitions: number,
  findings: Findings,
  report: (line: string) => void,
): Promise<{ readonly beyond: Happened[]; readonly count: number }> {
  const folded: Happened[] = [];
  const ahead: Happened[] = [];
  const refused: RefusedWrite[] = [];
  let count = 0;
  let reportedAt = performance.now();
  const sort = (journal: JournalTail['journal'], turn: TurnRecord) => {
    const of = ({ of }: JournaledEvent) => partitionOf(of.kind, of.id, partitions);
    for (const write of turn.refused ?? []) {
      const partition = partitionOf('product', write.product, partitions);
      if (journals.isFolded(partition, turn.parts[partition]?.epoch ?? 0, journal, turn.n)) refused.push(write);
    }
    for (const each of eventsOf(turn, (event) => turn.parts[of(event)]?.epoch ?? 0)) {
      count++;
      const isFolded = journals.isFolded(of(each.event), each.epoch, journal, turn.n);
      (isFolded ? folded : ahead).push(each);
    }
  };
  for (const tail of tails) {
    for await (const turn of journals.before(tail)) {
      sort(tail.journal, turn);
      if (folded.length + refused.length < BATCH) continue;
      await compare(session, folded.splice(0), findings);
      await compareRefusals(session, refused.splice(0), findings);
      if (performance.now() - reportedAt < REPORT_EVERY_MS) continue;
      report(`journal ${tail.journal}: ${turn.n} of its turns compared`);
      reportedAt = performance.now();
    }
    for (const turn of tail.turns) sort(tail.journal, turn);
  }
  await compare(session, folded, findings);
  await compareRefusals(session, refused, findings);
  return { beyond: await notYetInRows(session, ahead, steadySinceMs, findings), count };
}

async function judgeAndReport(
  session: Session,
  law: SqlLaw,
  findings: Findings,
  report: (line: string) => void,
): Promise<void> {
  const began = performance.now();
  await judge(session, law, findings);
  report(`${law.what}: ${((performance.now() - began) / 1000).toFixed(1)} s`);
}

/** By currency: one minor unit as a decimal. */
async function scalesOf(session: Session): Promise<Map<string, string>> {
  const text = `select distinct currency from orders where currency is not null union select 'USD'`;
  const rows = await session.query<{ currency: string }>('read the currencies', text, [], LONG_MS);
  return new Map(rows.map(({ currency }) => [currency, `1e-${minorDigits(currency)}`]));
}

// ---------------------------------------------------------------- the verdict

const NOTHING: Checked = {
  orders: 0,
  items: 0,
  history: 0,
  products: 0,
  operations: 0,
  journals: 0,
  records: 0,
  events: 0,
};

function lost({ message }: MovedOn): Findings {
  const findings = new Findings();
  findings.add('durable', 'the log', `${message}: records are lost, or the log was replaced or rolled back`);
  return findings;
}

function verdictOf({ violations, total }: Findings, checked: Checked, began: number, looks: number): Verdict {
  return { violations, total, checked, tookMs: performance.now() - began, looks };
}

const RANK = Object.keys(PROMISES);
const firstOf = (violations: readonly Violation[]): Violation[] =>
  [...violations].sort((a, b) => RANK.indexOf(a.promise) - RANK.indexOf(b.promise)).slice(0, KEPT);
