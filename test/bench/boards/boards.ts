// The four boards of deploy/pi as network namespaces, each with a disk of its own and the processes that its units start, from the
// very files that operators copy: paths are replaced, and passwords drawn. Redis is left out.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { findPostgres } from '../../../deploy/servers/postgres-binary.js';
import { lastLine, run } from '../../../deploy/servers/processes.js';
import { unprivilegedUser } from '../../../deploy/servers/server-user.js';
import { until } from '../../deadlines.js';
import { natsBinary } from '../../servers/real-servers.js';
import { bytesOf, environmentOf, lastOf, unitOf } from '../../servers/unit-file.js';
import { BoardDisk, type FileSystem } from './board-disk.js';
import { alone, BoardNet } from './board-net.js';
import { below, onCore, removeGroups } from './ceilings.js';

export const NODES = ['pi-1', 'pi-2', 'pi-3'] as const;
export const DATABASE = 'pi-4';
const KEEPER = 'pi-3';
const ALL = [...NODES, DATABASE];
/** Which units run where, in the order of their start. */
const UNITS: Readonly<Record<string, readonly string[]>> = {
  [DATABASE]: ['holdfast-postgres', 'holdfast-feed'],
  'pi-1': ['nats-server', 'holdfast'],
  'pi-2': ['nats-server', 'holdfast'],
  'pi-3': ['nats-server', 'holdfast'],
};
const FILES = [
  ...['pi/nats-server.conf', 'pi/postgres.conf', 'pi/pg_hba.conf'],
  ...['security/nats-accounts.conf', 'security/postgres-roles.sql', 'security/postgres-passwords.sql'],
];
const FOLDERS = ['etc', 'nats', 'holdfast', 'holdfast-feed', 'holdfast-backup', 'holdfast-owner', 'postgresql'];
const READY_MS = 120_000;
const END_MS = 30_000;
const ASK_MS = 2_000;
const KEPT_OUTPUT = 200_000;
const CHECKOUT = process.cwd();

interface Running {
  readonly child: ChildProcess;
  readonly unit: string;
  output: string;
}

export class Boards {
  private readonly adminKey = randomBytes(24).toString('hex');
  private readonly password = randomBytes(12).toString('hex');
  private readonly running = new Map<string, Running>();

  private constructor(
    readonly net: BoardNet,
    private readonly folder: string,
    private readonly commands: Readonly<Record<string, string>>,
    readonly disks: ReadonlyMap<string, BoardDisk>,
    private readonly core: number | undefined,
  ) {
    process.on('exit', () => this.raze());
  }

  /** @param core all processes share this core; undefined: all there are. @returns the reason if this machine cannot have boards */
  static async make(core?: number, system: FileSystem = 'ext4'): Promise<Boards | { readonly skipped: string }> {
    const nats = await natsBinary();
    if ('missing' in nats) return { skipped: `no nats-server: ${nats.missing}` };
    const folder = await alone(); // From here on nothing can be fetched.
    const postgres = await findPostgres(folder, unprivilegedUser());
    if ('missing' in postgres) return { skipped: `no Postgres: ${postgres.missing}` };
    const net = new BoardNet(ALL, folder);
    const disks = new Map(ALL.map((board) => [board, new BoardDisk(join(folder, board), system)]));
    const commands = {
      '/usr/bin/node': process.execPath,
      '/usr/local/bin/nats-server': nats.command,
      '/usr/lib/postgresql/15/bin': postgres.binaries.folder,
      '/opt/holdfast': CHECKOUT,
    };
    return new Boards(net, folder, commands, disks, core);
  }

  /** Loads the firewall of all boards, with their addresses. */
  guard(): void {
    const home = [11, 12, 13, 14].map((last, i) => [`192.168.1.${last}`, this.net.addressOf(ALL[i] ?? '')] as const);
    let rules = readFileSync('deploy/pi/nftables.conf', 'utf8');
    for (const [theirs, ours] of home) rules = rules.replaceAll(theirs, ours);
    const file = join(this.folder, 'nftables.conf');
    writeFileSync(file, rules);
    for (const board of ALL) this.runOn(board, 'nft', '-f', file);
  }

  /** Cuts links of a board. @param rules each a hook (input or output) and a rule of nft */
  cut(board: string, rules: readonly string[]): void {
    const chain = (hook: string) => {
      const its = rules.filter((rule) => rule.startsWith(`${hook} `)).map((rule) => `${rule.slice(hook.length + 1)};`);
      return `chain ${hook} { type filter hook ${hook} priority -10; ${its.join(' ')} };`;
    };
    this.runOn(board, 'nft', `table inet fault { ${chain('input')} ${chain('output')} }`);
  }

