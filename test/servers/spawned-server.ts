// A server that a test starts, watches and kills. Law: it does not outlive the test's process.

import { type ChildProcess, spawn } from 'node:child_process';
import { lastLine, type ServerUser } from '../../deploy/servers/processes.js';
import { until } from '../deadlines.js';

const START_MS = 30_000;
const MOST_SAID = 4_000;

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class SpawnedServer {
  /** The end of what it has said since its last start. */
  said = '';
  private child: ChildProcess | undefined;

  constructor(
    private readonly command: string,
    private readonly args: readonly string[],
    private readonly env: NodeJS.ProcessEnv = process.env,
    private readonly user?: ServerUser,
  ) {}

  /** 0 before the first start. */
  get pid(): number {
    return this.child?.pid ?? 0;
  }

  spawn(): void {
    const as = this.user === undefined ? {} : { uid: this.user.uid, gid: this.user.gid, cwd: '/' };
    const child = spawn(this.command, this.args, { ...as, env: this.env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    running.add(child);
    this.said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.said = (this.said + chunk.toString()).slice(-MOST_SAID);
      });
    }
  }

  /**
   * Starts it, and waits until it is there.
   * @param failure what to say if it never is, or ends before
   */
  async start(isThere: () => Promise<boolean>, failure: string): Promise<void> {
    this.spawn();
    if (!(await until(async () => this.isOver || (await isThere()), START_MS)) || this.isOver)
      throw new Error(`${failure}: ${lastLine(this.said)}`);
  }

  /** Ends it, and waits for its end; its files stay. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const { child } = this;
    if (child === undefined) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    if (!this.isOver && child.kill(signal)) await gone;
    running.delete(child);
  }

  private get isOver(): boolean {
    return this.child?.exitCode !== null || this.child.signalCode !== null;
  }
}
