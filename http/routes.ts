/**
 * Which address leads where, out of the table of operations: everything on the first port; what says
 * so on the second too. Every operation of the API stands under /api and /api/v1 alike.
 */
import Router from '@koa/router';
import type { Context, Middleware } from 'koa';
import type { Asked } from './asked.js';
import { Failure, notFound } from './failure.js';
import type { Operation, Rooms } from './operation.js';
import { operations } from './operations/all.js';
import type { Rationing } from './rate-limit.js';

export const everything = (rooms: Rooms, rationing?: Rationing): Middleware => routed(operations, rooms, rationing);
export const inventoryOnly = (rooms: Rooms, rationing?: Rationing): Middleware =>
  routed(
    operations.filter(({ ports }) => ports === 'both'),
    rooms,
    rationing,
  );

export const pathsOf = ({ path }: Pick<Operation, 'path'>): string[] =>
  path.startsWith('/api/') ? [path, path.replace('/api/', '/api/v1/')] : [path];

/** Leaves the answer in `ctx.state.asked`, or throws the 404 or 405. */
function routed(table: readonly Operation[], rooms: Rooms, rationing: Rationing | undefined): Middleware {
  const router = new Router();
  for (const operation of table) {
    const handler = operation.handler(rooms);
    router.register(pathsOf(operation), [operation.method], async (ctx) => {
      const asked: Asked = ctx.state.asked;
      asked.route = operation.path;
      asked.params = ctx.params;
      if (rationing !== undefined) await rationing.take(asked);
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
