/** The rules of the repository, checked on its source: imports, purity, dependencies, exports, laws, names. */
import { readdirSync, readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  dependencyFaults,
  exportFaults,
  folderFaults,
  importFaults,
  lawFaults,
  libraryFaults,
  linesOf,
  MANY_LINES,
  nameFaults,
  type Package,
  portFaults,
  purityFaults,
  ROOMS,
  type Source,
  sizeFaults,
  typeFaults,
} from './structure-rules.js';

const test = suite('structure');

/** Files beside the ports that do run: values that the rooms share. */
const RUN = ['gremlin-setting', 'settlement', 'snapshot-rows'].map((name) => `actors/ports/${name}.ts`);

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath ?? entry.path}/${entry.name}`.replaceAll('\\', '/'));
const sourcesIn = (folder: string): Source[] =>
  filesIn(folder)
    .filter((path) => path.endsWith('.ts'))
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }));

const product = ROOMS.flatMap(sourcesIn);
/** Except these two, whose text is full of planted imports. */
const tests = sourcesIn('test').filter(({ path }) => !path.startsWith('test/unit/structure/'));
const pkg: Package = JSON.parse(readFileSync('package.json', 'utf8'));
const none = (faults: readonly string[]) => assert.equal(faults, []);

// ---------------------------------------------------------------- the source

const foldersIn = (folder: string) =>
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);

test('the rooms are those of the plan, and there is no other', () => {
  const folders = foldersIn('.').filter((name) => !name.startsWith('.') && name !== 'node_modules' && name !== 'dist');
  assert.equal(folders.sort(), [...ROOMS, 'test'].sort());
  assert.ok(product.length > 50 && tests.length > 20, 'the sources were found');
});

test('README lists every folder of every room', () =>
  none(folderFaults(readFileSync('README.md', 'utf8'), [...ROOMS, 'test'], foldersIn)));

test('actors/ imports nothing; bus/, storage/ and http/ import actors/ alone; deploy/ may import every room', () => {
  none(importFaults([...product, ...tests]));
});

test('actors/ is pure: no clock, no random, no await, no Node', () => none(purityFaults(product)));
test('the ports are types alone', () =>
  none(product.filter((s) => s.path.startsWith('actors/ports/') && !RUN.includes(s.path)).flatMap(portFaults)));
test('a library is used in one room, a driver in one file', () => none(libraryFaults(product)));
test('every dependency is in use, and none is undeclared', () => none(dependencyFaults(pkg, product, tests)));
test('every export is imported somewhere', () => {
  // The program inside that file's text is compiled by itself.
  none(exportFaults([...product, ...tests].filter(({ path }) => path !== 'test/contract/generated-client.test.ts')));
});
test('a law is cited with the name of its file, and exists there', () => none(lawFaults([...product, ...tests])));
test('no type check is silenced', () => none(typeFaults(product)));
test('every file has a name that says its purpose', () => none(nameFaults([...ROOMS, 'test'].flatMap(filesIn))));

test('no product file is longer than 500 lines', () => {
  none(sizeFaults(product));
  const long = product.filter((s) => linesOf(s) > MANY_LINES).sort((a, b) => linesOf(b) - linesOf(a));
  console.log(`\n  ${long.length} of ${product.length} files above ${MANY_LINES} lines:`);
  for (const source of long) console.log(`  ${String(linesOf(source)).padStart(5)}  ${source.path}`);
});

// ---------------------------------------------------------------- planted violations

const planted = (path: string, text: string): Source[] => [{ path, text }];
const catches = (faults: readonly string[], what: string) => assert.match(faults.join('\n') || 'nothing', what);

for (const [path, imported] of [
  ['actors/a.ts', 'node:fs'],
  ['actors/a.ts', 'zod'],
  ['actors/node/a.ts', '../../bus/b.js'],
  ['bus/a.ts', '../storage/b.js'],
  ['storage/verify/a.ts', '../../http/b.js'],
  ['http/a.ts', '../deploy/config.js'],
  ['deploy/a.ts', '../test/run.js'],
] as const) {
  test(`caught: ${path} imports ${imported}`, () => {
    catches(importFaults(planted(path, `import { x } from '${imported}';`)), `${path} imports ${imported}`);
    catches(importFaults(planted(path, `const x = await import('${imported}');`)), imported);
    catches(importFaults(planted(path, `export * from '${imported}';`)), imported);
  });
}

for (const text of [
  'const at = Date.now();',
  'const at = new Date();',
  'const n = Math.random();',
  'setTimeout(run, 5);',
  'setImmediate(run);',
  'const home = process.env.HOME;',
  "Buffer.from('x');",
  'async function run() {}',
  'await run();',
  'return Promise.resolve(1);',
  ['const text = `at $', '{Date.now()}`;'].join(''),
]) {
  test(`caught in actors/: ${text}`, () => {
    assert.is(purityFaults(planted('actors/a.ts', text)).length, 1);
    none(purityFaults(planted('bus/a.ts', text)));
  });
}

test('not caught: a word in a comment or a text, a date of a given time, a promise as a type', () => {
  const text = "// Date.now()\n/** await */ const s = 'process'; new Date(at);\nrun(): Promise<void>;";
  none(purityFaults(planted('actors/a.ts', text)));
});

test('caught: a library in two rooms, a driver in two files', () => {
  const use = (path: string, name: string) => planted(path, `import x from '${name}';`);
  catches(libraryFaults([...use('bus/a.ts', 'zod'), ...use('http/a.ts', 'zod')]), 'zod is used in bus and http');
  none(libraryFaults([...use('deploy/a.ts', 'zod'), ...use('http/a.ts', 'zod')]));
  catches(
    libraryFaults([...use('bus/a.ts', '@nats-io/jetstream'), ...use('bus/b.ts', '@nats-io/kv')]),
    'bus/a.ts and bus/b.ts',
  );
  catches(libraryFaults([...use('storage/a.ts', 'postgres'), ...use('deploy/b.ts', 'postgres')]), 'postgres');
  none(libraryFaults([...use('storage/a.ts', 'pg'), ...use('storage/a.ts', 'node-pg-migrate')]));
});

test('caught: a dependency for decoration, and one that is not declared', () => {
  const lean: Package = { dependencies: { koa: '1' }, devDependencies: { uvu: '1' }, scripts: {} };
  const [p, t] = [planted('http/a.ts', "import koa from 'koa';"), planted('test/a.ts', "import 'uvu';")];
  none(dependencyFaults(lean, p, t));
  catches(
    dependencyFaults({ ...lean, dependencies: { koa: '1', lodash: '1' } }, p, t),
    'lodash is not used by the product',
  );
  catches(
    dependencyFaults({ ...lean, devDependencies: { uvu: '1', sinon: '1' } }, p, t),
    'sinon is not used by the tests',
  );
  catches(
    dependencyFaults(lean, [...p, ...planted('bus/a.ts', "import x from 'uvu/x';")], t),
    'uvu is used, and no dependency',
  );
});

test('caught: an export that nobody imports', () => {
  const [a] = planted('bus/a.ts', 'export const x = 1;\nexport type T = 1;\nconst y = 2;');
  const [b] = planted('bus/node/b.ts', "import { type T } from '../a.js';\nimport { x as z } from './a.js';");
  assert.equal(exportFaults([a, b].flatMap((each) => each ?? [])), ['bus/a.ts x is exported, and nobody imports it']);
});

test('caught: a law without its file, and one that does not exist', () => {
  const header = '/**\n * Law:\n *\n *  O1. One outcome.\n */\n';
  const text = `${header}// O1.\n// V8 and UTF8 are none.\n// order.O1, order.O2`;
  assert.equal(lawFaults(planted('actors/order/order.ts', text)), [
    'actors/order/order.ts cites O1 without its file',
    'actors/order/order.ts cites order.O2, which is no law',
  ]);
});

