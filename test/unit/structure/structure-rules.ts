/** The rules of the repository (ARCHITECTURE.md) as functions of source text: each returns the violations. */
import { posix } from 'node:path';

export interface Source {
  /** The path from the root of the repository, with slashes. */
  readonly path: string;
  readonly text: string;
}

export interface Package {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly scripts: Readonly<Record<string, string>>;
}

export const ROOMS = ['actors', 'bus', 'storage', 'http', 'deploy'] as const;
const MOST_LINES = 500;
export const MANY_LINES = 200;

// ---------------------------------------------------------------- reading

/** The code alone, without comments and strings; templates on request. */
function codeOf(text: string, { templates }: { readonly templates: 'kept' | 'dropped' }): string {
  const pieces = /`(?:\\.|[^`\\])*`|\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g;
  return text.replace(pieces, (piece) => (piece.startsWith('`') && templates === 'kept' ? piece : ' '));
}

/** The imports of a file, including packages that are only resolved for their files. */
const importsOf = ({ text }: Source): string[] =>
  [...text.matchAll(/\bfrom '([^']+)'|\bimport(?:\(\s*|\s+)'([^']+)'|(?:\)|\bmeta)\.resolve\('([^']+)'\)/g)].map(
    (found) => found[1] ?? found[2] ?? found[3] ?? '',
  );

const roomOf = (path: string): string => path.split('/')[0] ?? '';
const isInside = (imported: string) => imported.startsWith('.');
const isBuiltIn = (imported: string) => imported.startsWith('node:');
const target = (path: string, imported: string) => posix.join(posix.dirname(path), imported);
const packageOf = (imported: string) =>
  imported
    .split('/')
    .slice(0, imported.startsWith('@') ? 2 : 1)
    .join('/');
const outside = (source: Source) => importsOf(source).filter((i) => !isInside(i) && !isBuiltIn(i));

// ---------------------------------------------------------------- imports

export function importFaults(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => {
    const room = roomOf(source.path);
    return importsOf(source).flatMap((imported) => {
      if (!isInside(imported)) return room === 'actors' ? [`${source.path} imports ${imported}`] : [];
      const into = roomOf(target(source.path, imported));
      const mayEnter = room === 'test' || into === room || into === 'actors' || (room === 'deploy' && into !== 'test');
      return mayEnter && (room !== 'actors' || into === 'actors') ? [] : [`${source.path} imports ${imported}`];
    });
  });
}

/** Drivers of other systems, each used in one file; drivers listed together belong to one system. */
const DRIVERS = [
  /^@nats-io\//,
  /^postgres$/,
  /^(pg|node-pg-migrate)$/,
  /^ioredis$/,
  /^cockatiel$/,
  /^rate-limiter-flexible$/,
  /^(kafkajs|@platformatic\/kafka)$/,
  /^@opentelemetry\//,
  /^(@grpc\/(grpc-js|reflection)|grpc-health-check)$/,
  /^@grpc\/proto-loader$/,
];

/** A library is used in one room, and in deploy/, which may import all; a driver in one file. */
export function libraryFaults(sources: readonly Source[]): string[] {
  const users = new Map<string, Set<string>>();
  for (const source of sources) {
    for (const name of outside(source).map(packageOf)) users.set(name, (users.get(name) ?? new Set()).add(source.path));
  }
  const inTwoRooms = [...users].flatMap(([name, paths]) => {
    const rooms = [...new Set([...paths].map(roomOf))].filter((room) => room !== 'deploy');
    return rooms.length > 1 ? [`${name} is used in ${rooms.sort().join(' and ')}`] : [];
  });
  const inTwoFiles = DRIVERS.flatMap((driver) => {
    const paths = new Set([...users].filter(([name]) => driver.test(name)).flatMap(([, of]) => [...of]));
    return paths.size > 1 ? [`the driver ${driver.source} is used in ${[...paths].sort().join(' and ')}`] : [];
  });
  return [...inTwoRooms, ...inTwoFiles];
}

