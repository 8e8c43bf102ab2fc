// Whether this process can serve, and why not: as sentences for whoever asks /readyz.

import { limits } from '../actors/limits.js';
import type { Clock } from '../actors/ports/runtime.js';
import type { OwnershipMap } from '../bus/node/ownership-map.js';
import { STARTING } from '../bus/node/supervisor.js';
import { within } from '../bus/retry.js';
import type { Parts } from './parts.js';

/** Why this process cannot serve, or has not yet put the demo products in stock; undefined: it is ready. */
export const notReady = async (parts: Parts): Promise<string | undefined> =>
  (await nodeNotReady(parts)) ?? parts.seed?.notReady;

/** The same without the demo products, which are put in stock by a node that can serve. */
export async function nodeNotReady({
  hasActors,
  isEdge,
  supervisor,
  ownership,
  stores,
  clock,
}: Parts): Promise<string | undefined> {
  if (hasActors) return supervisor.notReady();
  if (ownership === undefined || stores === undefined) return STARTING;
  const postgres = () => stores.client.query('ask whether Postgres answers', 'select 1', [], limits.readyMs);
  return edgeNotReady(ownership, postgres, clock, isEdge);
}

/** Why this process does not serve; undefined while it does. */
export function absence({ hasActors, supervisor, among }: Parts): string | undefined {
  if (hasActors) return supervisor.absence;
  return among === undefined ? STARTING : undefined;
}

// ---------------------------------------------------------------- machinery

/**
 * Why an edge without partitions cannot serve; undefined when it can: the claims and Postgres answer, and each partition has
 * an owner.
 */
async function edgeNotReady(
  ownership: OwnershipMap,
  postgres: () => Promise<unknown>,
  clock: Clock,
  /** Whether this process is asked for what partitions own. */
  isEdge: boolean,
): Promise<string | undefined> {
  const answers = Promise.all([ownership.refresh(), postgres()]);
  const late = `the claims log and Postgres did not answer within ${limits.readyMs} ms`;
  try {
    await within(clock, limits.readyMs, answers, late);
  } catch (error) {
    return `This process cannot serve: ${error instanceof Error ? error.message : String(error)}.`;
  }
  if (!isEdge) return undefined;
  const free = ownership.ownership.map.findIndex((claim) => claim?.released !== undefined || claim === null);
  return free < 0
    ? undefined
    : `This edge cannot serve: no node owns partition ${free}. Start one with ROLES=all or actors.`;
}
