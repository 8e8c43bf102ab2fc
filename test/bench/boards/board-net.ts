// Boards as network namespaces of Linux: each has an address and a cable to one switch. The switch and the clients are in the
// namespace of this process, which has nothing else: no way leads out of it. Needs root.
//
// Law: the process first runs itself again in namespaces of its own (alone). So whatever is made or mounted here is gone with its
// last process, and nothing of it is seen outside.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const NETWORK = '10.87.0';
const CLIENTS = 1;
const FIRST_BOARD = 11;
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const FOLDER = 'HOLDFAST_BOARDS_FOLDER';

/**
 * Runs this script again in namespaces of its own, and ends with its exit code; exits 0 where that is not allowed.
 * @returns where it is alone: a folder that everybody may enter, and that is removed after its end
 */
export async function alone(): Promise<string> {
  const given = process.env[FOLDER];
  if (given !== undefined) {
    for (const signal of SIGNALS) process.once(signal, () => process.exit(1)); // With all that it has started.
    return given;
  }
  const tried = spawnSync('unshare', ['--net', '--mount', 'true'], { encoding: 'utf8' });
  if (tried.status !== 0) {
    console.log(`SKIP: boards need network namespaces and root: ${tried.error?.message ?? tried.stderr.trim()}`);
    process.exit(0);
  }
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-boards-'));
  chmodSync(folder, 0o755);
  const again = ['--net', '--mount', process.execPath, ...process.argv.slice(1)];
  const child = spawn('unshare', again, { stdio: 'inherit', env: { ...process.env, [FOLDER]: folder } });
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal));
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  process.exit(code ?? 1);
}

export class BoardNet {
  /** @param folder for files of the net. @throws Error where this machine lacks something */
  constructor(
    private readonly boards: readonly string[],
    folder: string,
  ) {
    const hosts = join(folder, 'hosts');
    const names = boards.map((board) => `${this.addressOf(board)} ${board}`);
    writeFileSync(hosts, ['127.0.0.1 localhost', ...names, ''].join('\n'));
    run('mount', '--bind', hosts, '/etc/hosts');
    // The names of our namespaces are not seen outside.
    run('mkdir', '-p', '/run/netns');
    run('mount', '-t', 'tmpfs', 'tmpfs', '/run/netns');
    run('ip', 'link', 'set', 'lo', 'up');
    run('ip', 'link', 'add', 'switch', 'type', 'bridge');
    run('ip', 'addr', 'add', `${NETWORK}.${CLIENTS}/24`, 'dev', 'switch');
    run('ip', 'link', 'set', 'switch', 'up');
    for (const board of boards) this.plugIn(board);
  }

  addressOf(board: string): string {
    return `${NETWORK}.${FIRST_BOARD + this.boards.indexOf(board)}`;
  }

  /** The command that runs what follows it on a board. */
  on(board: string): readonly string[] {
    return ['nsenter', `--net=/run/netns/${board}`];
  }

  /** Pulls the cable of a board, or plugs it in. */
  cable(board: string, state: 'down' | 'up'): void {
    run('ip', 'link', 'set', board, state);
  }

  // -------------------------------------------------------------- machinery

  private plugIn(board: string): void {
    run('ip', 'netns', 'add', board);
    run('ip', 'link', 'add', board, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', board);
    run('ip', 'link', 'set', board, 'master', 'switch', 'up');
    run('ip', '-n', board, 'link', 'set', 'lo', 'up');
    run('ip', '-n', board, 'addr', 'add', `${this.addressOf(board)}/24`, 'dev', 'eth0');
    run('ip', '-n', board, 'link', 'set', 'eth0', 'up');
  }
}

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 10_000 });
}
