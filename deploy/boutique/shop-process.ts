// The process of the role boutique: it stands before a shop's services, and stores their orders through a node.
//
// Law: the shop's calls pass from the first moment to the last, whatever becomes of the node. A node that cannot start, or that
// ends by an error, is begun anew with pauses, and the orders wait on disk meanwhile.

import { join } from 'node:path';
import { limits } from '../../actors/limits.js';
import type { Owners } from '../../actors/ports/owners.js';
import type { Logger } from '../../actors/ports/runtime.js';
import { Unavailable } from '../../actors/unavailable.js';
import { pauseMs, rest } from '../../bus/retry.js';
import { systemClock } from '../../bus/system-clock.js';
import { OrderImporter } from '../../http/boutique/order-importer.js';
import { type ShopServer, startShopServer } from '../../http/boutique/shop-server.js';
import { OrderSpool } from '../../storage/spool/order-spool.js';
import type { Config } from '../config/config.js';
import { Holdfast } from '../holdfast.js';
import { type ImportMetrics, importMetrics } from '../telemetry/import-metrics.js';

const SERVER_STOP_MS = 3_000;
const DRAIN_MS = 1_000;
const DRAIN_POLL_MS = 20;
const LONGEST_PAUSE_MS = 10_000;
const READY_POLL_MS = 250;
/** Pauses begin with about so many milliseconds: a start that fails takes about a second. */
const FIRST_ATTEMPT = 5;

export class ShopProcess {
  private readonly clock = systemClock();
  private readonly calledOff = new AbortController();
  /** A second signal ends the delay of a stop. */
  private readonly hurried = new AbortController();
  private readonly metrics: ImportMetrics;
  private server: ShopServer | undefined;
  private importer: OrderImporter | undefined;
  private holdfast: Holdfast | undefined;
  private stopped: Promise<void> | undefined;

  constructor(
    private readonly config: Config,
    private readonly logger: Logger,
  ) {
    this.metrics = importMetrics(() => this.importer);
  }

  /** Runs until it is stopped. Rejects only where its port or its disk cannot be had. */
  async run(): Promise<void> {
    const { config, logger, clock, metrics: meter, calledOff } = this;
    const { boutique, host } = config;
    const stores = config.keepsOrders;
    if (stores) {
      const { spool, waiting } = await OrderSpool.open(join(config.dataDir, 'boutique'), limits.spooledOrders);
      const owners: Pick<Owners, 'place'> = { place: (ask, waitMs) => this.owners().place(ask, waitMs) };
      this.importer = new OrderImporter({ owners, spool, meter, clock, logger }, waiting);
    }
    const keep = this.importer?.keep.bind(this.importer) ?? (async () => {});
    this.server = await startShopServer({ ...boutique, host, keep, logger });
    const before = [boutique.checkout, boutique.email].filter((each) => each !== undefined).join(' and ');
    logger.info({ port: this.server.port }, `calls of the shop pass through port ${this.server.port} to ${before}`);
    if (stores) return this.keepNode();
    logger.warn({}, 'DATABASE_URL is not set: the orders of the shop pass, and are not stored');
    await new Promise<void>((resolve) => {
      if (calledOff.signal.aborted) resolve();
      else calledOff.signal.addEventListener('abort', () => resolve());
    });
  }

  stop(delayMs = 0): Promise<void> {
    this.stopped ??= this.leave(delayMs);
    if (delayMs === 0) this.hurried.abort();
    return this.stopped;
  }

  crash(error: unknown): Promise<void> {
    return this.holdfast?.crash(error) ?? Promise.resolve();
  }

  // -------------------------------------------------------------- machinery

  private owners(): Owners {
    if (this.holdfast === undefined) throw new Unavailable('the node begins anew', true);
    return this.holdfast.owners;
  }

  private async keepNode(): Promise<void> {
    const { config, logger, clock, calledOff } = this;
    const { signal } = calledOff;
    if (config.databaseUrl !== undefined) logger.info({}, 'Database URL provided, initializing database connection');
    this.importer?.start();
    for (let attempt = FIRST_ATTEMPT; !signal.aborted; attempt++) {
      const holdfast = new Holdfast(config, logger);
      this.metrics.showIn(holdfast.registry);
      this.holdfast = holdfast;
      void this.tellReady(holdfast);
      const error = await holdfast.run().then(
        () => undefined,
        (cause: unknown) => cause,
      );
      if (signal.aborted) return;
      const cause = error instanceof Error ? error.message : String(error ?? 'it ended');
      logger.error(
        { cause },
        'the node does not run: orders of the shop pass and wait on disk, and the node is begun anew',
      );
      this.holdfast = undefined;
      await holdfast.stop().catch(() => {}); // The next start heals what a stop left.
      await rest(clock, pauseMs(clock, attempt, LONGEST_PAUSE_MS), signal);
    }
  }

  private async tellReady(holdfast: Holdfast): Promise<void> {
    const { logger, clock, calledOff } = this;
    while (this.holdfast === holdfast && !calledOff.signal.aborted) {
      const why = await holdfast.owners.notReady().catch(() => 'it starts');
      if (why === undefined) {
        logger.info({}, 'Successfully connected to PostgreSQL database');
        return logger.info({}, 'Database connection established successfully');
      }
      await rest(clock, READY_POLL_MS, calledOff.signal);
    }
  }

  /** The calls end first, then their orders are stored as far as that goes at once. What is left waits on disk. */
  private async leave(delayMs: number): Promise<void> {
    const { clock, hurried } = this;
    const { signal } = hurried;
    if (delayMs > 0) {
      this.holdfast?.stop(delayMs).catch(() => {}); // The same promise is awaited below.
      await rest(clock, delayMs, signal);
    }
    this.calledOff.abort();
    await this.server?.stop(SERVER_STOP_MS);
    const endsAtMs = clock.monotonic() + DRAIN_MS;
    while ((this.importer?.size ?? 0) > 0 && clock.monotonic() < endsAtMs)
      await rest(clock, DRAIN_POLL_MS, new AbortController().signal);
    this.importer?.stop();
    await this.holdfast?.stop();
  }
}
