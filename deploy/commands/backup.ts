// `holdfast backup`: a dump of a running or stopped system into a folder, restored into a scratch database and judged by
// `verify` before it counts.

import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { memoryLog } from '../../bus/journal/memory-log.js';
import { dumps } from '../../storage/backup/dumps.js';
import { connectPostgres, type PostgresClient } from '../../storage/postgres/postgres.js';
import { CouldNotLook } from '../../storage/verify/verdict.js';
import type { Config } from '../config/config.js';
import { adminUrl, toolsFor } from '../servers/postgres-itself.js';
import { version } from '../version.js';
import type { Command, Terminal } from './command.js';
import { BadCommand } from './command.js';
import { interrupted, look, orInterrupted, type Place, say } from './place.js';
import { withStoredLog } from './stored-log.js';

export const backupCommand: Command = {
  name: 'backup',
  summary: 'Dump everything into a new folder, restored and verified before it counts',
  about: 'servers',
  options: [{ name: '--to', value: 'FOLDER', what: 'a new folder, or an empty one' }],
  notes: ["It needs pg_dump of the server's version, and a user that may create databases."],
  examples: [{ line: 'backup --to dumps/monday', what: 'while the system runs, or after it has stopped' }],
  exits: '0: the dump is there and checked; 1: it did not pass the check; 2: none was taken',
  run: (given, terminal) => {
    const to = given.text('--to');
    if (to === undefined) throw new BadCommand('--to names the folder of the dump');
    return backUp(terminal.config(), to, terminal);
  },
};

const NAME = 'holdfast backup';
const EXIT_DONE = 0;
const EXIT_NOT_WHOLE = 1;
const POOL = 3;

const backUp = (config: Config, to: string, terminal: Terminal): Promise<number> =>
  look(config, async (client, place) => {
    try {
      return await dumped(config, client, place, resolve(to), terminal);
    } finally {
      await client.end();
    }
  });

/** The folder has its name only once the dump is checked. */
async function dumped(
  config: Config,
  client: PostgresClient,
  place: Place,
  to: string,
  terminal: Terminal,
): Promise<number> {
  await mustBeNew(to);
  const url = await adminUrl(config);
  const admin = connectPostgres(url, { max: POOL });
  await mkdir(dirname(to), { recursive: true });
  const partial = await mkdtemp(join(dirname(to), `.${basename(to)}.partial-`));
  const signal = interrupted();
  try {
    const tools = await toolsFor(client, config, say);
    return await withStoredLog(client, place, NAME, async (log, settlement) => {
      const emptyLog = () => memoryLog({ bytes: Number.POSITIVE_INFINITY, reserveBytes: 0 });
      const { take, check } = dumps({ client: admin, url, log, settlement, version, tools, emptyLog, onProgress: say });
      const { takenAt, orders, files } = await take(partial, signal);
      const checked = await check(partial, signal).catch((error: unknown) => error as Error);
      signal.throwIfAborted();
      if (checked instanceof Error) {
        say(`The dump does not count, and is removed: ${checked.message.replaceAll(partial, to)}.`);
        return EXIT_NOT_WHOLE;
      }
      const { tookMs } = checked;
      await rename(partial, to); // Fails if somebody else has put a dump there meanwhile.
      const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
      terminal.answer(
        { folder: to, orders, bytes, taken_at: new Date(takenAt).toISOString(), verified_in_ms: Math.round(tookMs) },
        `${to}: ${orders} orders, ${(bytes / 1e6).toFixed(1)} MB, all that was acknowledged before ${new Date(takenAt).toISOString()}; restored and verified in ${(tookMs / 1000).toFixed(1)} s`,
      );
      return EXIT_DONE;
    }).catch(orInterrupted(signal));
  } finally {
    await rm(partial, { recursive: true, force: true });
    await admin.end();
  }
}

/** An empty folder will do. */
async function mustBeNew(to: string): Promise<void> {
  const there = await readdir(to).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new CouldNotLook(`${to} is no folder to put a dump in (${error.code ?? error.message}): name a new one`);
  });
  if (there.length > 0) throw new CouldNotLook(`${to} is not empty: name a new folder`);
}
