// What makes and judges the dumps of this system. It looks for pg_dump at each dump: one that is installed later is found.

import type { Logger } from '../../actors/ports/runtime.js';
import { memoryLog } from '../../bus/journal/memory-log.js';
import type { Dumps } from '../../storage/backup/dump.js';
import { dumps } from '../../storage/backup/dumps.js';
import { connectPostgres, type PostgresClient } from '../../storage/postgres/postgres.js';
import type { Config } from '../config/config.js';
import { adminUrl, toolsFor } from '../servers/postgres-itself.js';
import type { Stores } from '../stores.js';
import { version } from '../version.js';

const POOL = 3;

export function systemDumps(config: Config, { client, log, settlement }: Stores, logger: Logger): Dumps {
  const emptyLog = () => memoryLog({ bytes: Number.POSITIVE_INFINITY, reserveBytes: 0 });
  const onProgress = (line: string) => logger.debug({}, line);
  /** As the user who may read every table and make databases, for as long as the work takes. */
  const asAdmin = async <T>(work: (own: Dumps) => Promise<T>): Promise<T> => {
    const tools = await toolsFor(client, config, (line) => logger.info({}, line));
    const url = await adminUrl(config);
    const admin: PostgresClient = connectPostgres(url, { max: POOL, log: logger });
    try {
      return await work(dumps({ client: admin, url, log, settlement, version, tools, emptyLog, onProgress }));
    } finally {
      await admin.end();
    }
  };
  return {
    take: (folder, signal) => asAdmin((own) => own.take(folder, signal)),
    check: (folder, signal) => asAdmin((own) => own.check(folder, signal)),
  };
}
