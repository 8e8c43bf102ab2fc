// A process and all its descendants, from Linux: a signal to a whole server must reach each of them.

import { readFileSync } from 'node:fs';
import { until } from '../../deadlines.js';

const SETTLE_MS = 2_000;

/** The descendants, nearest first. */
export function family(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    const children = text === '' ? [] : text.split(' ').map(Number);
    return children.flatMap((child) => [child, ...family(child)]);
  } catch {
    return [];
  }
}

function stateOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[0];
  } catch {
    return undefined;
  }
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // it has ended
  }
}

/** Stops a server with all its processes. Returns when none of them runs; the returned function resumes them. */
export async function freeze(pid: number): Promise<() => void> {
  const all = new Set<number>();
  const isStopped = () => {
    for (const one of [pid, ...family(pid)]) {
      if (all.has(one)) continue;
      all.add(one);
      sendSignal(one, 'SIGSTOP');
    }
    return [...all].every((one) => ['T', 't', 'Z', undefined].includes(stateOf(one)));
  };
  const thaw = () => {
    for (const one of all) sendSignal(one, 'SIGCONT');
  };
  if (await until(isStopped, SETTLE_MS, 1)) return thaw;
  thaw();
  throw new Error(`pid ${pid} and its processes do not stop`);
}
