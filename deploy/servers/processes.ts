// Processes of the machine: identifies a process, checks that it lives, ends it, and runs a command to its end.
// Law: a pid alone identifies no process; a pid with its start time does. No process is signalled whose start time differs
// from the recorded one. Every wait has a deadline.

import { type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/** Identifies one process, even after its pid was reused, and even after a reboot. */
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

/** The mark of a living process; undefined if there is none, or only a zombie. */
export function markOf(pid: number): ProcessMark | undefined {
  if (!Number.isSafeInteger(pid) || pid < 1) return undefined;
  return process.platform === 'linux' ? markFromProc(pid) : markFromPs(pid);
}

function markFromProc(pid: number): ProcessMark | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name is in brackets and may hold any character, so the fields are counted from the last bracket.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, ticks] = [fields[0], fields[19]];
    if (state === undefined || ticks === undefined || state === 'Z' || state === 'X') return undefined;
    // Ticks count from the boot. Without the boot's id, a process of an earlier boot could look like ours.
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

/** Calls `holds` until it is true or the deadline has passed. @returns whether it became true */
export async function until(holds: () => boolean | Promise<boolean>, withinMs: number, everyMs = 20): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    if (await holds()) return true;
    if (performance.now() >= deadline) return false;
    await pause(everyMs);
  }
}

/** Sends one signal and waits for the end. @returns whether the process is gone */
export async function askToEnd(mark: ProcessMark, signal: NodeJS.Signals, waitMs: number): Promise<boolean> {
  send(mark, signal, mark.pid);
  return until(() => !isAlive(mark), waitMs);
}

/**
 * Sends signals step by step until the process is gone. The last one is SIGKILL to its whole group and to its children: a
 * Postgres backend has a group of its own, and a frozen backend outlives its postmaster.
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

/** The children of a process. Only Linux reports them. */
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
    // The process ended between check and signal, or (ESRCH of a group) is not its leader. The caller's wait finds out.
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
  /** Kills the command with all its children, without waiting for their end. */
  readonly signal?: AbortSignal | undefined;
  /** After the signal the command has so long to end by itself. A command needs it that leaves something behind when killed. */
  readonly endsWithinMs?: number;
}

export interface RunResult {
  /** Undefined: the command could not run, or its deadline passed. `output` says which. */
  readonly code: number | undefined;
  readonly output: string;
}

const MAX_OUTPUT = 64 * 1024;

/** Runs a command to its end or its deadline, and returns its output. Never throws. */
export function run(command: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  return new Promise((resolve) => {
    let output = '';
    const asUser: SpawnOptions = options.user ? { uid: options.user.uid, gid: options.user.gid } : {};
    const where: SpawnOptions = options.cwd === undefined ? {} : { cwd: options.cwd };
    let child: ReturnType<typeof spawn>;
    try {
      // Its own group: its children hold its output open, and must end with it.
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
    let calledOff: NodeJS.Timeout | undefined;
    const stop = () => {
      clearTimeout(timer);
      if (options.endsWithinMs === undefined) giveUp('called off');
      else calledOff = setTimeout(() => giveUp('called off'), options.endsWithinMs);
    };
    // The command ends when this process ends.
    process.once('exit', kill);
    options.signal?.addEventListener('abort', stop);
    if (options.signal?.aborted) stop();
    child.once('close', () => {
      process.off('exit', kill);
      options.signal?.removeEventListener('abort', stop);
      clearTimeout(calledOff);
    });
    const collect = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-MAX_OUTPUT);
    };
    child.stdout?.on('data', collect);
    child.stderr?.on('data', collect);
    child.on('error', (error) => {
      clearTimeout(timer);
      resolve({ code: undefined, output: error.message });
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const ended = signal === null ? output : `${output}\nit was ended by ${signal}`;
      resolve({ code: code ?? undefined, output: ended.trim() });
    });
    child.stdin?.on('error', () => {}); // the command may not read its input
    child.stdin?.end(options.input ?? '');
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // the group is empty
  }
}

/** The last line of the output that is not empty, for an error message. */
export function lastLine(output: string): string {
  return output.trim().split('\n').at(-1)?.trim() || 'it said nothing';
}
