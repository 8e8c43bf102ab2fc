/**
 * Encodes columns as text parameters for `unnest`: as array literals, or as elements joined by a separator that none of
 * them contains (half the work for both sides). The driver's own serialiser is slower: it visits every element several
 * times.
 */
import { listed } from '../../actors/flat-text.js';
import type { Parameter } from './postgres.js';

const TO_ESCAPE = /["\\]/g;
const NUL = /\0/g;
/** Text that needs no quotes in an array literal. Most elements are ids, and match. */
const BARE = /^[\w-]+$/;
const NONE = /^null$/i;
/** ASCII's record separator. JSON text and Holdfast's own words never contain it. */
const SEPARATOR = '\x1e';

/** Postgres text cannot hold NUL: U+FFFD replaces it. UTF-8 encoding does the same to a lone surrogate. */
export const storable = (text: string): string => (text.includes('\0') ? text.replace(NUL, '\ufffd') : text);

function element(text: string | null | undefined): string {
  if (text === null || text === undefined) return 'NULL';
  if (BARE.test(text) && !(text.length === 4 && NONE.test(text))) return text;
  return `"${storable(text).replace(TO_ESCAPE, '\\$&')}"`;
}

export const texts = <T>(rows: readonly T[], of: (row: T) => string | null | undefined): string =>
  listed(
    '{',
    rows.map((row) => element(of(row))),
    '}',
  );

/** For numbers, decimals as text, and booleans: they never need quotes. */
export const plain = <T>(rows: readonly T[], of: (row: T) => number | boolean | string | null | undefined): string =>
  listed(
    '{',
    rows.map((row) => of(row) ?? 'NULL'),
    '}',
  );

/** For JSON text and Holdfast's own words. They are never empty, so an empty element stands for null. */
const words = <T>(rows: readonly T[], of: (row: T) => string | null | undefined): string =>
  rows.map((row) => of(row) ?? '').join(SEPARATOR);

/** For text that is never null. Returns the joined text and its separator: the first character that no element contains. */
function ids<T>(rows: readonly T[], of: (row: T) => string | null | undefined): [string, string] {
  const all = rows.map((row) => of(row) ?? '');
  let separator = SEPARATOR;
  while (all.some((text) => text.includes(separator))) separator = String.fromCharCode(separator.charCodeAt(0) + 1);
  return [storable(all.join(separator)), separator];
}

/** The type of a column's elements on the wire. An `id` is any text that is never null. A boolean is never null either. */
type Type = 'id' | 'text' | 'word' | 'json' | 'bigint' | 'numeric' | 'boolean';

/** One column of a table, and how to read its value from a row in memory. */
export interface Column<T> {
  readonly name: string;
  readonly type: Type;
  /** The SQL expression for the column's value; absent when it is the element itself. */
  readonly as?: string;
  of(row: T): string | number | boolean | null | undefined;
}

type TextOf<T> = (row: T) => string | null | undefined;

/** The two parameters of a column whose rows differ: its elements, and no common value. Ids put their separator there. */
function written<T>({ type, of }: Column<T>, rows: readonly T[]): [string, Parameter] {
  if (type === 'id') return ids(rows, of as TextOf<T>);
  if (type === 'text') return [texts(rows, of as TextOf<T>), null];
  if (type === 'word' || type === 'json') return [words(rows, of as TextOf<T>), null];
  // `false` in place of null: the driver infers a type from a boolean but not from null, and would prepare two statements.
  return [plain(rows, of), type === 'boolean' ? false : null];
}

/** The SQL array of a column that `encode` wrote at this parameter number. */
const arrayAt = (type: Type, at: number): string => {
  if (type === 'id') return `string_to_array($${at}::text, $${at + 1}::text)`;
  return type === 'word' || type === 'json' ? `string_to_array($${at}::text, E'\\x1e', '')` : `$${at}::${type}[]`;
};

/** Whether elements of this type are joined by a separator. Others are an array literal. */
const isJoined = (type: Type): boolean => type === 'id' || type === 'word' || type === 'json';

/**
 * Two parameters per column: its elements, and a value for every row without an element. If all rows have the same
 * value, only that value is sent, which saves both sides most of their work. The first column always sends its elements:
 * they give the number of rows.
 */
export const encode = <T>(columns: readonly Column<T>[], rows: readonly T[]): Parameter[] =>
  columns.flatMap((column, i) => {
    const all = i === 0 ? undefined : valueOfAll(column, rows);
    if (all !== undefined) return [isJoined(column.type) ? '' : '{}', typeof all === 'string' ? storable(all) : all];
    return written(column, rows);
  });

function valueOfAll<T>({ of }: Column<T>, rows: readonly T[]): Parameter | undefined {
  let all: Parameter | undefined;
  for (const row of rows) {
    const value = of(row) ?? null;
    if (all === undefined) all = value;
    else if (value !== all) return undefined;
  }
  return all;
}

/**
 * The encoded rows as a table `r`. Their parameters are numbered from `from`. `unnest` stands in the select list, where
 * Postgres streams its rows. In a `from` clause it would first store each array as a table.
 */
export const unnest = <T>(columns: readonly Column<T>[], from: number): string => {
  const elements = columns.map(({ name, type }, i) => `unnest(${arrayAt(type, from + 2 * i)}) as ${name}`);
  const each = columns.map(
    ({ name, type }, i) => `coalesce(${name}, $${from + 2 * i + 1}::${isJoined(type) ? 'text' : type}) as ${name}`,
  );
  return `(select ${each.join(', ')} from (select ${elements.join(', ')}) as u) as r`;
};

export const names = <T>(columns: readonly Column<T>[]): string => columns.map(({ name }) => name).join(', ');

/** The select list over `r` for the table's columns. */
export const values = <T>(columns: readonly Column<T>[]): string =>
  columns.map(({ name, type, as }) => as ?? (type === 'json' ? `r.${name}::json` : `r.${name}`)).join(', ');

/** A column of `r` with wall-clock milliseconds, as a timestamp. */
export const timeOf = (name: string): string => `to_timestamp(r.${name} / 1000::float8)`;

/** A timestamp as wall-clock milliseconds. */
export const msOf = (column: string): string => `(extract(epoch from ${column}) * 1000)::bigint`;
