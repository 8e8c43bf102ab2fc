/**
 * Routes made from the table of operations. The first port serves every operation; the second serves those that are
 * declared for both ports. Every operation under /api is also served under /api/v1.
 */
import Router from '@koa/router';
import type { Context, Middleware } from 'koa';
import type { Admit } from '../auth/admission.js';
import type { Page } from '../page/page.js';
import { prefersSecond } from '../wire/accept.js';
import type { ApiRequest } from './api-request.js';
import { Failure, notFound } from './failure.js';
import type { Handlers, Operation } from './operation.js';
import type { Answer } from './reply.js';

const REFERENCE = '/docs';

export const onBothPorts = (table: readonly Operation[]): Operation[] => table.filter(({ ports }) => ports === 'both');

/** @param page undefined: a browser that asks for `/` is led to the reference. */
export function everything(
  table: readonly Operation[],
  handlers: Handlers,
  admit: Admit,
  page: Page | undefined,
): Middleware {
  const routes = routed(table, handlers, admit);
  return async (ctx, next) => {
    const request: ApiRequest = ctx.state.request;
    if (ctx.path === '/' && asksForPage(ctx)) {
      request.route = '/';
      request.answer = (await page?.shell) ?? TO_REFERENCE;
    } else if (page?.isFile(ctx.path) && isRead(ctx)) {
      request.route = '/page';
      request.answer = await page.file(ctx.path);
    } else await routes(ctx, next);
  };
}

export const onlyForBoth = (table: readonly Operation[], handlers: Handlers, admit: Admit): Middleware =>
  routed(onBothPorts(table), handlers, admit);

export const pathsOf = ({ path }: Pick<Operation, 'path'>): string[] =>
  path.startsWith('/api/') ? [path, path.replace('/api/', '/api/v1/')] : [path];

/** Sets the answer in `ctx.state.request`, or throws 404 or 405. */
function routed(table: readonly Operation[], handlers: Handlers, admit: Admit): Middleware {
  const router = new Router();
  // A literal path segment takes precedence over a parameter.
  const placeholders = ({ path }: Operation) => path.split('/:').length;
  for (const operation of [...table].sort((a, b) => placeholders(a) - placeholders(b))) {
    const handler = handlers.gremlin.biting(operation.path, operation.handler(handlers));
    router.register(pathsOf(operation), [operation.method], async (ctx) => {
      const request: ApiRequest = ctx.state.request;
      request.route = operation.path;
      request.params = ctx.params;
      await admit(request, operation.scope);
      request.answer = await handler(request);
    });
  }
  const routes = router.routes();
  return async (ctx, next) => {
    await routes(ctx as Parameters<typeof routes>[0], next);
    const request: ApiRequest = ctx.state.request;
    if (request.answer !== undefined) return;
    // Only authenticated clients learn which paths exist. OPTIONS is open, because a preflight has no credentials.
    if (ctx.method !== 'OPTIONS') await admit(request, 'any');
    request.answer = withoutRoute(ctx);
  };
}

const TO_REFERENCE: Answer = {
  status: 302,
  body: `The reference is at ${REFERENCE}.\n`,
  contentType: 'text/plain; charset=utf-8',
  headers: ['Location', REFERENCE, 'Vary', 'Accept'],
};

/** Browsers name HTML in Accept. Clients that accept anything, such as curl, do not. */
const asksForPage = (ctx: Context): boolean => isRead(ctx) && prefersSecond(ctx.req, 'application/json', 'text/html');

const isRead = ({ method }: Context): boolean => method === 'GET' || method === 'HEAD';

/** `OPTIONS *` is about the server, not about an address (RFC 9110, 9.3.7). */
const SERVER_OPTIONS: Answer = { status: 204, body: '', headers: ['Allow', 'GET, HEAD, POST, PATCH, DELETE, OPTIONS'] };

function withoutRoute(ctx: Context): ApiRequest['answer'] {
  if (ctx.method === 'OPTIONS' && ctx.req.url === '*') return SERVER_OPTIONS;
  const layers: readonly { readonly methods: readonly string[] }[] = ctx.matched ?? [];
  if (layers.length === 0)
    throw notFound(`There is nothing at ${ctx.path.slice(0, 200)}. The reference is at ${REFERENCE}.`);
  const allow = ['Allow', [...new Set(layers.flatMap((layer) => layer.methods)), 'OPTIONS'].join(', ')];
  if (ctx.method === 'OPTIONS') return { status: 204, body: '', headers: allow };
  throw new Failure(405, 'method_not_allowed', `${ctx.method} is not allowed here. Allowed are ${allow[1]}.`, {
    headers: allow,
  });
}
