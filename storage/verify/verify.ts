/**
 * `holdfast verify` checks the promises on the stored data, while the system runs or after it has stopped.
 *
 *  V1. verify has its own fold. It uses none of the actors' tables, so a mistake in them shows.
 *  V2. A look reads one database snapshot, and beside it the tails of all journals up to a consistent cut (cut.ts). Rows
 *      and tails together are a state that the running nodes were in (hazard 9).
 *  V3. A change that a running system makes between two reads is no violation. A reading that meets a gap begins again.
 *      Only violations found by two looks are reported, and three looks are enough.
 *  V4. The heavy laws are queries that return only offenders. Journals are streamed.
 */
import { sqlState } from '../postgres/postgres.js';
import { type Look, look, type VerifyParts } from './look.js';
import {
  type Checked,
  CouldNotLook,
  confirmed,
  Findings,
  KEPT,
  MovedOn,
  PROMISES,
  RecordsLost,
  type Verdict,
  type Violation,
} from './verdict.js';

const LOOKS = 3;
const NO_TABLE = '42P01';

/** @throws CouldNotLook with a sentence that says why. */
export async function verify(parts: VerifyParts): Promise<Verdict> {
  const began = performance.now();
  const report = parts.onProgress ?? (() => {});
  let earlier: Findings | undefined;
  let moved: MovedOn | undefined;
  for (let looks = 1; looks <= LOOKS; looks++) {
    const seen = await lookOnce(parts, report);
    if (seen instanceof RecordsLost) return verdictOf(lost(seen), NOTHING, began, looks);
    if (seen instanceof MovedOn) {
      moved = seen;
      report(`the system moved on (${seen.message}): looking again`);
      continue;
    }
    const { findings, checked } = seen;
    const violations = earlier === undefined ? findings.violations : confirmed(earlier, findings);
    if (findings.total === 0) return verdictOf(new Findings(), checked, began, looks);
    if (earlier !== undefined && violations.length > 0) {
      const total = violations.length + findings.total - findings.violations.length;
      return { violations: firstOf(violations), total, checked, tookMs: performance.now() - began, looks };
    }
    earlier = findings;
    report(`${findings.total} found; looking again, whether it stands`);
  }
  const why = moved === undefined ? 'each of the looks found something else' : moved.message;
  throw new CouldNotLook(`the system moved on in ${LOOKS} looks (${why}): try again`);
}

async function lookOnce(parts: VerifyParts, report: (line: string) => void): Promise<Look | MovedOn | RecordsLost> {
  try {
    return await parts.client.session((session) => look(session, parts, report));
  } catch (error) {
    if (error instanceof MovedOn || error instanceof RecordsLost) return error;
    if (error instanceof CouldNotLook) throw error;
    if (sqlState(error) === NO_TABLE)
      throw new CouldNotLook('this database has no tables of Holdfast: was it ever started on it?');
    throw new CouldNotLook(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

// ---------------------------------------------------------------- the verdict

const NOTHING: Checked = {
  orders: 0,
  items: 0,
  history: 0,
  products: 0,
  operations: 0,
  archived: 0,
  journals: 0,
  records: 0,
  events: 0,
  published: 0,
};

function lost({ message }: RecordsLost): Findings {
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
