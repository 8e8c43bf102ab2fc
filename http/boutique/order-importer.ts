/**
 * Imports what a shop tells of its orders. What cannot be stored yet waits on disk.
 *
 *  N1. An order is on disk before its telling is answered, unless disk or spool refuse it. Then it is tried from memory,
 *      within `limits.importMemoryBytes`, and the log says so.
 *  N2. AT_ONCE are tried together. What failed goes behind all others, and there are pauses only while nothing at all
 *      can be stored. They grow and vary.
 *  N3. An order that can never be stored is set aside, and keeps no other waiting: refused, not usable, or damaged on disk.
 *  N4. Nothing that a shop sent is in a line of the log, but an order's id.
 */
import { limits } from '../../actors/limits.js';
import { differences } from '../../actors/order/imported-order.js';
import type { Owners, PlaceReply } from '../../actors/ports/owners.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { Unavailable } from '../../actors/unavailable.js';
import type { Passed } from './shop-server.js';
import { idOf, type Telling, type ToldOrder, tellingIn, toldIn, toldOrder, UnusableOrder } from './told-order.js';

interface Spool {
  readonly size: number;
  put(text: string, atMs: number): Promise<string | undefined>;
  putRefused(text: string, atMs: number): Promise<string | undefined>;
  read(name: string): Promise<string>;
  remove(name: string): Promise<void>;
  setAside(name: string): Promise<void>;
}

export interface ImportMeter {
  /** @param ms from its telling, or from the start where it had waited before that */
  stored(ms: number): void;
  differed(): void;
  failed(why: 'unavailable' | 'refused' | 'unusable' | 'spool'): void;
}

interface OrderImporterParts {
  readonly owners: Pick<Owners, 'place'>;
  readonly spool: Spool;
  readonly meter: ImportMeter;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** An order that is not on disk, or not yet. */
interface InMemory {
  readonly since: number;
  readonly id: string;
  readonly text: string;
}

type Waiting = InMemory | { readonly since: number; readonly name: string };

const AT_ONCE = 16;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
const IDS_OF_LINE = 100;

export class OrderImporter {
  private readonly waiting: Waiting[];
  private inHand = 0;
  private writing = 0;
  /** What is being written too. */
  private readonly inMemory = new Set<InMemory>();
  private bytesInMemory = 0;
  private isWorking = false;
  private isOver = false;
  private attempt = 0;
  private isToldToWait = false;
  private endPause: (() => void) | undefined;

  /** @param names what waits in the spool already */
  constructor(
    private readonly parts: OrderImporterParts,
    names: readonly string[],
  ) {
    const since = parts.clock.monotonic();
    this.waiting = names.map((name) => ({ name, since }));
    if (names.length > 0) parts.logger.info({ orders: names.length }, 'orders of the shop wait on disk to be stored');
  }

  /** Orders that are not stored yet, with those that are just being written or stored. */
  get size(): number {
    return this.waiting.length + this.inHand + this.writing;
  }

  /** Begins with what waits, and goes on by itself. */
  start(): void {
    void this.work();
  }

  /** Says which orders are lost where the process ends now. */
  stop(): void {
    this.isOver = true;
    this.endPause?.();
    const ids = Array.from(this.inMemory, ({ id }) => id);
    for (let from = 0; from < ids.length; from += IDS_OF_LINE) {
      const orders = ids.slice(from, from + IDS_OF_LINE);
      this.parts.logger.error({ orders }, 'orders are in memory only, and may be lost by this stop');
    }
  }

  /** Resolves once the order is on disk (order-importer.N1). Never rejects for what a shop sent. */
  async keep(passed: Passed): Promise<void> {
    const { clock, meter, logger } = this.parts;
    const since = clock.monotonic();
    let telling: Telling;
    try {
      telling = tellingIn(passed, clock.now());
    } catch {
      meter.failed('unusable');
      const { service } = passed;
      return logger.error({ service }, 'an order of the shop cannot be stored: its bytes are no such message');
    }
    const id = idOf(telling);
    try {
      const text = JSON.stringify(toldOrder(telling));
      return this.put({ since, id, text }); // Not awaited here: what was passed is not kept meanwhile.
    } catch (error) {
      const why = error instanceof UnusableOrder ? error.message : 'it is not written as an order is';
      return this.putRefused({ since, id, text: JSON.stringify({ why, ...telling }) }, why);
    }
  }

  // -------------------------------------------------------------- machinery

  /** order-importer.N1 */
  private async put(one: InMemory): Promise<void> {
    const { clock, logger, meter, spool } = this.parts;
    const { id: order, since } = one;
    if (!this.remember(one)) {
      meter.failed('spool');
      return logger.error({ order }, `order ${order} is not stored and is lost here: ${FULL}`);
    }
    let why: string;
    this.writing++;
    try {
      const name = await spool.put(one.text, clock.now());
      if (name !== undefined) {
        this.forget(one);
        return this.add({ name, since });
      }
      why = `${spool.size} orders wait on disk, which is the most`;
    } catch (error) {
      why = diskSays(error);
    } finally {
      this.writing--;
    }
    meter.failed('spool');
    logger.error({ order }, `order ${order} is tried from memory, where a crash loses it: ${why}`);
    this.add(one);
  }

