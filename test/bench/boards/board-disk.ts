// A disk of its own for a board: a file system in a file, mounted through a loop device, which counts what is written to it. That
// includes the file system's own journal, as on a card. Needs root, and a mount namespace of our own (board-net.alone), with which it goes.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';

const SECTOR = 512;
/** ext4 does no work of its making later on, which would be counted as ours. */
const MAKE = {
  ext4: ['mkfs.ext4', '-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0'],
  xfs: ['mkfs.xfs', '-q', '-f'],
} as const;
export type FileSystem = keyof typeof MAKE;
/** A sparse file: it takes the room of what is written. */
const SIZE_MIB = 6_144;

export class BoardDisk {
  private readonly device: string;

  /** @throws Error where there are no loop devices for us, or no such file system */
  constructor(
    readonly path: string,
    system: FileSystem,
  ) {
    const image = `${path}.img`;
    mkdirSync(path, { recursive: true });
    run('truncate', '-s', `${SIZE_MIB}M`, image);
    const [make = '', ...how] = MAKE[system];
    run(make, ...how, image);
    run('mount', '-o', 'loop,noatime', image, path);
    this.device = run('losetup', '--noheadings', '--output', 'NAME', '--associated', image).replace('/dev/', '');
  }

  /** Bytes that have reached the device so far, after what is in memory has gone there too. */
  written(): number {
    run('sync', '--file-system', this.path);
    const fields = readFileSync(`/sys/block/${this.device}/stat`, 'utf8').trim().split(/\s+/);
    return Number(fields[6]) * SECTOR;
  }
}

// ---------------------------------------------------------------- machinery

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 }).trim();
