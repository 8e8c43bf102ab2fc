/**
 * The OpenAPI 3.1 document, made from the table of operations and the schemas that validate requests. No fact is
 * written twice: a route's answers are in its row, and the meaning of an error code is in errors.ts.
 */
import { z } from 'zod';
import type { Demand, Scope } from '../../actors/principal.js';
import { errorReply, problemReply } from '../api/envelopes.js';
import { ERRORS, type ErrorCode, exampleOf } from '../api/errors.js';
import { codesOf, type Operation, type Tag } from '../api/operation.js';
import { problemOf } from '../api/problem.js';

// ---------------------------------------------------------------- shape

export type JsonSchema = { readonly [word: string]: unknown };

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly description?: string;
  readonly schema: JsonSchema;
}

export interface Media {
  readonly schema: JsonSchema;
  readonly examples?: { readonly [name: string]: { readonly summary?: string; readonly value: unknown } };
}

export interface Reference {
  readonly $ref: string;
}

export interface Reply {
  readonly description: string;
  readonly headers?: { readonly [name: string]: Reference };
  readonly content?: { readonly [type: string]: Media };
}

export interface Described {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly tags: readonly Tag[];
  readonly security: readonly { readonly bearer?: readonly Scope[] }[];
  readonly parameters: readonly (Parameter | Reference)[];
  readonly requestBody?: { readonly required: boolean; readonly content: { readonly [type: string]: Media } };
  readonly responses: { readonly [status: string]: Reply | Reference };
}

export interface Document {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string; readonly [more: string]: unknown };
  readonly servers: readonly { readonly url: string; readonly description: string }[];
  readonly tags: readonly { readonly name: Tag; readonly description: string }[];
  readonly paths: { readonly [path: string]: { readonly [method: string]: Described } };
  readonly components: {
    readonly schemas: { readonly [name: string]: JsonSchema };
    readonly responses: { readonly [name: string]: Reply };
    readonly parameters: { readonly [name: string]: Parameter };
    readonly [more: string]: { readonly [name: string]: unknown };
  };
}

const ABOUT = [
  'Orders and stock over HTTP. Each path under `/api/` also works under `/api/v1/`, with the same answers.',
  'A success is `{"status":"success","message"?,"data"}`. A list has `pagination` beside `data`. An error is `{"status":"error","code","message","errors":[{"field","message"}]}`. A client that prefers `application/problem+json` to `application/json` gets the same error as RFC 9457 problem details.',
  'A write that is answered with 2xx is on disk. A 503 is not a refusal: the write may still take effect. Send the same request again with the same `Idempotency-Key`. Nothing happens twice.',
  'Each GET also answers HEAD, and each path answers OPTIONS. Unknown or repeated query parameters under `/api/` and `/internal/` are refused, and so are unknown fields of a body.',
].join('\n\n');

const TAGS: { readonly [T in Tag]: string } = {
  Orders: 'Place orders and follow them to their end.',
  Inventory: 'The stock, what orders hold of it, and every movement.',
  Webhooks: 'Events, sent to receivers elsewhere.',
  Events: 'What happens, as it happens.',
  Operations: 'For the operator of a node.',
};

const string = { type: 'string' } as const;

const HEADERS: { readonly [name: string]: { readonly description: string; readonly schema: JsonSchema } } = {
  'X-Request-ID': {
    description: 'The id of this request, as you sent it or as Holdfast made it. The log has it.',
    schema: string,
  },
  'X-Correlation-ID': {
    description: 'The id of everything that follows from this request, as you sent it or as Holdfast made it.',
    schema: string,
  },
  Link: {
    description: 'The addresses of the first and the next page of a list that is read by cursor.',
    schema: string,
  },
  'List-Age-Ms': {
    description:
      'Milliseconds that the list may be behind what the node that answers has done, with the lag of the read replica where it comes from one.',
    schema: { type: 'integer' },
  },
  Location: { description: 'The path of the order, or of the webhook.', schema: string },
  ETag: {
    description: 'The version of the answer, for `If-None-Match`. The one of an order also serves `If-Match`.',
    schema: string,
  },
  'WWW-Authenticate': { description: 'How to authenticate: Bearer.', schema: string },
  Allow: { description: 'The methods that this path allows.', schema: string },
  'Idempotency-Replayed': {
    description: '`true` if this request was answered before under its key.',
    schema: { type: 'string', enum: ['true'] },
  },
  'Preference-Applied': { description: 'The part of `Prefer` that was applied.', schema: string },
  'RateLimit-Limit': {
    description: 'How many requests a window allows. Present only if there is a limit.',
    schema: { type: 'integer' },
  },
  'RateLimit-Remaining': { description: 'How many requests are left in the window.', schema: { type: 'integer' } },
  'RateLimit-Reset': { description: 'Seconds until the window ends.', schema: { type: 'integer' } },
  'Retry-After': { description: 'Seconds to wait before you try again.', schema: { type: 'integer' } },
};

