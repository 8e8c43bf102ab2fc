#!/usr/bin/env node
// Creates and connects all parts of one process: the edge, a node, and the servers that the node needs.
//
// A start reads the environment (exit 78 if it has mistakes), locks the DATA_DIR, listens, starts or finds the
// servers, opens the stores, and runs. SIGTERM or SIGINT undoes these steps in reverse order, within ten seconds.
// A failure is reported in one sentence, and leaves no process of ours behind.

import './compile-sooner.js';
import type { Registry } from 'prom-client';
import { nodeId } from '../actors/ids.js';
import { assertLimits } from '../actors/limits.js';
import type { Queries } from '../actors/ports/queries.js';
import type { Logger } from '../actors/ports/runtime.js';
import { GremlinControl } from '../bus/gremlin/gremlin-control.js';
import { Gremlin } from '../bus/gremlin/gremlin-decisions.js';
import { ownersUnderGremlin, postUnderGremlin, underGremlin, unlessTroubled } from '../bus/gremlin/gremlin-ports.js';
import { localPost } from '../bus/letters/local-post.js';
import { Supervisor } from '../bus/node/supervisor.js';
import { productReads } from '../bus/reads/product-reads.js';
import { SearchIndexer } from '../bus/reads/search-indexer.js';
import { systemClock } from '../bus/system-clock.js';
import { Auth } from '../http/auth/auth.js';
import { type Edge, startEdge } from '../http/edge.js';
import { createRegistry } from '../http/node/edge-metrics.js';
import { postgresGremlinSwitch } from '../storage/postgres/postgres-gremlin-switch.js';
import { rateLimits } from '../storage/redis/rate-limits.js';
import { connectRedis, type Redis } from '../storage/redis/redis.js';
import { type Config, ConfigError, readConfig } from './config/config.js';
import { DemoSeed } from './seed.js';
import { type DataDir, openDataDir } from './servers/data-dir.js';
import { type Servers, startServers } from './servers/servers.js';
import { openStores, type Stores } from './stores.js';
import { healthReport, type Running } from './telemetry/health-report.js';
import { createLogger, failedStart, withoutMessage } from './telemetry/logger.js';
import { nodeMeter, searchMeter, watchRedis, watchSizes } from './telemetry/node-metrics.js';
import { laterApiKeys, laterGremlin, laterQueries } from './until-started.js';
import { version } from './version.js';

const EXIT_CONFIG = 78;
// Their sum is below the ten seconds after which a process supervisor sends SIGKILL.
const EDGE_STOP_MS = 3_200;
const NODE_STOP_MS = 2_200;
/** After this time the process ends itself, even if a call never returns. */
const LAST_RESORT_MS = 15_000;
const READY_POLL_MS = 250;
/** How long a stop waits for a cancelled start. What still runs after that ends with the servers. */
const START_END_MS = 4_000;
const CRASH_MS = 9_000;

class Holdfast {
  private dataDir: DataDir | undefined;
  private edge: Edge | undefined;
  /** Counts requests for the rate limit. The edge has its own connection, because it listens before the stores are open. */
  private counts: Redis | undefined;
  private servers: Servers | undefined;
  private stores: Stores | undefined;
  private queries: Queries | undefined;
  private indexer: SearchIndexer | undefined;
  private running: Running | undefined;
  private started: Promise<void> | undefined;
  private stopped: Promise<void> | undefined;
  private isUp = false;
  private hurry = () => {};
  private readonly calledOff = new AbortController();
  private readonly clock = systemClock();
  private readonly supervisor: Supervisor;
  private seed: DemoSeed | undefined;
  private readonly gremlin = new Gremlin(this.clock, (target) => {
    this.logger.warn({ target }, 'the gremlin kills this process');
    process.kill(process.pid, 'SIGKILL');
  });
  private gremlinControl: GremlinControl | undefined;

  constructor(
    private readonly config: Config,
    private readonly logger: Logger,
  ) {
    this.supervisor = new Supervisor(this.clock, logger);
  }

  /** Runs until it is stopped. Rejects with the error that ended the start or the run. */
  async run(): Promise<void> {
    this.started = this.start();
    await this.started;
    this.isUp = true;
    const { ended } = this.supervisor;
    await Promise.race([this.serve(), ended]);
    await ended;
  }

  /**
   * Stops everything. It may be called at any moment, and more than once. A call without a delay ends an earlier call's delay.
   * @param delayMs how long the node still serves while /readyz announces the stop
   */
  stop(delayMs = 0): Promise<void> {
    this.stopped ??= this.leave(delayMs);
    if (delayMs === 0) this.hurry();
    return this.stopped;
  }

  /** Stops when memory may be wrong: nothing of it is written any more. The next start recovers from the journal. */
  crash(error: unknown): Promise<void> {
    this.supervisor.abandon(error);
    return Promise.race([this.stop(), this.pause(CRASH_MS)]);
  }

  // -------------------------------------------------------------- machinery

