/**
 * Which address leads where, out of the table of operations: everything on the first port; what says
 * so on the second too. Every operation of the API stands under /api and /api/v1 alike.
 */
import Router from '@koa/router';
import type { Context, Middleware } from 'koa';
import type { Asked } from './asked.js';
import type { Admit } from './auth/admission.js';
import { Failure, notFound } from './failure.js';
import type { Operation, Rooms } from './operation.js';
import { operations } from './operations/all.js';

export const everything = (rooms: Rooms, admit: Admit): Middleware => routed(operations, rooms, admit);
export const inventoryOnly = (rooms: Rooms, admit: Admit): Middleware =>
  routed(
    operations.filter(({ ports }) => ports === 'both'),
    rooms,
    admit,
  );

export const pathsOf = ({ path }: Pick<Operation, 'path'>): string[] =>
  path.startsWith('/api/') ? [path, path.replace('/api/', '/api/v1/')] : [path];

/** Leaves the answer in `ctx.state.asked`, or throws the 404 or 405. */
function routed(table: readonly Operation[], rooms: Rooms, admit: Admit): Middleware {
  const router = new Router();
  // What is written out comes before what stands for anything.
  const placeholders = ({ path }: Operation) => path.split('/:').length;
  for (const operation of [...table].sort((a, b) => placeholders(a) - placeholders(b))) {
    const handler = rooms.gremlin.biting(operation.path, operation.handler(rooms));
    router.register(pathsOf(operation), [operation.method], async (ctx) => {
      const asked: Asked = ctx.state.asked;
      asked.route = operation.path;
      asked.params = ctx.params;
      await admit(asked, operation.scope);
      asked.answer = await handler(asked);
    });
  }
  const routes = router.routes();
  return async (ctx, next) => {
    await routes(ctx as Parameters<typeof routes>[0], next);
    const asked: Asked = ctx.state.asked;
    if (asked.answer !== undefined) return;
    // What there is and what not is for those who may come in; what may be asked across origins, for all.
    if (ctx.method !== 'OPTIONS') await admit(asked, 'any');
    asked.answer = elsewhere(ctx);
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
