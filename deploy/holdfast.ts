// Creates and connects all parts of one process: the edge, a node, and the servers that the node needs.
//
// A start locks the DATA_DIR, listens, starts or finds the servers, opens the stores, and runs. A stop undoes these steps in
// reverse order, within ten seconds.

import type { Registry } from 'prom-client';
import { type JournalId, nodeId } from '../actors/ids.js';
import { limits } from '../actors/limits.js';
import type { Placement } from '../actors/ports/placement.js';
import type { Queries } from '../actors/ports/queries.js';
import type { Logger } from '../actors/ports/runtime.js';
import { GremlinControl } from '../bus/gremlin/gremlin-control.js';
import { Gremlin } from '../bus/gremlin/gremlin-decisions.js';
import { ownersUnderGremlin, postUnderGremlin, underGremlin, unlessTroubled } from '../bus/gremlin/gremlin-ports.js';
import { localPost } from '../bus/letters/local-post.js';
import { jetstreamSource } from '../bus/live/jetstream-source.js';
import { LiveHub } from '../bus/live/live-hub.js';
import { placementByClaims } from '../bus/node/claimed-places.js';
import { OwnershipMap } from '../bus/node/ownership-map.js';
import { STARTING, Supervisor, type SupervisorParts } from '../bus/node/supervisor.js';
import { natsMembers } from '../bus/placement/nats-members.js';
import { FreshLists } from '../bus/reads/fresh-lists.js';
import { ListAge } from '../bus/reads/list-age.js';
import { productReads } from '../bus/reads/product-reads.js';
import { SearchIndexer } from '../bus/reads/search-indexer.js';
import { StatsFolder } from '../bus/reads/stats-folder.js';
import { systemClock } from '../bus/system-clock.js';
import { Auth } from '../http/auth/auth.js';
import { type Edge, startEdge } from '../http/edge.js';
import { createRegistry } from '../http/node/edge-metrics.js';
import { postgresGremlinSwitch } from '../storage/postgres/postgres-gremlin-switch.js';
import { rateLimits } from '../storage/redis/rate-limits.js';
import { connectRedis, type Redis } from '../storage/redis/redis.js';
import { AmongNodes, edgeNotReady } from './among-nodes.js';
import type { Config } from './config/config.js';
import { watchEvents } from './events-watch.js';
import { FeedChild } from './feed/feed-child.js';
import { type Feeds, OwnFeeds } from './feed/feeds.js';
import { DemoSeed } from './seed.js';
import { type DataDir, openDataDir } from './servers/data-dir.js';
import { type Servers, startServers } from './servers/servers.js';
import { openStores, type Stores } from './stores.js';
import { watchFeeds } from './telemetry/feed-metrics.js';
import { healthReport, type Running } from './telemetry/health-report.js';
import { nodeMeter, searchMeter, watchRedis, watchSizes } from './telemetry/node-metrics.js';
import { partitionMeter, watchPartitions } from './telemetry/partition-metrics.js';
import { tellAddress, tellAuth, tellKafka, tellRationing } from './telemetry/start-lines.js';
import {
  laterApiKeys,
  laterGremlin,
  laterLiveEvents,
  laterPlacement,
  laterQueries,
  laterWebhooks,
  presentOwners,
} from './until-started.js';
import { version } from './version.js';
import { webhookGuard } from './webhooks.js';

// Their sum is below the ten seconds after which a process supervisor sends SIGKILL.
const EDGE_STOP_MS = 3_200;
const NODE_STOP_MS = 2_200;
const READY_POLL_MS = 250;
const WITHOUT_NATS =
  'There are no live events here: they come from NATS, and this system has none. Set NATS_URL, or let it start its own.';
/** How long a stop waits for a cancelled start. What still runs after that ends with the servers. */
const START_END_MS = 4_000;
const CRASH_MS = 9_000;

