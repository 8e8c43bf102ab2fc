/**
 * The edge translates HTTP requests into calls of the owners and their results into replies. It keeps no state that
 * changes an answer, so every edge gives the same answer.
 *
 * One table declares every operation (api/operations/). Each request passes through one frame (api/request-frame.ts)
 * to its operation. A hot operation bypasses Koa and its router (api/hot-routes.ts).
 */
import type { ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';
import { limits } from '../actors/limits.js';
import type { ApiReads } from '../actors/ports/api-reads.js';
import type { GremlinDesk } from '../actors/ports/gremlin.js';
import type { LiveEvents } from '../actors/ports/live-events.js';
import type { Owners } from '../actors/ports/owners.js';
import type { Placement } from '../actors/ports/placement.js';
import type { ListAsk, ListSource, Queries } from '../actors/ports/queries.js';
import type { RateLimits } from '../actors/ports/rate-limits.js';
import type { ReceiptKeys } from '../actors/ports/receipt-keys.js';
import type { Clock, Logger } from '../actors/ports/runtime.js';
import type { Tracing } from '../actors/ports/tracing.js';
import { Unavailable } from '../actors/unavailable.js';
import { apiReads } from './api/api-reads.js';
import { RequestIds, WaitingRoom } from './api/api-request.js';
import { HotRoutes } from './api/hot-routes.js';
import { throughKoa } from './api/koa-app.js';
import type { Handlers, Operation } from './api/operation.js';
import { operations as everyOperation } from './api/operations/all.js';
import { backupOperations } from './api/operations/backup-operations.js';
import { Rationing } from './api/rate-limit.js';
import { RequestFrame } from './api/request-frame.js';
import { everything, onBothPorts, onlyForBoth } from './api/routes.js';
import { type Admit, admission, beforeAdmission } from './auth/admission.js';
import type { Auth } from './auth/auth.js';
import { Me, type Surroundings } from './auth/me.js';
import { type BackupDesk, BackupRoutes } from './backup/backup-routes.js';
import { Reference } from './docs/reference.js';
import { Import } from './inventory/import.js';
import { Inventory } from './inventory/inventory.js';
import { Live } from './live/live.js';
import { EdgeMetrics, watchListeners } from './node/edge-metrics.js';
import { GremlinRoutes } from './node/gremlin-routes.js';
import { Health, type HealthReport } from './node/health.js';
import { Overview, type OverviewSource } from './node/overview.js';
import { PlacementView } from './node/placement-view.js';
import { Export } from './orders/export.js';
import { ForgetUser } from './orders/forget-user.js';
import { OrderNumbers } from './orders/numbers.js';
import { OrderActs } from './orders/order-acts.js';
import { Orders } from './orders/orders.js';
import type { Page } from './page/page.js';
import { type WebhookDesk, WebhookRoutes } from './webhooks/webhook-routes.js';
import type { BufferedRequest } from './wire/buffered-request.js';
import { Cors } from './wire/cors.js';
import { type HttpServer, type Patience, startHttpServer } from './wire/http-server.js';

export interface EdgeOptions {
  readonly host: string;
  /** Serves every operation; 0 means any free port; undefined means that clients are served elsewhere. */
  readonly port: number | undefined;
  /** Serves only inventory, internal and health routes; undefined means no second port. */
  readonly inventoryPort?: number | undefined;
  /** May answer Unavailable while the node owns no partition yet. */
  readonly owners: Owners;
  readonly queries: Queries;
  readonly receiptKeys: ReceiptKeys;
  /** How old lists may be, as far as this node knows. */
  readonly listAgeMs: () => number;
  /** Where a list comes from; absent: from `queries`. */
  readonly listSource?: (ask: ListAsk) => ListSource;
  /** Waits until lists show what any node has answered (bus/reads/fresh-lists.ts). @returns whether they do */
  readonly freshLists?: (() => Promise<boolean>) | undefined;
  readonly placement: Placement;
  /** What the overview tells beside the edge's own numbers. */
  readonly overview: OverviewSource;
  readonly surroundings: Pick<Surroundings, 'auth' | 'environment'>;
  readonly webhooks: WebhookDesk;
  /** A third port, for a process that keeps backups; undefined if it does not. */
  readonly backup?: { readonly port: number; readonly desk: BackupDesk } | undefined;
  /** Undefined if there are none here. */
  readonly live?: LiveEvents | undefined;
  /** Undefined if the gremlin is not allowed. */
  readonly gremlin?: GremlinDesk | undefined;
  readonly health: () => Promise<HealthReport>;
  readonly ready: () => Promise<string | undefined>;
  /** Made by createRegistry (edge-metrics.ts). The rest of the node registers its metrics here too. */
  readonly metrics: Registry;
  /** What a child process counts, in Prometheus' text. */
  readonly moreMetrics?: () => string;
  readonly logger: Logger;
  /** Takes a line for every request; undefined by default. */
  readonly accessLog?: Logger | undefined;
  readonly clock: Clock;
  /** Authenticates callers; undefined means AUTH is off and every caller may do everything. */
  readonly auth?: Auth | undefined;
  /** Limits the requests of each caller; undefined means no limit. */
  readonly rateLimits?: RateLimits | undefined;
  /** Tells a tracing backend of requests; undefined means none. */
  readonly tracing?: Tracing | undefined;
  /** How many trusted proxies stand in front of this node; 0 by default. */
  readonly trustedProxies?: number;
  /** How long a client waits for the outcome of an order before it gets 202. */
  readonly waitMs: number;
  /** The system's number of partitions. */
  readonly partitions: number;
  readonly version: string;
  /** The origins whose pages may use the API from a browser; none by default. */
  readonly corsOrigins?: readonly string[];
  /** What a browser gets for `/`; undefined: it is led to the reference. */
  readonly page?: Page | undefined;
  /** Replaces the table of operations, for tests. */
  readonly operations?: readonly Operation[];
  /** Replaces the timeouts of limits.ts, for tests. */
  readonly patience?: Patience;
  /** Replaces the limit of limits.ts, for tests. */
  readonly mostListeners?: number | undefined;
}

export interface Edge {
  /** For whoever asks otherwise than over HTTP. */
  readonly reads: ApiReads;
  readonly ports: Readonly<Record<'main' | 'inventory' | 'backup', number | undefined>>;
  /**
   * Makes /readyz answer 503, so that load balancers send no new clients. Requests are still served; each reply ends its
   * connection, so that few are idle when the stop comes and none loses a request that it has just sent. Streams of
   * events end at once.
   */
  announceStop(): void;
  /** Accepts no new connection, lets running requests finish, and cuts them off at the deadline. */
  stop(deadlineMs: number): Promise<void>;
}

export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const stage: Stage = { isStopping: false };
  const rationing = options.rateLimits && new Rationing(options.rateLimits, options.trustedProxies ?? 0);
  const metrics = new EdgeMetrics(options.metrics);
  const frame = frameOf(options, metrics, rationing, stage);
  const handlers = handlersOf(options, metrics, stage);
  watchListeners(options.metrics, () => handlers.live.listeners);
  const { clock, auth, operations = everyOperation } = options;
  const reads = apiReads(operations, handlers, frame, new RequestIds(clock, beforeAdmission(auth)));
  const servers = await listen(options, frame, handlers, admitting(options.auth, rationing));
  if ((servers.main ?? servers.inventory) !== undefined) handlers.overview.start();
  return {
    reads,
    ports: { main: servers.main?.port, inventory: servers.inventory?.port, backup: servers.backup?.port },
    announceStop() {
      stage.isStopping = true;
      handlers.live.stop();
    },
    async stop(deadlineMs) {
      stage.isStopping = true;
      handlers.live.stop();
      handlers.overview.stop();
      await Promise.all(Object.values(servers).map((server) => server?.stop(deadlineMs)));
    },
  };
}