/** Every dependency is in use, and none is undeclared. */
export function dependencyFaults(pkg: Package, product: readonly Source[], tests: readonly Source[]): string[] {
  const used = (sources: readonly Source[]) => new Set(sources.flatMap(outside).map(packageOf));
  const [byProduct, byTests, scripts] = [used(product), used(tests), Object.values(pkg.scripts).join(' ')];
  const isTool = (name: string) =>
    scripts.includes({ typescript: 'tsc', '@biomejs/biome': 'biome' }[name] ?? `\0${name}`);
  const isTypesOf = (name: string) => {
    const of = name.replace('@types/', '');
    return of !== name && (of === 'node' || of in pkg.dependencies);
  };
  const all = { ...pkg.dependencies, ...pkg.devDependencies };
  return [
    ...Object.keys(pkg.dependencies)
      .filter((d) => !byProduct.has(d))
      .map((d) => `${d} is not used by the product`),
    ...Object.keys(pkg.devDependencies)
      .filter((d) => !byTests.has(d) && !isTool(d) && !isTypesOf(d))
      .map((d) => `${d} is not used by the tests`),
    ...[...byProduct].filter((d) => !(d in pkg.dependencies)).map((d) => `${d} is used, and no dependency`),
    ...[...byTests].filter((d) => !(d in all)).map((d) => `${d} is used by the tests, and no dependency`),
  ];
}

// ---------------------------------------------------------------- content of a file

const IMPURE =
  /\bDate\.now\b|\bnew Date\(\s*\)|\bMath\.random\b|\b(?:setTimeout|setInterval|setImmediate|queueMicrotask|performance|process|Buffer|console|globalThis|fetch|require)\b|\b(?:async|await)\b|\bnew Promise\b|\bPromise\./g;

/** actors/ is pure: no clock, no random, no await, no Node. */
export const purityFaults = (sources: readonly Source[]): string[] =>
  sources
    .filter(({ path }) => roomOf(path) === 'actors')
    .flatMap(({ path, text }) =>
      [...codeOf(text, { templates: 'kept' }).matchAll(IMPURE)].map((f) => `${path}: ${f[0]}`),
    );