  heal(board: string): void {
    this.runOn(board, 'nft', 'delete table inet fault');
  }

  /** Starts everything, and waits until all nodes are ready. */
  async start(): Promise<void> {
    await this.makeDatabase();
    this.begin(DATABASE, 'holdfast-postgres');
    await this.makeRoles();
    this.makeTables();
    for (const board of NODES) this.begin(board, 'nats-server');
    for (const board of NODES) this.begin(board, 'holdfast');
    for (const board of NODES) {
      if (!(await until(() => this.isReady(board), READY_MS, 250)))
        throw new Error(`${board} is not ready\n${this.words}`);
    }
    // Its account makes no streams: the nodes have.
    this.begin(DATABASE, 'holdfast-feed');
  }

  /** @returns whether /readyz says 200, as clients see it */
  async isReady(board: string): Promise<boolean> {
    try {
      return (await fetch(`${this.url(board)}/readyz`, { signal: AbortSignal.timeout(ASK_MS) })).ok;
    } catch {
      return false;
    }
  }

  url(board: string): string {
    return `http://${this.net.addressOf(board)}:3000`;
  }

  /** Starts the backup, as README.md does last. @returns its status once it has a dump, restored and verified */
  async dumped(): Promise<string> {
    this.begin(KEEPER, 'holdfast-backup');
    const env = this.environment(KEEPER, 'holdfast-backup');
    const ask = `fetch('http://127.0.0.1:3002/api/backup/status', { headers: { authorization: 'Bearer ' + process.env.ADMIN_KEY } })
      .then((reply) => reply.text()).then(console.log, () => {})`;
    let status = '';
    const isThere = async () => {
      const [command = '', ...args] = [...this.net.on(KEEPER), process.execPath, '-e', ask];
      status = (await run(command, args, { deadlineMs: READY_MS, env })).output;
      return status.includes('"last_dump":{');
    };
    if (!(await until(isThere, READY_MS, 1_000))) throw new Error(`no dump: ${status}\n${this.words}`);
    return status;
  }

  get credential(): Readonly<Record<string, string>> {
    return { authorization: `Bearer ${this.adminKey}` };
  }

  /** A statement by the superuser of Postgres. @throws Error with what Postgres said */
  async sql(statement: string): Promise<void> {
    const home = join(this.disks.get(DATABASE)?.path ?? '', 'postgresql');
    const args = ['-h', home, '-U', 'postgres', '-d', 'postgres', '-c', statement];
    const done = await run('psql', args, { deadlineMs: 120_000, user: unprivilegedUser(), cwd: home });
    if (done.code !== 0) throw new Error(lastLine(done.output));
  }

  /** One of our commands, as an operator runs it on a board. */
  command(board: string, ...args: string[]): ReturnType<typeof run> {
    const [command = '', ...rest] = [
      ...this.net.on(board),
      process.execPath,
      `${CHECKOUT}/dist/deploy/cli.js`,
      ...args,
    ];
    return run(command, rest, { deadlineMs: 120_000, env: this.environment(board, 'holdfast') });
  }

  /** The main process of a unit. */
  pid(board: string, unit: string): number {
    return this.running.get(`${board} ${unit}`)?.child.pid ?? 0;
  }

  get units(): readonly (readonly [string, string])[] {
    return ALL.flatMap((board) => (UNITS[board] ?? []).map((unit) => [board, unit] as const));
  }

  get words(): string {
    return [...this.running]
      .map(([name, { output }]) => `${name}:\n${output.trim().split('\n').slice(-6).join('\n')}`)
      .join('\n');
  }

  async stop(): Promise<void> {
    const ended = ({ child }: Running) => child.exitCode !== null || child.signalCode !== null;
    const inTurn = ['holdfast-backup', 'holdfast-feed', 'holdfast', 'nats-server', 'holdfast-postgres'];
    for (const unit of inTurn) {
      const these = [...this.running.values()].filter((each) => each.unit === unit);
      for (const { child } of these) child.kill(unit === 'holdfast-postgres' ? 'SIGINT' : 'SIGTERM');
      await until(() => these.every(ended), END_MS, 100);
    }
  }

  // -------------------------------------------------------------- machinery

