// Processes of the machine: who a pid is, whether it still is, how to end it, and how to run a command to
// its end. Law: a pid is nobody; a pid with its start time is somebody. Nothing is ever signalled whose
// start time is not the one on record, and every wait has a deadline.

import { type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/** A process and no other, also after its pid was given to another, also over a reboot. */
export interface ProcessMark {
  readonly pid: number;
  readonly startedAt: string;
}

/** A user that a child runs as. */
export interface ServerUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

export interface StopStep {
  readonly signal: NodeJS.Signals;
  readonly waitMs: number;
}

/** The mark of a living process; undefined when there is none, or a zombie. */
export function markOf(pid: number): ProcessMark | undefined {
  if (!Number.isSafeInteger(pid) || pid < 1) return undefined;
  return process.platform === 'linux' ? markFromProc(pid) : markFromPs(pid);
}

function markFromProc(pid: number): ProcessMark | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name stands in brackets and may hold anything, so count from the last bracket on.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, ticks] = [fields[0], fields[19]];
    if (state === undefined || ticks === undefined || state === 'Z' || state === 'X') return undefined;
    // Ticks count from the boot: without the boot's own name a process of yesterday could look like ours.
    return { pid, startedAt: `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${ticks}` };
  } catch {
    return undefined;
  }
}

function markFromPs(pid: number): ProcessMark | undefined {
  const ps = spawnSync('ps', ['-o', 'state=,lstart=', '-p', String(pid)], { encoding: 'utf8', timeout: 5000 });
  const [state, ...started] = (ps.stdout ?? '').trim().split(/\s+/);
  if (ps.status !== 0 || state === undefined || state === '' || state.startsWith('Z')) return undefined;
  return { pid, startedAt: started.join(' ') };
}

export function isAlive(mark: ProcessMark): boolean {
  return markOf(mark.pid)?.startedAt === mark.startedAt;
}

/** Asks until it is so or the deadline has passed; says which. */
export async function until(holds: () => boolean | Promise<boolean>, withinMs: number, everyMs = 20): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    if (await holds()) return true;
    if (performance.now() >= deadline) return false;
    await pause(everyMs);
  }
}

/** One signal, and a wait for its effect; says whether the process is gone. */
export async function askToEnd(mark: ProcessMark, signal: NodeJS.Signals, waitMs: number): Promise<boolean> {
  send(mark, signal, mark.pid);
  return until(() => !isAlive(mark), waitMs);
}

/**
 * Signals step by step until the process is gone; the last word is SIGKILL to its whole group, and to what
 * it started: a backend of Postgres has a group of its own, and one that is stopped outlives its postmaster.
 */
export async function endProcess(mark: ProcessMark, steps: readonly StopStep[]): Promise<boolean> {
  for (const { signal, waitMs } of steps) {
    if (await askToEnd(mark, signal, waitMs)) return true;
  }
  const all = [mark, ...startedBy(mark.pid)];
  send(mark, 'SIGKILL', -mark.pid);
  for (const each of all) send(each, 'SIGKILL', each.pid);
  return until(() => !all.some(isAlive), 2000);
}

/** Its children, as Linux tells; elsewhere nobody does. */
function startedBy(pid: number): ProcessMark[] {
  try {
    const pids = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    return pids.flatMap((child) => markOf(Number(child)) ?? []);
  } catch {
    return [];
  }
}

function send(mark: ProcessMark, signal: NodeJS.Signals, target: number): void {
  if (!isAlive(mark)) return;
  try {
    process.kill(target, signal);
  } catch (error) {
    // Gone between the look and the signal, or (ESRCH of a group) not its leader: the wait tells.
    if ((error as NodeJS.ErrnoException).code === 'EPERM') {
      throw new Error(
        `Process ${mark.pid} is ours but may not be signalled by this user: end it as the user who started it.`,
      );
    }
  }
}

interface RunOptions {
  readonly deadlineMs: number;
  readonly user?: ServerUser | undefined;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
  /** Aborted: it is killed with all that it started, and nothing is waited for. */
  readonly signal?: AbortSignal | undefined;
}

export interface RunResult {
  /** Nothing: it could not be run, or its deadline passed; `output` says which. */
  readonly code: number | undefined;
  readonly output: string;
}

const MAX_OUTPUT = 64 * 1024;

/** Runs a command to its end, or to its deadline, and returns what it said. Never throws. */
export function run(command: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  return new Promise((resolve) => {
    let output = '';
    const asUser: SpawnOptions = options.user ? { uid: options.user.uid, gid: options.user.gid } : {};
    const where: SpawnOptions = options.cwd === undefined ? {} : { cwd: options.cwd };
    let child: ReturnType<typeof spawn>;
    try {
      // Its own group: what it starts holds its output open, and is to end with it.
      const own = { env: options.env ?? process.env, stdio: 'pipe', detached: true } as const;
      child = spawn(command, args, { ...asUser, ...where, ...own });
    } catch (error) {
      resolve({ code: undefined, output: (error as Error).message });
      return;
    }
    const kill = () => killGroup(child.pid);
    const giveUp = (why: string) => {
      kill();
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve({ code: undefined, output: `${output}\n${why}` });
    };
    const timer = setTimeout(() => giveUp(`no end within ${options.deadlineMs / 1000} s`), options.deadlineMs);
    const stop = () => {
      clearTimeout(timer);
      giveUp('called off');
    };
    // Nothing that was run for us goes on without us.
    process.once('exit', kill);
    options.signal?.addEventListener('abort', stop);
    if (options.signal?.aborted) stop();
    child.once('close', () => {
      process.off('exit', kill);
      options.signal?.removeEventListener('abort', stop);
    });
    const hear = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-MAX_OUTPUT);
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    child.on('error', (error) => {
      clearTimeout(timer);
      resolve({ code: undefined, output: error.message });
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? undefined, output: output.trim() });
    });
    child.stdin?.on('error', () => {}); // a command that reads nothing is no mistake
    child.stdin?.end(options.input ?? '');
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // nobody left in it
  }
}

/** The last line that says something, for an error's sentence. */
export function lastLine(output: string): string {
  return output.trim().split('\n').at(-1)?.trim() || 'it said nothing';
}
