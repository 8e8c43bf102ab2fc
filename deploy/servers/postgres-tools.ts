// Finds and runs pg_dump and pg_restore. pg_dump refuses a server that is newer than itself, so the newest one is taken.
//
// Law: no password stands in a command line, where every user of the machine may read it.

import { readdir, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { PostgresTools } from '../../storage/backup/dump.js';
import { parsePostgresUrl } from '../../storage/postgres/libpq-url.js';
import { lastLine, run } from './processes.js';

const DEBIAN = '/usr/lib/postgresql';
const VERSION_WITHIN_MS = 20_000;
/** A dump or a restore of many million orders. */
const TOOL_WITHIN_MS = 6 * 3_600_000;
const LOCK_WAIT = '--lock-wait-timeout=10s';

type Found = { readonly tools: PostgresTools; readonly version: string } | { readonly missing: string };

/** @param major of the server. The tools are of this version or newer. */
export async function findPostgresTools(major: number): Promise<Found> {
  const seen: string[] = [];
  for (const folder of await folders()) {
    const version = await versionIn(folder);
    if (version === undefined) continue;
    if (version >= major) return { tools: toolsIn(folder), version: `${version} from ${folder}` };
    seen.push(`${version} in ${folder}`);
  }
  const what = seen.length === 0 ? 'there is none' : `there is only ${seen.join(', ')}`;
  return {
    missing: `Backups need pg_dump and pg_restore ${major} or newer on PATH, as the server is ${major}, and ${what}: install the package postgresql-client-${major}, or put its folder on PATH.`,
  };
}

async function folders(): Promise<string[]> {
  const majors = (await readdir(DEBIAN).catch(() => [])).filter((name) => /^\d+$/.test(name));
  const onPath = (process.env.PATH ?? '').split(delimiter).filter((entry) => entry.startsWith('/'));
  return [...onPath, ...majors.sort((a, b) => Number(b) - Number(a)).map((each) => join(DEBIAN, each, 'bin'))];
}

async function versionIn(folder: string): Promise<number | undefined> {
  const names = ['pg_dump', 'pg_restore'].map((name) => join(folder, name));
  const there = await Promise.all(names.map((name) => stat(name).then(Boolean, () => false)));
  if (!there.every(Boolean)) return undefined;
  const asked = await run(names[0] ?? '', ['--version'], { deadlineMs: VERSION_WITHIN_MS });
  const [, major] = /(\d+)(?:\.\d+)*/.exec(asked.code === 0 ? asked.output : '') ?? [];
  return major === undefined ? undefined : Number(major);
}

function toolsIn(folder: string): PostgresTools {
  const call = async (name: string, args: readonly string[], url: string, signal: AbortSignal) => {
    const { bare, password } = withoutPassword(url);
    const env = { ...process.env, ...(password !== '' && { PGPASSWORD: password }) };
    const done = await run(join(folder, name), [...args, '--dbname', bare], {
      deadlineMs: TOOL_WITHIN_MS,
      env,
      signal,
    });
    if (signal.aborted) throw new Error(`${name} was called off`);
    if (done.code !== 0) throw new Error(`${name} failed: ${lastLine(done.output)}`);
  };
  return {
    dump: ({ url, file, snapshot, without }, signal) =>
      call(
        'pg_dump',
        [
          ...['--format=custom', '--no-owner', '--no-privileges', LOCK_WAIT],
          ...without.map((table) => `--exclude-table-data=public.${table}`),
          ...[`--snapshot=${snapshot}`, `--file=${file}`],
        ],
        url,
        signal,
      ),
    restore: ({ url, file }, signal) =>
      call(
        'pg_restore',
        ['--no-owner', '--no-privileges', '--exit-on-error', '--single-transaction', file],
        url,
        signal,
      ),
  };
}

/** A libpq URL may have its password in two places. */
function withoutPassword(url: string): { readonly bare: string; readonly password: string } {
  const inUser = url.replace(/^([^:]+:\/\/[^:@/?]*):[^@/?]*@/, '$1@');
  const bare = inUser.replace(/([?&])password=[^&]*&?/, '$1').replace(/[?&]$/, '');
  return { bare, password: parsePostgresUrl(url).password };
}
