// A Holdfast for one test: the real process with its real children, in a temporary DATA_DIR, on free ports,
// in an environment that holds only the variables set here.
//
// Law: the test signals only processes that it started, by pid and start time. When the test's process ends,
// none of them is left, however the test went. No wait without a deadline.

import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../../deploy/servers/free-ports.js';
import { isAlive, markOf, type ProcessMark, type RunResult, run } from '../../../deploy/servers/processes.js';
import { patientMs, until } from '../../deadlines.js';
import { natsBinary } from '../../servers/real-servers.js';

const HERE = dirname(fileURLToPath(import.meta.url));
/** dist/test/faults/rig -> the checkout. */
const CHECKOUT = join(HERE, '..', '..', '..', '..');
const MAIN = join(HERE, '..', '..', '..', 'deploy', 'main.js');
const CLI = join(HERE, '..', '..', '..', 'deploy', 'cli.js');
const READY_MS = 60_000;
const END_MS = 20_000;
const ASK_MS = 5_000;
const VERIFY_MS = 60_000;
const KEPT_OUTPUT = 1_000_000;

export type Part = 'nats' | 'postgres';
export type Environment = Readonly<Record<string, string>>;

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly tookMs: number;
}

const built = new Set<RealSystem>();
process.on('exit', () => {
  for (const system of built) system.raze();
});
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(1));

export class RealSystem {
  /** The output of stdout and stderr. */
  output = '';
  private process: ChildProcess | undefined;
  private ended: Promise<Omit<Ended, 'tookMs'>> | undefined;
  private readonly seen = new Map<number, ProcessMark>();

  private constructor(
    private readonly folder: string,
    readonly port: number,
    readonly inventoryPort: number,
    readonly env: Environment,
  ) {}

