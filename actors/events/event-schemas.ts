/**
 * The JSON Schema (2020-12) of public events, made from the table of types. The schema itself is of one whole event, which it
 * checks by its type. Of each type's `data` there is a schema among the `$defs`, whose `$id` the event's `dataschema` names.
 * Readers must allow further fields: data grows by addition.
 */
import { eventType, schemaId } from './event-names.js';
import { type EventRow, eventTypes, type Schema } from './event-types.js';

interface NamedRow {
  readonly type: string;
  readonly row: EventRow;
}

/** Every type with its row, orders first. */
export const namedRows: readonly NamedRow[] = (['order', 'product'] as const).flatMap((kind) =>
  Object.entries(eventTypes[kind]).map(([event, row]) => ({ type: eventType(kind, event), row })),
);

/** The schema of a type's `data`. */
const dataSchema = ({ type, row }: NamedRow): Schema => ({
  $id: schemaId(type),
  title: type,
  description: row.when,
  type: 'object',
  properties: { ...row.always, ...row.optional, ...row.always },
  required: Object.keys(row.always),
});

export const eventSchemas = (): Schema => ({
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: schemaId('events'),
  title: 'A public event of Holdfast',
  description:
    'A CloudEvents 1.0 event. A message on EVENTS is an array of them. The schema of `data` is the one that `dataschema` names. Amounts in minor units are exact; most readers round a decimal of more than 15 digits.',
  type: 'object',
  properties: {
    specversion: { const: '1.0' },
    id: { type: 'string', description: '`<kind>/<order or product id>/<version>`. It never changes.' },
    source: { type: 'string', description: 'The system: `/holdfast/<system id>`.' },
    type: { type: 'string', enum: namedRows.map(({ type }) => type) },
    dataschema: { type: 'string', description: 'The `$id` of the schema of `data`.' },
    subject: { type: 'string', description: "The order's or the product's id." },
    time: { type: 'string', format: 'date-time', description: 'When it was decided.' },
    datacontenttype: { const: 'application/json' },
    correlationid: { type: 'string', description: 'The request that led to it (X-Request-Id, or drawn).' },
    traceparent: {
      type: 'string',
      description:
        'The trace of that request (W3C Trace Context), if it was sampled or its caller sent one; else absent.',
    },
    data: { type: 'object' },
  },
  required: [
    ...['specversion', 'id', 'source', 'type', 'dataschema', 'subject', 'time', 'datacontenttype', 'correlationid'],
    'data',
  ],
  oneOf: namedRows.map(({ type }) => ({
    properties: { type: { const: type }, dataschema: { const: schemaId(type) }, data: { $ref: schemaId(type) } },
  })),
  $defs: Object.fromEntries(namedRows.map((named) => [named.type, dataSchema(named)])),
});