// ---------------------------------------------------------------- the document

export function openApiDocument(operations: readonly Operation[], version: string): Document {
  const components = new Components();
  const paths: Record<string, Record<string, Described>> = {};
  for (const operation of operations) {
    const path = operation.path.replace(/:(\w+)/g, '{$1}');
    const here = paths[path] ?? {};
    here[operation.method.toLowerCase()] = described(operation, components);
    paths[path] = here;
  }
  return {
    openapi: '3.1.1',
    info: { title: 'Holdfast', version, description: ABOUT, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: '/', description: 'This node.' }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name: name as Tag, description })),
    paths,
    components: {
      schemas: components.schemas,
      responses: components.responses,
      headers: HEADERS,
      parameters: components.parameters,
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'Needed if `AUTH` is on. Each operation names the scope that it needs.',
        },
      },
    },
  };
}

const header = (name: string, description: string, pattern?: string): Parameter => ({
  ...{ name, in: 'header', required: false, description },
  schema: { ...string, ...(pattern !== undefined && { pattern }) },
});

const ID_HEADER = '^[!-~]{1,255}$';
const IF_NONE_MATCH = header(
  'If-None-Match',
  'The ETag that you have. Its version is answered with 304, without a body.',
);
/** Every operation reads them. */
const ID_HEADERS = [
  header('X-Request-ID', 'Returned in the reply and logged. Holdfast makes one if you send none.', ID_HEADER),
  header('X-Correlation-ID', 'Returned in the reply, and kept in the log, the history and every event.', ID_HEADER),
];

export const isEverywhere = (header: string): boolean => ID_HEADERS.some(({ name }) => name === header);

/** OpenAPI's security requirements cannot express this. */
const FOR_SERVICES = 'Only a service can do this. A customer cannot, even with its own order.';

function described(operation: Operation, components: Components): Described {
  const { id, summary, description, tag, scope, etag = false } = operation;
  const body = requestBody(operation, components);
  const paragraphs = [description ?? [], scope.startsWith('service:') ? FOR_SERVICES : []].flat();
  const parameters = [
    ...parametersOf(operation.params, 'path', components),
    ...parametersOf(operation.query, 'query', components),
    ...parametersOf(z.object(operation.headers ?? {}).partial(), 'header', components),
    ...(etag ? [IF_NONE_MATCH] : []),
    ...ID_HEADERS,
  ];
  return {
    operationId: id,
    summary,
    ...(paragraphs.length > 0 && { description: paragraphs.join('\n\n') }),
    tags: [tag],
    security: securityOf(scope),
    parameters: parameters.map((parameter) => components.parameter(parameter)),
    ...(body !== undefined && { requestBody: body }),
    responses: { ...successes(operation, components), ...failures(operation, components) },
  };
}

/** An empty requirement means that no credentials are needed. */
function securityOf(demand: Demand): Described['security'] {
  if (demand === 'none') return [];
  if (demand === 'told') return [{}, { bearer: [] }];
  return [{ bearer: demand === 'any' ? [] : [demand.replace('service:', '') as Scope] }];
}

function parametersOf(shape: z.ZodObject, where: Parameter['in'], components: Components): Parameter[] {
  const { properties = {}, required = [] } = components.schema(shape) as {
    readonly properties?: { readonly [name: string]: JsonSchema };
    readonly required?: readonly string[];
  };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    ...{ name, in: where, required: required.includes(name) },
    ...(typeof description === 'string' && { description }),
    schema,
  }));
}

function requestBody(operation: Operation, components: Components): Described['requestBody'] {
  const { body, optionalBody = false, stream, examples = [] } = operation;
  if (stream !== undefined) {
    const examples = { Example: { value: stream.example } };
    return { required: true, content: { [stream.contentType]: { schema: string, examples } } };
  }
  if (body === undefined) return undefined;
  const shown = examples.flatMap(({ name, body: value }) =>
    value === undefined ? [] : [[name.replaceAll(' ', '_'), { summary: name, value }] as const],
  );
  const media: Media = { schema: components.schema(body), examples: Object.fromEntries(shown) };
  return { required: !optionalBody, content: { 'application/json': media } };
}

// ---------------------------------------------------------------- answers

