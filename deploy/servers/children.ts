// A child server: starts it, records it, watches it, restarts it, stops it.
//
// Law: no child runs unrecorded. A child begins as a shell that waits for the word `go`. This process records the child's
// pid and start time in DATA_DIR. Only then it sends `go`, and the shell becomes the server. If this process dies before
// that, the shell reads the end of its pipe and exits. So after a kill -9 of this process, the next holder of DATA_DIR
// finds every child that outlived it, ends it, and waits for its end before a new child opens the same files.
// A child has its own session and process group: Ctrl-C in the terminal reaches this process alone.

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { readWhole, recall, remember } from './kept-files.js';
import {
  endProcess,
  isAlive,
  lastLine,
  markOf,
  type ProcessMark,
  type ServerUser,
  type StopStep,
  until,
} from './processes.js';

export type Log = (line: string) => void;

interface ChildSpec {
  /** Names the record, the log file and the lines about it. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly user?: ServerUser | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** Whether the child serves. It is called until it returns true, or `readyWithinMs` have passed. */
  readonly ready: (pid: number) => boolean | Promise<boolean>;
  readonly readyWithinMs: number;
  readonly stopSteps: readonly StopStep[];
  /** Cancels the first start, which then leaves no process. It has no effect later. */
  readonly signal?: AbortSignal | undefined;
}

export interface Child {
  /** The current pid. A child that was restarted has another one. */
  readonly pid: () => number | undefined;
  stop(): Promise<void>;
}

const SHELL = '/bin/sh';
const WAIT_FOR_WORD = 'read word <&3 && [ "$word" = go ] || exit 1; exec "$@" 3<&-';
const MAX_LOG_BYTES = 16 * 1024 * 1024;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5000;
const STEADY_AFTER_MS = 60_000;

interface ChildRecord extends ProcessMark {
  readonly command: string;
}

const recordOf = (dataDir: string, name: string) => join(dataDir, 'children', `${name}.json`);
const logOf = (dataDir: string, name: string) => join(dataDir, 'logs', `${name}.log`);

/** Ends a child that outlived an earlier holder of DATA_DIR, and waits for its end. Call it only under the lock. @returns whether there was one */
export async function endOrphan(dataDir: string, name: string, steps: readonly StopStep[], log: Log): Promise<boolean> {
  const record = await recall<ChildRecord>(recordOf(dataDir, name));
  if (record === undefined) return false;
  const outlived = isAlive(record);
  if (outlived) {
    log(`${name}: ending the one that outlived an earlier start (pid ${record.pid}, ${record.command})`);
    if (!(await endProcess(record, steps))) {
      throw new Error(
        `${name}: pid ${record.pid} of an earlier start does not end, not even by SIGKILL: end it by hand, then start again.`,
      );
    }
  }
  await rm(recordOf(dataDir, name), { force: true });
  return outlived;
}

/** Starts the child and waits until it is ready. After that it is restarted after each unexpected end, without limit. */
export async function startChild(dataDir: string, spec: ChildSpec, log: Log): Promise<Child> {
  await endOrphan(dataDir, spec.name, spec.stopSteps, log);
  let stopping = false;
  let current: Running | undefined = await launch(dataDir, spec, () => spec.signal?.aborted === true);
  let wake: () => void = () => {};

  const watch = async (): Promise<void> => {
    let pauseMs = FIRST_PAUSE_MS;
    while (!stopping) {
      if (current !== undefined) {
        const since = performance.now();
        const how = await current.ended;
        if (stopping) return;
        current = undefined;
        if (performance.now() - since > STEADY_AFTER_MS) pauseMs = FIRST_PAUSE_MS;
        log(
          `${spec.name}: ended without being asked to (${how}); starting it again; its log: ${logOf(dataDir, spec.name)}`,
        );
      }
      await new Promise<void>((done) => {
        // Jitter, so that the children of many nodes do not come back in step.
        const timer = setTimeout(done, pauseMs * (0.5 + Math.random()));
        wake = () => {
          clearTimeout(timer);
          done();
        };
      });
      if (stopping) return;
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      try {
        current = await launch(dataDir, spec, () => stopping);
        log(`${spec.name}: serving again (pid ${current.mark.pid})`);
      } catch (error) {
        if (!stopping) log(`${spec.name}: not yet again: ${(error as Error).message}`);
      }
    }
  };
  const watched = watch();

  return {
    pid: () => current?.mark.pid,
    stop: async () => {
      stopping = true;
      wake();
      if (current !== undefined) await endProcess(current.mark, spec.stopSteps);
      await watched;
      // The child may have started while the stop was under way.
      await endOrphan(dataDir, spec.name, spec.stopSteps, log);
    },
  };
}

interface Running {
  readonly mark: ProcessMark;
  /** How it ended, in words. */
  readonly ended: Promise<string>;
}

/** One life of the child, until it is ready. A failure leaves no process behind. */
async function launch(dataDir: string, spec: ChildSpec, givenUp: () => boolean): Promise<Running> {
  if (givenUp()) throw new Error(`${spec.name}: the start was called off.`);
  const running = await bear(dataDir, spec);
  let end: string | undefined;
  running.ended.then((how) => {
    end = how;
  });
  const settled = await until(
    async () => end !== undefined || givenUp() || (await spec.ready(running.mark.pid)),
    spec.readyWithinMs,
  );
  if (settled && end === undefined && !givenUp()) return running;
  await endProcess(running.mark, spec.stopSteps);
  const said = lastLine((await readWhole(logOf(dataDir, spec.name))) ?? '');
  const why = end ?? `not ready within ${spec.readyWithinMs / 1000} s`;
  throw new Error(
    `${spec.name} did not start: ${why}. Its last words: "${said}". Its log: ${logOf(dataDir, spec.name)}`,
  );
}

async function bear(dataDir: string, spec: ChildSpec): Promise<Running> {
  const log = await openLog(dataDir, spec.name);
  try {
    const asUser: SpawnOptions = spec.user ? { uid: spec.user.uid, gid: spec.user.gid } : {};
    const child = spawn(SHELL, ['-c', WAIT_FOR_WORD, SHELL, spec.command, ...spec.args], {
      ...asUser,
      cwd: spec.cwd,
      env: spec.env,
      detached: true,
      stdio: ['ignore', log.fd, log.fd, 'pipe'],
    });
    const ended = endOf(child);
    const word = child.stdio[3] as Writable;
    word.on('error', () => {}); // the child died before `go`: `ended` reports it
    const mark = child.pid === undefined ? undefined : markOf(child.pid);
    if (mark === undefined) throw new Error(`${spec.name} could not be started: ${await ended}.`);
    await mkdir(join(dataDir, 'children'), { recursive: true });
    await remember(recordOf(dataDir, spec.name), { ...mark, command: spec.command } satisfies ChildRecord);
    word.end('go\n');
    return { mark, ended };
  } finally {
    await log.close();
  }
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal === null ? `exit ${code}` : `killed by ${signal}`));
  });
}

async function openLog(dataDir: string, name: string) {
  await mkdir(join(dataDir, 'logs'), { recursive: true });
  const path = logOf(dataDir, name);
  const size = await stat(path)
    .then((found) => found.size)
    .catch(() => 0);
  if (size > MAX_LOG_BYTES) await rename(path, `${path}.old`);
  return open(path, 'a', 0o600);
}
