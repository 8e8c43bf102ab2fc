/** Routes, schemas, document and examples agree: each has all operations, and replies match them. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventSchemas } from '../../../actors/events/event-schemas.js';
import { errorReply } from '../../../http/api/envelopes.js';
import { ERRORS, type ErrorCode, exampleOf } from '../../../http/api/errors.js';
import { operations } from '../../../http/api/operations/all.js';
import { pathsOf } from '../../../http/api/routes.js';
import { curlsOf } from '../../../http/docs/curl.js';
import { openApiDocument } from '../../../http/docs/openapi.js';
import { replyFault, type Seen, schemaFault } from './documented.js';
import { type Fixture, startFixture } from './edge-fixture.js';

const run = promisify(execFile);
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
const test = suite<{ f: Fixture }>('the document');

test.before.each(async (context) => {
  context.f = await startFixture();
  for (const product of ['PROD-001', 'PROD-002', 'PROD-003', 'PROD-004']) context.f.owners.stockUp(product, 100);
});
test.after.each(({ f }) => f.stop());

const document = openApiDocument(operations, '1.2.3');

test('operations have unique names and are all in the document', () => {
  const described = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId }]) => `${method} ${path} ${operationId}`),
  );
  const declared = operations.map(
    ({ method, path, id }) => `${method.toLowerCase()} ${path.replace(/:(\w+)/g, '{$1}')} ${id}`,
  );
  assert.equal(described.sort(), declared.sort());
  assert.is(new Set(operations.map(({ id }) => id)).size, operations.length);
});

test('path parameters are declared, and nothing else is', () => {
  for (const { path, params, id } of operations) {
    const inPath = [...path.matchAll(/:(\w+)/g)].map((found) => found[1]);
    assert.equal(Object.keys(params.shape), inPath, id);
  }
});

test('every reference has its target, and no schema is empty', () => {
  const refs = new Set<string>();
  const look = (value: unknown, path: string) => {
    if (typeof value !== 'object' || value === null) return;
    for (const [name, inner] of Object.entries(value)) {
      if (name === '$ref') refs.add(String(inner));
      if (name === 'examples' || name === 'example') continue;
      const isSchema = name === 'schema' || /\/(properties|items|anyOf)$/.test(path);
      if (isSchema && typeof inner === 'object')
        assert.ok(Object.keys(Object(inner)).length > 0, `${path}/${name} allows anything`);
      look(inner, `${path}/${name}`);
    }
  };
  look(document, '');
  assert.ok(refs.size > 10);
  for (const ref of refs) {
    let found: unknown = document;
    for (const part of ref.slice(2).split('/')) found = (found as Record<string, unknown> | undefined)?.[part];
    assert.ok(found !== undefined, ref);
  }
});

/** Every schema of the document with its path. */
function* schemasIn(value: unknown, path = ''): Generator<readonly [string, Readonly<Record<string, unknown>>]> {
  if (typeof value !== 'object' || value === null) return;
  if (/\/(schema|items|schemas\/\w+)$|\/(properties|anyOf)\/\w+$/.test(path)) yield [path, { ...value }];
  for (const [name, inner] of Object.entries(value)) {
    if (name !== 'examples' && name !== 'example') yield* schemasIn(inner, `${path}/${name}`);
  }
}

test('every model of a generated client has a name, and is the same for all operations', () => {
  const names = Object.keys(document.components.schemas);
  for (const [path, { properties, enum: words = [] }] of schemasIn(document)) {
    const needsName = properties !== undefined || (words as readonly unknown[]).length > 1;
    assert.ok(!needsName || /^\/components\/schemas\/\w+$/.test(path), `${path} would be a model without a name`);
  }
  assert.ok(names.length > 40 && names.length < 150, `${names.length} models`);
  const responses = Object.values(document.components.responses);
  assert.ok(responses.length > 10);
  for (const { content = {} } of responses) {
    const refs = Object.entries(content).map(([type, { schema }]) => [type, schema.$ref]);
    assert.equal(Object.fromEntries(refs), {
      'application/json': '#/components/schemas/Error',
      'application/problem+json': '#/components/schemas/Problem',
    });
  }
  const { properties = {} } = document.components.schemas.Error as { properties?: Record<string, { type?: string }> };
  assert.is(properties.order_id?.type, 'string');
  assert.equal(properties.details, {
    type: 'array',
    items: { $ref: '#/components/schemas/ErrorDetail' },
    description: 'The products that an order failed for.',
  });
});

test('a generated client sends no parameter by itself', () => {
  const parameters = Object.values(document.components.parameters);
  assert.ok(parameters.some(({ name }) => name === 'page') && parameters.some(({ name }) => name === 'limit'));
  for (const { name, schema } of parameters) assert.not.ok('default' in schema, name);
});