function successes({ path, success, etag = false }: Operation, components: Components): Described['responses'] {
  const replies: Record<string, Reply> = {};
  for (const [
    status,
    { description, schema, example, contentType = 'application/json', headers = [], also },
  ] of Object.entries(success)) {
    replies[status] = {
      description,
      headers: headersOf([...headers, ...(etag ? ['ETag'] : []), ...(path.startsWith('/api/') ? RATE : [])]),
      content: {
        [contentType]: { schema: components.schema(schema), examples: { Example: { value: example } } },
        ...(also && { [also.contentType]: { schema: string, examples: { Example: { value: also.example } } } }),
      },
    };
  }
  if (etag) replies[304] = { description: 'You already have this version.', headers: headersOf(['ETag']) };
  return replies;
}

function failures(operation: Operation, components: Components): Described['responses'] {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codesOf(operation)) {
    const { status } = ERRORS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const replies: Record<string, Reply | Reference> = {};
  for (const [status, codes] of byStatus) {
    const own = operation.success[status];
    if (own !== undefined) {
      const { description, schema, example } = own;
      const either = z.union([schema, errorReply]);
      replies[status] = {
        ...failure(status, codes, components),
        description: `${description} ${codes.map((code) => ERRORS[code].title).join(', ')}.`,
        content: {
          'application/json': { schema: components.schema(either), examples: { Example: { value: example } } },
        },
      };
      continue;
    }
    const name = codes.join('_or_');
    components.responses[name] ??= failure(status, codes, components);
    replies[status] = refTo('responses', name);
  }
  return replies;
}

function failure(status: number, codes: readonly ErrorCode[], components: Components): Reply {
  const shown = (show: (example: object) => unknown) =>
    Object.fromEntries(codes.map((code) => [code, { summary: ERRORS[code].title, value: show(exampleOf(code)) }]));
  const more =
    {
      401: ['WWW-Authenticate'],
      402: ['Idempotency-Replayed'],
      405: ['Allow'],
      409: ['Idempotency-Replayed'],
      429: ['Retry-After', ...RATE],
      503: ['Retry-After'],
    }[status] ?? [];
  return {
    description: codes.map((code) => `\`${code}\`: ${ERRORS[code].when}`).join('\n\n'),
    headers: headersOf(more),
    content: {
      'application/json': { schema: components.schema(errorReply), examples: shown((example) => example) },
      'application/problem+json': {
        schema: components.schema(problemReply),
        examples: shown((example) => JSON.parse(problemOf(status, JSON.stringify(example), '/api/orders'))),
      },
    },
  };
}

/** Headers of every reply of the API if RATE_LIMIT is set. */
const RATE = ['RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset'];

const headersOf = (more: readonly string[]): { readonly [name: string]: Reference } =>
  Object.fromEntries([...more, 'X-Request-ID', 'X-Correlation-ID'].map((name) => [name, refTo('headers', name)]));

const refTo = (kind: string, name: string): Reference => ({ $ref: `#/components/${kind}/${name}` });

/** The parameter itself, or the one that the reference leads to. */
export const parameterOf = (one: Parameter | Reference, { components }: Document): Parameter | undefined =>
  '$ref' in one ? components.parameters[one.$ref.split('/').at(-1) ?? ''] : one;

// ---------------------------------------------------------------- components

/** The components that operations share, each of them once. */
class Components {
  readonly schemas: Record<string, JsonSchema> = {};
  readonly parameters: Record<string, Parameter> = {};
  readonly responses: Record<string, Reply> = {};

  /** A reference, unless a different parameter already has this name and place. */
  parameter(parameter: Parameter): Parameter | Reference {
    const name = `${parameter.in}.${parameter.name}`;
    this.parameters[name] ??= parameter;
    const isTheSame = JSON.stringify(this.parameters[name]) === JSON.stringify(parameter);
    return isTheSame ? refTo('parameters', name) : parameter;
  }

  /** The JSON Schema of a Zod schema. A schema with an id becomes a component. */
  schema(schema: z.ZodType): JsonSchema {
    // Wrapped in an object, so that an outermost schema with an id becomes a reference too.
    const whole = z.toJSONSchema(z.object({ it: schema }), { io: 'input', unrepresentable: 'any' });
    const { $defs = {}, properties = {} } = JSON.parse(
      JSON.stringify(whole).replaceAll('"#/$defs/', '"#/components/schemas/'),
    ) as { readonly $defs?: Record<string, JsonSchema>; readonly properties?: { readonly it?: JsonSchema } };
    for (const [name, made] of Object.entries($defs)) {
      const { id: _id, ...schema } = made;
      const known = this.schemas[name];
      if (known !== undefined && JSON.stringify(known) !== JSON.stringify(schema)) {
        throw new Error(`Two schemas have the id ${name}.`);
      }
      this.schemas[name] = schema;
    }
    return properties.it ?? {};
  }
}
