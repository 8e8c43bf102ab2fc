// The backups of a process with the role `backup`: where they go, and what makes them.

import { whyNoRecipient } from '../../storage/backup/age.js';
import { httpOffsite } from '../../storage/backup/http-offsite.js';
import type { Offsite } from '../../storage/backup/offsite.js';
import { unsavedSince } from '../../storage/backup/unsaved.js';
import { postgresLeases } from '../../storage/postgres/postgres-leases.js';
import type { Config } from '../config/config.js';
import type { Parts } from '../parts.js';
import type { Stores } from '../stores.js';
import { backupMeter, watchBackups } from '../telemetry/backup-metrics.js';
import { BackupRole } from './backup-role.js';
import { Backups } from './backups.js';
import { orderArchives } from './order-archives.js';
import { systemDumps } from './system-dumps.js';

export async function beginBackups(parts: Parts, stores: Stores): Promise<BackupRole> {
  const { config, clock, logger, registry } = parts;
  const { folder, recipient, everyMs, keepDumps, keepDays } = config.backup;
  const problem = recipient === undefined ? undefined : whyNoRecipient(recipient);
  if (problem !== undefined)
    throw new Error(`BACKUP_AGE_RECIPIENT is "${recipient}", which is no age recipient: ${problem}`);
  const backups = new Backups({
    ...{ path: folder, clock, logger, recipient, everyMs, keepDumps, keepDays },
    dumps: systemDumps(config, stores, logger),
    offsite: await offsiteOf(config),
    meter: backupMeter(registry),
    unsavedSince: (ms) => unsavedSince(stores.client, ms),
  });
  watchBackups(registry, backups, everyMs);
  const leases = postgresLeases(stores.client, clock);
  const { log, settlement } = stores;
  const beside = orderArchives({ config, log, settlement, leases, clock, logger });
  const role = new BackupRole({ backups, folder, leases, beside, clock, logger });
  role.start();
  return role;
}

/** The client of buckets takes a second to load, so it is loaded only where there is a bucket. */
async function offsiteOf({ backup: { offsite, s3Endpoint: endpoint } }: Config): Promise<Offsite | undefined> {
  if (offsite === undefined) return undefined;
  if (!offsite.startsWith('s3://')) return httpOffsite(offsite);
  const { s3PlaceOf } = await import('../../storage/backup/s3-bucket.js');
  const { s3Offsite } = await import('../../storage/backup/s3-offsite.js');
  const at = s3PlaceOf(offsite, endpoint);
  return at === undefined ? httpOffsite(offsite) : s3Offsite(at);
}
