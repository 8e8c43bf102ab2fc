// Creates and connects all parts of one process: the edge, a node, and the servers that the node needs.
//
// A start locks the DATA_DIR, listens, starts or finds the servers, opens the stores, and runs. A stop undoes these steps in
// reverse order, within ten seconds. What each step wires is in the file that it names.

import type { Registry } from 'prom-client';
import type { Owners } from '../actors/ports/owners.js';
import type { Logger } from '../actors/ports/runtime.js';
import { GremlinControl } from '../bus/gremlin/gremlin-control.js';
import { underGremlin } from '../bus/gremlin/gremlin-ports.js';
import type { SupervisorParts } from '../bus/node/supervisor.js';
import { underTracing } from '../bus/tracing/traced-ports.js';
import { postgresGremlinSwitch } from '../storage/postgres/postgres-gremlin-switch.js';
import { connectRedis } from '../storage/redis/redis.js';
import type { Config } from './config/config.js';
import { listen, presentOwners } from './edge.js';
import { beginFeeds } from './feed/feeds.js';
import { beginNode } from './node.js';
import { Parts } from './parts.js';
import { absence, notReady } from './readiness.js';
import { keepListsUpToDate, openReads } from './reads.js';
import { DemoSeed } from './seed.js';
import { openDataDir } from './servers/data-dir.js';
import { startServers } from './servers/servers.js';
import { openStores, type Stores } from './stores.js';
import { healthReport } from './telemetry/health-report.js';
import { watchRedis, watchReplica, watchSizes } from './telemetry/node-metrics.js';
import { watchOrders } from './telemetry/order-metrics.js';
import { watchPartitions } from './telemetry/partition-metrics.js';
import { tellAddress, tellAuth, tellRationing } from './telemetry/start-lines.js';
import { watchBuild, watchDependencies, watchGremlin, watchStreams } from './telemetry/system-metrics.js';
import { beginTracing } from './telemetry/tracing.js';
import { version } from './version.js';

// Their sum is below the ten seconds after which a process supervisor sends SIGKILL.
const EDGE_STOP_MS = 3_200;
const NODE_STOP_MS = 2_200;
const TRACES_STOP_MS = 1_000;
const READY_POLL_MS = 250;
/** How long a stop waits for a cancelled start. What still runs after that ends with the servers. */
const START_END_MS = 4_000;
const CRASH_MS = 9_000;

export class Holdfast {
  private readonly parts: Parts;
  private started: Promise<void> | undefined;
  private stopped: Promise<void> | undefined;
  private isUp = false;
  private hurry = () => {};

  constructor(
    config: Config,
    logger: Logger,
    /** Says which partitions this node takes and gives; without it Holdfast's own placement. */
    private readonly placementBy?: SupervisorParts['placement'],
  ) {
    this.parts = new Parts(config, logger);
  }

  /** Every owner of orders and products; until they are known they say why nobody answers. */
  get owners(): Owners {
    return presentOwners(this.parts);
  }

  get registry(): Registry {
    return this.parts.registry;
  }

  /** Runs until it is stopped. Rejects with the error that ended the start or the run. */
  async run(): Promise<void> {
    const { hasActors, supervisor } = this.parts;
    this.started = this.start();
    await this.started;
    this.isUp = true;
    const ended = hasActors ? supervisor.ended : this.isCalledOff();
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
    this.parts.supervisor.abandon(error);
    return Promise.race([this.stop(), this.pause(CRASH_MS)]);
  }

  // -------------------------------------------------------------- machinery

