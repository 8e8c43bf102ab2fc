/**
 * Hot operations bypass Koa and its router, which take a good part of an order's time at the edge. Each hot route is
 * made from its row in the table, with the same paths, scope, schema and handler as the router's.
 *
 * Law: a hot route takes no microtask turn that its work does not need. An async function that returns a promise
 * without awaiting it costs two turns.
 */
import type { IncomingMessage } from 'node:http';
import type { Admit } from '../auth/admission.js';
import type { ApiRequest } from './api-request.js';
import type { Handlers, Operation } from './operation.js';
import type { Answer } from './reply.js';
import { pathsOf } from './routes.js';

type Work = (request: ApiRequest) => Promise<Answer>;

export class HotRoutes {
  /** By method, then by the exact URL. A URL with a query goes through the router. */
  private readonly routes = new Map<string, Map<string, Work>>();

  constructor(table: readonly Operation[], handlers: Handlers, admit: Admit) {
    for (const operation of table) {
      if (operation.hot !== true) continue;
      const ofMethod = this.routes.get(operation.method) ?? new Map<string, Work>();
      this.routes.set(operation.method, ofMethod);
      const work = workOf(operation, handlers, admit);
      for (const path of pathsOf(operation)) ofMethod.set(path, work);
    }
  }

  /** Undefined if the router must handle the request. */
  of({ method = '', url = '' }: IncomingMessage): Work | undefined {
    return this.routes.get(method)?.get(url);
  }
}

// ---------------------------------------------------------------- machinery

function workOf({ path, scope, ...operation }: Operation, handlers: Handlers, admit: Admit): Work {
  const handler = handlers.gremlin.biting(path, operation.handler(handlers));
  const onceAdmitted = async (entry: Promise<void>, request: ApiRequest): Promise<Answer> => {
    await entry;
    return await handler(request);
  };
  return (request) => {
    request.route = path;
    const entry = admit(request, scope);
    return entry === undefined ? handler(request) : onceAdmitted(entry, request);
  };
}
