/**
 * Imports what a shop tells of its orders. What cannot be stored yet waits on disk.
 *
 *  N1. An order is on disk before its telling is answered, unless disk or spool refuse it. Then it is tried from memory,
 *      and the log says so.
 *  N2. What waits is tried in its order, AT_ONCE together, with pauses that grow and vary while nothing can be stored.
 *  N3. An order that can never be stored is set aside with its reason, and keeps no other waiting.
 *  N4. Nothing that a shop sent is in a line of the log, but an order's id.
 */
import type { OrderId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import { differences } from '../../actors/order/imported-order.js';
import type { Owners, PlaceReply } from '../../actors/ports/owners.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { Unavailable } from '../../actors/unavailable.js';
import { readConfirmation, readPlaceOrderRequest, readPlaceOrderResponse } from './shop-protos.js';
import type { Passed } from './shop-server.js';
import { type ToldOrder, toldOrder, UnusableOrder } from './told-order.js';

interface Spool {
  readonly size: number;
  put(text: string, atMs: number): Promise<string | undefined>;
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

type Waiting = { readonly since: number } & ({ readonly name: string } | { readonly told: ToldOrder });

const AT_ONCE = 16;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;

export class OrderImporter {
  private readonly waiting: Waiting[];
  private isWorking = false;
  private isOver = false;
  private attempt = 0;
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

  /** Orders that are not stored yet. */
  get size(): number {
    return this.waiting.length;
  }

  /** Begins with what waits, and goes on by itself. */
  start(): void {
    void this.work();
  }

  stop(): void {
    this.isOver = true;
    this.endPause?.();
  }

  /** Resolves once the order is on disk (order-importer.N1). Never rejects for what a shop sent. */
  async keep(passed: Passed): Promise<void> {
    const { clock, meter, logger, spool } = this.parts;
    const since = clock.monotonic();
    let told: ToldOrder;
    try {
      told = toldIn(passed, clock.now());
    } catch (error) {
      meter.failed('unusable');
      const why = error instanceof UnusableOrder ? error.message : 'its bytes are no such message';
      return logger.error({ service: passed.service }, `an order of the shop cannot be stored: ${why}`);
    }
    try {
      const name = await spool.put(JSON.stringify(told), clock.now());
      if (name !== undefined) this.add({ name, since });
      else this.keepInMemory(told, since, `${spool.size} orders wait on disk, which is the most`);
    } catch (error) {
      this.keepInMemory(
        told,
        since,
        `the disk does not take it (${(error as NodeJS.ErrnoException).code ?? 'no code'})`,
      );
    }
  }

  // -------------------------------------------------------------- machinery

  private keepInMemory(told: ToldOrder, since: number, why: string): void {
    const { meter, logger } = this.parts;
    meter.failed('spool');
    if (this.waiting.length >= 2 * limits.spooledOrders) {
      return logger.error(
        { order: told.id },
        `order ${told.id} is not stored and is lost here: ${why}, and so is memory`,
      );
    }
    logger.error({ order: told.id }, `order ${told.id} is tried from memory, where a crash loses it: ${why}`);
    this.add({ told, since });
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
      const done = await Promise.all(batch.map((one) => this.store(one)));
      const left = batch.filter((_, i) => !done[i]);
      this.waiting.unshift(...left);
      this.attempt = left.length === 0 ? 0 : this.attempt + 1;
      if (left.length > 0) await this.pause();
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
    const { owners, spool, clock, meter, logger } = this.parts;
    try {
      const told = 'told' in one ? one.told : (JSON.parse(await spool.read(one.name)) as ToldOrder);
      const { id: order, content, facts: imported } = told;
      const correlation = `import-${order}`.slice(0, limits.idChars);
      const reply = await owners.place({ order, content, imported, correlation, fresh: false }, limits.importWaitMs);
      if (reply.kind === 'unavailable' || reply.kind === 'pending') return this.later();
      if (reply.kind === 'refused') await this.setAside(one, order, reply);
      else {
        this.tellStored(told, reply, clock.monotonic() - one.since);
        if ('name' in one) await spool.remove(one.name);
      }
      return true;
    } catch (error) {
      if (error instanceof Unavailable) return this.later();
      meter.failed('refused');
      logger.error({ err: error }, 'an order that waits on disk cannot be read or removed: it is tried again');
      return false;
    }
  }

  private later(): false {
    const { meter, logger } = this.parts;
    meter.failed('unavailable');
    if (this.attempt === 0)
      logger.warn({ orders: this.size + 1 }, 'orders of the shop wait on disk: they cannot be stored now');
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

  /** order-importer.N3 */
  private async setAside(
    one: Waiting,
    id: OrderId,
    { refusal }: Extract<PlaceReply, { kind: 'refused' }>,
  ): Promise<void> {
    const { meter, logger, spool } = this.parts;
    meter.failed('refused');
    logger.error(
      { order: id, refusal },
      `order ${id} cannot be stored: it is refused as ${refusal}, and set aside on disk`,
    );
    if ('name' in one) await spool.setAside(one.name);
  }
}

/** @throws UnusableOrder, or where the bytes are no such message */
function toldIn(passed: Passed, at: number): ToldOrder {
  if (passed.service === 'email') {
    const { email, order } = readConfirmation(passed.request);
    return toldOrder({ order, email, origin: 'boutique-email', at });
  }
  const { shop, request, answer } = passed;
  const { user_id: user, email } = readPlaceOrderRequest(shop, request);
  return toldOrder({ order: readPlaceOrderResponse(shop, answer).order, user, email, origin: ORIGIN[shop], at });
}

const ORIGIN = { hipstershop: 'boutique', oteldemo: 'otel-demo' } as const;
