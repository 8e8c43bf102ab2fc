/** What every off-site promises: whole archives, listed with their time, told apart by their bytes. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Archive, Offsite } from '../../storage/backup/offsite.js';

const signal = AbortSignal.any([]);
const MINUTE = 60_000;
let made = 0;

export async function archiveIn(folder: string, bytes: number): Promise<Archive> {
  const name = `2026-11-${String(++made).padStart(2, '0')}.tar`;
  const content = randomBytes(bytes);
  const path = join(folder, name);
  await writeFile(path, content);
  return { name, path, bytes, sha256: createHash('sha256').update(content).digest('hex') };
}

/** @param large in bytes: more than goes in one piece */
export function offsiteContract(name: string, open: () => Promise<Offsite>, large: number, stop: () => Promise<void>) {
  const test = suite<{ offsite: Offsite; folder: string }>(`off-site: ${name}`);
  test.before(async (context) => {
    context.folder = mkdtempSync(join(tmpdir(), 'holdfast-offsite-'));
    context.offsite = await open();
  });
  test.after(async ({ folder }) => {
    await stop();
    await rm(folder, { recursive: true, force: true });
  });

  test('what was uploaded is listed, with its size and its time', async ({ offsite, folder }) => {
    assert.equal(await offsite.list(signal), []);
    const small = await archiveIn(folder, 10_000);
    await offsite.upload(small, true, signal);
    const [stored, ...others] = await offsite.list(signal);
    assert.equal([stored?.name, stored?.bytes, others], [small.name, small.bytes, []]);
    assert.ok(Math.abs((stored?.at ?? 0) - Date.now()) < 10 * MINUTE, `${stored?.at}`);
  });

  test('a large one is whole, and told apart from one of the same size', async ({ offsite, folder }) => {
    const archive = await archiveIn(folder, large);
    await offsite.upload(archive, true, signal);
    const stored = (await offsite.list(signal)).find((each) => each.name === archive.name);
    assert.is(stored?.bytes, large);
    if (stored === undefined) return;
    assert.is(await offsite.isSame(stored, archive, signal), true);
    const other = { ...(await archiveIn(folder, large)), name: archive.name };
    assert.is(await offsite.isSame(stored, other, signal), false);
  });

  test('a file that has changed since it was made is no upload', async ({ offsite, folder }) => {
    const archive = await archiveIn(folder, 100_000);
    await writeFile(archive.path, randomBytes(100_000));
    const failed = await offsite.upload(archive, true, signal).catch((error: unknown) => error);
    assert.instance(failed, Error);
    const listed = (await offsite.list(signal)).find((each) => each.name === archive.name);
    if (listed !== undefined) assert.is(await offsite.isSame(listed, archive, signal), false);
  });

  test('an upload that is called off ends, and leaves nothing that is the same', async ({ offsite, folder }) => {
    const archive = await archiveIn(folder, large);
    const ending = new AbortController();
    const upload = offsite.upload(archive, true, ending.signal).catch((error: unknown) => error);
    ending.abort();
    assert.instance(await upload, Error);
    assert.ok((await offsite.list(signal)).every((each) => each.name !== archive.name));
  });
  return test;
}