// ---------------------------------------------------------------- machinery

interface Stage {
  /** Whether a stop was announced or has begun. */
  isStopping: boolean;
}

function frameOf(
  options: EdgeOptions,
  metrics: EdgeMetrics,
  rationing: Rationing | undefined,
  stage: Stage,
): RequestFrame {
  const { clock, logger, accessLog, auth, corsOrigins = [], patience = limits } = options;
  return new RequestFrame({
    clock,
    logger,
    accessLog,
    metrics,
    ids: new RequestIds(clock, beforeAdmission(auth)),
    cors: new Cors(corsOrigins),
    rationing,
    tracing: options.tracing,
    keepAliveMs: patience.keepAliveMs,
    isStopping: () => stage.isStopping,
  });
}

/** Authenticates the caller, then takes the request from its rate limit. */
function admitting(auth: Auth | undefined, rationing: Rationing | undefined): Admit {
  const known = admission(auth);
  if (rationing === undefined) return known;
  return async (request, demand) => {
    await known(request, demand);
    await rationing.take(request);
  };
}

function handlersOf(options: EdgeOptions, { placing }: EdgeMetrics, stage: Stage): Handlers {
  const { owners, queries, clock, waitMs, partitions, version, health, ready, listAgeMs, freshLists } = options;
  const { listSource = () => ({ queries, lagMs: 0 }) } = options;
  const { receiptKeys, operations = everyOperation } = options;
  const waiting = new WaitingRoom();
  const { requestMs: patienceMs } = options.patience ?? limits;
  const stopping = () => stage.isStopping;
  const admit = options.auth && admission(options.auth);
  return {
    orders: new Orders({
      owners,
      queries,
      clock,
      waiting,
      waitMs,
      partitions,
      listAgeMs,
      listSource,
      freshLists,
    }),
    orderActs: new OrderActs({ owners, queries, clock, waiting, waitMs }),
    numbers: new OrderNumbers(queries),
    // What decides something asks the primary.
    forgetting: new ForgetUser({
      ...{ owners, freshLists, clock, waiting, waitMs },
      ordersAfter: (...asked) => listSource({ isFresh: true }).queries.ordersAfter(...asked),
    }),
    exports: new Export({ queries, clock, logger: options.logger, stopping }),
    inventory: new Inventory({ owners, queries, receiptKeys, clock, waiting, waitMs }),
    gremlin: new GremlinRoutes(options.gremlin, clock),
    webhooks: new WebhookRoutes(options.webhooks, clock),
    backup: new BackupRoutes(options.backup?.desk ?? NO_BACKUPS, clock),
    live: new Live({ events: options.live, owners, clock, admit, stopping, most: options.mostListeners }),
    imports: new Import({ owners, queries, clock, waitMs, patienceMs }),
    health: new Health({
      health,
      ready,
      version,
      clock,
      registry: options.metrics,
      moreMetrics: options.moreMetrics,
      stopping,
    }),
    placement: new PlacementView(options.placement),
    overview: new Overview(options.overview, placing, clock),
    me: new Me({ ...options.surroundings, gremlin: options.gremlin !== undefined }),
    reference: new Reference(operations, version),
  };
}

