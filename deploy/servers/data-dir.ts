// DATA_DIR: the folder, its lock and the node's identity.
//
// Law: at most one process holds a DATA_DIR. Node has no flock, so the lock is a listening Unix socket,
// which the kernel frees on any death. Connect-then-unlink-then-listen lets two in, therefore:
//   1. Everyone listens first, on a random name of its own in DATA_DIR/lock; the name appears (by rename)
//      only once it listens, so a name that refuses a connection is dead for good and may be unlinked.
//   2. Then it asks every other name. "held": step back, refused. "candidate": the smaller name goes on;
//      the other takes its own name away, waits for the outcome and starts anew if that was a death.
//      A smaller name waits for a larger one's outcome too: it may have looked before we were there.
// Of two who believe they hold it, one listened first, and the other must have asked it: contradiction.
// Long socket paths are cut silently (~107 bytes): all names are reached through a short link in the
// temporary folder, private to this process; the sockets themselves live in DATA_DIR, for every user.

import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, realpath, rename, rm, stat, symlink } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { readWhole, writeWhole } from './kept-files.js';
import { markOf, type ProcessMark } from './processes.js';

const MAX_SOCKET_PATH = 100;
const ANSWER_WITHIN_MS = 5000;
const OUTCOME_WITHIN_MS = 15_000;
const LOCK_WITHIN_MS = 30_000;

/** Another process runs on this DATA_DIR. */
export class DataDirBusy extends Error {
  override readonly name = 'DataDirBusy';
  constructor(
    readonly path: string,
    readonly by: string,
  ) {
    super(
      `DATA_DIR ${path} is in use by ${by}. Stop that one first, or give this one a DATA_DIR (and PORT, INVENTORY_PORT) of its own.`,
    );
  }
}

export interface DataDir {
  /** Absolute, links resolved. */
  readonly path: string;
  /** This node's identity, 32 hex digits. It lasts as long as the folder. */
  readonly nodeId: string;
  /** Releases the lock. Call it last, after the children have ended. */
  release(): Promise<void>;
}

/** A process that holds a folder, as it describes itself. */
interface Holder {
  readonly pid: number;
  /** Undefined: an older version, which tells only its pid. A pid alone identifies no process. */
  readonly mark: ProcessMark | undefined;
  /** The STOP_DELAY_MS of that process. */
  readonly stopDelayMs: number;
}

/** Creates the folder, takes its lock, and reads or creates the identity. @throws DataDirBusy */
export async function openDataDir(given: string, { stopDelayMs = 0 } = {}): Promise<DataDir> {
  const path = await makeFolder(given);
  const release = await lock(path, stopDelayMs);
  try {
    return { path, nodeId: await identity(path), release };
  } catch (error) {
    await release();
    throw error;
  }
}

/** The process that holds the folder, without trying to take it; undefined: nobody. */
export async function holderOf(path: string): Promise<Holder | undefined> {
  const { road, leave } = await shortRoad(join(path, 'lock'));
  try {
    for (const name of await readdir(join(path, 'lock'))) {
      if (name.startsWith('.')) continue;
      const state = await ask(join(road, name)).outcome;
      const told = readHeld(state);
      if (told !== undefined) return told;
      if (state.startsWith('held')) throw new DataDirBusy(path, holder(state));
    }
    return undefined;
  } finally {
    await leave();
  }
}

async function makeFolder(given: string): Promise<string> {
  try {
    // 0755: as root, Postgres runs as another user, who must be able to enter. Files with secrets have mode 0600.
    await makeDown(join(resolve(given), 'lock'));
    return await realpath(given);
  } catch (error) {
    throw new Error(
      `DATA_DIR ${given} cannot be made (${(error as Error).message}): choose a folder this user may write to.`,
    );
  }
}

/** Folder by folder: Node's recursive mkdir never returns if the file system answers ENOENT to a mkdir, as /proc does. */
async function makeDown(path: string): Promise<void> {
  const isThere = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (isThere) return;
  if (dirname(path) !== path) await makeDown(dirname(path));
  await mkdir(path, { mode: 0o755 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error; // another start was faster
  });
}

async function identity(path: string): Promise<string> {
  const file = join(path, 'node-id');
  const known = (await readWhole(file))?.trim();
  if (known === undefined) {
    const drawn = randomBytes(16).toString('hex');
    await writeWhole(file, `${drawn}\n`, 0o644);
    return drawn;
  }
  if (!/^[0-9a-f]{32}$/.test(known)) throw new Error(`${file} is damaged: restore it from a backup of DATA_DIR.`);
  return known;
}

/** Our own listening name. It tells each connection whether this process is a candidate or holds the lock. */
interface Claim {
  readonly name: string;
  readonly hold: () => void;
  readonly withdraw: () => Promise<void>;
}

async function lock(path: string, stopDelayMs: number): Promise<() => Promise<void>> {
  const { road, leave } = await shortRoad(join(path, 'lock'));
  try {
    const deadline = performance.now() + LOCK_WITHIN_MS;
    while (performance.now() < deadline) {
      const claim = await listen(path, road, stopDelayMs);
      try {
        if (await isAlone(path, road, claim)) {
          claim.hold();
          return claim.withdraw;
        }
      } catch (error) {
        await claim.withdraw();
        throw error;
      }
      await claim.withdraw();
    }
    throw new DataDirBusy(path, 'other starts that do not come to an end');
  } finally {
    await leave();
  }
}

