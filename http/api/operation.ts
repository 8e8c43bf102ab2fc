/**
 * One operation of the API, declared once. The router, the validation, the OpenAPI document, the reference page and
 * the generated tests are all made from this declaration.
 *
 * To add an operation, add a row to a file in operations/, and its schemas to schemas.ts and reply-schemas.ts.
 */
import { z } from 'zod';
import type { Demand } from '../../actors/principal.js';
import type { Me } from '../auth/me.js';
import type { BackupRoutes } from '../backup/backup-routes.js';
import type { Import } from '../inventory/import.js';
import type { Inventory } from '../inventory/inventory.js';
import type { Live } from '../live/live.js';
import type { GremlinRoutes } from '../node/gremlin-routes.js';
import type { Health } from '../node/health.js';
import type { Overview } from '../node/overview.js';
import type { PlacementView } from '../node/placement-view.js';
import type { Export } from '../orders/export.js';
import type { ForgetUser } from '../orders/forget-user.js';
import type { OrderNumbers } from '../orders/numbers.js';
import type { OrderActs } from '../orders/order-acts.js';
import type { Orders } from '../orders/orders.js';
import type { WebhookRoutes } from '../webhooks/webhook-routes.js';
import { mustBeOfType, readJson } from '../wire/json-body.js';
import type { ApiRequest, Handler } from './api-request.js';
import type { ErrorCode } from './errors.js';
import type { Answer } from './reply.js';
import { readParams, readQuery, validated } from './schemas.js';

/** The objects whose methods handle the operations. */
export interface Handlers {
  readonly orders: Orders;
  readonly orderActs: OrderActs;
  readonly numbers: OrderNumbers;
  readonly forgetting: ForgetUser;
  readonly exports: Export;
  readonly inventory: Inventory;
  readonly imports: Import;
  readonly health: Health;
  readonly placement: PlacementView;
  readonly overview: Overview;
  readonly me: Me;
  readonly gremlin: GremlinRoutes;
  readonly webhooks: WebhookRoutes;
  readonly backup: BackupRoutes;
  readonly live: Live;
  /** reference.ts imports the table of operations. Only its shape is named here, to avoid an import cycle. */
  readonly reference: {
    document(): Promise<Answer>;
    eventSchemas(): Promise<Answer>;
    page(request: ApiRequest): Promise<Answer>;
  };
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export type Tag = 'Orders' | 'Inventory' | 'Events' | 'Webhooks' | 'Operations';

export interface Success {
  readonly description: string;
  readonly schema: z.ZodType;
  readonly example: unknown;
  /** JSON by default. */
  readonly contentType?: string;
  /** A second form, for clients that prefer it. */
  readonly also?: { readonly contentType: string; readonly example: string };
  /** Names of its headers beside the common ones (openapi.ts describes them). */
  readonly headers?: readonly string[];
}

interface Common {
  readonly method: Method;
  /** Such as `/api/orders/:order_id`. A path under /api/ is also served under /api/v1/. */
  readonly path: string;
  /** Unique, in camel case: the name of the method in generated clients. */
  readonly id: string;
  readonly tag: Tag;
  readonly scope: Demand;
  /** `both` means that the inventory port serves it too. */
  readonly ports: 'main' | 'both';
  readonly summary: string;
  readonly description?: string;
  /** Headers that it uses. They are read where they are needed (api-request.ts). Most are ignored if malformed. */
  readonly headers?: Readonly<Record<string, z.ZodType>>;
  /** Example requests, each with a name. */
  readonly examples?: readonly Example[];
  /** Bypasses Koa and its router (hot-routes.ts). Such a path has no parameters. */
  readonly hot?: boolean;
  /** Its answers have an ETag. A client that already has that version (If-None-Match) gets 304. */
  readonly etag?: boolean;
  /** The body may be left out. Then it is `{}`. */
  readonly optionalBody?: boolean;
  /** The body is not JSON. The handler reads `request.req` itself. */
  readonly stream?: { readonly contentType: string; readonly example: string };
  /** The reply has no end. Whoever tries the examples must hang up. */
  readonly endless?: boolean;
  /** It changes how the node treats every client. The generated requests (test/faults) do not use it. */
  readonly disruptive?: boolean;
  readonly success: Readonly<Record<number, Success>>;
  /** Error codes beside those of every operation of its kind (`codesOf`). */
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
      // Undeclared input is not read: the type of the handler's input is empty there.
      const input = {
        params: params === undefined ? NONE : readParams(params, request.params),
        query: queryOf(request.req.url ?? ''),
        body: body === undefined ? {} : validated(body, await readJson(request.req, optionalBody)),
      } as Input<P, Q, B>;
      return await handle(handlers, input, request); // Returning the promise without await would take two more turns.
    },
  };
}

/** Probes and browsers may add parameters to other addresses, such as a number that defeats caches. */
const strayParameters = ({ path }: Pick<Common, 'path'>): 'refused' | 'ignored' =>
  /^\/(api|internal)\//.test(path) ? 'refused' : 'ignored';

/** Every error code that the operation may answer, including those of every operation of its kind. */
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
