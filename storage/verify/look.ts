/** One look of `verify`: reads rows and journals, and judges them by all laws. */
import { setTimeout } from 'node:timers/promises';
import { partitionOf } from '../../actors/ids.js';
import { minorDigits } from '../../actors/money.js';
import type { JournaledEvent, RefusedWrite, TurnRecord } from '../../actors/node/record.js';
import type { EventLog } from '../../actors/ports/events.js';
import type { Log, Position } from '../../actors/ports/log.js';
import type { PostgresClient, Session } from '../postgres/postgres.js';
import { type ArchiveFiles, archiveLaws, judgeArchives } from './archive-laws.js';
import { compare, eventsOf, type Happened, notYetInRows } from './event-rows.js';
import { holdLaw } from './hold-laws.js';
import { Journals } from './journals.js';
import { lifeLaws } from './life-laws.js';
import { orderLaws } from './order-laws.js';
import { ClaimsReader } from './ownership.js';
import { judgePartitions } from './partition-columns.js';
import { type EventPages, judgeEvents } from './public-events.js';
import { compareRefusals } from './refused-rows.js';
import { beginSnapshot, countRows, endSnapshot, type Snapshot } from './snapshot.js';
import { judge, LONG_MS, type SqlLaw } from './sql-laws.js';
import { statsLaws } from './stats-laws.js';
import { stockLaws } from './stock-laws.js';
import { judgeMovingOrders, lettersUnderWay } from './under-way.js';
import { type Checked, CouldNotLook, Findings, MovedOn, RecordsLost } from './verdict.js';

export interface VerifyParts {
  readonly client: PostgresClient;
  /** The log with this system's journals and claims. */
  readonly log: Log;
  readonly partitions: number;
  /** With a broker: every published event must have been appended. */
  readonly events?: EventLog | undefined;
  /** With a broker: EVENTS from end to end. */
  readonly publicEvents?: EventPages | undefined;
  /** Where archives are read. */
  readonly archives?: ArchiveFiles | undefined;
  readonly onProgress?: (line: string) => void;
}

export interface Look {
  readonly findings: Findings;
  readonly checked: Checked;
}

const BATCH = 2_000;
/** How often a look begins to read: trims go on meanwhile. */
const READINGS = 10;
/** The same gap so often was not caused by a trim under way. */
const SAME_GAP = 3;
const PAUSE_MS = 100;

type Report = (line: string) => void;

/** @throws MovedOn, RecordsLost, CouldNotLook */
export async function look(session: Session, parts: VerifyParts, report: Report): Promise<Look> {
  const { findings, snapshot, journals } = await beginLook(session, parts, report);
  const compared = await readJournals(session, journals, snapshot, parts.partitions, findings, report);
  const letters = lettersUnderWay(snapshot.partitions, journals.tailTurns());
  const moving = await judgeMovingOrders(session, compared.beyond, letters, findings);
  const laws = [holdLaw(moving), ...stockLaws, ...orderLaws(await scalesOf(session)), ...lifeLaws, ...archiveLaws];
  for (const law of laws) await judgeAndReport(session, law, findings, report);
  await judgePartitions(session, parts.partitions, findings);
  if (findings.total === 0) for (const law of statsLaws) await judgeAndReport(session, law, findings, report);
  if (parts.archives !== undefined) await judgeArchives(session, parts.client, parts.archives, findings, report);
  const rows = await countRows(session, LONG_MS);
  await snapshot.end();
  const { publicEvents } = parts;
  const published = publicEvents === undefined ? 0 : await judgeEvents(publicEvents, findings, report);
  const { records, names } = journals;
  return { findings, checked: { ...rows, journals: names.length, records, events: compared.count, published } };
}

// ---------------------------------------------------------------- rows and journals of one moment

interface Begun {
  readonly findings: Findings;
  /** The last record of the claims log before the snapshot was taken. */
  readonly claimsBefore: Position;
  readonly snapshot: Snapshot;
  readonly journals: Journals;
}

