/**
 * Requests made from the OpenAPI document of a running Holdfast: valid, nearly valid and hostile.
 * An operation that is added to the document is covered by itself. Operations that change the whole node are left out.
 */
import {
  type Described,
  type Document,
  type JsonSchema,
  type Parameter,
  parameterOf,
} from '../../../http/docs/openapi.js';
import {
  CONTENT_TYPES,
  HEADERS,
  HOSTILE_JSON,
  HOSTILE_TEXTS,
  HOSTILE_VALUES,
  METHODS,
  PATHS,
} from './hostile-values.js';

export interface Generated {
  readonly kind: 'valid' | 'nearly valid' | 'hostile';
  readonly method: string;
  /** The path as it is sent. */
  readonly target: string;
  readonly bytes: Buffer;
}

/** Real ids by the name of a parameter or field, so that valid requests also find something. */
type Known = { readonly [name: string]: readonly (string | number)[] };

interface Draft {
  method: string;
  target: string;
  /** Header lines. */
  headers: string[];
  /** A value is sent as JSON, a text unchanged, undefined as no body. */
  body: unknown;
  contentType: string | undefined;
}

type Schema = JsonSchema & {
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: { readonly [name: string]: Schema };
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
};

const DEEPEST = 5;
/** Also for `__proto__`, which a plain assignment would not store as a field. */
const PLAIN = { enumerable: true, configurable: true, writable: true };

export class Requests {
  private readonly operations: readonly {
    readonly method: string;
    readonly path: string;
    readonly operation: Described;
  }[];
  private readonly random: () => number;

