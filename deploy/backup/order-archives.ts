// Once a day the role `backup` archives settled orders by ARCHIVE_AFTER, and removes whole archives by ARCHIVE_KEEP. A run that
// failed is tried again like a backup; it stops none of them.

import type { Leases } from '../../actors/ports/leases.js';
import type { Log } from '../../actors/ports/log.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { timeBefore } from '../../storage/archive/ages.js';
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
      await leases.holding('archive', signal, (lost) => run(parts, to, lost));
      ranAt = clock.now();
    },
  });
  return (signal) => step.keep(signal);
}

async function run({ config, log, settlement, clock, logger }: OrderArchivesParts, to: string, signal: AbortSignal) {
  const { after, keep, s3Endpoint: endpoint } = config.archive;
  const client = connectPostgres(await ownerUrl(config), { max: POOL, statementMs: LONG_STATEMENT_MS, log: logger });
  const onProgress = (line: string) => logger.debug({}, line);
  const { id: system, partitions } = settlement;
  const parts = { client, log, partitions, system, endpoint, scratch: scratchOf(config), onProgress };
  try {
    if (after !== undefined) {
      const { orders, bytes } = await archiveOrders(parts, to, timeBefore(after, clock.now()), signal);
      if (orders > 0) await giveBack(client, false, onProgress);
      if (orders > 0) logger.info({ orders, bytes, to }, `orders older than ${after.text} were archived`);
    }
    if (keep === undefined) return;
    const removed = await removeArchives(parts, timeBefore(keep, clock.now()), signal);
    if (removed.length > 0) logger.info({ removed }, `archives older than ${keep.text} were removed`);
  } finally {
    await client.end();
  }
}
