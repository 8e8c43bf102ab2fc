// `holdfast archive`: moves settled orders out of the hot tables into files, beside running nodes. Started again after a kill,
// it goes on. With --remove whole archives go whose orders are older. With --forget archives are written anew without the
// personal data of a user.

import { join } from 'node:path';
import { underAny } from '../../bus/joined-signal.js';
import { systemClock } from '../../bus/system-clock.js';
import { AGES, type Age, ageOf, timeBefore } from '../../storage/archive/ages.js';
import { abandonPlace, archiveOrders, candidates, inMb, removeArchives } from '../../storage/archive/archiver.js';
import { giveBack, hotBytes } from '../../storage/archive/hot-tables.js';
import { rewriteWithout } from '../../storage/archive/rewrite-archive.js';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { postgresLeases } from '../../storage/postgres/postgres-leases.js';
import type { Config } from '../config/config.js';
import { LONG_STATEMENT_MS, ownerUrl } from '../servers/postgres-itself.js';
import { BadCommand, type Command, type Given, type Terminal } from './command.js';
import { interrupted, look, orInterrupted, quiet, say } from './place.js';
import { withStoredLog } from './stored-log.js';

export const archiveCommand: Command = {
  name: 'archive',
  summary: 'Move settled orders out of the hot tables into files, where they are still found by id',
  about: 'servers',
  options: [
    { name: '--older-than', value: 'AGE', what: 'how long an order has not changed: 2y, 18mo, 90d, 12h' },
    { name: '--to', value: 'PLACE', what: 'a folder, or s3://bucket/prefix' },
    { name: '--dry-run', what: 'only count; also with --abandon' },
    {
      name: '--vacuum',
      value: 'full',
      words: ['full'],
      what: 'give the disk its space back; locks the tables meanwhile',
    },
    { name: '--remove', what: 'remove whole archives whose orders were all placed longer ago: they are then gone' },
    { name: '--abandon', value: 'PLACE', what: 'a place is lost for ever: orders that were only there are then gone' },
    { name: '--anyway', what: 'abandon a place that still has its archives' },
    { name: '--forget', value: 'USER', what: 'erase the personal data of the archived orders of this user' },
  ],
  notes: ['Killed at any moment, the same command goes on.'],
  examples: [
    { line: 'archive --older-than 2y --to old-orders', what: 'beside running nodes' },
    { line: 'archive --remove --older-than 10y', what: 'their orders answer 410 from then on' },
    { line: 'archive --abandon /lost/orders --dry-run', what: 'how many orders would be gone' },
    { line: 'archive --abandon /lost/orders', what: 'no run waits for that place any more' },
    { line: 'archive --forget grace', what: 'after forget-user, which erases it from the tables' },
  ],
  exits: '0: done; 2: not done to the end, and why',
  run: (given, terminal) => archive(terminal.config(), readArchiveCommand(given), terminal),
};

const NAME = 'holdfast archive';
const POOL = 4;

type ArchiveCommand =
  | { readonly kind: 'move'; readonly age: Age; readonly to: string; readonly isDry: boolean; readonly isFull: boolean }
  | { readonly kind: 'remove'; readonly age: Age }
  | { readonly kind: 'abandon'; readonly place: string; readonly isDry: boolean; readonly anyway: boolean }
  | { readonly kind: 'forget'; readonly user: string };

/** Where files are made on their way to a bucket. */
export const scratchOf = ({ dataDir }: Config): string => join(dataDir, 'archiving');

/** @throws BadCommand */
function readArchiveCommand(given: Given): ArchiveCommand {
  const text = given.text('--older-than');
  const to = given.text('--to');
  const vacuum = given.text('--vacuum');
  const isDry = given.flag('--dry-run');
  const anyway = given.flag('--anyway');
  const user = given.text('--forget');
  if (user !== undefined) {
    if ([text, to, vacuum].some((each) => each !== undefined) || isDry || anyway || given.flag('--remove'))
      throw new BadCommand('--forget takes a user alone: it erases from every archive');
    return { kind: 'forget', user };
  }
  const lost = given.text('--abandon');
  if (lost !== undefined) {
    if ([text, to, vacuum].some((each) => each !== undefined) || given.flag('--remove') || lost === '')
      throw new BadCommand(
        '--abandon takes a place, --dry-run and --anyway alone: the folder or s3://bucket/prefix that is lost',
      );
    return { kind: 'abandon', place: lost, isDry, anyway };
  }
  if (anyway) throw new BadCommand('--anyway belongs to --abandon');
  const age = ageOf(text ?? '');
  if (age === undefined) throw new BadCommand(`--older-than is "${text ?? ''}"; it must be ${AGES}`);
  if (given.flag('--remove')) {
    if (to !== undefined || vacuum !== undefined || isDry)
      throw new BadCommand('--remove takes --older-than alone: it removes archives wherever they are');
    return { kind: 'remove', age };
  }
  if (to === undefined || to === '') throw new BadCommand('--to names a folder or s3://bucket/prefix');
  if (vacuum !== undefined && vacuum !== 'full') throw new BadCommand(`--vacuum is "${vacuum}"; it must be full`);
  return { kind: 'move', age, to, isDry, isFull: vacuum === 'full' };
}

