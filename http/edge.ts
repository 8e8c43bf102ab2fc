/**
 * The edge: HTTP in, HTTP out. It holds no state that matters: any edge gives the same answer.
 *
 * Every request gets exactly one reply, written in one place (`reply`). The hot route, placing an
 * order, goes past Koa and its router, through the same frame.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import Koa, { type Middleware } from 'koa';
import type { Registry } from 'prom-client';
import { limits } from '../actors/limits.js';
import type { GremlinDesk } from '../actors/ports/gremlin.js';
import type { Owners } from '../actors/ports/owners.js';
import type { Queries } from '../actors/ports/queries.js';
import type { RateLimits } from '../actors/ports/rate-limits.js';
import type { Clock, Logger } from '../actors/ports/runtime.js';
import { noAnswer, Unavailable } from '../actors/unavailable.js';
import { type ApiRequest, addressProblem, mustNameHost, RequestIds, WaitingRoom } from './api/api-request.js';
import { Failure, unanswered } from './api/failure.js';
import { operations } from './api/operations/all.js';
import { Rationing } from './api/rate-limit.js';
import { type Answer, brokenAnswer, conditional, failureAnswer, write } from './api/reply.js';
import { everything, inventoryOnly, onBothPorts } from './api/routes.js';
import { orderBody, validated } from './api/schemas.js';
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
import { compressed, pays } from './wire/compression.js';
import { Cors } from './wire/cors.js';
import { type Patience, startHttpServer } from './wire/http-server.js';
import { readJson } from './wire/json-body.js';

export interface EdgeOptions {
  readonly host: string;
  /** Serves everything; 0 means any free one. */
  readonly port: number;
  /** Serves inventory, internal and health routes only; undefined means no second port. */
  readonly inventoryPort?: number | undefined;
  /** May answer Unavailable for as long as the node owns nothing yet. */
  readonly owners: Owners;
  readonly queries: Queries;
  /** Undefined where it is not allowed. */
  readonly gremlin?: GremlinDesk | undefined;
  readonly health: () => Promise<HealthReport>;
  readonly ready: () => Promise<string | undefined>;
  /** Of createRegistry (edge-metrics.ts), to which the other rooms add what they count. */
  readonly metrics: Registry;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Who may do what; undefined: AUTH is off, everybody everything. */
  readonly auth?: Auth | undefined;
  /** How often one may ask; undefined: as often as one likes. */
  readonly rateLimits?: RateLimits | undefined;
  /** Of those who forward requests to us, how many are ours; 0 if it is not said. */
  readonly trustedProxies?: number;
  /** How long a client waits for an order's outcome before it hears 202. */
  readonly waitMs: number;
  readonly version: string;
  /** Whose pages may use the API from a browser; none if it is not said. */
  readonly corsOrigins?: readonly string[];
  /** Other waits than those of limits.ts, for tests. */
  readonly patience?: Patience;
}

export interface Edge {
  readonly ports: { readonly main: number; readonly inventory: number | undefined };
  /** Takes nothing new, lets what runs finish, and ends it at the deadline. */
  stop(deadlineMs: number): Promise<void>;
}

const isHot = (url: string | undefined): boolean => url === '/api/orders' || url === '/api/v1/orders';
/** Errors of one second are one line: a log must not be what an outage runs out of. */
const TELL_EVERY_MS = 1_000;

/** After a request to upgrade whose body nobody reads, node's parser waits for ever: no next request would be served. */
const isStuck = (req: IncomingMessage): boolean => req.headers.upgrade !== undefined && !req.complete;

