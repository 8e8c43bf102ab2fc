/** EVENTS.md, made from the table of types (actors/events/event-types.ts) and from events as they are published. */
import { namedRows } from '../../actors/events/event-schemas.js';
import { eventTypes, type Schema } from '../../actors/events/event-types.js';
import { examples, type Told } from './event-examples.js';

export const EVENTS_PAGE = 'EVENTS.md';

export function eventsPage(): string {
  const told = new Map(examples().map((event) => [event.type, event]));
  const confirmed = told.get('order.confirmed.v1') as Told;
  const { order, product } = eventTypes;
  const ofOrders = fieldsOf(order.confirmed);
  const ofProducts = new Map([...fieldsOf(product.held)].filter(([name]) => fieldsOf(product.adjusted).has(name)));
  const shared = new Map([...ofOrders, ...ofProducts]);
  return `${[
    INTRODUCTION,
    `\`\`\`json\n${JSON.stringify(confirmed, null, 2)}\n\`\`\``,
    RULES,
    '## What every event of an order tells',
    table(ofOrders),
    '## What every event of a product tells',
    table(ofProducts),
    '## The types',
    'Each entry has the fields of its own, and an example of `data`.',
    ...namedRows.map(({ type, row }) => {
      const own = [...fieldsOf(row)].filter(([name, { isAlways }]) => {
        const known = shared.get(name);
        return known === undefined || known.isAlways !== isAlways;
      });
      return entry(type, row.when, new Map(own), told.get(type) as Told);
    }),
  ].join('\n\n')}\n`;
}

const INTRODUCTION = `# Public events

Everything that happens to an order or to a product's stock is told on the JetStream stream \`EVENTS\`: after it is durable, once,
and for each order and product in its order. Each message is one turn of one node, a JSON array of
[CloudEvents](https://cloudevents.io). This page is made from the table in the code (\`npm run docs:events\`), and a test compares
them. The same as JSON Schemas: http://127.0.0.1:3000/schemas/events.json.

An event:`;

const RULES = `## Rules

- **Id.** \`id\` is \`order/<id>/<version>\` or \`product/<id>/<version>\`. Versions count an order's or a product's events from 1 without a
  gap. An id never changes, also where a node publishes a turn again. To drop repeats, compare ids.
- **Source.** \`source\` names the system for its life: \`/holdfast/<system id>\`. \`correlationid\` is the request that led to the event.
- **Trace.** \`traceparent\` (W3C Trace Context) is there where that request is in a trace: it was sampled here, or its caller sent one. Its flag says
  whether it was sampled. Whoever goes on under it is in the request's trace.
- **Schema.** \`type\` ends in a version. \`dataschema\` is the \`$id\` of the schema of \`data\`. A type changes by addition alone: readers
  ignore fields and words that they do not know. Any other change takes a new type.
- **Amounts.** \`total_amount\`, \`unit_price\` and \`amount\` are decimals of the currency beside them. \`total_minor\`, \`unit_price_minor\` and
  \`amount_minor\` are the same as whole numbers of minor units (cents). Compute with these.
- **Unknown is absent.** A field that is not known yet has no member. Turns that older versions of Holdfast wrote tell less: there the order's
  user, total and lines, and a product's stock, may be absent.
- **Lines.** \`items\` are all lines of the order. In \`stock_arrived\`, \`shipped\` and \`return_requested\` they are the part that
  the event is about.
- **People.** E-mail, addresses and notes are left out, unless \`EVENTS_PERSONAL=on\`. An address is always an object. One that the client sent as
  text is \`{"text": "..."}\`. Turns that are published once more follow the setting of that moment.`;

type Row = (typeof namedRows)[number]['row'];

interface Field {
  readonly schema: Schema;
  readonly isAlways: boolean;
}

const fieldsOf = ({ always, optional }: Row): Map<string, Field> =>
  new Map([
    ...Object.entries(always).map(([name, schema]): [string, Field] => [name, { schema, isAlways: true }]),
    ...Object.entries(optional)
      .filter(([name]) => !(name in always))
      .map(([name, schema]): [string, Field] => [name, { schema, isAlways: false }]),
  ]);

const entry = (type: string, when: string, own: Map<string, Field>, { data }: Told): string =>
  [`### ${type}`, when, ...(own.size === 0 ? [] : [table(own)]), `\`\`\`json\n${JSON.stringify(data)}\n\`\`\``].join(
    '\n\n',
  );

const table = (fields: Map<string, Field>): string =>
  [
    '| field | type | always | what |',
    '|---|---|---|---|',
    ...[...fields].map(
      ([name, { schema, isAlways }]) =>
        `| \`${name}\` | ${kindOf(schema)} | ${isAlways ? 'yes' : ''} | ${schema.description ?? ''}${wordsOf(schema)} |`,
    ),
  ].join('\n');

const kindOf = ({ type, items }: Schema): string =>
  type === 'array'
    ? `list of ${(items as Schema).type === 'object' ? 'objects' : 'text'}`
    : (NAMES[String(type)] ?? '');

const NAMES: { readonly [type: string]: string } = {
  string: 'text',
  integer: 'whole number',
  number: 'decimal',
  boolean: 'true or false',
  object: 'object',
};

function wordsOf({ enum: words, items }: Schema): string {
  if (Array.isArray(words)) return ` One of ${words.map((word) => `\`${word}\``).join(', ')}.`;
  const { properties, required = [] } = (items ?? {}) as { properties?: object; required?: readonly string[] };
  if (properties === undefined) return '';
  const named = Object.keys(properties).map((name) => `\`${name}\`${required.includes(name) ? '' : ' where known'}`);
  return ` Each has ${named.join(', ')}.`;
}