  private isCalledOff(): Promise<void> {
    const { signal } = this.parts.calledOff;
    return new Promise((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve());
    });
  }

  private async start(): Promise<void> {
    const { parts } = this;
    const { config, logger, clock, supervisor, gremlin, registry } = parts;
    const { signal } = parts.calledOff;
    const dataDir = await openDataDir(config.dataDir, config);
    parts.dataDir = dataDir;
    watchBuild(registry, { ...config, version });
    watchGremlin(registry, () => gremlin.enabled);
    signal.throwIfAborted();
    logger.info({}, `Holdfast ${version} is starting in DATA_DIR ${dataDir.path}`);
    const { rateLimit, redisUrl } = config;
    if (rateLimit !== undefined && redisUrl !== undefined) parts.counts = connectRedis(redisUrl, logger, 'REDIS_URL');
    parts.tracing = await beginTracing(parts);
    parts.edge = await listen(parts);
    signal.throwIfAborted();
    const servers = await startServers(config, dataDir, (line) => logger.info({}, line), signal);
    parts.servers = servers;
    signal.throwIfAborted();
    const opened = await unlessCalledOff(openStores(config, servers, clock, logger), signal);
    const troubled = { ...opened, ...underGremlin(opened, gremlin, clock) };
    const stores = { ...troubled, ...(parts.tracing && underTracing(troubled, parts.tracing, clock)) };
    parts.stores = stores;
    await servers.settle();
    signal.throwIfAborted();
    if (config.gremlin) {
      parts.gremlinControl = new GremlinControl(gremlin, postgresGremlinSwitch(stores.client), clock, logger);
    }
    if (parts.hasActors && stores.settlement.seed === 'demo') {
      parts.seed = new DemoSeed(presentOwners(parts), clock, logger);
    }
    beginNode(parts, dataDir, stores, this.placementBy);
    openReads(parts, dataDir, stores);
    const feeds = () => parts.feeds?.report ?? [];
    const backup = () => parts.backup?.status();
    parts.running = { servers, stores, feeds, backup, absence: () => absence(parts) };
    watchSizes(registry, supervisor);
    watchOrders(
      registry,
      () => supervisor.incarnation?.node.world,
      () => clock.now(),
    );
    watchDependencies(registry, () => healthReport(config, version, clock, parts.running));
    if (stores.nats !== undefined && parts.hasActors) watchStreams(registry, stores.nats);
    const members = () => supervisor.memberCount;
    watchPartitions(registry, {
      partitions: stores.settlement.partitions,
      host: () => supervisor.incarnation?.host,
      members,
      asks: () => parts.among?.asks ?? 0,
    });
    if (stores.replica !== undefined) watchReplica(registry, stores.replica.status);
    if (stores.redis !== undefined) watchRedis(registry, stores.redis);
    if (parts.hasActors) keepListsUpToDate(parts, stores);
    parts.feeds = beginFeeds(parts, dataDir, servers, stores, () => void this.stop());
    // Its libraries take 20 MB, so they are loaded only where the role is.
    if (config.roles.has('backup'))
      parts.backup = await (await import('./backup/backup.js')).beginBackups(parts, stores);
  }

  private async serve(): Promise<void> {
    const { hasActors, supervisor, gremlinControl, servers, seed, calledOff } = this.parts;
    if (hasActors) await supervisor.up;
    gremlinControl?.start(); // Not earlier: a node that the gremlin kills must have started.
    if (hasActors) await supervisor.begun;
    await servers?.keep();
    await seed?.run(calledOff.signal);
    await this.tellReady();
  }

  private async tellReady(): Promise<void> {
    const { edge, config, logger, calledOff, stores, placement } = this.parts;
    while (!calledOff.signal.aborted && (await notReady(this.parts)) !== undefined) await this.pause(READY_POLL_MS);
    if (calledOff.signal.aborted) return;
    if (edge !== undefined) tellAddress(config, edge, version, logger);
    const isReached = edge?.ports.main !== undefined || edge?.ports.inventory !== undefined;
    if (isReached) await tellAuth(config, stores?.keys, logger);
    if (placement !== undefined) await tellRationing(config, placement, logger);
  }

  /** Announces the stop to load balancers first. A node that has not started yet serves nobody, and stops at once. */
  private async leave(delayMs: number): Promise<void> {
    if (delayMs > 0 && this.isUp) {
      this.parts.edge?.announceStop();
      const hurried = new Promise<void>((resolve) => {
        this.hurry = resolve;
      });
      await Promise.race([this.pause(delayMs), hurried]);
    }
    await this.shutDown();
  }

  private async shutDown(): Promise<void> {
    const { parts } = this;
    const { supervisor } = parts;
    parts.calledOff.abort(new Error('the start was called off'));
    parts.gremlinControl?.stop();
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
    const feedsEnd = parts.feeds?.stop();
    feedsEnd?.catch(() => {}); // It is awaited below.
    const backupEnds = parts.backup?.stop();
    const edgeEnds = () => parts.edge?.stop(EDGE_STOP_MS);
    const nodeEnds = () => supervisor.stop(NODE_STOP_MS);
    // With other nodes the partitions go first: whatever is asked meanwhile, their next owners answer. A node that is alone
    // finishes its requests first.
    const isForwarding = parts.among !== undefined && (parts.among.hasOthers || supervisor.memberCount > 1);
    if (isForwarding) parts.edge?.announceStop();
    // A step that fails must not keep the later steps from running.
    const steps = [
      ...(isForwarding ? [nodeEnds, edgeEnds] : [edgeEnds, nodeEnds]),
      async () => parts.live?.stop(),
      () => parts.counts?.end(),
      () => parts.among?.stop(),
      () => parts.ownership?.stop(),
      () => parts.indexer?.stop(),
      () => feedsEnd,
      () => backupEnds,
      () => parts.folder?.stop(),
      () => parts.tracing?.stop(TRACES_STOP_MS),
      () => parts.stores?.close(),
      // startServers() itself ends servers that are still starting.
      () => parts.servers?.stop() ?? Promise.race([startEnds, this.pause(START_END_MS)]),
    ];
    for (const step of steps) await Promise.resolve(step()).catch((error: unknown) => failed.push(error));
    // While a start may still have children, the lock is kept. The end of the process frees it.
    if (isStarting && parts.servers === undefined) failed.push(new Error('the start did not end in time'));
    else await parts.dataDir?.release().catch((error: unknown) => failed.push(error));
    if (failed.length > 0) throw failed[0];
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.parts.clock.after(ms, resolve);
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
