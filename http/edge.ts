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
import type { Clock, GremlinDesk, Logger, Owners, Queries, RateLimits } from '../actors/ports.js';
import { Unavailable } from '../actors/unavailable.js';
import { Access } from './access.js';
import { type Asked, addressProblem, mustNameHost, RequestIds, WaitingRoom } from './asked.js';
import { type Admit, admission, beforeAdmission } from './auth/admission.js';
import type { Auth } from './auth/auth.js';
import { compressed, pays } from './compression.js';
import { Reference } from './docs/reference.js';
import { Failure, unavailable } from './failure.js';
import { GremlinRoutes } from './gremlin.js';
import { Health, type HealthReport } from './health.js';
import { type Patience, startHttpServer } from './http-server.js';
import type { Incoming } from './incoming.js';
import { Import } from './inventory/import.js';
import { Inventory } from './inventory/inventory.js';
import { readJson } from './json-body.js';
import { EdgeMetrics } from './metrics.js';
import { OrderLife } from './orders/order-life.js';
import { Orders } from './orders/orders.js';
import { Rationing } from './rate-limit.js';
import { type Answer, brokenAnswer, failureAnswer, write } from './reply.js';
import { everything, inventoryOnly } from './routes.js';
import { orderBody, validated } from './schemas.js';

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
  /** Of createRegistry (metrics.ts), to which the other rooms add what they count. */
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
  const access = new Access(options.corsOrigins ?? []);
  const rationing = options.rateLimits && new Rationing(options.rateLimits, options.trustedProxies ?? 0);
  const known = admission(options.auth);
  /** Who it is, and whether there is any left of what it may ask. */
  const admit: Admit =
    rationing === undefined
      ? known
      : async (asked, demand) => {
          await known(asked, demand);
          await rationing.take(asked);
        };
  let stopping = false;
  let toldAt = Number.NEGATIVE_INFINITY;
  let untold = 0;

  const broken = (error: unknown, asked: Asked) =>
    logger.error(
      { requestId: asked.requestId, correlation: asked.correlation, route: asked.route, err: error },
      'A request met broken code and was answered with 500.',
    );

  const tellUnavailable = (asked: Asked, status: number, cause: unknown) => {
    const now = clock.monotonic();
    if (now - toldAt < TELL_EVERY_MS) {
      untold++;
      return;
    }
    const { requestId, correlation, route } = asked;
    logger.warn(
      { requestId, correlation, route, status, untold, ...(cause !== undefined && { cause: String(cause) }) },
      'A request could not be served and was answered so.',
    );
    toldAt = now;
    untold = 0;
  };

  const failed = (error: unknown, asked: Asked): Answer => {
    if (error instanceof Failure) return failureAnswer(error);
    if (error instanceof Unavailable) {
      return failureAnswer(unavailable('There is no answer at the moment: ask again.'));
    }
    broken(error, asked);
    return { ...brokenAnswer(), unreadBody: !asked.req.complete };
  };

  const orders = new Orders({ owners, queries, clock, waiting, waitMs, broken });
  const inventory = new Inventory({ owners, queries, clock, waiting, waitMs });
  const { health, ready, version, patience = limits } = options;
  const rooms = {
    orders,
    life: new OrderLife({ owners, clock, waiting, waitMs }),
    inventory,
    gremlin: new GremlinRoutes(options.gremlin, clock),
    imports: new Import({ owners, clock, waitMs, patienceMs: patience.requestMs }),
    health: new Health({ health, ready, version, clock, registry: options.metrics, stopping: () => stopping }),
    reference: new Reference(version),
  };

  const reply = (asked: Asked, res: ServerResponse, answer: Answer, startedAt: number, cause: unknown) => {
    const { req } = asked;
    const close = stopping || isStuck(req);
    write(req, res, answer, asked, { headers: access.headersFor(req), close, keepAliveMs: patience.keepAliveMs });
    const ms = clock.monotonic() - startedAt;
    metrics.ended(asked.route, answer.status, ms);
    const { requestId, correlation, route } = asked;
    if (answer.status === 503 && route !== '/readyz' && route !== '/ready') tellUnavailable(asked, 503, cause);
    logger.debug({ requestId, correlation, method: asked.req.method, route, status: answer.status, ms }, 'request');
  };

  /** Every request's frame: ids, its answer or what became of it, one reply, one observation. */
  const serve = async (req: Incoming, res: ServerResponse, work: (asked: Asked) => Promise<Answer>) => {
    const startedAt = clock.monotonic();
    const asked = ids.asked(req);
    metrics.began();
    let answer: Answer;
    let cause: unknown;
    try {
      mustNameHost(req);
      answer = access.preflight(req) ?? (await work(asked));
      if (pays(req, answer)) answer = await compressed(answer);
    } catch (error) {
      cause = error instanceof Failure ? error.cause : error;
      answer = failed(error, asked);
    }
    if (rationing !== undefined) {
      await rationing.take(asked).catch((refusal) => {
        answer = failed(refusal, asked);
      });
      answer = rationing.tell(asked, answer);
    }
    reply(asked, res, answer, startedAt, cause);
  };

  const placeOrder = async (asked: Asked): Promise<Answer> => {
    asked.route = '/api/orders';
    const entry = admit(asked, 'orders:write');
    if (entry !== undefined) await entry; // With nothing to look at it takes no turn of the event loop.
    const body = validated(orderBody, await readJson(asked.req));
    return await orders.place(asked, body); // A promise that is returned takes two turns more.
  };

  const throughKoa = (routes: Middleware) => {
    const app = new Koa();
    app.use((ctx, next) => {
      ctx.respond = false;
      return serve(ctx.req as Incoming, ctx.res, async (asked) => {
        ctx.state.asked = asked;
        const problem = addressProblem(ctx.req.url ?? '');
        if (problem !== undefined) {
          await admit(asked, 'any');
          throw problem;
        }
        await next();
        return asked.answer ?? brokenAnswer();
      });
    });
    app.use(routes);
    app.on('error', (error) => logger.debug({ err: error }, 'A connection ended before its reply did.'));
    return app.callback();
  };

  const handlerOf = (hot: boolean, routes: Middleware) => {
    const koa = throughKoa(routes);
    return (req: Incoming, res: ServerResponse) =>
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
    handle: handlerOf(true, everything(rooms, admit)),
  });
  const second = options.inventoryPort;
  const servers = [main];
  try {
    if (second !== undefined) {
      servers.push(
        await startHttpServer({
          ...{ host, clock, unreadable, patience, port: second, setBy: 'INVENTORY_PORT' },
          handle: handlerOf(false, inventoryOnly(rooms, admit)),
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