/** No `any`, and no comment that silences a checker. */
export const typeFaults = (sources: readonly Source[]): string[] =>
  sources.flatMap(({ path, text }) => [
    ...[...codeOf(text, { templates: 'dropped' }).matchAll(/(?<![.\w])any\b(?!\()/g)].map((f) => `${path}: ${f[0]}`),
    ...[...text.matchAll(/@ts-(?:ignore|expect-error|nocheck)|biome-ignore|eslint-disable/g)].map(
      (f) => `${path}: ${f[0]}`,
    ),
  ]);

/** Ports are types alone: they have no code to run. */
export const portFaults = ({ path, text }: Source): string[] =>
  codeOf(text, { templates: 'dropped' })
    .split('\n')
    .filter((line) => /^(?:export )?(?:const|let|class|function|enum)\b|^import (?!type\b)/.test(line))
    .map((line) => `${path}: ${line.trim()}`);

const EXPORTED = /^export (?:async |abstract )*(?:const|let|function\*?|class|interface|type|enum) (\w+)/gm;
const NAMES_FROM = /\b(?:import|export)(?: type)? \{([^}]*)\} from '(\.[^']+)\.js'/g;
const WHOLE_FROM = /\bimport\('(\.[^']+)\.js'\)|\bimport \* as \w+ from '(\.[^']+)\.js'/g;

/** Every export is imported by some other file. */
export function exportFaults(sources: readonly Source[]): string[] {
  const imported = new Set<string>();
  for (const { path, text } of sources) {
    for (const [, names = '', from = ''] of text.matchAll(NAMES_FROM)) {
      for (const name of names.split(',')) {
        const [bare = ''] = name
          .trim()
          .replace(/^type /, '')
          .split(' as ');
        imported.add(`${target(path, from)}.ts ${bare}`);
      }
    }
    for (const [, from, other] of text.matchAll(WHOLE_FROM)) imported.add(`${target(path, from ?? other ?? '')}.ts *`);
  }
  return sources
    .filter(({ path }) => !imported.has(`${path} *`))
    .flatMap(({ path, text }) => [...text.matchAll(EXPORTED)].map((found) => `${path} ${found[1]}`))
    .filter((name) => !imported.has(name))
    .map((name) => `${name} is exported, and nobody imports it`);
}

// ---------------------------------------------------------------- laws

/** A law in the header of its file: a letter and a number. */
const LAW = /^ \* {2}([A-Z]\d{1,2})\. /gm;
const COMMENT = /\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;
/** As `order.O4` or, wrongly, as `O4` alone. Other words with a digit, such as UTF8 or V8, are no citations of a law that exists. */
const CITED = /(?:\b([a-z][a-z-]*)\.)?(?<![\w.'"`#-])\b([A-Z]\d{1,2})\b(?!['"`\w])|\b([a-z][a-z-]*)\.([A-Z]\d{1,2})\b/g;

/** Laws are cited with their file's name, and exist there. */
export function lawFaults(sources: readonly Source[]): string[] {
  const nameOf = (path: string) => posix.basename(path, '.ts');
  const laws = new Set<string>();
  const letters = new Set<string>();
  for (const { path, text } of sources) {
    for (const [, law = ''] of text.matchAll(LAW)) {
      laws.add(`${nameOf(path)}.${law}`);
      letters.add(law);
    }
  }
  return sources.flatMap(({ path, text }) =>
    (text.match(COMMENT) ?? []).flatMap((comment) =>
      [...comment.replace(LAW, '').matchAll(CITED)].flatMap((found) => {
        const [file, law] = found[4] === undefined ? [found[1], found[2] ?? ''] : [found[3], found[4]];
        if (file === undefined) return letters.has(law) ? [`${path} cites ${law} without its file`] : [];
        return laws.has(`${file}.${law}`) ? [] : [`${path} cites ${file}.${law}, which is no law`];
      }),
    ),
  );
}

// ---------------------------------------------------------------- names and sizes

const NOTHING_SAID = /(?:^|\/)(?:utils?|helpers?|common|index|misc|shared|lib)(?:\.[a-z]+|\/)/i;

export const nameFaults = (paths: readonly string[]): string[] => paths.filter((path) => NOTHING_SAID.test(path));

export const linesOf = ({ text }: Source): number => text.split('\n').length - 1;
export const sizeFaults = (sources: readonly Source[]): string[] =>
  sources.filter((s) => linesOf(s) > MOST_LINES).map((s) => `${s.path} has ${linesOf(s)} lines`);

// ---------------------------------------------------------------- the list of folders

/** README lists the folders of each room below the room's name, and no others. @param foldersOf the folders that are there */
export function folderFaults(
  readme: string,
  rooms: readonly string[],
  foldersOf: (room: string) => string[],
): string[] {
  const list = /^## The code\n+```\n([^`]*)```/m.exec(readme)?.[1] ?? '';
  return rooms.flatMap((room) => {
    const lines = new RegExp(`^${room}/ .*\\n((?: .*\\n)*)`, 'm').exec(list)?.[1] ?? '';
    const named = [...lines.matchAll(/(?<=\s)([\w-]+)\/(?=\s)/g)].map((found) => found[1] ?? '');
    const there = foldersOf(room);
    return [
      ...there.filter((name) => !named.includes(name)).map((name) => `README does not list ${room}/${name}`),
      ...named
        .filter((name) => !there.includes(name))
        .map((name) => `README lists ${room}/${name}, which is not there`),
    ];
  });
}
