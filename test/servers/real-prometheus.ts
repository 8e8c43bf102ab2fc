// A real Prometheus and its promtool for a test: those on PATH, else Debian's packages, unpacked once into the
// checkout's caches. Law: a missing part is reported (`missing`).

import { join } from 'node:path';
import { run } from '../../deploy/servers/processes.js';
import { patientMs } from '../deadlines.js';
import { SpawnedServer } from './spawned-server.js';
import { unpackedOnce } from './unpacked-packages.js';

interface PrometheusBinaries {
  readonly prometheus: string;
  readonly promtool: string;
}

const SHORT_MS = 20_000;

export async function prometheusBinaries(): Promise<PrometheusBinaries | { readonly missing: string }> {
  const onPath = { prometheus: 'prometheus', promtool: 'promtool' };
  if (await runs(onPath)) return onPath;
  const fetched = await unpackedOnce('prometheus-debian', ['prometheus']);
  if ('missing' in fetched) return fetched;
  const bin = join(fetched.folder, 'usr', 'bin');
  const own = { prometheus: join(bin, 'prometheus'), promtool: join(bin, 'promtool') };
  return (await runs(own)) ? own : { missing: `the one in ${fetched.folder} does not run here` };
}

interface RunningPrometheus {
  readonly said: () => string;
  stop(): Promise<void>;
}

export function startPrometheus(
  { prometheus }: PrometheusBinaries,
  config: string,
  storage: string,
  port: number,
): RunningPrometheus {
  const args = [`--config.file=${config}`, `--storage.tsdb.path=${storage}`, `--web.listen-address=127.0.0.1:${port}`];
  const server = new SpawnedServer(prometheus, args);
  server.spawn();
  return { said: () => server.said, stop: () => server.kill() };
}

const runs = async ({ prometheus, promtool }: PrometheusBinaries): Promise<boolean> => {
  for (const command of [prometheus, promtool]) {
    if ((await run(command, ['--version'], { deadlineMs: patientMs(SHORT_MS) })).code !== 0) return false;
  }
  return true;
};
