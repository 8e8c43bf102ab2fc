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
import type { GremlinDesk } from '../actors/ports/gremlin.js';
import type { Owners } from '../actors/ports/owners.js';
import type { Queries } from '../actors/ports/queries.js';
import type { RateLimits } from '../actors/ports/rate-limits.js';
import type { Clock, Logger } from '../actors/ports/runtime.js';
import { RequestIds, WaitingRoom } from './api/api-request.js';
import { HotRoutes } from './api/hot-routes.js';
import { throughKoa } from './api/koa-app.js';
import type { Handlers, Operation } from './api/operation.js';
import { operations as everyOperation } from './api/operations/all.js';
import { Rationing } from './api/rate-limit.js';
import { RequestFrame } from './api/request-frame.js';
import { everything, inventoryOnly, onBothPorts } from './api/routes.js';
import { type Admit, admission, beforeAdmission } from './auth/admission.js';
import type { Auth } from './auth/auth.js';
import { Reference } from './docs/reference.js';
import { Import } from './inventory/import.js';
import { Inventory } from './inventory/inventory.js';
import { EdgeMetrics } from './node/edge-metrics.js';
import { GremlinRoutes } from './node/gremlin-routes.js';
import { Health, type HealthReport } from './node/health.js';
import { OrderLife } from './orders/order-acts.js';
import { Orders } from './orders/orders.js';
import type { BufferedRequest } from './wire/buffered-request.js';
import { Cors } from './wire/cors.js';
import { type HttpServer, type Patience, startHttpServer } from './wire/http-server.js';

export interface EdgeOptions {
  readonly host: string;
  /** Serves every operation; 0 means any free port. */
  readonly port: number;
  /** Serves only inventory, internal and health routes; undefined means no second port. */
  readonly inventoryPort?: number | undefined;
  /** May answer Unavailable while the node owns no partition yet. */
  readonly owners: Owners;
  readonly queries: Queries;
  /** Undefined if the gremlin is not allowed. */
  readonly gremlin?: GremlinDesk | undefined;
  readonly health: () => Promise<HealthReport>;
  readonly ready: () => Promise<string | undefined>;
  /** Made by createRegistry (edge-metrics.ts). The rest of the node registers its metrics here too. */
  readonly metrics: Registry;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Authenticates callers; undefined means AUTH is off and every caller may do everything. */
  readonly auth?: Auth | undefined;
  /** Limits the requests of each caller; undefined means no limit. */
  readonly rateLimits?: RateLimits | undefined;
  /** How many trusted proxies stand in front of this node; 0 by default. */
  readonly trustedProxies?: number;
  /** How long a client waits for the outcome of an order before it gets 202. */
  readonly waitMs: number;
  readonly version: string;
  /** The origins whose pages may use the API from a browser; none by default. */
  readonly corsOrigins?: readonly string[];
  /** Replaces the table of operations, for tests. */
  readonly operations?: readonly Operation[];
  /** Replaces the timeouts of limits.ts, for tests. */
  readonly patience?: Patience;
}

export interface Edge {
  readonly ports: { readonly main: number; readonly inventory: number | undefined };
  /** Makes /readyz answer 503, so that load balancers send no new clients. Requests are still served. */
  announceStop(): void;
  /** Accepts no new connection, lets running requests finish, and cuts them off at the deadline. */
  stop(deadlineMs: number): Promise<void>;
}

export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const stage: Stage = { isAnnounced: false, isStopping: false };
  const rationing = options.rateLimits && new Rationing(options.rateLimits, options.trustedProxies ?? 0);
  const frame = frameOf(options, rationing, stage);
  const handlers = handlersOf(options, frame, stage);
  const servers = await listen(options, frame, handlers, admitting(options.auth, rationing));
  return {
    ports: { main: servers[0].port, inventory: servers[1]?.port },
    announceStop() {
      stage.isAnnounced = true;
    },
    async stop(deadlineMs) {
      stage.isAnnounced = true;
      stage.isStopping = true;
      await Promise.all(servers.map((server) => server.stop(deadlineMs)));
    },
  };
}

// ---------------------------------------------------------------- machinery

/** How far a stop has progressed. */
interface Stage {
  isAnnounced: boolean;
  isStopping: boolean;
}

function frameOf(options: EdgeOptions, rationing: Rationing | undefined, stage: Stage): RequestFrame {
  const { clock, logger, auth, corsOrigins = [], patience = limits } = options;
  return new RequestFrame({
    clock,
    logger,
    metrics: new EdgeMetrics(options.metrics),
    ids: new RequestIds(clock, beforeAdmission(auth)),
    cors: new Cors(corsOrigins),
    rationing,
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

function handlersOf(options: EdgeOptions, { broken }: RequestFrame, stage: Stage): Handlers {
  const { owners, queries, clock, waitMs, version, health, ready, operations = everyOperation } = options;
  const waiting = new WaitingRoom();
  const { requestMs: patienceMs } = options.patience ?? limits;
  const stopping = () => stage.isAnnounced;
  return {
    orders: new Orders({ owners, queries, clock, waiting, waitMs, broken }),
    life: new OrderLife({ owners, queries, clock, waiting, waitMs }),
    inventory: new Inventory({ owners, queries, clock, waiting, waitMs }),
    gremlin: new GremlinRoutes(options.gremlin, clock),
    imports: new Import({ owners, queries, clock, waitMs, patienceMs }),
    health: new Health({ health, ready, version, clock, registry: options.metrics, stopping }),
    reference: new Reference(operations, version),
  };
}

/** The first port serves every operation; the second port serves those that are declared for both. */
async function listen(
  options: EdgeOptions,
  frame: RequestFrame,
  handlers: Handlers,
  admit: Admit,
): Promise<readonly [HttpServer, ...HttpServer[]]> {
  const { host, clock, logger, port, inventoryPort, version, operations = everyOperation } = options;
  const common = { host, clock, patience: options.patience ?? limits, unreadable: frame.unreadable };
  const koa = throughKoa(frame, everything(operations, handlers, admit), admit, logger);
  const hot = new HotRoutes(operations, handlers, admit);
  const handle = (req: BufferedRequest, res: ServerResponse) => {
    const work = hot.of(req);
    if (work === undefined) koa(req, res);
    else void frame.serve(req, res, work);
  };
  const main = await startHttpServer({ ...common, port, setBy: 'PORT', handle });
  if (inventoryPort === undefined) return [main];
  try {
    const shown = { ...handlers, reference: new Reference(onBothPorts(operations), version) };
    const routes = inventoryOnly(operations, shown, admit);
    const secondKoa = throughKoa(frame, routes, admit, logger);
    const second = { ...common, port: inventoryPort, setBy: 'INVENTORY_PORT', handle: secondKoa };
    return [main, await startHttpServer(second)];
  } catch (error) {
    await main.stop(0);
    throw error;
  }
}