/** No port of this process serves what would ask it. */
const NO_BACKUPS: BackupDesk = {
  status: () => Promise.reject(new Unavailable('This process keeps no backups.', true)),
  dump: () => Promise.reject(new Unavailable('This process keeps no backups.', true)),
  upload: () => Promise.reject(new Unavailable('This process keeps no backups.', true)),
};

type Servers = Readonly<Record<'main' | 'inventory' | 'backup', HttpServer | undefined>>;

/** The first port serves every operation, the second port those that are declared for both, and the third those of backups. */
async function listen(options: EdgeOptions, frame: RequestFrame, handlers: Handlers, admit: Admit): Promise<Servers> {
  const { host, clock, logger, port, inventoryPort, version, backup, operations = everyOperation } = options;
  const common = { host, clock, patience: options.patience ?? limits, unreadable: frame.unreadable };
  const koa = throughKoa(frame, everything(operations, handlers, admit, options.page), admit, logger);
  const hot = new HotRoutes(operations, handlers, admit);
  const handle = (req: BufferedRequest, res: ServerResponse) => {
    const work = hot.of(req);
    if (work === undefined) koa(req, res);
    else void frame.serve(req, res, work);
  };
  const further = (table: readonly Operation[]) => {
    const shown = { ...handlers, reference: new Reference(onBothPorts(table), version) };
    return throughKoa(frame, onlyForBoth(table, shown, admit), admit, logger);
  };
  const begun: HttpServer[] = [];
  const start = async (at: number | undefined, setBy: string, by: () => typeof handle) => {
    if (at === undefined) return undefined;
    const server = await startHttpServer({ ...common, port: at, setBy, handle: by() });
    begun.push(server);
    return server;
  };
  try {
    return {
      main: await start(port, 'PORT', () => handle),
      inventory: await start(inventoryPort, 'INVENTORY_PORT', () => further(operations)),
      backup: await start(backup?.port, 'BACKUP_PORT', () => further(backupOperations)),
    };
  } catch (error) {
    for (const server of begun) await server.stop(0);
    throw error;
  }
}