const archive = (config: Config, command: ArchiveCommand, terminal: Terminal): Promise<number> =>
  look(config, async (client, place) => {
    const admin = connectPostgres(await ownerUrl(config), { max: POOL, statementMs: LONG_STATEMENT_MS, log: quiet });
    try {
      if (command.kind === 'move' && command.isDry) {
        const before = timeBefore(command.age, Date.now());
        const { orders, bytes } = await candidates(admin, before);
        terminal.answer({ orders, bytes, before: timeOf(before) }, [
          `${orders} settled orders have not changed since ${timeOf(before)}: about ${inMb(bytes)} MB of rows`,
        ]);
        return 0;
      }
      if (command.kind === 'abandon' && command.isDry) {
        const { s3Endpoint: endpoint } = config.archive;
        const parts = { client: admin, endpoint };
        const { archives, gone, back, found } = await abandonPlace(parts, command.place, interrupted(), command);
        const state = found === undefined ? 'none of them is there' : `it is not lost: it has ${found}`;
        terminal.answer({ place: command.place, archives, gone, back, found: found ?? null }, [
          `${archives} archives at ${command.place}: ${state}. Given up, ${gone} orders would be gone, ${back} are in the tables`,
        ]);
        return 0;
      }
      await withStoredLog(client, place, NAME, (log, { id: system, partitions }) =>
        alone(admin, interrupted(), async (signal) => {
          const { s3Endpoint: endpoint } = config.archive;
          const scratch = scratchOf(config);
          const parts = { client: admin, log, partitions, system, endpoint, scratch, onProgress: say };
          if (command.kind === 'move') await moved(parts, command, signal, terminal);
          else if (command.kind === 'remove') {
            const removed = await removeArchives(parts, timeBefore(command.age, Date.now()), signal);
            terminal.answer({ removed }, [
              removed.length === 0 ? `no archive is older than ${command.age.text}` : `removed: ${removed.join(', ')}`,
            ]);
          } else if (command.kind === 'abandon') {
            const { archives, gone, back } = await abandonPlace(parts, command.place, signal, command);
            terminal.answer({ place: command.place, archives, gone, back }, [
              `${archives} archives at ${command.place} are given up: ${gone} orders are gone, ${back} are still in the tables`,
            ]);
          } else {
            const rewritten = await rewriteWithout(parts, new Set([command.user]), signal);
            terminal.answer({ user_id: command.user, rewritten }, [
              rewritten.length === 0
                ? `no archive has personal data of ${command.user}`
                : `written anew without personal data of ${command.user}: ${rewritten.join(', ')}`,
            ]);
          }
        }),
      ).catch(orInterrupted(interrupted()));
      return 0;
    } finally {
      await admin.end();
      await client.end();
    }
  });

async function moved(
  parts: Parameters<typeof archiveOrders>[0],
  { age, to, isFull }: Extract<ArchiveCommand, { kind: 'move' }>,
  signal: AbortSignal,
  terminal: Terminal,
): Promise<void> {
  const { client } = parts;
  const bytesBefore = await hotBytes(client);
  const { archives, orders, bytes } = await archiveOrders(parts, to, timeBefore(age, Date.now()), signal);
  if (orders > 0 || isFull) await giveBack(client, isFull, say);
  const space = `the hot tables had ${inMb(bytesBefore)} MB and have ${inMb(await hotBytes(client))} MB`;
  const rest =
    isFull || orders === 0
      ? ''
      : '; what is free in them is used again by new orders (--vacuum full gives it to the disk)';
  const name = archives === 1 ? '1 archive' : `${archives} archives`;
  terminal.answer({ orders, archives, bytes, to }, [
    `${orders} orders in ${name} of ${inMb(bytes)} MB at ${to}; ${space}${rest}`,
  ]);
}

/** One run at a time: by the lease that the role `backup` takes for it too. */
async function alone(
  client: Parameters<typeof postgresLeases>[0],
  ended: AbortSignal,
  run: (signal: AbortSignal) => Promise<void>,
) {
  const busy = new AbortController();
  const why = new Error('another process of this system archives at the moment: try again when it has ended');
  let hasRun = false;
  const ran = async (lost: AbortSignal) => {
    hasRun = true;
    await run(lost);
  };
  await underAny([ended, busy.signal], async (signal) => {
    await postgresLeases(client, systemClock()).holding('archive', signal, ran, () => busy.abort(why));
    if (!hasRun) throw signal.reason;
  });
}

const timeOf = (ms: number): string => new Date(ms).toISOString();
