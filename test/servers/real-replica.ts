// A real read replica for a test: pg_basebackup of a Postgres that runs, on a free port, streaming from it. Law: a missing
// pg_basebackup is reported (`skipped`).

import { existsSync, rmSync } from 'node:fs';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../deploy/servers/free-ports.js';
import { findPostgres } from '../../deploy/servers/postgres-binary.js';
import { lastLine, run } from '../../deploy/servers/processes.js';
import { unprivilegedUser } from '../../deploy/servers/server-user.js';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { patientMs } from '../deadlines.js';
import type { RealPostgres, Skipped } from './real-servers.js';
import { SpawnedServer } from './spawned-server.js';

interface RealReplica {
  /** As the primary's URLs, at the replica. */
  readonly url: string;
  readonly readerUrl: string;
  readonly pid: () => number;
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

const COPY_MS = 60_000;

export async function realReplica(primary: Pick<RealPostgres, 'url' | 'readerUrl'>): Promise<RealReplica | Skipped> {
  const user = unprivilegedUser();
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-replica-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }));
  if (user !== undefined) await chown(folder, user.uid, user.gid);
  const skipped = async (why: string) => {
    await rm(folder, { recursive: true, force: true });
    return { skipped: why };
  };
  const found = await findPostgres(folder, user);
  if ('missing' in found) return skipped(`no Postgres: ${found.missing}`);
  const { folder: binaries, version } = found.binaries;
  const copier = join(binaries, 'pg_basebackup');
  if (!existsSync(copier)) return skipped(`no pg_basebackup beside postgres ${version} in ${binaries}`);
  const data = join(folder, 'data');
  const as = { deadlineMs: patientMs(COPY_MS), user, cwd: folder };
  const from = ['--dbname', primary.url, '--pgdata', data];
  const copied = await run(copier, [...from, '--write-recovery-conf', '--wal-method=stream', '--checkpoint=fast'], as);
  if (copied.code !== 0) throw new Error(`pg_basebackup failed: ${lastLine(copied.output)}`);
  const port = await freePort();
  const at = (url: string) => Object.assign(new URL(url), { port: String(port) }).href;
  const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=', 'hot_standby=on'];
  const memory = ['shared_buffers=128MB', 'dynamic_shared_memory_type=mmap', 'log_min_messages=fatal'];
  const args = ['-D', data, ...[...settings, ...memory].flatMap((setting) => ['-c', setting])];
  const env = { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC', HOME: '/' };
  const server = new SpawnedServer(join(binaries, 'postgres'), args, env, user);
  const client = connectPostgres(at(primary.url), { max: 1 });
  const answers = () =>
    client.query('ask the replica', 'select 1').then(
      () => true,
      () => false,
    );
  const start = () => server.start(answers, `the replica does not answer on port ${port}`);
  await start();
  return {
    url: at(primary.url),
    readerUrl: at(primary.readerUrl),
    pid: () => server.pid,
    kill: () => server.kill('SIGQUIT'),
    start,
    async stop() {
      await client.end();
      await server.kill('SIGQUIT');
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