export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const { clock, logger, owners, queries, waitMs, host } = options;
  const metrics = new EdgeMetrics(options.metrics);
  const ids = new RequestIds(clock, beforeAdmission(options.auth));
  const waiting = new WaitingRoom();
  const access = new Cors(options.corsOrigins ?? []);
  const rationing = options.rateLimits && new Rationing(options.rateLimits, options.trustedProxies ?? 0);
  const known = admission(options.auth);
  /** Who it is, and whether there is any left of what it may ask. */
  const admit: Admit =
    rationing === undefined
      ? known
      : async (request, demand) => {
          await known(request, demand);
          await rationing.take(request);
        };
  let stopping = false;
  let toldAt = Number.NEGATIVE_INFINITY;
  let untold = 0;

  const broken = (error: unknown, request: ApiRequest) =>
    logger.error(
      { requestId: request.requestId, correlation: request.correlation, route: request.route, err: error },
      'A request met broken code and was answered with 500.',
    );

  const tellUnavailable = (request: ApiRequest, status: number, cause: unknown) => {
    const now = clock.monotonic();
    if (now - toldAt < TELL_EVERY_MS) {
      untold++;
      return;
    }
    const { requestId, correlation, route } = request;
    logger.warn(
      { requestId, correlation, route, status, untold, cause: String(cause) },
      'A request could not be served and was answered so.',
    );
    toldAt = now;
    untold = 0;
  };

  const failed = (error: unknown, request: ApiRequest): Answer => {
    if (error instanceof Failure) return failureAnswer(error);
    if (error instanceof Unavailable) {
      return failureAnswer(unanswered(noAnswer(error), 'There is no answer at the moment: ask again.'));
    }
    broken(error, request);
    return { ...brokenAnswer(), unreadBody: !request.req.complete };
  };

  const orders = new Orders({ owners, queries, clock, waiting, waitMs, broken });
  const inventory = new Inventory({ owners, queries, clock, waiting, waitMs });
  const { health, ready, version, patience = limits } = options;
  const handlers = {
    orders,
    life: new OrderLife({ owners, clock, waiting, waitMs }),
    inventory,
    gremlin: new GremlinRoutes(options.gremlin, clock),
    imports: new Import({ owners, queries, clock, waitMs, patienceMs: patience.requestMs }),
    health: new Health({ health, ready, version, clock, registry: options.metrics, stopping: () => stopping }),
    reference: new Reference(operations, version),
  };

  const reply = (request: ApiRequest, res: ServerResponse, answer: Answer, startedAt: number) => {
    const { req } = request;
    const close = stopping || isStuck(req);
    write(req, res, answer, request, { headers: access.headersFor(req), close, keepAliveMs: patience.keepAliveMs });
    const ms = clock.monotonic() - startedAt;
    metrics.ended(request.route, answer.status, ms);
    const { requestId, correlation, route } = request;
    const { status, cause } = answer;
    if (cause !== undefined) tellUnavailable(request, status, cause);
    logger.debug(
      { requestId, correlation, method: req.method, route, status, ms: Math.round(ms * 100) / 100 },
      'request',
    );
  };

  /** Every request's frame: ids, its answer or what became of it, one reply, one observation. */
  const serve = async (req: BufferedRequest, res: ServerResponse, work: (request: ApiRequest) => Promise<Answer>) => {
    const startedAt = clock.monotonic();
    const request = ids.request(req);
    metrics.began();
    let answer: Answer;
    try {
      mustNameHost(req);
      answer = access.preflight(req) ?? (await work(request));
      if (pays(req, answer)) answer = await compressed(answer);
      answer = conditional(req, answer);
    } catch (error) {
      answer = failed(error, request);
    }
    if (rationing !== undefined) {
      await rationing.take(request).catch((refusal) => {
        answer = failed(refusal, request);
      });
      answer = rationing.tell(request, answer);
    }
    reply(request, res, answer, startedAt);
  };

  const placeOrder = async (request: ApiRequest): Promise<Answer> => {
    request.route = '/api/orders';
    const entry = admit(request, 'orders:write');
    if (entry !== undefined) await entry; // With nothing to look at it takes no turn of the event loop.
    const body = validated(orderBody, await readJson(request.req));
    return await orders.place(request, body); // A promise that is returned takes two turns more.
  };

  const throughKoa = (routes: Middleware) => {
    const app = new Koa();
    app.use((ctx, next) => {
      ctx.respond = false;
      return serve(ctx.req as BufferedRequest, ctx.res, async (request) => {
        ctx.state.request = request;
        const problem = addressProblem(ctx.req.url ?? '');
        if (problem !== undefined) {
          await admit(request, 'any');
          throw problem;
        }
        await next();
        return request.answer ?? brokenAnswer();
      });
    });
    app.use(routes);
    app.on('error', (error) => logger.debug({ err: error }, 'A connection ended before its reply did.'));
    return app.callback();
  };

  const handlerOf = (hot: boolean, routes: Middleware) => {
    const koa = throughKoa(routes);
    return (req: BufferedRequest, res: ServerResponse) =>
      void (hot && req.method === 'POST' && isHot(req.url) ? serve(req, res, placeOrder) : koa(req, res));
  };

  const unreadable = (status: number): string => {
    const requestId = ids.next();
    metrics.unreadable(status);
    logger.debug({ requestId, status }, 'A request could not be read.');
    return requestId;
  };
  const main = await startHttpServer({
    ...{ host, clock, unreadable, patience, port: options.port, setBy: 'PORT' },
    handle: handlerOf(true, everything(handlers, admit)),
  });
  const second = options.inventoryPort;
  const servers = [main];
  try {
    if (second !== undefined) {
      servers.push(
        await startHttpServer({
          ...{ host, clock, unreadable, patience, port: second, setBy: 'INVENTORY_PORT' },
          handle: handlerOf(
            false,
            inventoryOnly({ ...handlers, reference: new Reference(onBothPorts, version) }, admit),
          ),
        }),
      );
    }
  } catch (error) {
    await main.stop(0);
    throw error;
  }

  return {
    ports: { main: main.port, inventory: servers[1]?.port },
    async stop(deadlineMs) {
      stopping = true;
      await Promise.all(servers.map((server) => server.stop(deadlineMs)));
    },
  };
}