test('a linter finds no fault', async () => {
  const config = await createConfig({ extends: ['recommended-strict'] });
  const lint = async (source: object) => {
    const found = await lintFromString({ source: JSON.stringify(source), config, absoluteRef: 'openapi.json' });
    return found.map(({ ruleId, message, location: [where] }) => `${ruleId}: ${message} ${where?.pointer}`);
  };
  assert.equal(await lint(document), []);
  const { '/livez': livez } = document.paths;
  const twice = { ...document, paths: { ...document.paths, '/alive': livez } };
  assert.match((await lint(twice)).join('\n'), 'operation-operationId-unique');
});

test('every example matches its schema', () => {
  for (const operation of operations) {
    for (const [status, { schema, example }] of Object.entries(operation.success)) {
      assert.is(schemaFault(schema, example), undefined, `${operation.id} ${status}`);
    }
    assert.ok((operation.examples ?? []).length > 0, `${operation.id} shows no request`);
    for (const { name, body, params = {}, query = {} } of operation.examples ?? []) {
      if (operation.body !== undefined) assert.ok(operation.body.safeParse(body).success, `${operation.id}: ${name}`);
      assert.ok(operation.params.safeParse(params).success, `${operation.id}: ${name}`);
      assert.ok(operation.query.safeParse(query).success, `${operation.id}: ${name}`);
      for (const parameter of Object.keys(query)) assert.ok(parameter in operation.query.shape, parameter);
    }
  }
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    assert.is(schemaFault(errorReply, exampleOf(code)), undefined, code);
  }
});

test('every operation is served under both prefixes, and every other method is refused', async ({ f }) => {
  for (const path of new Set(operations.flatMap(pathsOf))) {
    const declared = operations.filter((operation) => pathsOf(operation).includes(path));
    const url = path.replace(/:\w+/g, 'x');
    for (const method of METHODS) {
      const reply = await fetch(f.base + url, { method });
      const { message = '' } = (await reply.text().then(asJson)) as { message?: string };
      if (declared.some((operation) => operation.method === method)) {
        assert.is.not(reply.status, 405, `${method} ${url}`);
        assert.not.match(message, 'There is nothing at');
      } else if (isAnothers(method, url)) continue;
      else assert.is(reply.status, 405, `${method} ${url}`);
    }
  }
});

test('operations of both ports are served on both, and no others', async ({ f }) => {
  for (const { method, path, ports } of operations) {
    const reply = await fetch(f.inventoryBase + path.replace(/:\w+/g, 'x'), { method });
    const { message = '' } = (await reply.text().then(asJson)) as { message?: string };
    assert.is(/There is nothing at/.test(message), ports === 'main', path);
  }
});

test('the requests shown on the page are answered as documented', async ({ f }) => {
  for (const operation of operations) {
    for (const { label, source } of curlsOf(operation, f.base)) {
      const seen = await inShell(source);
      assert.is(replyFault(operation, seen), undefined, `${operation.id}, ${label}: ${seen.status} ${seen.text}`);
    }
  }
});

test('the served document is this one', async ({ f }) => {
  const reply = await f.get('/openapi.json');
  assert.is(reply.status, 200);
  assert.is(reply.at('openapi'), '3.1.1');
  assert.equal(Object.keys(reply.at('paths') as object), Object.keys(document.paths));
});

test('the schemas of public events are served as they are made, and may be cached', async ({ f }) => {
  const reply = await f.get('/schemas/events.json');
  assert.equal(JSON.parse(reply.text), JSON.parse(JSON.stringify(eventSchemas())));
  assert.is(reply.headers.get('cache-control'), 'public, max-age=3600');
});

/** A curl line as a reader pastes it. */
async function inShell(line: string): Promise<Seen> {
  const told = line.replace('curl -s', "curl -s -m 20 -w '\\n%{http_code} %{content_type}'");
  const { stdout } = await run('sh', ['-c', told], { maxBuffer: 2 ** 24 });
  const end = stdout.lastIndexOf('\n');
  const [status = '', ...contentType] = stdout.slice(end + 1).split(' ');
  return { status: Number(status), contentType: contentType.join(' '), text: stdout.slice(0, end) };
}

/** `/api/inventory/check` is a product of that name for GET. */
const isAnothers = (method: string, url: string): boolean =>
  operations.some(
    (operation) =>
      operation.method === method &&
      pathsOf(operation).some((path) => new RegExp(`^${path.replace(/:\w+/g, '[^/]+')}$`).test(url)),
  );

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

test.run();