test('caught: any, and what silences a checker', () => {
  for (const text of [
    'let x: any;',
    'x as any',
    'Map<string, any>',
    'any[]',
    '// @ts-ignore',
    '/* biome-ignore lint: */',
  ])
    assert.is(typeFaults(planted('bus/a.ts', text)).length, 1, text);
  none(typeFaults(planted('bus/a.ts', "// not any more\nconst s = 'any'; const q = `= any($1)`; Promise.any([]);")));
});

test('caught: a folder that README does not list, and one that is not there', () => {
  const readme = '## The code\n\n```\nbus/   what carries it.\n       node/  old/ (once)\n```\n';
  assert.equal(
    folderFaults(readme, ['bus'], () => ['node', 'new']),
    ['README does not list bus/new', 'README lists bus/old, which is not there'],
  );
});

test('caught: names that say nothing, files that are two things, ports that run', () => {
  assert.equal(
    nameFaults(['bus/utils.ts', 'http/index.ts', 'bus/helpers/x.ts', 'bus/common.ts', 'bus/driver.ts']).length,
    4,
  );
  catches(sizeFaults(planted('bus/a.ts', '\n'.repeat(501))), 'bus/a.ts has 501 lines');
  catches(portFaults({ path: 'p.ts', text: 'export const x = 1;' }), 'p.ts');
  catches(portFaults({ path: 'p.ts', text: "import { x } from './x.js';" }), 'p.ts');
});

test.run();
