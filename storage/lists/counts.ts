/**
 * Capped counts: a count is exact up to `most`. Past `most` the total is the planner's estimate, and is marked as one.
 * So an estimate means that there are more rows, or that counting took longer than a list may take (limits.listMs).
 * One search is not counted first: a word that the planner expects in four times as many orders (order-lists.ts).
 */
import { limits } from '../../actors/limits.js';
import type { Counted } from '../../actors/ports/queries.js';
import { type Parameter, type PostgresClient, sqlState } from '../postgres/postgres.js';

interface Plan {
  readonly 'Plan Rows': number;
  readonly Plans?: readonly Plan[];
}

/** The rows to count. `from` is constant SQL text and includes the `where` clause. */
export interface Countable {
  readonly from: string;
  readonly parameters: readonly Parameter[];
}

export async function countCapped(
  client: PostgresClient,
  what: string,
  list: Countable,
  most: number = limits.exactCount,
): Promise<Counted> {
  const found = await countUpTo(client, what, list, most + 1);
  if (found !== undefined && found <= most) return capped(found, found, most);
  return capped(found, await supposedCount(client, what, list), most);
}

/** @param found the rows counted, at most `most + 1`; undefined when the count timed out. */
export const capped = (found: number | undefined, supposed: number, most: number): Counted =>
  found !== undefined && found <= most
    ? { total: found, isEstimate: false }
    : { total: Math.max(found ?? 0, supposed), isEstimate: true };

/** Counts the rows up to `most`. @returns undefined when the count timed out. */
export async function countUpTo(
  client: PostgresClient,
  what: string,
  { from, parameters }: Countable,
  most: number,
): Promise<number | undefined> {
  // The query selects no column, so an index-only scan can answer it.
  const text = `select count(*) as total from (select ${from} limit ${most}) counted`;
  const rows = await unlessCanceled(client.query<{ total: number }>(what, text, parameters));
  return rows?.[0]?.total;
}

/** @returns undefined when the server cancelled the statement because it ran too long. */
export async function unlessCanceled<T>(statement: Promise<T>): Promise<T | undefined> {
  try {
    return await statement;
  } catch (error) {
    if (sqlState(error) === CANCELED) return undefined;
    throw error;
  }
}

/** The planner's estimate. */
export async function supposedCount(
  client: PostgresClient,
  what: string,
  { from, parameters }: Countable,
): Promise<number> {
  return (await planOf(client, what, `select ${from}`, parameters))['Plan Rows'];
}

/** The planner's estimate for each query of a `union all`. */
export async function supposedRows(
  client: PostgresClient,
  what: string,
  text: string,
  parameters: readonly Parameter[],
): Promise<readonly number[]> {
  const { Plans: plans = [] } = await planOf(client, what, text, parameters);
  return plans.map((plan) => plan['Plan Rows']);
}

// ---------------------------------------------------------------- machinery

const CANCELED = '57014';

async function planOf(
  client: PostgresClient,
  what: string,
  text: string,
  parameters: readonly Parameter[],
): Promise<Plan> {
  const [row] = await client.query<{ 'QUERY PLAN': string }>(what, `explain (format json) ${text}`, parameters);
  const [root] = JSON.parse(row?.['QUERY PLAN'] ?? '[]') as [{ readonly Plan: Plan }?];
  if (root === undefined) throw new Error(`${what}: Postgres told no plan`);
  return root.Plan;
}
