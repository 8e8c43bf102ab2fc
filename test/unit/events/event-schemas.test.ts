/**
 * The schemas of public events: whatever is published fits them, whole and in each version that is stored, and they never
 * change but by addition.
 */
import { readFileSync } from 'node:fs';
import { Ajv2020, type AnySchemaObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { schemaId } from '../../../actors/events/event-names.js';
import { eventSchemas, namedRows } from '../../../actors/events/event-schemas.js';
import { eventBatch } from '../../../actors/node/cloud-events.js';
import type { JournaledEvent } from '../../../actors/node/record.js';
import { order, orderEvents, product, productEvents } from '../node/event-samples.js';

const test = suite('event schemas');

type Node = { readonly [keyword: string]: unknown };
const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The same schema without room for further fields: so a field that the table does not name is found. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (!isNode(schema)) return schema;
  const within = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  const isOpen = schema.properties === undefined || schema.oneOf !== undefined || schema.type !== 'object';
  return isOpen ? within : { ...within, additionalProperties: false };
}

function validator(schema: unknown): ValidateFunction {
  const ajv = new Ajv2020({ allErrors: true, strict: true, validateFormats: false, strictTypes: false });
  return ajv.compile(schema as AnySchemaObject);
}

const whole = validator(eventSchemas());
const strict = new Ajv2020({ strict: true, strictTypes: false, validateFormats: false });
strict.addSchema(closed(eventSchemas()) as AnySchemaObject);

interface Told {
  readonly id: string;
  readonly type: string;
  readonly dataschema: string;
  readonly data: object;
}

function mustFit(event: Told): void {
  const { id, type, dataschema, data } = event;
  assert.ok(whole(event), `${type} ${id}: ${JSON.stringify(whole.errors)}`);
  const named = strict.getSchema(dataschema);
  assert.ok(named, `${dataschema} is in the document`);
  assert.ok(named?.(data), `${type} ${id}: ${JSON.stringify(named?.errors)}`);
}

for (const file of ['journal-v1', 'life-v1', 'answers-v1', 'moves-v1', 'events-v1']) {
  test(`every event of ${file} fits, and has no field without a description`, () => {
    const golden = JSON.parse(readFileSync(`test/unit/golden/${file}.json`, 'utf8'));
    const events: Told[] = golden.events.flatMap((batch: string) => (batch === '' ? [] : JSON.parse(batch)));
    assert.ok(events.length > 20);
    for (const event of events) mustFit(event);
  });
}

test('every type fits with personal data, with hostile texts, and where nothing is known before', () => {
  const source = { uri: '/holdfast/1', isPersonal: true };
  const events = [
    ...Object.values(orderEvents).map(([event]) => ({ of: { kind: 'order', id: order } as const, version: 2, event })),
    ...Object.values(productEvents).map(([event]) => ({
      ...{ of: { kind: 'product', id: product } as const, version: 1, event },
    })),
  ] as JournaledEvent[];
  const told: Told[] = JSON.parse(eventBatch({ at: 0, cascades: [{ correlation: 'c', events }] }, source));
  assert.equal(told.map(({ type }) => type).sort(), namedRows.map(({ type }) => type).sort());
  for (const event of told) mustFit(event);
});

test('an event that does not fit is refused', () => {
  const golden = JSON.parse(readFileSync('test/unit/golden/events-v1.json', 'utf8'));
  const [event] = JSON.parse(golden.events[1]);
  const fits = (one: object): boolean => whole(one);
  assert.ok(fits(event));
  const { quantity: _, ...less } = event.data;
  assert.not(fits({ ...event, data: less }));
  assert.not(fits({ ...event, data: { ...event.data, quantity: '1' } }));
  assert.not(fits({ ...event, dataschema: schemaId('order.placed.v1') }));
  assert.not(fits({ ...event, type: 'order.placed.v1' }));
});

// ---------------------------------------------------------------- only by addition

/** The ways in which `now` breaks readers of `then`, or refuses messages of then. */
function breaks(then: Node, now: unknown, at: string): string[] {
  if (!isNode(now)) return [`${at} is gone`];
  const found: string[] = [];
  for (const keyword of ['type', '$id', 'const']) {
    if (then[keyword] !== now[keyword]) found.push(`${at}: ${keyword} was ${then[keyword]}, is ${now[keyword]}`);
  }
  const words = (now.enum ?? []) as readonly unknown[];
  const lost = ((then.enum ?? []) as readonly unknown[]).filter((word) => !words.includes(word));
  if (lost.length > 0 || (then.enum === undefined) !== (now.enum === undefined)) found.push(`${at}: enum lost ${lost}`);
  const required = (node: Node) => JSON.stringify([...((node.required ?? []) as string[])].sort());
  if (required(then) !== required(now)) found.push(`${at}: required was ${required(then)}, is ${required(now)}`);
  const properties = isNode(now.properties) ? now.properties : {};
  for (const [name, field] of Object.entries(isNode(then.properties) ? then.properties : {})) {
    found.push(...breaks(field as Node, properties[name], `${at}.${name}`));
  }
  if (isNode(then.items)) found.push(...breaks(then.items, now.items, `${at}[]`));
  return found;
}

const golden = (): { [type: string]: Node } =>
  JSON.parse(readFileSync('test/unit/golden/event-schemas-v1.json', 'utf8')).$defs;
const today = (): { [type: string]: Node } => eventSchemas().$defs as { [type: string]: Node };

test('a stored schema still holds: no field is gone, of another type, or mandatory since', () => {
  const now = today();
  assert.equal(
    Object.entries(golden()).flatMap(([type, then]) => breaks(then, now[type], type)),
    [],
  );
});

test('every type has a stored schema: a new type, and a new field, are stored with it', () => {
  assert.equal(Object.keys(today()).sort(), Object.keys(golden()).sort());
  for (const [type, now] of Object.entries(today())) assert.equal(breaks(now, golden()[type], type), []);
});

test('each break is found, and an addition is none', () => {
  const then: Node = {
    type: 'object',
    properties: { a: { type: 'integer' }, list: { type: 'array', items: { type: 'string', enum: ['x'] } } },
    required: ['a'],
  };
  const { a, list } = then.properties as { a: Node; list: Node };
  const count = (over: Node) => breaks(then, { ...then, ...over }, 'then').length;
  assert.is(count({ properties: { a, list, more: { type: 'string' } } }), 0);
  assert.is(count({ properties: { a, list: { type: 'array', items: { type: 'string', enum: ['x', 'y'] } } } }), 0);
  assert.is(count({ properties: { a } }), 1);
  assert.is(count({ properties: { a: { type: 'string' }, list } }), 1);
  assert.is(count({ properties: { a, list: { type: 'array', items: { type: 'string', enum: ['y'] } } } }), 1);
  assert.is(count({ required: [] }), 1);
  assert.is(count({ required: ['a', 'list'] }), 1);
});

test.run();
