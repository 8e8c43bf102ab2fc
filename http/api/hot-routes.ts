/**
 * Operations that go past Koa and its router, which cost an order a good part of its time at the edge. Each is made of
 * its row in the table: the same paths, scope, schema and handler that the router would use.
 *
 * Law: no turn of the event loop is taken that the work does not need. A promise that is returned, not awaited, costs two.
 */
import type { IncomingMessage } from 'node:http';
import type { Admit } from '../auth/admission.js';
import type { ApiRequest } from './api-request.js';
import type { Handlers, Operation } from './operation.js';
import type { Answer } from './reply.js';
import { pathsOf } from './routes.js';

type Work = (request: ApiRequest) => Promise<Answer>;

export class HotRoutes {
  /** By method, then by address as it is sent: an address with a query goes through the router. */
  private readonly routes = new Map<string, Map<string, Work>>();

  constructor(table: readonly Operation[], handlers: Handlers, admit: Admit) {
    for (const operation of table) {
      if (operation.hot !== true) continue;
      const ofMethod = this.routes.get(operation.method) ?? new Map<string, Work>();
      this.routes.set(operation.method, ofMethod);
      const work = worked(operation, handlers, admit);
      for (const path of pathsOf(operation)) ofMethod.set(path, work);
    }
  }

  /** Undefined where the request is for the router. */
  of({ method = '', url = '' }: IncomingMessage): Work | undefined {
    return this.routes.get(method)?.get(url);
  }
}

// ---------------------------------------------------------------- machinery

function worked({ path, scope, ...operation }: Operation, handlers: Handlers, admit: Admit): Work {
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