  /** order-importer.N3 */
  private async putRefused(one: InMemory, why: string): Promise<void> {
    const { clock, meter, logger, spool } = this.parts;
    const { id: order } = one;
    const begin = `${order === '' ? 'an order without an id' : `order ${order}`} cannot be stored: ${why}`;
    const lost = (cause: string) => logger.error({ order }, `${begin}. It is lost here: ${cause}`);
    meter.failed('unusable');
    if (one.text.length > limits.recordBytes) return lost('it is too large to be kept');
    if (!this.remember(one)) return lost(FULL);
    this.writing++;
    try {
      const file = await spool.putRefused(one.text, clock.now());
      if (file === undefined) return lost('as many are set aside on disk as may be');
      logger.error({ order, file }, `${begin}. It is set aside on disk`);
    } catch (error) {
      lost(diskSays(error));
    } finally {
      this.writing--;
      this.forget(one);
    }
  }

  /** @returns false where memory has no room for it */
  private remember(one: InMemory): boolean {
    const bytes = Buffer.byteLength(one.text);
    if (this.bytesInMemory + bytes > limits.importMemoryBytes) return false;
    this.bytesInMemory += bytes;
    this.inMemory.add(one);
    return true;
  }

  private forget(one: InMemory): void {
    if (this.inMemory.delete(one)) this.bytesInMemory -= Buffer.byteLength(one.text);
  }

  private add(one: Waiting): void {
    this.waiting.push(one);
    void this.work();
  }

  /** order-importer.N2 */
  private async work(): Promise<void> {
    if (this.isWorking || this.isOver) return;
    this.isWorking = true;
    while (this.waiting.length > 0 && !this.isOver) {
      const batch = this.waiting.splice(0, AT_ONCE);
      this.inHand = batch.length;
      const done = await Promise.all(batch.map((one) => this.store(one)));
      const left = batch.filter((_, i) => !done[i]);
      const isStuck = left.length === batch.length;
      this.attempt = isStuck ? this.attempt + 1 : 0;
      if (left.length === 0) this.isToldToWait = false;
      if (isStuck) await this.pause();
      this.waiting.push(...left);
      this.inHand = 0;
    }
    this.isWorking = false;
  }

  private pause(): Promise<void> {
    const { clock } = this.parts;
    const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.attempt, 10));
    return new Promise((resolve) => {
      const cancel = clock.after(longest * (0.5 + clock.random() / 2), resolve);
      this.endPause = () => {
        cancel();
        resolve();
      };
      if (this.isOver) this.endPause();
    });
  }

  /** @returns whether nothing more is to be done for it */
  private async store(one: Waiting): Promise<boolean> {
    const { spool, meter, logger } = this.parts;
    const file = 'name' in one ? one.name : undefined;
    try {
      const told = toldIn('name' in one ? await spool.read(one.name) : one.text);
      const isStored = told === undefined ? this.refuseDamaged(file) : await this.place(told, one);
      if (isStored === undefined) return this.later();
      if ('text' in one) this.forget(one);
      else await (isStored ? spool.remove(one.name) : spool.setAside(one.name));
      return true;
    } catch (error) {
      if (error instanceof Unavailable) return this.later();
      meter.failed('spool');
      if (file === undefined || (error as NodeJS.ErrnoException).code !== 'ENOENT') {
        logger.error({ err: error, file }, 'an order that waits cannot be read, stored or removed: it is tried again');
        return false;
      }
      logger.error({ file }, `the file ${file} is gone: its order is not tried any more`);
      return spool.remove(file).then(
        () => true,
        () => false,
      );
    }
  }

  /** @returns whether it is stored, or else refused; undefined: not now */
  private async place(told: ToldOrder, one: Waiting): Promise<boolean | undefined> {
    const { owners, clock, meter, logger } = this.parts;
    const { id: order, content, facts: imported } = told;
    const correlation = `import-${order}`.slice(0, limits.idChars);
    const reply = await owners.place({ order, content, imported, correlation, fresh: false }, limits.importWaitMs);
    if (reply.kind === 'unavailable' || reply.kind === 'pending') return undefined;
    if (reply.kind === 'outcome') {
      this.tellStored(told, reply, clock.monotonic() - one.since);
      return true;
    }
    meter.failed('refused');
    const { refusal } = reply;
    const end = 'name' in one ? 'set aside on disk' : 'lost here: it was in memory only';
    logger.error({ order, refusal }, `order ${order} cannot be stored: it is refused as ${refusal}, and ${end}`);
    return false;
  }

  private refuseDamaged(file: string | undefined): false {
    const { meter, logger } = this.parts;
    meter.failed('spool');
    logger.error({ file }, `the file ${file} is damaged, and its order cannot be stored: it is set aside on disk`);
    return false;
  }

  private later(): false {
    const { meter, logger } = this.parts;
    meter.failed('unavailable');
    if (!this.isToldToWait) logger.warn({ orders: this.size }, 'orders of the shop wait: they cannot be stored now');
    this.isToldToWait = true;
    return false;
  }

  private tellStored(told: ToldOrder, { state, repeat }: Extract<PlaceReply, { kind: 'outcome' }>, ms: number): void {
    const { meter, logger } = this.parts;
    const { id } = told;
    const fields = differences(state, told);
    if (fields.length > 0) {
      meter.differed();
      logger.warn({ order: id, fields }, `order ${id} was told of again with another content: the first one stays`);
    }
    if (repeat) return;
    meter.stored(ms);
    logger.info({ order: id }, `order ${id} saved to database successfully`);
  }
}

const FULL = `orders in memory have ${limits.importMemoryBytes} bytes, which is the most`;

const diskSays = (error: unknown): string =>
  `the disk does not take it (${(error as NodeJS.ErrnoException).code ?? 'no code'})`;
