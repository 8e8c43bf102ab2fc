/** Backups on a real folder with a driven clock: days pass in moments. Dumps and the off-site are fakes that remember. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../../actors/ports/runtime.js';
import { Backups, type BackupsParts } from '../../../deploy/backup/backups.js';
import { unpackArchive } from '../../../storage/backup/archive.js';
import { type Dumps, type Manifest, NotClean } from '../../../storage/backup/dump.js';
import { type Archive, dayOf, type Offsite, type Stored } from '../../../storage/backup/offsite.js';

export const DAY = 86_400_000;
export const HOUR = 3_600_000;
export const MINUTE = 60_000;
/** In memory where there is such a place: a day has some thousand fsyncs. */
const ROOM = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
/** Some midnight. */
export const MIDNIGHT = Date.UTC(2026, 10, 29);

const silent = { debug() {}, info() {}, warn() {}, error() {} };

class DrivenClock implements Clock {
  private timers: { readonly at: number; readonly run: () => void }[] = [];

  constructor(private ms: number) {}

  now = (): number => this.ms;
  monotonic = (): number => this.ms;
  random = (): number => 0.5;
  id = (): string => '0';
  soon = (run: () => void): void => void setImmediate(run);

  after(delayMs: number, run: () => void): () => void {
    const timer = { at: this.ms + delayMs, run };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((each) => each !== timer);
    };
  }

  /** Nobody waits for a moment any more. */
  forget(): void {
    this.timers = [];
  }

  /** Lets time pass, unless it is over; what is to be done at a moment is done before the next one. */
  async drive(ms: number, isBusy: () => boolean, isOver = () => false): Promise<void> {
    const end = this.ms + ms;
    for (;;) {
      await settled(isBusy);
      if (isOver()) return;
      const [next] = this.timers.sort((a, b) => a.at - b.at);
      if (next === undefined || next.at > end) break;
      this.timers.shift();
      this.ms = Math.max(this.ms, next.at);
      next.run();
    }
    this.ms = end;
    await settled(isBusy);
  }
}

async function settled(isBusy: () => boolean): Promise<void> {
  for (let quiet = 0; quiet < 10; quiet = isBusy() ? 0 : quiet + 1) await new Promise(setImmediate);
}

const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');

/** Dumps of some kilobytes. */
export class FakeDumps implements Dumps {
  taken = 0;
  checked = 0;
  bytes = 4_096;
  /** What is awaited before the next dump's files are there. */
  gate: Promise<void> = Promise.resolve();
  /** What the next check says. */
  fault: string | undefined;

  constructor(private readonly clock: Pick<Clock, 'now'>) {}

  async take(folder: string): Promise<Manifest> {
    const takenAt = this.clock.now();
    await this.gate;
    const content = Buffer.concat([Buffer.from(`dump ${takenAt}\n`), randomBytes(this.bytes)]);
    await writeFile(join(folder, 'database.dump'), content);
    await writeFile(join(folder, 'logs.ndjson.gz'), '');
    const file = (name: string, bytes: Buffer | string) => ({ name, bytes: bytes.length, sha256: sha256(bytes) });
    const manifest = {
      ...{ format: 1, version: '0.1.0', system: 'S', partitions: 4, journal: 'postgres', takenAt, ends: {}, orders: 7 },
      files: [file('database.dump', content), file('logs.ndjson.gz', '')],
    } as Manifest;
    await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
    this.taken++;
    return manifest;
  }

  async check(folder: string): Promise<{ readonly tookMs: number }> {
    if (this.fault !== undefined) throw new NotClean(this.fault, 2);
    await mustBeWhole(folder);
    this.checked++;
    return { tookMs: 1_500 };
  }
}

export async function mustBeWhole(folder: string): Promise<Manifest> {
  const manifest = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')) as Manifest;
  for (const { name, sha256: expected } of manifest.files) {
    if (sha256(await readFile(join(folder, name))) !== expected) throw new Error(`${folder}/${name} is not whole`);
  }
  return manifest;
}

/** An off-site that takes whatever comes, so that it shows who asks too often. */
class FakeOffsite implements Offsite {
  readonly place = 'memory';
  readonly stored: Stored[] = [];
  isAway = false;
  asked = 0;

