// The ceilings of a unit for a process that no systemd started: its memory as a control group, its cores by taskset.
// Law: whoever makes groups removes them at its end.

import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';

const FIRST = '/sys/fs/cgroup/memory';
const SECOND = '/sys/fs/cgroup';

/** Where groups of memory are made, and the file of a group with its limit; undefined: we may not. */
function groups(): { readonly root: string; readonly limit: string } | undefined {
  const found = existsSync(FIRST)
    ? { root: FIRST, limit: 'memory.limit_in_bytes' }
    : { root: SECOND, limit: 'memory.max' };
  try {
    accessSync(found.root, constants.W_OK);
    if (found.root === SECOND && !/\bmemory\b/.test(readFileSync(`${SECOND}/cgroup.subtree_control`, 'utf8')))
      return undefined;
    return found;
  } catch {
    return undefined;
  }
}

const REMOVE_TRIES = 100;
const REMOVE_AGAIN_MS = 20;
const made = new Set<string>();

/** Called when the processes of all groups were killed: their end takes a moment, and this process has no other time left. */
export function removeGroups(): void {
  for (let tries = 0; made.size > 0 && tries < REMOVE_TRIES; tries++) {
    for (const group of made) {
      try {
        rmdirSync(group);
        made.delete(group);
      } catch {
        // One of its processes has not ended.
      }
    }
    if (made.size > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, REMOVE_AGAIN_MS);
  }
}

/** Whether a ceiling of memory is kept here, for the report. */
export const areKept = (): boolean => groups() !== undefined;

/** The command that runs what follows it below a ceiling of memory. Without control groups it has none. */
export function below(name: string, bytes: number): readonly string[] {
  const found = groups();
  if (found === undefined) return [];
  const group = `${found.root}/holdfast-${process.pid}-${name}`;
  mkdirSync(group);
  made.add(group);
  writeFileSync(`${group}/${found.limit}`, String(bytes));
  return ['sh', '-c', `echo $$ > ${group}/cgroup.procs && exec "$@"`, 'sh'];
}

/** The command that keeps what follows it on one core. */
export const onCore = (core: number): readonly string[] => ['taskset', '--cpu-list', String(core)];