/** A gap costs only the first reads: the heavy ones begin after it. */
export async function beginLook(session: Session, parts: VerifyParts, report: Report): Promise<Begun> {
  let same = 0;
  let gap = '';
  for (let readings = 1; ; readings++) {
    try {
      return await read(session, parts);
    } catch (error) {
      if (!(error instanceof MovedOn)) throw error;
      same = error.message === gap ? same + 1 : 1;
      gap = error.message;
      if (same >= SAME_GAP) throw new RecordsLost(gap);
      if (readings >= READINGS) throw error;
      report(`the system moved on (${gap}): reading again`);
      await endSnapshot(session);
      await setTimeout(PAUSE_MS * (0.5 + Math.random()));
    }
  }
}

/** verify.V2. @throws MovedOn */
async function read(session: Session, { log, partitions, events }: VerifyParts): Promise<Begun> {
  const findings = new Findings();
  const claims = new ClaimsReader(log, partitions, findings);
  const before = await claims.readOn();
  const claimsBefore = claims.upTo;
  const snapshot = await beginSnapshot(session);
  const { settledPartitions } = snapshot;
  if (settledPartitions !== undefined && settledPartitions !== partitions) {
    throw new CouldNotLook(`this system has ${settledPartitions} partitions, not ${partitions}`);
  }
  const published = new Map<string, number>();
  for (const { journal, publishedN } of snapshot.journals.values()) {
    published.set(journal, Math.max(publishedN, (await events?.last(journal))?.n ?? 0));
  }
  const journals = await Journals.read({ log, partitions, snapshot, findings, claims, before });
  for (const [journal, lastN] of journals.ends()) {
    const n = published.get(journal) ?? 0;
    if (n > lastN)
      findings.add('durable', `journal ${journal}`, `events of its turn ${n} are published, but it ends at ${lastN}`);
  }
  return { findings, claimsBefore, snapshot, journals };
}

// ---------------------------------------------------------------- the journals against the rows

const REPORT_EVERY_MS = 1_000;

/** Compares every journal with the rows, in batches. */
async function readJournals(
  session: Session,
  journals: Journals,
  { steadySinceMs }: Snapshot,
  partitions: number,
  findings: Findings,
  report: Report,
): Promise<{ readonly beyond: Happened[]; readonly count: number }> {
  const { inRows } = journals;
  const folded: Happened[] = [];
  const ahead: Happened[] = [];
  const refused: RefusedWrite[] = [];
  let count = 0;
  let reportedAt = performance.now();
  const sort = (turn: TurnRecord) => {
    const of = ({ of }: JournaledEvent) => partitionOf(of.kind, of.id, partitions);
    for (const write of turn.refused ?? []) {
      if (inRows.has(partitionOf('product', write.product, partitions), turn)) refused.push(write);
    }
    for (const each of eventsOf(turn, (event) => turn.parts[of(event)]?.epoch ?? 0)) {
      count++;
      (inRows.has(of(each.event), turn) ? folded : ahead).push(each);
    }
  };
  for (const journal of journals.names) {
    for await (const turn of journals.recordsOf(journal)) {
      sort(turn);
      if (folded.length + refused.length < BATCH) continue;
      await compare(session, folded.splice(0), findings);
      await compareRefusals(session, refused.splice(0), findings);
      if (performance.now() - reportedAt < REPORT_EVERY_MS) continue;
      report(`journal ${journal}: ${turn.n} of its turns compared`);
      reportedAt = performance.now();
    }
  }
  await compare(session, folded, findings);
  await compareRefusals(session, refused, findings);
  // An actor's events in their order, whichever journals they are in.
  ahead.sort((a, b) => a.epoch - b.epoch || a.n - b.n);
  return { beyond: await notYetInRows(session, ahead, steadySinceMs, findings), count };
}

async function judgeAndReport(session: Session, law: SqlLaw, findings: Findings, report: Report): Promise<void> {
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