  private async start(): Promise<void> {
    const { config, logger, clock, supervisor } = this;
    const { signal } = this.calledOff;
    const registry = createRegistry();
    this.dataDir = await openDataDir(config.dataDir, config);
    signal.throwIfAborted();
    logger.info({}, `Holdfast ${version} is starting in DATA_DIR ${this.dataDir.path}`);
    if (config.kafkaBrokers.length > 0) {
      logger.warn({}, 'KAFKA_BROKERS is set and has no effect: this version does not use Kafka');
    }
    const { rateLimit, redisUrl, serviceName: name } = config;
    if (rateLimit !== undefined && redisUrl !== undefined) this.counts = connectRedis(redisUrl, logger, 'REDIS_URL');
    this.edge = await startEdge({
      host: config.host,
      port: config.port,
      inventoryPort: config.inventoryPort,
      owners: config.gremlin ? ownersUnderGremlin(supervisor, this.gremlin, clock) : supervisor,
      gremlin: config.gremlin ? laterGremlin(() => this.gremlinControl) : undefined,
      queries: laterQueries(() => this.queries),
      health: () => healthReport(config, version, clock, this.running),
      ready: () => this.notReady(),
      metrics: registry,
      auth: this.auth(),
      logger,
      clock,
      rateLimits: rateLimit && rateLimits({ ...rateLimit, name }, clock, this.counts),
      trustedProxies: config.trustedProxies,
      waitMs: config.orderWaitMs,
      version,
      corsOrigins: config.corsOrigins,
    });
    signal.throwIfAborted();
    this.servers = await startServers(config, this.dataDir, (line) => logger.info({}, line), signal);
    signal.throwIfAborted();
    const stores = await unlessCalledOff(openStores(config, this.servers, clock, logger), signal);
    this.stores = { ...stores, ...underGremlin(stores, this.gremlin, clock) };
    await this.servers.settle();
    signal.throwIfAborted();
    if (config.gremlin) {
      this.gremlinControl = new GremlinControl(this.gremlin, postgresGremlinSwitch(stores.client), clock, logger);
    }
    if (stores.settlement.seed === 'demo') this.seed = new DemoSeed(supervisor, clock, logger);
    this.begin(this.dataDir, this.stores, nodeMeter(registry));
    this.queries = productReads(this.stores.queries, () => supervisor.incarnation?.keepers);
    this.running = { servers: this.servers, stores: this.stores, supervisor };
    watchSizes(registry, supervisor);
    if (this.stores.redis !== undefined) watchRedis(registry, this.stores.redis);
    this.indexer = this.beginIndexing(this.stores, registry);
  }

  /** Why this node cannot serve, or has not yet put the demo products in stock; undefined: it is ready. */
  private async notReady(): Promise<string | undefined> {
    return (await this.supervisor.notReady()) ?? this.seed?.notReady;
  }

  private auth(): Auth | undefined {
    const { config, clock, logger } = this;
    if (config.auth === 'off') return undefined;
    const { adminKey, tokens } = config;
    return new Auth({ keys: laterApiKeys(() => this.stores?.keys), adminKey, tokens, clock, logger });
  }

  private beginIndexing({ searchIndex: index }: Stores, registry: Registry): SearchIndexer {
    const { clock, logger } = this;
    const meter = searchMeter(registry, () => indexer.lagMs());
    const indexer = new SearchIndexer({ index, clock, logger, indexed: meter.indexed });
    indexer.start();
    return indexer;
  }

  private async serve(): Promise<void> {
    const { supervisor, seed, calledOff } = this;
    await supervisor.up;
    this.gremlinControl?.start(); // Not earlier: a node that the gremlin kills must have started.
    await supervisor.begun;
    await this.servers?.keep();
    await seed?.run(calledOff.signal);
    await this.tellReady();
  }

  private begin({ nodeId: node }: DataDir, stores: Stores, meter: ReturnType<typeof nodeMeter>): void {
    const { config, clock, supervisor } = this;
    supervisor.start({
      ...stores,
      node: nodeId(node),
      nodeName: config.nodeName,
      partitions: stores.settlement.partitions,
      context: {
        instantPayment: stores.instantPayment && unlessTroubled(this.gremlin, stores.instantPayment),
        captureOn: config.paymentCapture,
        holdDelayMs: () => this.gremlin.holdDelayMs(),
      },
      holdTtlMs: config.holdTtlMs ?? config.orderTimeoutMs,
      post: postUnderGremlin(localPost(clock), this.gremlin, clock),
      meter,
      source: `/${encodeURIComponent(config.serviceName)}`,
      orderTimeoutMs: config.orderTimeoutMs,
      byteLength: Buffer.byteLength,
      deliverAtHome: true,
    });
    stores.nats?.watch((status) => {
      if (status === 'connected') supervisor.incarnation?.recheckEvents();
    });
  }

  private async tellReady(): Promise<void> {
    const { edge, config, logger, calledOff } = this;
    while (!calledOff.signal.aborted && (await this.notReady()) !== undefined) await this.pause(READY_POLL_MS);
    if (calledOff.signal.aborted) return;
    const { main, inventory } = edge?.ports ?? {};
    logger.info(
      { port: main, inventoryPort: inventory },
      `Holdfast ${version} takes orders at http://${config.host}:${main}/api/orders (reference: /docs)`,
    );
    await this.tellAuth();
  }

