// Once a day the role `backup` archives settled orders by ARCHIVE_AFTER, and removes whole archives by ARCHIVE_KEEP. A run that
// failed is tried again like a backup; it stops none of them. Postgres remembers the last run: a start anew is no new day, but
// a policy that has changed runs at once.

import type { Leases } from '../../actors/ports/leases.js';
import type { Log } from '../../actors/ports/log.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { timeBefore } from '../../storage/archive/ages.js';
import { notePolicyRan, policyRanAt } from '../../storage/archive/archive-rows.js';
import { archiveOrders, removeArchives } from '../../storage/archive/archiver.js';
import { giveBack } from '../../storage/archive/hot-tables.js';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { scratchOf } from '../commands/archive.js';
import type { Config } from '../config/config.js';
import { LONG_STATEMENT_MS, ownerUrl } from '../servers/postgres-itself.js';
import { Step } from './step.js';

const DAY_MS = 86_400_000;
const POOL = 3;

interface OrderArchivesParts {
  readonly config: Config;
  readonly log: Log;
  readonly settlement: { readonly id: string; readonly partitions: number };
  readonly leases: Leases;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** @returns what runs until its signal is aborted; undefined where nothing is to be archived */
export function orderArchives(parts: OrderArchivesParts): ((signal: AbortSignal) => Promise<void>) | undefined {
  const { config, clock, logger, leases } = parts;
  const { to, after } = config.archive;
  if (to === undefined || after === undefined) return undefined;
  let ranAt = Number.NEGATIVE_INFINITY;
  const step = new Step({
    ...{ name: 'archiving of orders', clock, logger, ended: () => {} },
    due: () => ranAt + DAY_MS,
    run: async (signal) => {
      await leases.holding('archive', signal, async (lost) => {
        ranAt = await run(parts, to, lost);
      });
    },
  });
  return (signal) => step.keep(signal);
}

/** @returns when the policy ran last: now, or earlier on this day */
async function run(
  { config, log, settlement, clock, logger }: OrderArchivesParts,
  to: string,
  signal: AbortSignal,
): Promise<number> {
  const { after, keep, s3Endpoint: endpoint } = config.archive;
  const client = connectPostgres(await ownerUrl(config), { max: POOL, statementMs: LONG_STATEMENT_MS, log: logger });
  const onProgress = (line: string) => logger.debug({}, line);
  const { id: system, partitions } = settlement;
  const parts = { client, log, partitions, system, endpoint, scratch: scratchOf(config), onProgress };
  const policy = JSON.stringify({ to, after: after?.text, keep: keep?.text });
  try {
    const ranAt = await policyRanAt(client, policy);
    const isOfToday = ranAt !== undefined && ranAt <= clock.now() && clock.now() < ranAt + DAY_MS;
    if (isOfToday) return ranAt;
    if (after !== undefined) {
      const { orders, bytes } = await archiveOrders(parts, to, timeBefore(after, clock.now()), signal);
      if (orders > 0) await giveBack(client, false, onProgress);
      if (orders > 0) logger.info({ orders, bytes, to }, `orders older than ${after.text} were archived`);
    }
    const removed = keep === undefined ? [] : await removeArchives(parts, timeBefore(keep, clock.now()), signal);
    if (keep !== undefined && removed.length > 0)
      logger.info({ removed }, `archives older than ${keep.text} were removed`);
    const at = clock.now();
    await notePolicyRan(client, policy, at);
    return at;
  } finally {
    await client.end();
  }
}
