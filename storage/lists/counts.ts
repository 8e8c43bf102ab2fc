/**
 * Counts that stop: exact up to `most`; who has seen one more tells what the planner supposes, as an estimate. So an
 * estimate means that there are more, or that counting took longer than a list may take (limits.listMs). Only words that
 * the planner finds in four times as many are not counted first (order-lists.ts).
 */
import { limits } from '../../actors/limits.js';
import type { Counted } from '../../actors/ports/queries.js';
import { type Parameter, type PostgresClient, sqlState } from '../postgres/postgres.js';

interface Plan {
  readonly 'Plan Rows': number;
  readonly Plans?: readonly Plan[];
}

/** Of a table: `from` and `where`, constant text, with its parameters. */
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

/** @param found no further than one more than `most`; undefined where nobody knows. */
export const capped = (found: number | undefined, supposed: number, most: number): Counted =>
  found !== undefined && found <= most
    ? { total: found, isEstimate: false }
    : { total: Math.max(found ?? 0, supposed), isEstimate: true };

/** How many there are, no further than `most`; undefined where it took longer than a list may take. */
export async function countUpTo(
  client: PostgresClient,
  what: string,
  { from, parameters }: Countable,
  most: number,
): Promise<number | undefined> {
  // No column is asked for: an index may do.
  const text = `select count(*) as total from (select ${from} limit ${most}) counted`;
  const rows = await inTime(client.query<{ total: number }>(what, text, parameters));
  return rows?.[0]?.total;
}

/** Undefined where it took longer than a list may take. */
export async function inTime<T>(statement: Promise<T>): Promise<T | undefined> {
  try {
    return await statement;
  } catch (error) {
    if (sqlState(error) === CANCELED) return undefined;
    throw error;
  }
}

/** What the planner supposes. */
export async function supposedCount(
  client: PostgresClient,
  what: string,
  { from, parameters }: Countable,
): Promise<number> {
  return (await planOf(client, what, `select ${from}`, parameters))['Plan Rows'];
}

/** The same of each query of a `union all`. */
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