  private async tellAuth(): Promise<void> {
    const { config, logger } = this;
    if (config.auth === 'off') {
      logger.warn({}, 'AUTH=off: every route is open to whoever reaches this address');
      return;
    }
    const tokens = config.tokens === undefined ? '' : `, tokens of ${config.tokens.issuer}`;
    logger.info({}, `AUTH=keys: API keys${config.adminKey === undefined ? '' : ', ADMIN_KEY'}${tokens}`);
    if (config.adminKey !== undefined || config.tokens !== undefined) return;
    const keys = await this.stores?.keys.list().catch(() => undefined);
    if (keys?.length === 0) logger.warn({}, 'there is no key yet, so nobody may do anything: holdfast keys create');
  }

  /** Announces the stop to load balancers first. A node that has not started yet serves nobody, and stops at once. */
  private async leave(delayMs: number): Promise<void> {
    if (delayMs > 0 && this.isUp) {
      this.edge?.announceStop();
      const hurried = new Promise<void>((resolve) => {
        this.hurry = resolve;
      });
      await Promise.race([this.pause(delayMs), hurried]);
    }
    await this.shutDown();
  }

  private async shutDown(): Promise<void> {
    this.calledOff.abort(new Error('the start was called off'));
    this.gremlinControl?.stop();
    let isStarting = this.started !== undefined;
    const started = this.started?.then(
      () => {},
      () => {}, // run() reports the error.
    );
    const startEnds = started?.then(() => {
      isStarting = false;
    });
    await Promise.race([startEnds, this.pause(START_END_MS)]);
    const failed: unknown[] = [];
    // A step that fails must not keep the later steps from running.
    const steps = [
      () => this.edge?.stop(EDGE_STOP_MS),
      () => this.counts?.end(),
      () => this.supervisor.stop(NODE_STOP_MS),
      () => this.indexer?.stop(),
      () => this.stores?.close(),
      // startServers() itself ends servers that are still starting.
      () => this.servers?.stop() ?? Promise.race([startEnds, this.pause(START_END_MS)]),
    ];
    for (const step of steps) await Promise.resolve(step()).catch((error: unknown) => failed.push(error));
    // While a start may still have children, the lock is kept. The end of the process frees it.
    if (isStarting && this.servers === undefined) failed.push(new Error('the start did not end in time'));
    else await this.dataDir?.release().catch((error: unknown) => failed.push(error));
    if (failed.length > 0) throw failed[0];
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.clock.after(ms, resolve);
    });
  }
}

/** Rejects at once when the start is cancelled. Stores that open later are closed. */
function unlessCalledOff(opening: Promise<Stores>, signal: AbortSignal): Promise<Stores> {
  return new Promise((resolve, reject) => {
    const leave = () => {
      reject(signal.reason);
      opening.then((stores) => stores.close()).catch(() => {});
    };
    signal.addEventListener('abort', leave);
    opening.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
    if (signal.aborted) leave();
  });
}

const sentence = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function main(): Promise<number> {
  let config: Config;
  try {
    assertLimits();
    config = readConfig(process.env);
  } catch (error) {
    process.stderr.write(`${sentence(error)}\n`);
    return error instanceof ConfigError ? EXIT_CONFIG : 1;
  }
  const logger = createLogger(config);
  const holdfast = new Holdfast(config, logger);
  let isSignalled = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // A second signal ends the delay.
      const delayMs = isSignalled ? 0 : config.stopDelayMs;
      if (!isSignalled) logger.info({ signal, delayMs }, 'stopping: finishing what runs, flushing, letting go');
      isSignalled = true;
      setTimeout(() => {
        logger.error({}, 'the stop has not ended in time: ending hard, the next start of this DATA_DIR heals it');
        process.kill(process.pid, 'SIGKILL');
      }, delayMs + LAST_RESORT_MS).unref();
      holdfast.stop(delayMs).catch((error) => logger.error({ cause: sentence(error) }, 'the stop was not clean'));
    });
  }
  process.on('uncaughtException', (error) => {
    logger.error({ err: withoutMessage(error) }, `broken code: ${sentence(error)}`);
    const exit = () => process.exit(1);
    holdfast.crash(error).then(exit, exit);
  });
  let code = 0;
  try {
    await holdfast.run();
  } catch (error) {
    if (!isSignalled) {
      const isRead = process.stderr.isTTY;
      if (isRead) process.stderr.write(failedStart(sentence(error)));
      if (!isRead || !process.stdout.isTTY) logger.error({ err: withoutMessage(error) }, sentence(error));
      code = 1;
    }
  }
  try {
    await holdfast.stop();
    if (isSignalled) logger.info({}, 'stopped');
  } catch (error) {
    logger.error({ cause: sentence(error) }, 'the stop was not clean: the next start of this DATA_DIR heals it');
    code = 1;
  }
  return code;
}

process.exitCode = await main();
// A handle that keeps the event loop alive must not keep the process alive.
setTimeout(() => process.exit(), 100).unref();
