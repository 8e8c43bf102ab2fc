// A real Redis for a test: the one on PATH, else Debian's package, unpacked once into the checkout's caches. It runs on
// a free port and stores nothing on disk. Law: a missing Redis is reported (`skipped`).

import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../deploy/servers/free-ports.js';
import { run } from '../../deploy/servers/processes.js';
import { patientMs } from '../deadlines.js';
import type { Skipped } from './real-servers.js';
import { SpawnedServer } from './spawned-server.js';
import { unpackedOnce } from './unpacked-packages.js';

export interface RealRedis {
  readonly url: string;
  readonly pid: number;
  /** Sends one command over its own connection: `command('SET', 'a', '1')`. @returns the raw reply. */
  command(...words: readonly string[]): Promise<string>;
  /** Kills it, and starts it again, empty, at the same address. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

interface Binary {
  readonly command: string;
  readonly env: NodeJS.ProcessEnv;
}

const SHORT_MS = 10_000;
/** The packages that Redis needs beyond a plain system. */
const PACKAGES = ['redis-server', 'redis-tools', 'libatomic1', 'libjemalloc2', 'liblzf1', 'libssl3', 'libsystemd0'];

const PASSWORD = 'a-secret-of-tests';

/** The user that operators get, and for the tests' own commands one who needs no password. */
async function accountsIn(folder: string): Promise<string> {
  const shipped = await readFile('deploy/security/redis-users.acl', 'utf8');
  const hash = createHash('sha256').update(PASSWORD).digest('hex');
  const file = join(folder, 'users.acl');
  await writeFile(
    file,
    shipped.replace('user default off', 'user default on nopass ~* &* +@all').replace('HOLDFAST_PASSWORD_SHA256', hash),
  );
  return file;
}

/** @param args more arguments of redis-server. */
export async function realRedis(args: readonly string[] = []): Promise<RealRedis | Skipped> {
  const binary = await redisBinary();
  if ('missing' in binary) return { skipped: `no redis-server: ${binary.missing}` };
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-redis-'));
  const port = await freePort();
  const own = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
  const accounts = ['--aclfile', await accountsIn(folder)];
  const server = new SpawnedServer(binary.command, [...own, ...accounts, ...args], binary.env);
  const isThere = () => ask(port, ['PING']).then(Boolean, () => false);
  const start = () => server.start(isThere, `redis-server does not answer on port ${port}`);
  const kill = () => server.kill();
  await start();
  return {
    url: `redis://holdfast:${PASSWORD}@127.0.0.1:${port}`,
    get pid() {
      return server.pid;
    },
    command: (...words) => ask(port, words),
    kill,
    start,
    async stop() {
      await kill();
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

// ---------------------------------------------------------------- machinery

/** For a test that starts it itself. */
export async function redisBinary(): Promise<Binary | { readonly missing: string }> {
  const runs = async (binary: Binary) =>
    (await run(binary.command, ['--version'], { deadlineMs: patientMs(SHORT_MS), env: binary.env })).code === 0;
  const onPath: Binary = { command: 'redis-server', env: process.env };
  if (await runs(onPath)) return onPath;
  const fetched = await unpackedOnce('redis-debian', PACKAGES);
  if ('missing' in fetched) return fetched;
  const { folder } = fetched;
  const triplets = await readdir(join(folder, 'usr', 'lib'));
  const libraries = triplets.flatMap((name) => [join(folder, 'usr', 'lib', name), join(folder, 'lib', name)]);
  const binary = {
    command: join(folder, 'usr', 'bin', 'redis-server'),
    env: { ...process.env, LD_LIBRARY_PATH: libraries.join(':') },
  };
  return (await runs(binary)) ? binary : { missing: `the one in ${fetched.folder} does not run here` };
}

/** One command in Redis' own protocol, without a driver. */
function ask(port: number, words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let reply = '';
    socket.setTimeout(patientMs(SHORT_MS), () => socket.destroy(new Error('Redis did not answer')));
    socket.on('error', reject);
    socket.on('close', () => resolve(reply));
    socket.on('data', (chunk) => {
      reply += chunk.toString();
    });
    const encoded = [words, ['QUIT']].map(
      (each) => `*${each.length}\r\n${each.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`,
    );
    socket.write(encoded.join(''));
  });
}
