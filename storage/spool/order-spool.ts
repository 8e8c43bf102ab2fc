/**
 * Orders on disk that are not stored yet: a folder with one file for each, oldest first.
 *
 *  S1. A file that has its name is complete. It goes when its order is stored, or is set aside, and never before.
 *  S2. At most `most` files wait. One more is refused, and nothing is removed for it. The same number can be put in as
 *      refused, with what was set aside.
 */
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PARTIAL, renameSynced, writeSynced } from '../backup/synced-files.js';

const WAITING = '.json';
const SET_ASIDE = '.refused';

export class OrderSpool {
  private count = 0;
  private refused = 0;
  private made = 0;

  private constructor(
    private readonly folder: string,
    private readonly most: number,
  ) {}

  /** @returns the spool, and the names of what waits in it. */
  static async open(folder: string, most: number): Promise<{ readonly spool: OrderSpool; readonly waiting: string[] }> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const names = await readdir(folder);
    await Promise.all(names.filter((name) => name.startsWith(PARTIAL)).map((name) => rm(join(folder, name))));
    const waiting = names.filter((name) => name.endsWith(WAITING) && !name.startsWith(PARTIAL)).sort();
    const spool = new OrderSpool(folder, most);
    spool.count = waiting.length;
    spool.refused = names.filter((name) => name.endsWith(SET_ASIDE) && !name.startsWith(PARTIAL)).length;
    return { spool, waiting };
  }

  get size(): number {
    return this.count;
  }

  /** @returns the name under which it waits; undefined: the spool is full. Rejects where the disk does not take it. */
  async put(text: string, atMs: number): Promise<string | undefined> {
    if (this.count >= this.most) return undefined;
    this.count++;
    return this.write(text, atMs, WAITING).catch((error: unknown) => {
      this.count--;
      throw error;
    });
  }

  /** Keeps for a person what is not to be tried. @returns as `put` does */
  async putRefused(text: string, atMs: number): Promise<string | undefined> {
    if (this.refused >= this.most) return undefined;
    this.refused++;
    return this.write(text, atMs, SET_ASIDE).catch((error: unknown) => {
      this.refused--;
      throw error;
    });
  }

  read(name: string): Promise<string> {
    return readFile(join(this.folder, name), 'utf8');
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.folder, name), { force: true });
    this.count--;
  }

  /** Keeps the file for a person, and tries it no more. */
  async setAside(name: string): Promise<void> {
    await rename(join(this.folder, name), join(this.folder, name.replace(WAITING, SET_ASIDE)));
    this.count--;
    this.refused++;
  }

  // -------------------------------------------------------------- machinery

  private async write(text: string, atMs: number, ending: string): Promise<string> {
    const name = `${String(atMs).padStart(15, '0')}-${process.pid}-${++this.made}${ending}`;
    const partial = join(this.folder, `${PARTIAL}${name}`);
    try {
      await writeSynced(partial, text);
      await renameSynced(partial, join(this.folder, name));
    } catch (error) {
      await rm(partial, { force: true }).catch(() => {});
      throw error;
    }
    return name;
  }
}
