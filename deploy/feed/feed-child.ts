// The feeds in a process of their own: what they cost never stands in an order's way. The child runs with ROLES=feed on the
// servers of this process, and reports over the channel between the two.
//
// Law: the child ends with its parent. The channel breaks with any death of the parent, also kill -9, and then the child stops.
// A child that has ended, or that could not be started, is started again.

import { type ChildProcess, fork } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FeedReport } from '../../actors/ports/feeds.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { pauseMs } from '../../bus/retry.js';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
const REPORT_MS = 1_000;
const STOP_MS = 4_000;
const LONGEST_PAUSE_MS = 30_000;
const FIRST_ATTEMPT = 6;
const WELL_MS = 60_000;

/** What the child tells its parent. */
interface Told {
  readonly report: readonly FeedReport[];
  /** Of its feeds, in Prometheus' text. */
  readonly metrics: string;
}

interface FeedChildParts {
  readonly dataDir: string;
  readonly nodeName: string;
  readonly postgresUrl: string;
  readonly natsUrl: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Other than node's own in tests. */
  readonly fork?: typeof fork;
}

export class FeedChild {
  /** As the child told last; empty before it did. */
  report: readonly FeedReport[] = [];
  metrics = '';
  private child: ChildProcess | undefined;
  private attempt = FIRST_ATTEMPT;
  private isStopping = false;
  private ended: Promise<void> = Promise.resolve();
  private cancel = () => {};

  constructor(private readonly parts: FeedChildParts) {}

  start(): void {
    const since = this.parts.clock.monotonic();
    let child: ChildProcess;
    try {
      const start = this.parts.fork ?? fork;
      child = start(MAIN, { env: this.env(), stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    } catch (error) {
      return this.again(since, { cause: String(error) });
    }
    this.child = child;
    this.ended = endOf(child).then((why) => this.again(since, why));
    try {
      if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL);
    } catch {
      // Not allowed here. It runs as everything else does.
    }
    child.on('message', (told) => {
      const { report, metrics } = told as Told;
      this.report = report;
      this.metrics = metrics;
    });
  }

  /** Ends the child, hard if it takes too long: its feeds lose nothing. */
  async stop(): Promise<void> {
    this.isStopping = true;
    this.cancel();
    const { child } = this;
    // One without an id was not started, and has no signal: node would send it to whatever its handle says, even to this process.
    if (child?.pid === undefined) return;
    const cancel = this.parts.clock.after(STOP_MS, () => child.kill('SIGKILL'));
    child.kill('SIGTERM');
    await this.ended;
    cancel();
  }

  // -------------------------------------------------------------- machinery

  /** Called once for each start. */
  private again(since: number, why: object): void {
    const { clock, logger } = this.parts;
    this.child = undefined;
    this.report = this.report.map((each) => ({ ...each, state: 'failing', cause: 'its process has ended' }));
    if (this.isStopping) return;
    if (clock.monotonic() - since > WELL_MS) this.attempt = FIRST_ATTEMPT;
    const delayMs = pauseMs(clock, this.attempt++, LONGEST_PAUSE_MS);
    logger.warn(
      { ...why, delayMs: Math.round(delayMs) },
      'the process of the feeds has ended, or cannot be started: it is started again',
    );
    this.cancel = clock.after(delayMs, () => this.start());
  }

  private env(): NodeJS.ProcessEnv {
    const { dataDir, nodeName, postgresUrl, natsUrl } = this.parts;
    return {
      ...process.env,
      ROLES: 'feed',
      DATA_DIR: join(dataDir, 'feed'),
      DATABASE_URL: postgresUrl,
      MIGRATIONS_DATABASE_URL: '', // The parent has migrated.
      NATS_URL: natsUrl,
      NATS_TRIM_URL: '', // It trims nothing.
      NODE_NAME: `${nodeName}-feed`.slice(0, 200),
      INVENTORY_PORT: 'none',
      STOP_DELAY_MS: '0',
    };
  }
}

/** Resolves once, with the reason. A child that could not be started has an error and no exit, and no id. */
const endOf = (child: ChildProcess): Promise<object> =>
  new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    // One that runs may have errors too: a signal that could not be sent.
    child.on('error', (error) => {
      if (child.pid === undefined) resolve({ cause: error.message });
    });
  });

/** Called by the child: tells its parent how the feeds fare, and stops with it. @returns a function that ends it */
export function reportToParent(tell: () => Told, onOrphaned: () => void): () => void {
  if (process.send === undefined) return () => {};
  // The parent may have died while this process was starting: then nobody tells any more.
  if (!process.connected) setImmediate(onOrphaned);
  process.once('disconnect', onOrphaned);
  const timer = setInterval(() => {
    if (process.connected) process.send?.(tell());
  }, REPORT_MS);
  return () => {
    clearInterval(timer);
    process.off('disconnect', onOrphaned);
    if (process.connected) process.disconnect();
  };
}
