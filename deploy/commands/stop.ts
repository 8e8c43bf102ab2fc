// `holdfast stop`: ends everything that runs in this DATA_DIR. It sends SIGTERM to a running node and waits for its end. After
// a kill -9 of the node, it ends the servers that outlived it. It signals only processes known by pid and start time: the holder
// of the lock tells its own, and another container's processes have the same pids.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/config.js';
import { holderOf, openDataDir } from '../servers/data-dir.js';
import { askToEnd, isAlive, type ProcessMark } from '../servers/processes.js';
import { endOrphans } from '../servers/servers.js';
import { type Command, EXIT } from './command.js';
import { say } from './place.js';

export const stopCommand: Command = {
  name: 'stop',
  summary: 'End what runs in DATA_DIR: the node, or what a kill -9 of it left behind',
  about: 'servers',
  examples: [{ line: 'stop', what: 'waits for the end, as SIGTERM begins it' }],
  exits: '0: nothing of it runs any more; 1: it has not ended in time; 2: could not look',
  run: async (_given, terminal) => {
    const code = await stop(terminal.config());
    if (terminal.isJson) terminal.answer({ ended: code === EXIT.done }, []);
    return code;
  },
};

/** A node whose stop has begun sends itself SIGKILL after 15 s. */
const END_MS = 20_000;

/** @param endMs how long the stop itself may take, after the node's own STOP_DELAY_MS. */
export async function stop({ dataDir }: Pick<Config, 'dataDir'>, endMs = END_MS): Promise<number> {
  if (!existsSync(join(dataDir, 'lock'))) {
    say(`Nothing was ever started in DATA_DIR ${dataDir}.`);
    return EXIT.done;
  }
  const holder = await holderOf(dataDir);
  if (holder !== undefined) {
    const { pid, mark, stopDelayMs } = holder;
    if (mark === undefined || !isAlive(mark)) {
      const why = mark === undefined ? 'is of an older version' : 'cannot be seen from here';
      say(`The process with pid ${pid} holds it, and ${why}: send it SIGTERM where it runs.`);
      return EXIT.refused;
    }
    if (!(await endNode(mark, stopDelayMs + endMs))) return EXIT.refused;
  }
  const folder = await openDataDir(dataDir); // A start that takes the lock meanwhile keeps it; the error names it.
  try {
    const left = await endOrphans(folder.path, say);
    if (left === 0 && holder === undefined) say(`Nothing runs in DATA_DIR ${dataDir}.`);
    return EXIT.done;
  } finally {
    await folder.release();
  }
}

async function endNode(mark: ProcessMark, withinMs: number): Promise<boolean> {
  const { pid } = mark;
  say(`Asking the node with pid ${pid} to end (SIGTERM).`);
  const since = performance.now();
  const hasEnded = await askToEnd(mark, 'SIGTERM', withinMs);
  const took = `${((performance.now() - since) / 1000).toFixed(1)} s`;
  say(hasEnded ? `It has ended after ${took}.` : `It has not ended within ${took}: kill -9 ${pid}, then stop again.`);
  return hasEnded;
}
