/** Takes dumps of a running system, and checks each in a scratch database of the same server. */
import { randomBytes } from 'node:crypto';
import type { Log } from '../../actors/ports/log.js';
import { connectPostgres, type PostgresClient } from '../postgres/postgres.js';
import { postgresLog } from '../postgres/postgres-log.js';
import { reportOf } from '../verify/report.js';
import { verify } from '../verify/verify.js';
import { CannotRestore, type Dumps, NotClean } from './dump.js';
import { restoreDump } from './restore-dump.js';
import { dropDatabase, makeDatabase } from './scratch-database.js';
import { type TakeParts, takeDump } from './take-dump.js';

interface DumpsParts extends TakeParts {
  /** An empty log of its own for each check. */
  readonly emptyLog: () => Log;
}

const SCRATCH = 'holdfast_check_';
/** A check that was killed leaves its database. No check takes so long. */
const LEFT_BEHIND_S = 24 * 3_600;
const OURS = /^holdfast_check_(\d+)_[0-9a-f]{8}$/;
const POOL = 4;

export const dumps = (parts: DumpsParts): Dumps => ({
  async take(folder, signal) {
    await mustMakeDatabases(parts.client); // Else the check fails, after all the work.
    return takeDump(parts, folder, signal);
  },
  check: (folder, signal) => checkDump(parts, folder, signal),
});

async function checkDump(
  { client, url, emptyLog, tools, onProgress = () => {} }: DumpsParts,
  folder: string,
  signal: AbortSignal,
): Promise<{ readonly tookMs: number }> {
  await dropLeftBehind(client);
  const name = `${SCRATCH}${Math.floor(Date.now() / 1_000)}_${randomBytes(4).toString('hex')}`;
  await makeDatabase(client, name);
  const scratchUrl = withDatabase(url, name);
  const scratch = connectPostgres(scratchUrl, { max: POOL });
  try {
    const since = performance.now();
    const logOf = async (journal: string) => (journal === 'postgres' ? postgresLog(scratch) : emptyLog());
    const target = { client: scratch, url: scratchUrl, logOf, tools, onProgress };
    const { manifest, log } = await restoreDump(target, folder, signal);
    const tookMs = performance.now() - since;
    const verdict = await verify({ client: scratch, log, partitions: manifest.partitions, onProgress });
    if (verdict.total > 0)
      throw new NotClean(`the dump ${folder} is not clean: ${reportOf(verdict).slice(0, 3).join('; ')}`, verdict.total);
    return { tookMs };
  } finally {
    await scratch.end();
    await dropDatabase(client, name);
  }
}

async function mustMakeDatabases(client: PostgresClient): Promise<void> {
  const [user] = await client.query<{ name: string; may: boolean }>(
    'ask for rights',
    'select rolname as name, rolsuper or rolcreatedb as may from pg_roles where rolname = current_user',
  );
  if (user?.may !== false) return;
  throw new CannotRestore(
    `the Postgres user ${user.name} may not create databases, and a dump counts only once it was restored into one: alter role ${user.name} createdb`,
  );
}

async function dropLeftBehind(client: PostgresClient): Promise<void> {
  const found = await client.query<{ name: string }>(
    'look for scratch databases',
    `select datname as name from pg_database where datname like '${SCRATCH.replaceAll('_', '\\_')}%'
     and pg_has_role(datdba, 'usage')`,
  );
  for (const { name } of found) {
    const [, since] = OURS.exec(name) ?? [];
    if (since !== undefined && Date.now() / 1_000 - Number(since) > LEFT_BEHIND_S) await dropDatabase(client, name);
  }
}

/** The same server, another database. */
function withDatabase(url: string, name: string): string {
  const [, before = '', query = ''] = /^([^:]+:\/\/[^/?]*)(?:\/[^?]*)?(\?.*)?$/.exec(url) ?? [];
  return `${before}/${name}${query}`;
}