  constructor(
    private readonly document: Document,
    private readonly known: Known,
    seed: number,
    leaveOut: (operationId: string) => boolean,
    /** Sent with every request. */
    private readonly credential: Readonly<Record<string, string>> = {},
  ) {
    this.random = mulberry32(seed);
    this.operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods)
        .filter(([, { operationId }]) => !leaveOut(operationId))
        .map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
    );
  }

  next(): Generated {
    const draft = this.valid();
    const luck = this.random();
    const kind = luck < 0.3 ? 'valid' : luck < 0.65 ? 'nearly valid' : 'hostile';
    if (kind === 'nearly valid') this.spoilOne(draft);
    if (kind === 'hostile') {
      for (let i = this.below(3); i >= 0; i--) this.spoilOne(draft);
      this.pick([this.spoilMethod, this.spoilTarget, this.spoilBody, this.spoilHeader]).call(this, draft);
    }
    return { kind, method: draft.method, target: draft.target, bytes: this.bytesOf(draft) };
  }

  // -------------------------------------------------------------- valid

  private valid(): Draft {
    const { method, path, operation } = this.pick(this.operations);
    const parameters = this.parametersOf(operation);
    const isGiven = ({ required }: Parameter) => required || this.random() < 0.4;
    const values = new Map(parameters.filter(isGiven).map((one) => [one, this.value(one.schema, one.name, 0)]));
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => {
      const found = [...values].find(([one]) => one.in === 'path' && one.name === name);
      return encoded(String(found?.[1] ?? 'x'));
    });
    const queried = [...values].filter(([one]) => one.in === 'query');
    const query = queried.map(([one, value]) => `${one.name}=${encoded(String(value))}`).join('&');
    const headers = [...values]
      .filter(([one]) => one.in === 'header')
      .map(([one, value]) => `${one.name}: ${String(value)}`);
    const prefixed = this.random() < 0.3 ? filled.replace(/^\/api\//, '/api/v1/') : filled;
    const [type, media] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
    const shown = Object.values(media?.examples ?? {}).map(({ value }) => value);
    const isShown = shown.length > 0 && this.random() < 0.5;
    const body = media === undefined ? undefined : isShown ? this.pick(shown) : this.value(media.schema, '', 0);
    return {
      method: method === 'GET' && this.random() < 0.05 ? 'HEAD' : method,
      target: query === '' ? prefixed : `${prefixed}?${query}`,
      headers,
      body: structuredClone(body),
      contentType: type,
    };
  }

  private value(given: JsonSchema, name: string, depth: number): unknown {
    const schema = this.resolved(given);
    const known = this.known[name];
    if (known !== undefined && known.length > 0 && this.random() < 0.8) return this.pick(known);
    if (schema.const !== undefined) return schema.const;
    if (schema.enum !== undefined) return this.pick(schema.enum);
    if (schema.anyOf !== undefined) return this.value(this.pick(schema.anyOf), name, depth);
    const number = (of: unknown, otherwise: number) => (typeof of === 'number' ? of : otherwise);
    switch (schema.type) {
      case 'object':
        return Object.fromEntries(
          Object.entries(schema.properties ?? {})
            .filter(([key]) => schema.required?.includes(key) === true || (depth < DEEPEST && this.random() < 0.3))
            .map(([key, inner]) => [key, this.value(inner, key, depth + 1)]),
        );
      case 'array': {
        const least = number(schema.minItems, 0);
        const length = Math.min(least + this.below(4), number(schema.maxItems, 4));
        return Array.from({ length }, () => this.value(schema.items ?? {}, name.replace(/s$/, ''), depth + 1));
      }
      case 'integer':
      case 'number': {
        const least = number(schema.minimum, 0);
        const most = Math.min(number(schema.maximum, 100), Number.MAX_SAFE_INTEGER);
        const near = this.pick([least, least + 1, most, least + 1 + this.below(10)]);
        return Math.min(most, near);
      }
      case 'boolean':
        return this.random() < 0.5;
      default: {
        if (schema.pattern === '^[A-Z]{3}$') return this.pick(['USD', 'EUR', 'JPY']);
        if (schema.format === 'date-time') return new Date(1.7e12 + this.below(1e9)).toISOString();
        return `v${this.below(1_000)}`.slice(0, number(schema.maxLength, 50));
      }
    }
  }

  private parametersOf({ parameters }: Described): Parameter[] {
    return parameters.flatMap((one) => parameterOf(one, this.document) ?? []);
  }

  private resolved(schema: JsonSchema): Schema {
    const name = typeof schema.$ref === 'string' ? schema.$ref.split('/').at(-1) : undefined;
    return name === undefined ? schema : (this.document.components.schemas[name] ?? {});
  }

  // -------------------------------------------------------------- not valid

  private spoilOne(draft: Draft): void {
    const luck = this.random();
    if (draft.body !== undefined && luck < 0.55) this.spoilField(draft);
    else if (luck < 0.75) this.spoilPart(draft);
    else if (luck < 0.9) this.spoilHeader(draft);
    else if (draft.body !== undefined) draft.contentType = this.pick(CONTENT_TYPES);
    else this.spoilPart(draft);
  }

  /** Changes one field somewhere in the body: another value, absent, or one too many. */
  private spoilField(draft: Draft): void {
    const places: { readonly inside: Record<string, unknown>; readonly name: string }[] = [];
    const walk = (value: unknown) => {
      if (typeof value !== 'object' || value === null) return;
      for (const name of Object.keys(value)) {
        places.push({ inside: value as Record<string, unknown>, name });
        walk((value as Record<string, unknown>)[name]);
      }
    };
    walk(draft.body);
    if (places.length === 0) {
      if (typeof draft.body !== 'object') draft.body = this.pick(HOSTILE_TEXTS);
      return;
    }
    const { inside, name } = this.pick(places);
    const luck = this.random();
    if (luck < 0.6) inside[name] = structuredClone(this.pick(HOSTILE_VALUES));
    else if (luck < 0.8) delete inside[name];
    else Object.defineProperty(inside, this.pick(HOSTILE_TEXTS), { value: 1, ...PLAIN });
  }

  /** Changes a segment of the path, or a parameter. */
  private spoilPart(draft: Draft): void {
    const [path = '', query = ''] = draft.target.split('?', 2);
    const text = () => encoded(this.pick(HOSTILE_TEXTS)).slice(0, 10_000);
    if (this.random() < 0.4) {
      const parts = path.split('/');
      parts[parts.length - 1 - this.below(Math.min(2, parts.length - 2))] = text();
      draft.target = parts.join('/') + (query === '' ? '' : `?${query}`);
      return;
    }
    const names = this.operations.flatMap(({ operation }) =>
      this.parametersOf(operation).flatMap((one) => (one.in === 'query' ? [one.name] : [])),
    );
    const name = names.length === 0 || this.random() < 0.1 ? text() : this.pick(names);
    draft.target = `${path}?${query === '' ? '' : `${query}&`}${name}=${text()}`;
  }

  private spoilHeader(draft: Draft): void {
    draft.headers.push(this.pick(HEADERS));
  }

  private spoilMethod(draft: Draft): void {
    draft.method = this.pick(METHODS);
  }

  private spoilTarget(draft: Draft): void {
    draft.target = this.pick(PATHS);
  }

  private spoilBody(draft: Draft): void {
    draft.body = this.random() < 0.01 ? 'x'.repeat(1_100_000) : this.pick(HOSTILE_JSON);
    draft.contentType ??= 'application/json';
  }

  // -------------------------------------------------------------- machinery

  private bytesOf({ method, target, headers, body, contentType }: Draft): Buffer {
    const content =
      body === undefined ? undefined : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    const credential = Object.entries(this.credential).map(([name, value]) => `${name}: ${value}`);
    const lines = [`${method} ${target} HTTP/1.1`, 'Host: 127.0.0.1', ...credential, ...headers];
    if (contentType !== undefined) lines.push(`Content-Type: ${contentType}`);
    if (content !== undefined) lines.push(`Content-Length: ${content.length}`);
    return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), content ?? Buffer.alloc(0)]);
  }

  private below(n: number): number {
    return Math.floor(this.random() * n);
  }

  private pick<T>(from: readonly T[]): T {
    const [first] = from;
    if (first === undefined && from.length === 0) throw new Error('nothing to choose from');
    return from[this.below(from.length)] as T;
  }
}

/** A lone surrogate cannot be written as UTF-8: it is sent as its invalid bytes. */
const encoded = (text: string): string => (/\p{Cs}/u.test(text) ? '%ED%A0%80' : encodeURIComponent(text));

/** A small seeded generator, good enough to choose with. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
