// The home of our own Postgres' files. DATA_DIR remembers it in postgres.json.
//
// Law: the home is DATA_DIR/postgres, and it moves with DATA_DIR. As root, if Postgres' user cannot enter DATA_DIR, the home
// is a folder under /var/lib/holdfast. No empty database ever replaces one that is missing: a start with a missing home is
// refused, and the error names it. So is a home that belongs to another DATA_DIR which still exists. If that one is gone, this
// DATA_DIR becomes the owner, but only once its node runs. An older copy fails before that, at its journal, and changes nothing.

import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Log } from './children.js';
import { newPassword, readWhole, recall, remember } from './kept-files.js';
import type { ServerUser } from './processes.js';
import { canEnter } from './server-user.js';

const ROOTS_HOME = '/var/lib/holdfast';
const IN_DATA_DIR = 'postgres';

/** What DATA_DIR remembers of its Postgres, in postgres.json. */
export interface PostgresMemory {
  /** Holds `data`, and copies of binaries. */
  readonly home: string;
  /** The superuser's. */
  readonly password: string;
  /** Those of the roles in deploy/security/postgres-roles.sql. A folder of an older version has none. */
  readonly passwords?: Readonly<Record<string, string>>;
  /** Set once the database files are whole. */
  readonly port?: number;
}

export const memoryOf = (dataDir: string) => join(dataDir, 'postgres.json');

export const dataIn = (home: string) => join(home, 'data');

/** The major version of Postgres' files; undefined if there are none. */
export async function majorOf(data: string): Promise<number | undefined> {
  const text = await readWhole(join(data, 'PG_VERSION'));
  return text === undefined ? undefined : Number(text.trim());
}

interface OpenHome {
  readonly memory: PostgresMemory;
  /** Records that the home belongs to this DATA_DIR. Call it once the node runs. */
  readonly keep: () => Promise<void>;
}

/** The remembered home, or a new one on a first start. @throws an Error that says what to do, if the files are missing */
export async function openHome(dataDir: string, user: ServerUser | undefined, log: Log): Promise<OpenHome> {
  const known = await recall<PostgresMemory>(memoryOf(dataDir));
  const memory = known === undefined ? await settleHome(dataDir, user, log) : foundAt(dataDir, known);
  const { home, port } = memory;
  if (port !== undefined && (await majorOf(dataIn(home))) === undefined) throw new Error(missing(dataDir, home));
  await mkdir(home, { recursive: true, mode: 0o755 });
  if (!isElsewhere(home)) return { memory, keep: async () => {} };
  const keep = () => remember(tenantOf(home), { dataDir } satisfies Tenant);
  if ((await tenantBefore(dataDir, home)) === undefined) await keep();
  return { memory, keep };
}

/** A home in DATA_DIR is named `postgres`, also where DATA_DIR itself is under /var/lib/holdfast. */
const isElsewhere = (home: string): boolean => home.startsWith(`${ROOTS_HOME}/`) && basename(home) !== IN_DATA_DIR;

/** A home in DATA_DIR has moved with it. */
const foundAt = (dataDir: string, known: PostgresMemory): PostgresMemory =>
  isElsewhere(known.home) ? known : { ...known, home: join(dataDir, IN_DATA_DIR) };

const missing = (dataDir: string, home: string): string =>
  `The database of DATA_DIR ${dataDir} is in ${dataIn(home)}, and that is missing: was DATA_DIR copied or restored without it? No empty one is made in its place. Put ${home} back from where it was or from a backup, with its owner and modes; or set DATABASE_URL to where the database is now; or choose a new DATA_DIR to begin anew.`;

interface Tenant {
  readonly dataDir: string;
}

const tenantOf = (home: string): string => join(home, 'tenant.json');

/** Two DATA_DIRs on one database would both believe that they own its orders. @throws an Error if another one owns it */
async function tenantBefore(dataDir: string, home: string): Promise<Tenant | undefined> {
  const tenant = await recall<Tenant>(tenantOf(home));
  if (tenant === undefined || tenant.dataDir === dataDir) return tenant;
  if ((await recall<PostgresMemory>(memoryOf(tenant.dataDir)))?.home !== home) return tenant;
  throw new Error(
    `The database in ${home} belongs to DATA_DIR ${tenant.dataDir}; ${dataDir} is another copy of that folder, and its journal may be older. Start with DATA_DIR=${tenant.dataDir}. To use that folder at ${dataDir}, stop its node, delete this copy, and move the folder itself here (mv).`,
  );
}

async function settleHome(dataDir: string, user: ServerUser | undefined, log: Log): Promise<PostgresMemory> {
  const password = newPassword();
  let home = join(dataDir, IN_DATA_DIR);
  if (user !== undefined && !(await canEnter(user, dataDir))) {
    const name = createHash('sha256').update(dataDir).digest('hex').slice(0, 12);
    // The random part: a DATA_DIR made anew under an old name never inherits old files.
    home = join(ROOTS_HOME, `${name}-${randomBytes(4).toString('hex')}`);
    const earlier = (await readdir(ROOTS_HOME).catch(() => [])).filter((entry) => entry.startsWith(`${name}-`));
    for (const left of earlier) {
      log(
        `postgres: ${join(ROOTS_HOME, left)} has the database of an earlier ${dataDir}, which this start does not use: put that folder's postgres.json back to go on with it`,
      );
    }
    await mkdir(home, { recursive: true, mode: 0o755 });
    if (!(await canEnter(user, home))) {
      throw new Error(
        `User ${user.name}, as whom Postgres runs, can enter neither ${dataDir} nor ${home}: choose a DATA_DIR it can reach, or set DATABASE_URL.`,
      );
    }
    log(
      `postgres: user ${user.name} cannot reach ${dataDir}; the database files live in ${home}: a backup of DATA_DIR needs them too`,
    );
  }
  const memory = { home, password };
  await remember(memoryOf(dataDir), memory);
  return memory;
}
