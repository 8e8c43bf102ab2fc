/**
 * One operation of the API, declared once. The router, the validation, the OpenAPI document, the
 * reference page and the generated tests are all made of this declaration.
 *
 * To add one: a row in a file of operations/, and its schemas in schemas.ts and reply-schemas.ts.
 */
import { z } from 'zod';
import type { Demand } from '../../actors/principal.js';
import type { Import } from '../inventory/import.js';
import type { Inventory } from '../inventory/inventory.js';
import type { GremlinRoutes } from '../node/gremlin-routes.js';
import type { Health } from '../node/health.js';
import type { OrderLife } from '../orders/order-acts.js';
import type { Orders } from '../orders/orders.js';
import { mustBeOfType, readJson } from '../wire/json-body.js';
import type { ApiRequest, Handler } from './api-request.js';
import type { ErrorCode } from './errors.js';
import type { Answer } from './reply.js';
import { readParams, readQuery, validated } from './schemas.js';

/** Who answers. */
export interface Handlers {
  readonly orders: Orders;
  readonly life: OrderLife;
  readonly inventory: Inventory;
  readonly imports: Import;
  readonly health: Health;
  readonly gremlin: GremlinRoutes;
  /** Made of the table of operations itself (reference.ts): by its form alone, so that nothing goes in a circle. */
  readonly reference: { document(): Promise<Answer>; page(request: ApiRequest): Promise<Answer> };
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export type Tag = 'Orders' | 'Inventory' | 'Operations';

export interface Success {
  readonly description: string;
  readonly schema: z.ZodType;
  readonly example: unknown;
  /** JSON if it is not said. */
  readonly contentType?: string;
  /** Names of headers that it has beside the common ones (openapi.ts describes them). */
  readonly headers?: readonly string[];
}

interface Common {
  readonly method: Method;
  /** `/api/orders/:order_id`; what begins with /api/ stands under /api/v1/ as well. */
  readonly path: string;
  /** Unique, in camel case: generated clients call it so. */
  readonly id: string;
  readonly tag: Tag;
  readonly scope: Demand;
  /** `both`: on the inventory port as well. */
  readonly ports: 'main' | 'both';
  readonly summary: string;
  readonly description?: string;
  /** Headers that it looks at. They are read where they are needed (api-request.ts): most are ignored when not understood. */
  readonly headers?: Readonly<Record<string, z.ZodType>>;
  /** Requests to show, each with a name; path parameters and query as they stand in `path`. */
  readonly examples?: readonly Example[];
  /** Past Koa and its router (hot-routes.ts): its path has no parameters. */
  readonly hot?: boolean;
  /** Its answers bear an ETag: whoever has it already (If-None-Match) hears 304. */
  readonly etag?: boolean;
  /** A body may be left out; then it is `{}`. */
  readonly optionalBody?: boolean;
  /** A body that is no JSON: its handler reads `request.req` itself. */
  readonly stream?: { readonly contentType: string; readonly example: string };
  /** It changes how the node behaves towards all: the generated requests (test/faults) leave it alone. */
  readonly disruptive?: boolean;
  readonly success: Readonly<Record<number, Success>>;
  /** Beside those that every operation of its kind may answer (`codesOf`). */
  readonly errors?: readonly ErrorCode[];
}

export interface Example {
  readonly name: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface Operation extends Common {
  readonly params: z.ZodObject;
  readonly query: z.ZodObject;
  readonly body: z.ZodType | undefined;
  handler(handlers: Handlers): Handler;
}

interface Declared<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType> extends Common {
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  handle(handlers: Handlers, input: Input<P, Q, B>, request: ApiRequest): Promise<Answer>;
}

interface Input<P, Q, B> {
  readonly params: z.output<P>;
  readonly query: z.output<Q>;
  readonly body: z.output<B>;
}

const nothing = z.object({});
const NONE: Readonly<Record<string, never>> = {};

export function operation<
  P extends z.ZodObject = typeof nothing,
  Q extends z.ZodObject = typeof nothing,
  B extends z.ZodType = typeof nothing,
>({ handle, ...declared }: Declared<P, Q, B>): Operation {
  const { params, query, body, optionalBody = false, stream } = declared;
  const stray = strayParameters(declared);
  const queryOf = (url: string) =>
    query === undefined && !url.includes('?') ? NONE : readQuery(query ?? nothing, url, stray);
  return {
    ...declared,
    params: params ?? nothing,
    query: query ?? nothing,
    body,
    handler: (handlers) => async (request) => {
      if (stream !== undefined) mustBeOfType(request.req, stream.contentType);
      // What is not declared is not read: the handler's type has nothing in it.
      const input = {
        params: params === undefined ? NONE : readParams(params, request.params),
        query: queryOf(request.req.url ?? ''),
        body: body === undefined ? {} : validated(body, await readJson(request.req, optionalBody)),
      } as Input<P, Q, B>;
      return await handle(handlers, input, request); // A promise that is returned takes two turns more.
    },
  };
}

/** Probes and browsers may add what they like to an address, such as a number that no cache knows. */
const strayParameters = ({ path }: Pick<Common, 'path'>): 'refused' | 'ignored' =>
  /^\/(api|internal)\//.test(path) ? 'refused' : 'ignored';

/** Every code that it may answer, those that any operation of its kind may answer included. */
export function codesOf({
  method,
  etag,
  path,
  params,
  body,
  stream,
  scope,
  errors = [],
  headers = {},
}: Operation): ErrorCode[] {
  const codes: ErrorCode[] = ['invalid', ...errors, 'method_not_allowed', 'too_slow', 'headers_too_large', 'internal'];
  if (Object.keys(params.shape).length > 0) codes.push('not_found');
  if (body !== undefined || stream !== undefined) codes.push('too_large', 'unsupported_media_type');
  if (etag) codes.push('precondition_failed');
  if ('Idempotency-Key' in headers) codes.push('idempotency_mismatch');
  const isOpen = scope === 'none' || scope === 'told';
  if (!isOpen) codes.push('unauthorized', 'unavailable');
  if (!isOpen && scope !== 'any') codes.push('forbidden');
  if (path.startsWith('/api/')) codes.push('rate_limited');
  if (scope !== 'none' && method !== 'GET') codes.push('busy');
  return [...new Set(codes)];
}