  /** @returns the reason if there is no nats-server; the caller then prints SKIP. */
  static async build(env: Environment = {}): Promise<RealSystem | { readonly skipped: string }> {
    const nats = await natsBinary();
    if ('missing' in nats) return { skipped: `no nats-server: ${nats.missing}` };
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-fault-'));
    await chmod(folder, 0o755); // As root, Postgres runs as another user, who must get through.
    await mkdir(join(folder, 'bin'));
    await symlink(nats.command, join(folder, 'bin', 'nats-server'));
    const [port, inventoryPort] = [await freePort(), await freePort()];
    const system = new RealSystem(folder, port, inventoryPort, {
      PATH: `${join(folder, 'bin')}${delimiter}${process.env.PATH}`,
      HOME: process.env.HOME ?? folder,
      DATA_DIR: join(folder, 'data'),
      PORT: String(port),
      INVENTORY_PORT: String(inventoryPort),
      FETCH_SERVERS: 'never',
      SEED: 'none',
      ROLES: 'edge,actors', // The feeds have tests of their own.
      ...env,
    });
    built.add(system);
    return system;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The admin's credential as a header; empty where authentication is off. */
  get credential(): Readonly<Record<string, string>> {
    const { ADMIN_KEY } = this.env;
    return ADMIN_KEY === undefined ? {} : { authorization: `Bearer ${ADMIN_KEY}` };
  }

  get dataDir(): string {
    return this.env.DATA_DIR ?? '';
  }

  /** A system that was given another system's folder does not own that folder. */
  private get isOwnFolder(): boolean {
    return this.dataDir.startsWith(this.folder);
  }

  get pid(): number {
    return this.process?.pid ?? 0;
  }

  /** Starts the process without waiting; `changes` hold for this run. */
  open(changes: Environment = {}, command = process.execPath, args: readonly string[] = [MAIN]): void {
    const child = spawn(command, args, {
      cwd: CHECKOUT,
      env: { ...this.env, ...changes },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // A terminal's signals to the test must not reach it.
    });
    const keepOutput = (chunk: Buffer) => {
      this.output = (this.output + chunk.toString()).slice(-KEPT_OUTPUT);
    };
    child.stdout?.on('data', keepOutput);
    child.stderr?.on('data', keepOutput);
    this.process = child;
    this.ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    this.watch(child.pid);
  }

  /** Starts the process and waits until it is ready. @returns the milliseconds that this took. */
  async start(changes: Environment = {}): Promise<number> {
    const since = performance.now();
    this.open(changes);
    await this.ready(READY_MS);
    return performance.now() - since;
  }

  async ready(withinMs: number, port = this.port): Promise<void> {
    // A killed process has a signal and no exit code.
    const runs = () => this.process?.exitCode === null && this.process.signalCode === null;
    const isReadyOrEnded = async () => !runs() || (await this.ask('/readyz', port))?.status === 200;
    if ((await until(isReadyOrEnded, withinMs)) && runs()) {
      this.left();
      return;
    }
    const reply = await this.ask('/readyz', port);
    throw new Error(`not ready within ${withinMs} ms: ${reply?.text ?? 'no answer'}\n${this.lastWords()}`);
  }

  /** One GET; undefined if no answer came in time. */
  async ask(path: string, port = this.port): Promise<{ status: number; text: string; tookMs: number } | undefined> {
    const since = performance.now();
    try {
      const reply = await fetch(`http://127.0.0.1:${port}${path}`, {
        headers: this.credential,
        signal: AbortSignal.timeout(patientMs(ASK_MS)),
      });
      return { status: reply.status, text: await reply.text(), tookMs: performance.now() - since };
    } catch {
      return undefined;
    }
  }

  async post(path: string, body: unknown, key?: string): Promise<{ status: number; text: string }> {
    const named = key !== undefined && { 'idempotency-key': key };
    const reply = await fetch(`${this.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...this.credential, ...named },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(patientMs(READY_MS)),
    });
    return { status: reply.status, text: await reply.text() };
  }

  /** Receives products, each with the same stock. */
  async stock(products: readonly string[], stock: number): Promise<void> {
    const all = products.map((id) => ({ product_id: id, name: id, unit_price: 9.99, currency: 'USD', stock }));
    const reply = await this.post('/api/inventory', { products: all });
    if (reply.status >= 300) throw new Error(`the products were not taken: ${reply.text}`);
  }

  /** A sample of /metrics; NaN if it is absent. */
  async metric(name: string): Promise<number> {
    const text = (await this.ask('/metrics'))?.text ?? '';
    return Number(new RegExp(`^${name} (.+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
  }

  /** The pid of the system's nats-server or postmaster; 0 if there is none. */
  childPid(part: Part): number {
    const file = join(this.dataDir, 'children', `${part}.json`);
    if (!existsSync(file)) return 0;
    return (JSON.parse(readFileSync(file, 'utf8')) as ProcessMark).pid;
  }

  /** Signals one of the system's own servers: SIGSTOP, SIGCONT, SIGKILL. */
  signalChild(part: Part, signal: NodeJS.Signals): void {
    const pid = this.childPid(part);
    if (pid === 0) throw new Error(`there is no ${part} of ours`);
    this.watch(pid);
    process.kill(pid, signal);
  }

  async end(signal: NodeJS.Signals, withinMs = END_MS): Promise<Ended> {
    const since = performance.now();
    this.process?.kill(signal);
    return { ...(await this.over(withinMs, `of ${signal}`)), tookMs: performance.now() - since };
  }

  /** Waits for the end of the process. @throws Error, with its last words, if it does not end in time */
  over(withinMs = 60_000, of = 'by itself'): Promise<Omit<Ended, 'tookMs'>> {
    if (this.ended === undefined) throw new Error('it was never started');
    const late = new Promise<never>((_, reject) => {
      const say = () => reject(new Error(`no end within ${withinMs} ms ${of}\n${this.lastWords()}`));
      setTimeout(say, patientMs(withinMs)).unref(); // The child itself keeps this process alive.
    });
    return Promise.race([this.ended, late]);
  }

  /** `holdfast verify` with the same environment: 0 is clean. */
  verify(): Promise<RunResult> {
    return this.command('verify');
  }

  /** `holdfast ...` with the same environment. */
  async command(...words: readonly string[]): Promise<RunResult> {
    return run(process.execPath, [CLI, ...words], {
      deadlineMs: patientMs(VERIFY_MS),
      cwd: CHECKOUT,
      env: { ...this.env },
    });
  }

  /** The same, as a process that goes on until it is signalled. */
  begin(...words: readonly string[]): ChildProcessByStdio<null, Readable, Readable> {
    const stdio = ['ignore', 'pipe', 'pipe'] as const;
    const child = spawn(process.execPath, [CLI, ...words], { cwd: CHECKOUT, env: { ...this.env }, stdio: [...stdio] });
    this.watch(child.pid);
    return child;
  }

  lastWords(lines = 15): string {
    return this.output.trim().split('\n').slice(-lines).join('\n');
  }

  /** Every process that was started for the system and still runs. */
  left(): readonly ProcessMark[] {
    if (this.isOwnFolder) for (const part of ['nats', 'postgres'] as const) this.watch(this.childPid(part));
    return [...this.seen.values()].filter(isAlive);
  }

  /** Notes a process as belonging to this system. */
  watch(pid: number | undefined): void {
    const mark = pid === undefined ? undefined : markOf(pid);
    if (mark !== undefined) this.seen.set(mark.pid, mark);
  }

  /** Ends the system, however the test went. */
  async demolish(): Promise<void> {
    if (this.process?.exitCode === null && this.process.signalCode === null) {
      await this.end('SIGTERM').catch(() => {});
    }
    this.raze();
  }

  /** Kills at once, without waiting: for the end of the test's own process. */
  raze(): void {
    for (const { pid } of this.left()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // already ended
      }
    }
    const elsewhere = join(this.dataDir, 'postgres.json');
    const home =
      this.isOwnFolder && existsSync(elsewhere)
        ? (JSON.parse(readFileSync(elsewhere, 'utf8')) as { home: string }).home
        : '';
    if (home !== '') rmSync(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    built.delete(this);
  }
}
