// Wires the edge. It listens first of all: whoever asks hears that this node is starting, and why.

import type { GremlinDesk } from '../actors/ports/gremlin.js';
import type { LiveEvents } from '../actors/ports/live-events.js';
import type { Owners } from '../actors/ports/owners.js';
import { ownersUnderGremlin } from '../bus/gremlin/gremlin-ports.js';
import { STARTING } from '../bus/node/supervisor.js';
import { Auth } from '../http/auth/auth.js';
import type { BackupDesk } from '../http/backup/backup-routes.js';
import { type Edge, startEdge } from '../http/edge.js';
import { Page } from '../http/page/page.js';
import { rateLimits } from '../storage/redis/rate-limits.js';
import { later, made, type Parts } from './parts.js';
import { notReady } from './readiness.js';
import { healthReport } from './telemetry/health-report.js';
import { createAccessLog } from './telemetry/logger.js';
import { overviewSource } from './telemetry/overview-source.js';
import { version } from './version.js';
import { webhookGuard } from './webhooks.js';

const WITHOUT_NATS =
  'There are no live events here: they come from NATS, and this system has none. Set NATS_URL, or let it start its own.';

export function listen(parts: Parts): Promise<Edge> {
  const { config, logger, clock, gremlin, registry } = parts;
  const { rateLimit, serviceName: name } = config;
  const owners = presentOwners(parts);
  return startEdge({
    host: config.host,
    port: parts.isEdge ? config.port : undefined,
    inventoryPort: config.inventoryPort,
    owners: config.gremlin ? ownersUnderGremlin(owners, gremlin, clock) : owners,
    gremlin: config.gremlin ? gremlinDesk(parts) : undefined,
    queries: later(() => parts.lists?.queries),
    listSource: (ask) => parts.lists?.choose(ask) ?? { queries: later(() => parts.lists?.queries), lagMs: 0 },
    receiptKeys: later(() => parts.stores?.receiptKeys),
    listAgeMs: () => parts.listAge.ms,
    freshLists: async () => (await parts.freshLists?.caughtUp()) ?? false,
    placement: later(() => parts.placement),
    overview: overviewSource(parts),
    surroundings: config,
    webhooks: { store: later(() => parts.stores?.webhooks), whyNot: webhookGuard(config).whyNot },
    backup: config.roles.has('backup')
      ? { port: config.backup.port, desk: later<BackupDesk>(() => parts.backup) }
      : undefined,
    live: liveEvents(parts),
    health: () => healthReport(config, version, clock, parts.running),
    ready: () => notReady(parts),
    metrics: registry,
    moreMetrics: () => parts.feeds?.metrics ?? '',
    auth: authOf(parts),
    logger,
    accessLog: config.accessLog ? createAccessLog(config, logger) : undefined,
    clock,
    rateLimits: rateLimit && rateLimits({ ...rateLimit, name }, clock, parts.counts),
    tracing: parts.tracing,
    trustedProxies: config.trustedProxies,
    waitMs: config.orderWaitMs,
    partitions: config.partitions,
    version,
    corsOrigins: config.corsOrigins,
    page: parts.isEdge && config.page ? pageOf(parts) : undefined,
  });
}

/** Every owner, once other nodes are known; before that the supervisor, which says why nobody answers. */
export function presentOwners(parts: Parts): Owners {
  const known = () => parts.among?.owners ?? parts.supervisor;
  return {
    place: (ask, waitMs) => known().place(ask, waitMs),
    act: (ask, waitMs) => known().act(ask, waitMs),
    stock: (ask, waitMs) => known().stock(ask, waitMs),
    order: (id) => known().order(id),
    product: (id) => known().product(id),
    flushed: (id) => known().flushed(id),
    notReady: () => known().notReady(),
  };
}

// ---------------------------------------------------------------- machinery

function pageOf({ logger }: Parts): Page | undefined {
  const page = Page.open();
  if (page === undefined)
    logger.warn({}, 'There is no page at /: its modules were not compiled. `npm run build` does it.');
  return page;
}

function authOf(parts: Parts): Auth | undefined {
  const { adminKey, auth, tokens } = parts.config;
  if (auth === 'off') return undefined;
  const { clock, logger } = parts;
  return new Auth({ keys: later(() => parts.stores?.keys), adminKey, tokens, clock, logger });
}

/** It bites nobody before it can be switched on. */
function gremlinDesk(parts: Parts): GremlinDesk {
  const desk = later<GremlinDesk>(() => parts.gremlinControl);
  return {
    enable: desk.enable,
    disable: desk.disable,
    status: desk.status,
    bite: async (target) => parts.gremlinControl?.bite(target),
  };
}

function liveEvents(parts: Parts): LiveEvents {
  const hub = () => made(parts.live);
  return {
    get absence() {
      if (parts.live !== undefined) return undefined;
      const { stores } = parts;
      return stores !== undefined && stores.nats === undefined ? WITHOUT_NATS : STARTING;
    },
    now: async () => hub().now(),
    isPlace: (text) => hub().isPlace(text),
    listen: (...asked) => hub().listen(...asked),
  };
}
