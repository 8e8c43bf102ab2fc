/**
 * Counts that stop: exact up to limits.exactCount, beyond it what the planner supposes. It is asked first, and where
 * counting would take too long for one who waits, its supposition has to do.
 */
import { limits } from '../actors/limits.js';
import type { Counted } from '../actors/ports.js';
import type { Parameter, PostgresClient } from './postgres.js';

interface Plan {
  readonly 'Plan Rows': number;
  readonly 'Startup Cost': number;
  readonly 'Total Cost': number;
  readonly Plans?: readonly Plan[];
}

/** In the planner's units: some 100 ms. */
const MOST_COST = 20_000;
/** It is not wrong by more where it supposes many. */
const SURELY = 10;

export interface Supposed {
  readonly rows: number;
  /** Whether counting up to limits.exactCount takes no longer than someone waits. */
  readonly isCountable: boolean;
}

/** @param from of the query, with its conditions: constant text. */
export async function supposedCount(
  client: PostgresClient,
  what: string,
  from: string,
  parameters: readonly Parameter[],
): Promise<Supposed> {
  const plan = await planOf(client, what, `select ${from}`, parameters);
  return { rows: plan['Plan Rows'], isCountable: costUpTo(plan, limits.exactCount) <= MOST_COST };
}

export async function countCapped(
  client: PostgresClient,
  what: string,
  from: string,
  parameters: readonly Parameter[],
): Promise<Counted> {
  const { rows, isCountable } = await supposedCount(client, what, from, parameters);
  if (!isCountable) return { total: rows, isEstimate: true };
  return capped(await counted(client, what, from, parameters, limits.exactCount + 1), rows);
}

/** @param found no more than limits.exactCount + 1 */
export const capped = (found: number, supposed: number): Counted =>
  found <= limits.exactCount
    ? { total: found, isEstimate: false }
    : { total: Math.max(found, supposed), isEstimate: true };

/** How many there are, no further than `most`; `most` also where counting would take too long. */
export async function countUpTo(
  client: PostgresClient,
  what: string,
  from: string,
  parameters: readonly Parameter[],
  most: number,
): Promise<number> {
  const plan = await planOf(client, what, `select ${from}`, parameters);
  if (plan['Plan Rows'] > most * SURELY || costUpTo(plan, most) > MOST_COST) return most;
  return counted(client, what, from, parameters, most);
}

/** What the planner supposes of each query of a `union all`. */
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

async function counted(
  client: PostgresClient,
  what: string,
  from: string,
  parameters: readonly Parameter[],
  most: number,
): Promise<number> {
  const text = `select count(*) as total from (select ${from} limit ${most}) counted`;
  const [row] = await client.query<{ total: number }>(what, text, parameters);
  return row?.total ?? 0;
}

const costUpTo = (plan: Plan, rows: number): number =>
  plan['Startup Cost'] +
  (plan['Total Cost'] - plan['Startup Cost']) * Math.min(1, rows / Math.max(1, plan['Plan Rows']));

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
