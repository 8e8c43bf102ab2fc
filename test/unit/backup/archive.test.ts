/** Archives: what went in comes out, encrypted or not; and each bad one is refused with a sentence. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pack } from 'tar-stream';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { passingKeys } from '../../../storage/backup/age.js';
import { endingOf, type Packing, packArchive, unpackArchive } from '../../../storage/backup/archive.js';
import type { Manifest } from '../../../storage/backup/dump.js';
import { FakeDumps, mustBeWhole } from './backup-rig.js';

interface Given {
  folder: string;
  packing: Packing;
  path: string;
}

const signal = AbortSignal.any([]);
const test = suite<Given>('archive');
test.before.each(async (given) => {
  given.folder = mkdtempSync(join(tmpdir(), 'holdfast-archive-'));
  const dump = join(given.folder, 'dump');
  await mkdir(dump);
  const dumps = new FakeDumps({ now: () => 1_764_374_400_000 });
  dumps.bytes = 3_000_000;
  const manifest = await dumps.take(dump);
  given.packing = { folder: dump, manifest, list: '[]', recipient: undefined };
  given.path = join(given.folder, 'a.tar');
});
test.after.each(({ folder }) => rm(folder, { recursive: true, force: true }));

let unpacked = 0;
const unpack = async ({ folder, path }: Given, identity?: string): Promise<Manifest> => {
  const into = join(folder, `out-${unpacked++}`);
  const manifest = await unpackArchive(path, into, identity);
  assert.equal(await mustBeWhole(into), manifest);
  return manifest;
};
const refusal = (given: Given, identity?: string): Promise<string> =>
  unpack(given, identity).then(
    () => 'it was taken',
    (error: Error) => error.message,
  );

test('what went in comes out', async (given) => {
  await packArchive(given.path, given.packing, signal);
  assert.equal(await unpack(given), given.packing.manifest);
});

test('gzip is used where it helps, and found out by whoever reads', async (given) => {
  const { packing, path } = given;
  assert.is(await endingOf(packing), '.tar');
  const text = Buffer.alloc(3_000_000, 'the same again ');
  await writeFile(join(packing.folder, 'database.dump'), text);
  const [first, ...others] = packing.manifest.files;
  const sha256 = createHash('sha256').update(text).digest('hex');
  const files = [{ name: first?.name ?? '', bytes: text.length, sha256 }, ...others];
  const manifest = { ...packing.manifest, files };
  await writeFile(join(packing.folder, 'manifest.json'), JSON.stringify(manifest));
  assert.is(await endingOf({ ...packing, manifest }), '.tar.gz');
  const { bytes } = await packArchive(path, { ...packing, manifest }, signal);
  assert.ok(bytes < 200_000, `${bytes}`);
  assert.equal(await unpack(given), manifest);
});

test('encrypted: for the recipient alone', async (given) => {
  const [keys, others] = [await passingKeys(), await passingKeys()];
  const { recipient } = keys;
  assert.is(await endingOf({ ...given.packing, recipient }), '.tar.age');
  await packArchive(given.path, { ...given.packing, recipient }, signal);
  const content = await readFile(given.path);
  assert.not.ok(content.includes('manifest.json'));
  assert.equal(await unpack(given, keys.identity), given.packing.manifest);
  assert.match(await refusal(given, others.identity), /is for another key/);
  assert.match(await refusal(given), /is encrypted, and its age identity is needed/);
  for (const at of [500_000, content.length - 5]) {
    const bad = Buffer.from(content);
    bad[at] = (bad[at] ?? 0) ^ 1;
    await writeFile(given.path, bad);
    assert.match(await refusal(given, keys.identity), /is damaged/);
  }
  await writeFile(given.path, content.subarray(0, 1_000_000));
  assert.match(await refusal(given, keys.identity), /is damaged/);
});

test('damaged, cut, foreign and empty: a sentence each', async (given) => {
  await packArchive(given.path, given.packing, signal);
  const content = await readFile(given.path);
  const bad = Buffer.from(content);
  bad[1_000_000] = (bad[1_000_000] ?? 0) ^ 1;
  for (const [bytes, said] of [
    [bad, /database.dump has other bytes than its manifest says/],
    [content.subarray(0, 2_000_000), /is damaged/],
    [content.subarray(0, 600), /is damaged/],
    [randomBytes(100_000), /is no archive/],
    [Buffer.alloc(0), /is no archive/],
  ] as const) {
    await writeFile(given.path, bytes);
    assert.match(await refusal(given), said);
  }
});

test('of a newer Holdfast, or a tar of something else: a sentence each', async (given) => {
  const manifest = { ...given.packing.manifest, format: 2 as 1, version: '9.9' };
  await writeFile(join(given.packing.folder, 'manifest.json'), JSON.stringify(manifest));
  await packArchive(given.path, { ...given.packing, manifest }, signal);
  assert.match(await refusal(given), /has format 2, and this Holdfast reads format 1.*took it \(9\.9\)/);
  for (const [name, said] of [
    ['notes.txt', /is no archive of Holdfast: it holds no manifest\.json/],
    ['../notes.txt', /it holds a file \.\.\/notes\.txt/],
  ] as const) {
    const tar = pack();
    tar.entry({ name }, 'of something else');
    tar.finalize();
    await writeFile(given.path, Readable.from(tar));
    assert.match(await refusal(given), said);
  }
});

test('a dump whose file differs from its manifest makes no archive', async (given) => {
  await writeFile(join(given.packing.folder, 'database.dump'), randomBytes(2_999_999));
  const failed = await packArchive(given.path, given.packing, signal).catch((error: Error) => error.message);
  assert.match(String(failed), /Size mismatch|other bytes/);
  await writeFile(
    join(given.packing.folder, 'database.dump'),
    randomBytes(given.packing.manifest.files[0]?.bytes ?? 0),
  );
  const other = await packArchive(given.path, given.packing, signal).catch((error: Error) => error.message);
  assert.match(String(other), /other bytes/);
});

test('called off in the midst, it ends', async (given) => {
  const ending = new AbortController();
  const packing = packArchive(given.path, given.packing, ending.signal);
  ending.abort(new Error('no more'));
  assert.match(String(await packing.catch((error: unknown) => error)), /Abort|no more/);
});

test.run();
