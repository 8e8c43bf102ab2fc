/**
 * The files that the page loads: our modules as tsc made them, the style, the icon, and three libraries as ES modules.
 *
 * They are read once, when the process starts. Their addresses hold a hash over all of them. So an address means the same
 * bytes for ever, on every node, and modules of two versions never meet in one page.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';

interface PageFile {
  readonly text: string;
  readonly contentType: string;
}

export interface PageFiles {
  /** By address, such as `/page/Zm9v…/main.js`. */
  readonly files: ReadonlyMap<string, PageFile>;
  /** The address of the module with which the page begins. */
  readonly main: string;
  readonly styles: readonly string[];
  readonly icon: string;
  /** The addresses of the libraries by the name under which modules import them. */
  readonly imports: Readonly<Record<string, string>>;
}

/** Undefined if a module was not compiled. */
export function readPageFiles(): PageFiles | undefined {
  const texts = modulesFrom('main.js');
  if (texts === undefined) return undefined;
  for (const [name, url] of Object.entries(LIBRARIES)) texts.set(nameOf(name), codeIn(fileURLToPath(url())));
  texts.set('libraries/uplot.css', readFileSync(fileURLToPath(UPLOT_STYLE()), 'utf8'));
  texts.set('style.css', sourceText('browser/style.css'));
  texts.set('icon.svg', sourceText('icon.svg'));
  const folder = `/page/${hashOf(texts)}/`;
  return {
    files: new Map([...texts].map(([name, text]) => [folder + name, { text, contentType: typeOf(name) }])),
    main: `${folder}main.js`,
    styles: [`${folder}libraries/uplot.css`, `${folder}style.css`],
    icon: `${folder}icon.svg`,
    imports: Object.fromEntries(Object.keys(LIBRARIES).map((name) => [name, folder + nameOf(name)])),
  };
}

// ---------------------------------------------------------------- machinery

const LIBRARIES: Readonly<Record<string, () => string>> = {
  preact: () => import.meta.resolve('preact'),
  'preact/hooks': () => import.meta.resolve('preact/hooks'),
  htm: () => import.meta.resolve('htm'),
  uplot: () => import.meta.resolve('uplot/dist/uPlot.esm.js'),
};
const UPLOT_STYLE = () => import.meta.resolve('uplot/dist/uPlot.min.css');

const nameOf = (library: string): string => `libraries/${library.replace('/', '-')}.js`;

const TYPES: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};
const typeOf = (name: string): string => TYPES[name.slice(name.lastIndexOf('.') + 1)] ?? 'text/plain';

/** The module and all that it needs, by their paths below `browser/`. What an earlier build left there is not among them. */
function modulesFrom(first: string): Map<string, string> | undefined {
  const found = new Map<string, string>();
  const open = [first];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const path = fileURLToPath(new URL(`./browser/${name}`, import.meta.url));
    if (!existsSync(path)) return undefined;
    const code = codeIn(path);
    found.set(name, code);
    const needed = [...code.matchAll(IMPORT)].map(([, from = '']) => posix.join(posix.dirname(name ?? ''), from));
    open.push(...needed.filter((each) => !found.has(each) && !open.includes(each)));
  }
  return found;
}

/** As tsc writes it: of a module of our own. */
const IMPORT = /^(?:import|export)\b(?:[\w\s{},*$]*\bfrom)?\s*['"](\.[^'"\n]+)['"]/gm;

/** Maps of sources are not served, so nothing may name them. */
const codeIn = (path: string): string => readFileSync(path, 'utf8').replace(/\n\/\/# sourceMappingURL=\S+\s*$/, '\n');

/** A file beside the source. The compiled file is in dist/http/page. */
function sourceText(name: string): string {
  const beside = new URL(name, import.meta.url);
  return readFileSync(existsSync(beside) ? beside : new URL(`../../../http/page/${name}`, import.meta.url), 'utf8');
}

function hashOf(texts: ReadonlyMap<string, string>): string {
  const hash = createHash('sha256');
  for (const [name, text] of texts) hash.update(`${name}\0${text.length}\0${text}`);
  return hash.digest('base64url').slice(0, 16);
}
