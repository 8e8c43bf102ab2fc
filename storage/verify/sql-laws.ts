/** Laws that one query can judge. The query returns only offenders: the first ones, and the count of all. */
import type { Parameter, Session } from '../postgres/postgres.js';
import { type Findings, KEPT, type PromiseName } from './verdict.js';

export interface SqlLaw {
  readonly promise: PromiseName;
  /** What the offender's id identifies. */
  readonly of: 'order' | 'product' | 'payment of order' | 'table';
  readonly what: string;
  /** Selects id, what, found, expected, total. */
  readonly text: string;
  readonly parameters?: readonly Parameter[];
}

interface Offence {
  readonly id: string;
  readonly what: string;
  readonly found: string | null;
  readonly expected: string | null;
  readonly total: number;
}

/** Long enough for millions of orders. The first queries of a look have the client's own deadline. */
export const LONG_MS = 900_000;

export const OFFENDERS = `limit ${KEPT}`;

/** Older versions took times from the clock unchanged, so only later times are judged. Without older data all are judged. */
export const STEADY_SINCE = `coalesce((select steady_since from settlement), '-infinity')`;

export async function judge(session: Session, law: SqlLaw, findings: Findings): Promise<void> {
  const offences = await session.query<Offence>(`verify ${law.what}`, law.text, law.parameters, LONG_MS);
  for (const { id, what, found, expected } of offences) {
    findings.add(law.promise, `${law.of} ${id}`, `${what} is ${found ?? 'missing'}, expected ${expected ?? 'none'}`);
  }
  findings.more((offences[0]?.total ?? 0) - offences.length);
}

/** JSON that Postgres can parse. A client's text may hold a NUL or half a surrogate pair, which Postgres rejects. */
export const readable = (column: string): string => `case when strpos(${column}::text, '\\u') = 0 then ${column}
  else regexp_replace(${column}::text, '\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', '\\ufffd', 'g')::json end`;

/** The events of the turns whose text matches. Other turns are not parsed. */
export const eventsWith = (pattern: string): string => `select t.order_id, t.at, e.data->>'type' as type, e.data
  from order_turns t cross join lateral json_array_elements(case when json_typeof(t.events) = 'array' then ${readable('t.events')} else '[]' end) as e(data)
  where t.events::text ~ '${pattern}'`;