/** Asks every other name. @returns false: start anew. @throws DataDirBusy */
async function isAlone(path: string, road: string, own: Claim): Promise<boolean> {
  const names = await readdir(join(path, 'lock'));
  for (const name of names.filter((other) => other !== own.name && !other.startsWith('.')).sort()) {
    const asked = ask(join(road, name));
    const state = await asked.first;
    if (state === 'dead') {
      await rm(join(path, 'lock', name), { force: true });
    } else if (state.startsWith('candidate')) {
      const mustYield = name < own.name;
      if (mustYield) await own.withdraw();
      const outcome = await asked.outcome;
      if (outcome.startsWith('held')) throw new DataDirBusy(path, holder(outcome));
      if (mustYield) return false;
    } else {
      throw new DataDirBusy(path, holder(state));
    }
  }
  // Our own name must still be in the folder: another process may have removed it.
  return stat(join(path, 'lock', own.name))
    .then(() => true)
    .catch(() => false);
}

/** `held <pid> <started at> <stop delay>`; older versions tell only the pid. */
function held(stopDelayMs: number): string {
  const mark = markOf(process.pid);
  const more = mark === undefined ? '' : ` ${encodeURIComponent(mark.startedAt)} ${stopDelayMs}`;
  return `held ${process.pid}${more}\n`;
}

function readHeld(state: string): Holder | undefined {
  const [, pid, startedAt, delay = '0'] = /^held (\d+)(?: (\S+) (\d+))?/.exec(state) ?? [];
  if (pid === undefined) return undefined;
  const mark = startedAt === undefined ? undefined : { pid: Number(pid), startedAt: decodeURIComponent(startedAt) };
  return { pid: Number(pid), mark, stopDelayMs: Number(delay) };
}

function holder(state: string): string {
  const pid = readHeld(state)?.pid;
  return pid === undefined ? `another process (${state})` : `the process with pid ${pid}`;
}

async function listen(path: string, road: string, stopDelayMs: number): Promise<Claim> {
  const name = randomBytes(6).toString('hex');
  let state = `candidate ${process.pid}\n`;
  const waiting = new Set<Socket>();
  const server: Server = createServer((socket) => {
    socket.on('error', () => {});
    socket.unref();
    if (state.startsWith('held')) {
      socket.end(state);
      return;
    }
    waiting.add(socket);
    socket.once('close', () => waiting.delete(socket));
    socket.write(state);
  });
  try {
    await new Promise<void>((done, failed) => {
      server.once('error', failed);
      server.listen(join(road, `.${name}`), done);
    });
    // Every user who can reach the folder must be able to find it taken.
    await chmod(join(path, 'lock', `.${name}`), 0o666);
    await rename(join(path, 'lock', `.${name}`), join(path, 'lock', name));
  } catch (error) {
    server.close();
    throw new Error(
      `DATA_DIR ${path} cannot be locked (${(error as Error).message}): it must be writable by this user and on a file system that knows Unix sockets.`,
    );
  }
  server.unref();
  return {
    name,
    hold: () => {
      state = held(stopDelayMs);
      for (const socket of waiting) socket.end(state);
    },
    withdraw: async () => {
      await rm(join(path, 'lock', name), { force: true });
      for (const socket of waiting) socket.destroy();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}

/** A name's answer: 'dead' or its state. For a candidate, `outcome` is its final state ('dead': gone). */
function ask(address: string): { first: Promise<string>; outcome: Promise<string> } {
  let gotFirst: (state: string) => void = () => {};
  const first = new Promise<string>((done) => {
    gotFirst = done;
  });
  const outcome = new Promise<string>((done) => {
    let received = '';
    const socket = connect(address);
    socket.setEncoding('utf8');
    // The process is frozen, or not one of ours. In both cases it is not dead.
    let timer = setTimeout(() => end('held, but it does not answer'), ANSWER_WITHIN_MS);
    const end = (state: string) => {
      clearTimeout(timer);
      socket.destroy();
      gotFirst(state);
      done(state);
    };
    socket.on('data', (chunk: string) => {
      received += chunk;
      const lines = received.split('\n').slice(0, -1);
      const held = lines.find((line) => line.startsWith('held'));
      if (held !== undefined) end(held);
      else if (lines[0] !== undefined) {
        clearTimeout(timer);
        timer = setTimeout(() => end('held, or about to be'), OUTCOME_WITHIN_MS);
        gotFirst(lines[0]);
      }
    });
    socket.on('close', () => end('dead'));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const gone = ['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EPIPE'].includes(error.code ?? '');
      end(gone ? 'dead' : `held, but it cannot be asked: ${error.code}`);
    });
  });
  return { first, outcome };
}

/** A short path to the folder: a link in a temporary folder of this process, removed after use. */
async function shortRoad(folder: string): Promise<{ road: string; leave: () => Promise<void> }> {
  const base = tmpdir().length < MAX_SOCKET_PATH - 40 ? tmpdir() : '/tmp';
  const own = await mkdtemp(join(base, 'hf-'));
  await symlink(folder, join(own, 'd'));
  return { road: join(own, 'd'), leave: () => rm(own, { recursive: true, force: true }) };
}