  /** Starts the unit on the board with its environment and below its ceilings. */
  private begin(board: string, unit: string): void {
    const file = unitOf(this.local(board, readFileSync(`deploy/pi/${unit}.service`, 'utf8')));
    const user = lastOf(file, unit === 'holdfast-postgres' ? 'User' : 'DynamicUser') === 'postgres' ? asPostgres() : [];
    const [command = '', ...args] = [
      ...below(`${board}-${unit}`, bytesOf(lastOf(file, 'MemoryMax'))),
      ...(this.core === undefined ? [] : onCore(this.core)),
      ...this.net.on(board),
      ...user,
      ...lastOf(file, 'ExecStart').split(' '),
    ];
    const child = spawn(command, args, {
      env: this.environment(board, unit),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const running: Running = { child, unit, output: '' };
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        running.output = (running.output + chunk.toString()).slice(-KEPT_OUTPUT);
      });
    }
    this.running.set(`${board} ${unit}`, running);
  }

  private environment(board: string, unit: string): Record<string, string> {
    const env = environmentOf(this.local(board, readFileSync(`deploy/pi/${fileOf(unit)}.env`, 'utf8')));
    const { ADMIN_KEY, NATS_NAME } = env;
    return {
      PATH: process.env.PATH ?? '',
      ...env,
      ...(ADMIN_KEY !== undefined && { ADMIN_KEY: this.adminKey, NODE_NAME: board }),
      ...(NATS_NAME !== undefined && { NATS_NAME: board }),
    };
  }

  /** A file of deploy/pi with the paths of this machine. */
  private local(board: string, text: string): string {
    const disk = this.disks.get(board)?.path ?? '';
    let here = text.replaceAll('CHANGE_ME', this.password).replaceAll('/var/lib', disk);
    for (const [theirs, ours] of Object.entries(this.commands)) here = here.replaceAll(theirs, ours);
    for (const folder of ['/etc/nats', '/etc/holdfast']) here = here.replaceAll(folder, join(disk, 'etc'));
    return here;
  }

  private runOn(board: string, ...args: string[]): string {
    const [command = '', ...rest] = [...this.net.on(board), ...args];
    return execFileSync(command, rest, { encoding: 'utf8', timeout: 60_000, stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** Copies the files, and makes the database's folder as README.md does. */
  private async makeDatabase(): Promise<void> {
    for (const board of ALL) {
      const disk = this.disks.get(board)?.path ?? '';
      for (const folder of FOLDERS) mkdirSync(join(disk, folder));
      for (const file of FILES) {
        writeFileSync(join(disk, 'etc', basename(file)), this.local(board, readFileSync(`deploy/${file}`, 'utf8')));
      }
    }
    const home = join(this.disks.get(DATABASE)?.path ?? '', 'postgresql');
    const user = unprivilegedUser();
    if (user !== undefined) chownSync(home, user.uid, user.gid);
    const initdb = join(this.commands['/usr/lib/postgresql/15/bin'] ?? '', 'initdb');
    const args = ['-D', join(home, 'holdfast'), '-E', 'UTF8', '--locale=C', '-A', 'peer'];
    const made = await run(initdb, args, { deadlineMs: 120_000, user, cwd: home });
    if (made.code !== 0) throw new Error(`initdb: ${lastLine(made.output)}`);
  }

  private async makeRoles(): Promise<void> {
    let why = '';
    const isMade = async () => {
      try {
        await this.sql('create database holdfast');
        return true;
      } catch (error) {
        why = (error as Error).message;
        return false;
      }
    };
    if (!(await until(isMade, 30_000, 250))) throw new Error(`the database was not made: ${why}\n${this.words}`);
    const disk = this.disks.get(DATABASE)?.path ?? '';
    const home = join(disk, 'postgresql');
    const files = ['postgres-roles.sql', 'postgres-passwords.sql'].flatMap((file) => ['-f', join(disk, 'etc', file)]);
    const args = ['-h', home, '-U', 'postgres', '-d', 'holdfast', '-v', 'ON_ERROR_STOP=1', ...files];
    const env = { PATH: process.env.PATH, ...this.environment(DATABASE, 'postgres-passwords') };
    const done = await run('psql', args, { deadlineMs: 120_000, user: unprivilegedUser(), cwd: home, env });
    if (done.code !== 0) throw new Error(`the roles were not made: ${lastLine(done.output)}`);
  }

  /** As their owner, who comes from this board alone. */
  private makeTables(): void {
    const env = { PATH: process.env.PATH, ...this.environment(DATABASE, 'holdfast-owner') };
    const [command = '', ...args] = [...this.net.on(DATABASE), process.execPath, 'dist/deploy/cli.js', 'migrate'];
    execFileSync(command, args, { env, encoding: 'utf8', timeout: 120_000, stdio: ['ignore', 'ignore', 'pipe'] });
  }

  private raze(): void {
    for (const { child } of this.running.values()) {
      try {
        process.kill(-(child.pid ?? 0), 'SIGKILL');
      } catch {
        // It has ended.
      }
    }
    removeGroups();
  }
}

const fileOf = (unit: string): string => unit.replace('holdfast-postgres', 'postgres');

const asPostgres = (): readonly string[] => ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups'];
