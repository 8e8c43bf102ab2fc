/** Runs Koa inside the frame of a request. Koa finds the handler and runs it; the frame writes the reply. */
import type { ServerResponse } from 'node:http';
import Koa, { type Middleware } from 'koa';
import type { Logger } from '../../actors/ports/runtime.js';
import type { Admit } from '../auth/admission.js';
import type { BufferedRequest } from '../wire/buffered-request.js';
import { addressProblem } from './api-request.js';
import { brokenAnswer } from './reply.js';
import type { RequestFrame } from './request-frame.js';

/** @param routes sets the answer in `ctx.state.request`, or throws. */
export function throughKoa(
  frame: RequestFrame,
  routes: Middleware,
  admit: Admit,
  logger: Logger,
): (req: BufferedRequest, res: ServerResponse) => void {
  const app = new Koa();
  app.use((ctx, next) => {
    ctx.respond = false;
    return frame.serve(ctx.req as BufferedRequest, ctx.res, async (request) => {
      ctx.state.request = request;
      const problem = addressProblem(ctx.req.url ?? '');
      if (problem !== undefined) {
        await admit(request, 'any');
        throw problem;
      }
      await next();
      return request.answer ?? brokenAnswer(new Error('no route has answered'));
    });
  });
  app.use(routes);
  app.on('error', (error) => logger.debug({ err: error }, 'A connection ended before its reply did.'));
  const handle = app.callback();
  return (req, res) => void handle(req, res);
}
