// The page at / as a browser loads it: everything that it names is there, from this address alone, and its policy lets it run.

import { createHash } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Page } from '../../../http/page/page.js';
import { Wire } from '../../faults/rig/raw-http.js';
import { type Fixture, startFixture } from '../edge/edge-fixture.js';

const HTML = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };

interface Context {
  f: Fixture;
  shell: string;
  policy: string;
  /** The addresses that the shell names, by the kind of the link. */
  named: readonly { readonly as: string; readonly address: string }[];
}

const test = suite<Context>('the page');

test.before(async (context) => {
  const page = Page.open();
  if (page === undefined) throw new Error('its modules were not compiled: npm run build');
  const f = await startFixture({ page });
  const { text, headers } = await f.get('/', HTML);
  const tags = [...text.matchAll(/<(?:link rel|script type)="(\w+)"[^>]* (?:href|src)="([^"]+)"/g)];
  const named = tags.map(([, as = '', address = '']) => ({ as, address }));
  Object.assign(context, { f, shell: text, policy: headers.get('content-security-policy') ?? '', named });
});
test.after(({ f }) => f.stop());

const mapIn = (shell: string) =>
  JSON.parse(/<script type="importmap">(.*?)<\/script>/s.exec(shell)?.[1] ?? '{}').imports as Record<string, string>;

test('the policy allows what comes from here and what is inline, by its hash, and nothing else', ({
  shell,
  policy,
}) => {
  const inline = [...shell.matchAll(/<script(?: type="importmap")?>(.*?)<\/script>/gs)].map(([, text = '']) => text);
  assert.is(inline.length, 2);
  const hashes = inline.map((text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`).sort();
  const rules = new Map(policy.split('; ').map((rule) => [rule.split(' ')[0], rule.split(' ').slice(1)]));
  assert.equal(rules.get('script-src')?.slice().sort(), ["'self'", ...hashes].sort());
  rules.delete('script-src');
  assert.equal(Object.fromEntries(rules), {
    ...{
      'default-src': ["'none'"],
      'style-src': ["'self'"],
      'connect-src': ["'self'"],
      'img-src': ["'self'", 'data:'],
    },
    ...{ 'base-uri': ["'none'"], 'form-action': ["'none'"], 'frame-ancestors': ["'none'"] },
  });
  assert.not.match(shell, / style=| on\w+=/);
});

test('every file that the shell names is there for ever, as its type; the shell itself is asked for again', async ({
  f,
  named,
}) => {
  const types: Readonly<Record<string, string>> = {
    icon: 'image/svg+xml',
    stylesheet: 'text/css; charset=utf-8',
    modulepreload: 'text/javascript; charset=utf-8',
    module: 'text/javascript; charset=utf-8',
  };
  assert.equal([...new Set(named.map(({ as }) => as))].sort(), Object.keys(types).sort());
  const etags = new Map<string, string>();
  for (const { as, address } of named) {
    const { status, headers } = await f.get(address);
    assert.is(status, 200, address);
    assert.is(headers.get('content-type'), types[as], address);
    assert.is(headers.get('x-content-type-options'), 'nosniff');
    assert.is(headers.get('cache-control'), 'public, max-age=31536000, immutable');
    etags.set(address, headers.get('etag') ?? '');
  }
  assert.is(new Set(etags.values()).size, new Set(named.map(({ address }) => address)).size, 'each has its own');
  const { status, headers } = await f.get('/', HTML);
  assert.equal([status, headers.get('cache-control')], [200, 'no-cache']);
  assert.match(headers.get('vary') ?? '', /Accept(?!-)/);
});

test('what the modules import is named by the shell, so a browser waits for nothing that it did not ask for', async ({
  f,
  shell,
  named,
}) => {
  const imports = mapIn(shell);
  const preloaded = named.filter(({ as }) => as === 'modulepreload').map(({ address }) => address);
  const reached = new Set<string>();
  const open = named.filter(({ as }) => as === 'module').map(({ address }) => address);
  for (let address = open.pop(); address !== undefined; address = open.pop()) {
    if (reached.has(address)) continue;
    reached.add(address);
    const { text } = await f.get(address);
    for (const [, from = ''] of text.matchAll(
      /(?:^|[;}\n])\s*(?:import|export)\b(?:[\w\s{},*$]*\bfrom)?\s*["']([^"'\n]+)["']/g,
    )) {
      const target = from.startsWith('.') ? new URL(from, f.base + address).pathname : imports[from];
      assert.ok(target, `${address} imports ${from}`);
      open.push(target);
    }
  }
  const libraries = Object.values(imports);
  assert.equal([...new Set([...reached, ...libraries])].sort(), preloaded.slice().sort());
  assert.is(preloaded.length, new Set(preloaded).size);
});

test('nothing names another origin: a namespace is a name, and a comment loads nothing', async ({
  f,
  shell,
  named,
}) => {
  for (const address of ['/', ...named.map((each) => each.address)]) {
    const text = address === '/' ? shell : (await f.get(address)).text;
    const code = text.replace(/\/\*[\s\S]*?\*\/|(?<![:"'])\/\/ [^\n]*/g, '');
    const others = [...code.matchAll(/\b(?:https?|wss?):\/\/[^\s"'`)]+/g)].map(([url]) => url);
    assert.equal(
      others.filter((url) => !url.startsWith('http://www.w3.org/')),
      [],
      address,
    );
    assert.not.match(text, /sourceMappingURL/, address);
  }
});

test('it is sent compressed, and once: who has it hears 304; HEAD has no body', async ({ f, named }) => {
  const [script = ''] = named.filter(({ as }) => as === 'module').map(({ address }) => address);
  const library = named.map(({ address }) => address).find((address) => address.endsWith('/uplot.js')) ?? '';
  assert.is((await f.get(library, { 'accept-encoding': 'gzip' })).headers.get('content-encoding'), 'gzip');
  assert.is((await f.get(library, { 'accept-encoding': 'identity' })).headers.get('content-encoding'), null);
  for (const [address, headers] of [
    ['/', HTML],
    [script, {}],
    [library, {}],
  ] as const) {
    const first = await fetch(f.base + address, { headers });
    const length = (await first.arrayBuffer()).byteLength;
    const again = { ...headers, 'if-none-match': first.headers.get('etag') ?? '' };
    assert.is((await fetch(f.base + address, { headers: again })).status, 304, address);
    const head = await fetch(f.base + address, {
      headers: { ...headers, 'accept-encoding': 'identity' },
      method: 'HEAD',
    });
    assert.equal([head.status, Number(head.headers.get('content-length')), await head.text()], [200, length, '']);
  }
});

test('no other path reaches a file: 404, also without a key; other methods and the second port know no page', async ({
  f,
  named,
}) => {
  const wire = new Wire(f.edge.ports.main);
  const folder = (named[0]?.address ?? '').replace(/[^/]*$/, '');
  for (const path of [
    '/page/',
    '/page/main.js',
    '/page/0000000000000000/main.js',
    `${folder}`,
    `${folder}../../package.json`,
    `${folder}..%2f..%2fpackage.json`,
    `${folder}main.js%00`,
    `${folder}constructor`,
  ]) {
    const reply = await wire.send(Buffer.from(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`));
    assert.is('status' in reply && reply.status, 404, path);
  }
  wire.close();
  assert.is((await f.post(`${folder}main.js`, {})).status, 404);
  assert.is((await f.get(`${f.inventoryBase}${folder}main.js`)).status, 404);
  assert.is((await f.get(`${f.inventoryBase}/`, HTML)).status, 404);
  assert.is((await f.get('/')).status, 404, 'a program is not sent the page');
});

test.run();
