/** Shows a JSON Schema as a list of fields: the name, such as `items[].quantity`, the type, the limits, the meaning. */
import { type Html, html, inline } from './html.js';
import type { JsonSchema } from './openapi.js';

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: { readonly [name: string]: Schema };
  readonly required?: readonly string[];
  readonly description?: string;
  readonly format?: string;
  readonly [limit: string]: unknown;
}

type Named = { readonly [name: string]: JsonSchema };

interface Field {
  readonly name: string;
  readonly schema: Schema;
  readonly isRequired: boolean;
}

const DEEPEST = 4;

/** The fields that are marked: the required ones of a request, the optional ones of a reply. */
type Marked = 'required' | 'optional';

export const fieldList = (schema: JsonSchema, named: Named, marked: Marked): Html =>
  rows(fieldsOf(resolved(schema, named), named, '', 0), named, marked);

export const rows = (fields: readonly Field[], named: Named, marked: Marked): Html =>
  html`<dl class="fields">${fields.map(({ name, schema, isRequired }) => {
    const { description } = schema;
    const limits = limitsOf(schema);
    const isMarked = isRequired === (marked === 'required');
    const needed = isMarked ? html`<span class="needed">${marked}</span>` : undefined;
    const notes = [description, limits].filter((note) => note !== undefined && note !== '').join(' ');
    return html`<div><dt><code>${name}</code><span class="type">${typeOf(schema, named)}</span>${needed}</dt>${
      notes === '' ? undefined : html`<dd>${inline(notes)}</dd>`
    }</div>`;
  })}</dl>`;

// ---------------------------------------------------------------- machinery

function resolved(schema: JsonSchema | Schema, named: Named): Schema {
  const name = typeof schema.$ref === 'string' ? schema.$ref.split('/').at(-1) : undefined;
  return name === undefined ? schema : ((named[name] ?? {}) as Schema);
}

function fieldsOf(schema: Schema, named: Named, before: string, depth: number): Field[] {
  const { properties = {}, required = [], items } = schema;
  if (items !== undefined && depth === 0) return fieldsOf(resolved(items, named), named, `${before}[].`, depth + 1);
  return Object.entries(properties).flatMap(([name, given]) => {
    const inner = resolved(given, named);
    const path = before + name;
    const own: Field = { name: path, schema: given, isRequired: required.includes(name) };
    if (depth >= DEEPEST) return [own];
    const element = inner.items === undefined ? undefined : resolved(inner.items, named);
    if (element?.properties !== undefined) return [own, ...fieldsOf(element, named, `${path}[].`, depth + 1)];
    return inner.properties === undefined ? [own] : [own, ...fieldsOf(inner, named, `${path}.`, depth + 1)];
  });
}

function typeOf(given: Schema, named: Named): string {
  const schema = resolved(given, named);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((word) => String(word)).join(' | ');
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map((one) => typeOf(one, named)))].join(' or ');
  if (schema.items !== undefined) return `list of ${typeOf(schema.items, named)}`;
  const [name] = typeof given.$ref === 'string' ? [given.$ref.split('/').at(-1) ?? ''] : [];
  if (name !== undefined) return name;
  const type = typeof schema.type === 'string' ? schema.type : (schema.type ?? ['any']).join(' or ');
  return schema.format === undefined ? type : `${type}, ${schema.format}`;
}

const plain = (n: unknown): string => Number(n).toLocaleString('en-US');

/** One sentence per limit, or an empty text. */
function limitsOf(schema: Schema): string {
  const { minimum, maximum, minLength, maxLength, minItems, maxItems, pattern } = schema;
  const said = [
    range(minimum, maximum, ''),
    range(minLength, maxLength, ' characters'),
    range(minItems, maxItems, ' entries'),
    pattern === undefined ? '' : `Matches \`${pattern}\``,
  ];
  return said.flatMap((limit) => (limit === '' ? [] : [`${limit}.`])).join(' ');
}

function range(from: unknown, to: unknown, unit: string): string {
  // The largest number that JSON can hold is not worth showing.
  const isLimit = typeof to === 'number' && to < Number.MAX_SAFE_INTEGER;
  if (from === undefined || Number(from) <= -Number.MAX_SAFE_INTEGER)
    return isLimit ? `At most ${plain(to)}${unit}` : '';
  if (isLimit) return `${plain(from)} to ${plain(to)}${unit}`;
  return from === 1 && unit !== '' ? 'Not empty' : `At least ${plain(from)}${unit}`;
}