export class Holdfast {
  private dataDir: DataDir | undefined;
  private edge: Edge | undefined;
  /** Counts requests for the rate limit. The edge has its own connection, because it listens before the stores are open. */
  private counts: Redis | undefined;
  private servers: Servers | undefined;
  private stores: Stores | undefined;
  private queries: Queries | undefined;
  private placement: Placement | undefined;
  private ownership: OwnershipMap | undefined;
  /** Undefined until the stores are open, and without NATS. */
  private among: AmongNodes | undefined;
  private freshLists: FreshLists | undefined;
  private live: LiveHub | undefined;
  private indexer: SearchIndexer | undefined;
  private feeds: Feeds | undefined;
  private folder: StatsFolder | undefined;
  private running: Running | undefined;
  private started: Promise<void> | undefined;
  private stopped: Promise<void> | undefined;
  private isUp = false;
  private hurry = () => {};
  private readonly calledOff = new AbortController();
  private readonly clock = systemClock();
  private readonly listAge = new ListAge(this.clock);
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
    /** Says which partitions this node takes and gives; without it the product's own placement. */
    private readonly placementBy?: SupervisorParts['placement'],
  ) {
    this.supervisor = new Supervisor(this.clock, logger);
  }

  /** Runs until it is stopped. Rejects with the error that ended the start or the run. */
  async run(): Promise<void> {
    this.started = this.start();
    await this.started;
    this.isUp = true;
    const ended = this.hasActors ? this.supervisor.ended : this.isCalledOff();
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

  /** Whether this process owns partitions. */
  private get hasActors(): boolean {
    return this.config.roles.has('actors');
  }

  private isCalledOff(): Promise<void> {
    const { signal } = this.calledOff;
    return new Promise((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve());
    });
  }

  private async start(): Promise<void> {
    const { config, logger, clock, supervisor } = this;
    const { signal } = this.calledOff;
    const registry = createRegistry();
    this.dataDir = await openDataDir(config.dataDir, config);
    signal.throwIfAborted();
    logger.info({}, `Holdfast ${version} is starting in DATA_DIR ${this.dataDir.path}`);
    const { rateLimit, redisUrl, serviceName: name } = config;
    if (rateLimit !== undefined && redisUrl !== undefined) this.counts = connectRedis(redisUrl, logger, 'REDIS_URL');
    const owners = presentOwners(() => this.among?.owners ?? supervisor);
    this.edge = await startEdge({
      host: config.host,
      port: config.roles.has('edge') ? config.port : undefined,
      inventoryPort: config.inventoryPort,
      owners: config.gremlin ? ownersUnderGremlin(owners, this.gremlin, clock) : owners,
      gremlin: config.gremlin ? laterGremlin(() => this.gremlinControl) : undefined,
      queries: laterQueries(() => this.queries),
      listAgeMs: () => this.listAge.ms,
      freshLists: async () => (await this.freshLists?.caughtUp()) ?? false,
      placement: laterPlacement(() => this.placement),
      webhooks: { store: laterWebhooks(() => this.stores?.webhooks), whyNot: webhookGuard(config).whyNot },
      live: laterLiveEvents(
        () => this.live,
        () => (this.stores !== undefined && this.live === undefined ? WITHOUT_NATS : undefined),
      ),
      health: () => healthReport(config, version, clock, this.running),
      ready: () => this.notReady(),
      metrics: registry,
      moreMetrics: () => this.feeds?.metrics ?? '',
      auth: this.auth(),
      logger,
      clock,
      rateLimits: rateLimit && rateLimits({ ...rateLimit, name }, clock, this.counts),
      trustedProxies: config.trustedProxies,
      waitMs: config.orderWaitMs,
      partitions: config.partitions,
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
    if (this.hasActors && stores.settlement.seed === 'demo') this.seed = new DemoSeed(owners, clock, logger);
    this.begin(this.dataDir, this.stores, registry);
    this.freshLists = new FreshLists({ ...this.stores, clock, hurryFlush: this.hurryFlush });
    const { nats } = this.stores;
    if (nats !== undefined && config.roles.has('edge')) {
      this.live = new LiveHub({ source: jetstreamSource({ nats, clock, logger }), clock, logger });
    }
    this.queries = productReads(this.stores.queries, () => supervisor.incarnation?.keepers);
    this.placement = this.placementOf(this.dataDir, this.stores);
    this.running = {
      servers: this.servers,
      stores: this.stores,
      feeds: () => this.feeds?.report ?? [],
      absence: () => this.absence,
    };
    watchSizes(registry, supervisor);
    const members = () => supervisor.memberCount;
    watchPartitions(registry, { host: () => supervisor.incarnation?.host, members, asks: () => this.among?.asks ?? 0 });
    if (this.stores.redis !== undefined) watchRedis(registry, this.stores.redis);
    if (this.hasActors) this.indexer = this.beginIndexing(this.stores, registry);
    this.feeds = this.beginFeeds(this.dataDir, this.servers, this.stores, registry);
    if (this.hasActors) this.folder = this.beginFolding(this.stores);
  }

  /** Why this node cannot serve, or has not yet put the demo products in stock; undefined: it is ready. */
  private async notReady(): Promise<string | undefined> {
    return (await this.nodeNotReady()) ?? this.seed?.notReady;
  }

  private async nodeNotReady(): Promise<string | undefined> {
    const { ownership, stores, clock } = this;
    if (this.hasActors) return this.supervisor.notReady();
    if (ownership === undefined || stores === undefined) return STARTING;
    const postgres = () => stores.client.query('ask whether Postgres answers', 'select 1', [], limits.readyMs);
    return edgeNotReady(ownership, postgres, clock, this.config.roles.has('edge'));
  }

  /** Why this process does not serve; undefined while it does. */
  private get absence(): string | undefined {
    if (this.hasActors) return this.supervisor.absence;
    return this.among === undefined ? STARTING : undefined;
  }

  private readonly hurryFlush = (journal: JournalId, position: number): void => {
    const { incarnation } = this.supervisor;
    if (incarnation?.journal === journal) incarnation.driver.hurryFlush(position);
    else this.among?.hurryFlush(journal, position);
  };

  private auth(): Auth | undefined {
    const { config, clock, logger } = this;
    if (config.auth === 'off') return undefined;
    const { adminKey, tokens } = config;
    return new Auth({ keys: laterApiKeys(() => this.stores?.keys), adminKey, tokens, clock, logger });
  }

  private placementOf({ nodeId: id }: DataDir, { log, settlement }: Stores): Placement {
    const { clock, config, supervisor } = this;
    const me = { node: nodeId(id), name: config.nodeName, host: () => supervisor.incarnation?.host };
    const others = () => supervisor.others;
    return placementByClaims({ log, partitions: settlement.partitions, clock, me, others });
  }

  private beginIndexing({ searchIndex: index }: Stores, registry: Registry): SearchIndexer {
    const { clock, logger } = this;
    const meter = searchMeter(registry, () => indexer.lagMs());
    const indexer = new SearchIndexer({ index, clock, logger, indexed: meter.indexed });
    indexer.start();
    return indexer;
  }

  private beginFeeds(dataDir: DataDir, servers: Servers, stores: Stores, registry: Registry): Feeds | undefined {
    const { config, clock, logger } = this;
    tellKafka(config, servers.nats !== undefined, logger);
    if (!config.roles.has('feed') || servers.nats === undefined) return undefined;
    const isAlone = config.roles.size === 1;
    const urls = { postgresUrl: servers.postgres.url, natsUrl: servers.nats.url };
    const feeds = isAlone
      ? new OwnFeeds({ config, stores, clock, logger }, () => void this.stop())
      : new FeedChild({ dataDir: dataDir.path, nodeName: config.nodeName, ...urls, clock, logger });
    watchFeeds(registry, () => feeds.report);
    feeds.start();
    return feeds;
  }

  private beginFolding({ statsFold: stats }: Stores): StatsFolder {
    const { clock, logger } = this;
    const folder = new StatsFolder({ stats, clock, logger, random: Math.random });
    folder.start();
    return folder;
  }

  private async serve(): Promise<void> {
    const { supervisor, seed, calledOff } = this;
    if (this.hasActors) await supervisor.up;
    this.gremlinControl?.start(); // Not earlier: a node that the gremlin kills must have started.
    if (this.hasActors) await supervisor.begun;
    await this.servers?.keep();
    await seed?.run(calledOff.signal);
    await this.tellReady();
  }

  private begin({ nodeId: id }: DataDir, stores: Stores, registry: Registry): void {
    const { config, clock, logger, supervisor } = this;
    const { nats, log, settlement } = stores;
    const { partitions } = settlement;
    const node = nodeId(id);
    const onStored = () => this.among?.tellMoved();
    const ownership = new OwnershipMap({ partitions, log, clock, logger, onStored });
    this.ownership = ownership;
    if (nats !== undefined) {
      const incarnation = () => supervisor.incarnation;
      const notReady = () => this.nodeNotReady();
      const onNobody = (journal: JournalId) => supervisor.suspect(journal);
      const names = { system: settlement.id, node, nodeName: config.nodeName };
      this.among = new AmongNodes({
        ...names,
        nats,
        reads: config.natsApi && config.roles.has('edge') ? this.edge?.reads : undefined,
        feeds: () => this.feeds?.report ?? [],
        roles: [...config.roles].join(', '),
        partitions,
        ownership,
        incarnation,
        notReady,
        onNobody,
        clock,
        logger,
      });
    }
    if (!this.hasActors) return ownership.start();
    supervisor.start({
      ...stores,
      ...{ node, nodeName: config.nodeName, partitions, ownership },
      ...(this.placementBy && { placement: this.placementBy }),
      context: {
        instantPayment: stores.instantPayment && unlessTroubled(this.gremlin, stores.instantPayment),
        captureOn: config.paymentCapture,
        holdDelayMs: () => this.gremlin.holdDelayMs(),
      },
      holdTtlMs: config.holdTtlMs ?? config.orderTimeoutMs,
      post: postUnderGremlin(this.among?.post ?? localPost(clock), this.gremlin, clock),
      heartbeats: nats && natsMembers(nats, config.natsReplicas, () => clock.now()),
      meter: nodeMeter(registry, this.listAge),
      partitionMeter: partitionMeter(registry),
      onJoined: () => this.among?.tellMoved(),
      // Neither a rename nor another node may change the bytes of events that are published once more.
      source: { uri: `/holdfast/${encodeURIComponent(settlement.id)}`, isPersonal: config.eventsPersonal },
      orderTimeoutMs: config.orderTimeoutMs,
      byteLength: Buffer.byteLength,
      deliverAtHome: true,
    });
    if (nats !== undefined && stores.isNewStream !== undefined) {
      const recheck = (isNewStream: boolean) => supervisor.incarnation?.recheckEvents(isNewStream);
      const { signal } = this.calledOff;
      watchEvents({ nats, isNewStream: stores.isNewStream, recheck, clock, logger, signal });
    }
  }

  private async tellReady(): Promise<void> {
    const { edge, config, logger, calledOff } = this;
    while (!calledOff.signal.aborted && (await this.notReady()) !== undefined) await this.pause(READY_POLL_MS);
    if (calledOff.signal.aborted) return;
    if (edge !== undefined) tellAddress(config, edge, version, logger);
    const isReached = edge?.ports.main !== undefined || edge?.ports.inventory !== undefined;
    if (isReached) await tellAuth(config, this.stores?.keys, logger);
    if (this.placement !== undefined) await tellRationing(config, this.placement, logger);
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
    const feedsEnd = this.feeds?.stop();
    feedsEnd?.catch(() => {}); // It is awaited below.
    const edgeEnds = () => this.edge?.stop(EDGE_STOP_MS);
    const nodeEnds = () => this.supervisor.stop(NODE_STOP_MS);
    // With other nodes the partitions go first: whatever is asked meanwhile, their next owners answer. A node that is alone
    // finishes its requests first.
    const isForwarding = this.among !== undefined && (this.among.hasOthers || this.supervisor.memberCount > 1);
    if (isForwarding) this.edge?.announceStop();
    // A step that fails must not keep the later steps from running.
    const steps = [
      ...(isForwarding ? [nodeEnds, edgeEnds] : [edgeEnds, nodeEnds]),
      async () => this.live?.stop(),
      () => this.counts?.end(),
      () => this.among?.stop(),
      () => this.ownership?.stop(),
      () => this.indexer?.stop(),
      () => feedsEnd,
      () => this.folder?.stop(),
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