  constructor(private readonly clock: Pick<Clock, 'now'>) {}

  get days(): string[] {
    return this.stored.map(({ at }) => dayOf(at));
  }

  get names(): string[] {
    return this.stored.map(({ name }) => name);
  }

  async list(): Promise<readonly Stored[]> {
    this.mustBeThere();
    return this.stored;
  }

  isSame = async (stored: Stored, archive: Archive): Promise<boolean> => stored.sha256 === archive.sha256;

  async upload({ name, bytes, sha256: expected, path }: Archive): Promise<void> {
    this.asked++;
    this.mustBeThere();
    const content = await readFile(path);
    if (sha256(content) !== expected || content.length !== bytes) throw new Error(`${name} is damaged`);
    this.stored.push({ name, bytes, sha256: expected, at: this.clock.now() });
  }

  private mustBeThere(): void {
    if (this.isAway) throw new Error('the off-site does not answer');
  }
}

export interface Rig {
  readonly folder: string;
  readonly clock: DrivenClock;
  readonly dumps: FakeDumps;
  readonly offsite: FakeOffsite;
  readonly failed: string[];
  /** Violations that each dump had. */
  readonly verdicts: number[];
  /** Of the present process. */
  backups: Backups;
  signal: AbortSignal;
  start(more?: Partial<BackupsParts>): Promise<void>;
  stop(): Promise<void>;
  /** As a kill: nothing of the present process goes on, or is cleaned up. */
  forget(): void;
  drive(ms: number): Promise<void>;
  end(): Promise<void>;
}

/** @param at when the first process starts */
export function rigOf(at = MIDNIGHT, folder = mkdtempSync(join(ROOM, 'holdfast-backup-'))): Rig {
  const clock = new DrivenClock(at);
  const [dumps, offsite] = [new FakeDumps(clock), new FakeOffsite(clock)];
  const failed: string[] = [];
  const verdicts: number[] = [];
  const meter = {
    failed: (step: string) => void failed.push(step),
    judged: (found: number) => void verdicts.push(found),
  };
  let ending = new AbortController();
  let running: Promise<void> = Promise.resolve();
  const given: BackupsParts = {
    ...{ path: folder, clock, logger: silent, dumps, offsite, recipient: undefined },
    ...{ everyMs: 5 * MINUTE, keepDumps: 24, keepDays: 30, meter },
    unsavedSince: async () => 3,
  };
  const rig: Rig = {
    ...{ folder, clock, dumps, offsite, failed, verdicts, backups: new Backups(given), signal: ending.signal },
    async start(more = {}) {
      ending = new AbortController();
      rig.signal = ending.signal;
      rig.backups = new Backups({ ...given, ...more });
      await rig.backups.open();
      running = rig.backups.run(ending.signal);
    },
    async stop() {
      ending.abort();
      await running;
    },
    forget() {
      clock.forget();
      running = Promise.resolve();
      ending = new AbortController();
    },
    drive: (ms) => clock.drive(ms, () => rig.backups.isBusy),
    async end() {
      await rig.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return rig;
}

/** Unpacks every archive and reads every dump. @returns how many there are */
export async function everythingIsWhole(
  folder: string,
  identity?: string,
): Promise<{ readonly dumps: number; readonly archives: number }> {
  const into = mkdtempSync(join(ROOM, 'holdfast-unpacked-'));
  try {
    const named = (names: readonly string[]) => names.filter((name) => !name.startsWith('.'));
    const dumps = named(await readdir(join(folder, 'dumps')));
    for (const name of dumps) await mustBeWhole(join(folder, 'dumps', name));
    const archives = named(await readdir(join(folder, 'archives'))).filter((name) => !name.endsWith('.json'));
    for (const name of archives) {
      const target = join(into, name);
      await mkdir(target);
      await unpackArchive(join(folder, 'archives', name), target, identity);
      await mustBeWhole(target);
    }
    return { dumps: dumps.length, archives: archives.length };
  } finally {
    await rm(into, { recursive: true, force: true });
  }
}

export const partialsIn = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { recursive: true })).filter((path) => path.includes('.partial-'));
