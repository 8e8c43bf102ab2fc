/** Reads that do not come over HTTP, answered by the operations of the API (actors/ports/api-reads.ts). */
import { Socket } from 'node:net';
import type { ApiRead, ApiReads } from '../../actors/ports/api-reads.js';
import { ANYONE } from '../../actors/principal.js';
import { BufferedRequest } from '../wire/buffered-request.js';
import type { RequestIds } from './api-request.js';
import type { Handlers, Operation } from './operation.js';
import type { RequestFrame } from './request-frame.js';

/** Each read as its operation, and the parameter that is the id. */
const READS: { readonly [read in ApiRead]: readonly [operation: string, id: string] } = {
  'orders.get': ['getOrder', 'order_id'],
  'orders.history': ['getOrderHistory', 'order_id'],
  'inventory.get': ['getProduct', 'product_id'],
  'inventory.ledger': ['getLedger', 'product_id'],
};

/** An id may have a question mark of its own. */
const QUERY = /\?(?=(?:limit|cursor|at)=)/;

export function apiReads(
  operations: readonly Operation[],
  handlers: Handlers,
  frame: Pick<RequestFrame, 'asked'>,
  ids: RequestIds,
): ApiReads {
  return {
    async read(what, asked) {
      const [name, parameter] = READS[what];
      const operation = operations.find(({ id }) => id === name);
      if (operation === undefined) throw new Error(`there is no operation ${name}`);
      const [id = '', query] = asked.split(QUERY, 2);
      const req = new BufferedRequest(new Socket());
      req.method = 'GET';
      const path = operation.path.replace(`:${parameter}`, encodeURIComponent(id));
      req.url = query === undefined ? path : `${path}?${query}`;
      const request = ids.request(req);
      request.params = { [parameter]: id };
      request.route = operation.path;
      request.principal = ANYONE;
      const { status, body } = await frame.asked(request, operation.handler(handlers));
      return { status, body };
    },
  };
}
