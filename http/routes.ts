/**
 * Which address leads where: everything on the first port; inventory, internal and health on the
 * second. Every route of the API stands under /api and /api/v1 alike.
 */
import Router from '@koa/router';
import type { Context, Middleware } from 'koa';
import type { Asked, Handler } from './asked.js';
import { Failure, notFound } from './failure.js';
import type { Health } from './health.js';
import type { Inventory } from './inventory.js';
import type { Orders } from './orders.js';

export interface Rooms {
  readonly orders: Orders;
  readonly inventory: Inventory;
  readonly health: Health;
}

type Row = readonly ['GET' | 'POST', string, Handler];

const orderRoutes = ({ orders }: Rooms): Row[] => [
  ['POST', '/api/orders', orders.place],
  ['GET', '/api/orders', orders.list],
  ['GET', '/api/orders/:order_id', orders.get],
  ['GET', '/api/orders/:order_id/history', orders.history],
  ['GET', '/api/users/:user_id/orders', orders.listOfUser],
];

const inventoryRoutes = ({ inventory, health }: Rooms): Row[] => [
  ['GET', '/api/inventory', inventory.list],
  ['POST', '/api/inventory', inventory.receive],
  ['POST', '/api/inventory/check', inventory.check],
  ['GET', '/api/inventory/:product_id', inventory.get],
  ['POST', '/api/inventory/:product_id/adjust', inventory.adjust],
  ['GET', '/internal/inventory/audit', inventory.audit],
  ['GET', '/health', health.health],
  ['GET', '/livez', health.live],
  ['GET', '/readyz', health.ready],
  ['GET', '/ready', health.ready],
  ['GET', '/metrics', health.metrics],
];

export const everything = (rooms: Rooms): Middleware => routed([...orderRoutes(rooms), ...inventoryRoutes(rooms)]);
export const inventoryOnly = (rooms: Rooms): Middleware => routed(inventoryRoutes(rooms));

/** Leaves the answer in `ctx.state.asked`, or throws the 404 or 405. */
function routed(rows: readonly Row[]): Middleware {
  const router = new Router();
  for (const [method, path, handler] of rows) {
    const paths = path.startsWith('/api/') ? [path, path.replace('/api/', '/api/v1/')] : [path];
    router.register(paths, [method], async (ctx) => {
      const asked: Asked = ctx.state.asked;
      asked.route = path;
      asked.params = ctx.params;
      asked.answer = await handler(asked);
    });
  }
  const routes = router.routes();
  return async (ctx, next) => {
    await routes(ctx as Parameters<typeof routes>[0], next);
    const asked: Asked = ctx.state.asked;
    asked.answer ??= elsewhere(ctx);
  };
}

function elsewhere(ctx: Context): Asked['answer'] {
  const layers: readonly { readonly methods: readonly string[] }[] = ctx.matched ?? [];
  if (layers.length === 0) throw notFound(`There is nothing at ${ctx.path.slice(0, 200)}.`);
  const allow = ['Allow', [...new Set(layers.flatMap((layer) => layer.methods)), 'OPTIONS'].join(', ')];
  if (ctx.method === 'OPTIONS') return { status: 204, body: '', headers: allow };
  throw new Failure(405, 'method_not_allowed', `${ctx.method} is not possible here; possible is ${allow[1]}.`, {
    headers: allow,
  });
}
