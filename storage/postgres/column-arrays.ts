/**
 * Columns as text parameters, for `unnest`: array literals, or elements joined by a sign that none of
 * them has (half the work on both sides). Built here, since the driver's own serialiser looks at every
 * element several times.
 */
import { listed } from '../../actors/flat-text.js';
import type { Parameter } from './postgres.js';

const TO_ESCAPE = /["\\]/g;
const NUL = /\0/g;
/** Most are ids: what stands in a literal as it is costs no quotes. */
const BARE = /^[\w-]+$/;
const NONE = /^null$/i;
/** ASCII's record separator: JSON text and our own words never hold one. */
const SEPARATOR = '\x1e';

/** Postgres text holds no NUL; a lone surrogate becomes the same sign when it is encoded. */
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

/** For numbers, decimals as text, and booleans: nothing in them needs quotes. */
export const plain = <T>(rows: readonly T[], of: (row: T) => number | boolean | string | null | undefined): string =>
  listed(
    '{',
    rows.map((row) => of(row) ?? 'NULL'),
    '}',
  );

/** For JSON text and words of our own, which are never empty: an empty one stands for none. */
const words = <T>(rows: readonly T[], of: (row: T) => string | null | undefined): string =>
  rows.map((row) => of(row) ?? '').join(SEPARATOR);

/** For text that is never null: joined by the first sign that none of it has, and that sign. */
function ids<T>(rows: readonly T[], of: (row: T) => string | null | undefined): [string, string] {
  const all = rows.map((row) => of(row) ?? '');
  let separator = SEPARATOR;
  while (all.some((text) => text.includes(separator))) separator = String.fromCharCode(separator.charCodeAt(0) + 1);
  return [storable(all.join(separator)), separator];
}

/** What a column's elements are on the wire. An id is any text that is never null; a boolean is never null either. */
type Type = 'id' | 'text' | 'word' | 'json' | 'bigint' | 'numeric' | 'boolean';

/** One column of a table, and where a row of ours has its value. */
export interface Column<T> {
  readonly name: string;
  readonly type: Type;
  /** What a row takes of it; the element itself where absent. */
  readonly as?: string;
  of(row: T): string | number | boolean | null | undefined;
}

type TextOf<T> = (row: T) => string | null | undefined;

/** Elements row by row, and beside them what `encode` has for all rows: nothing, so ids have their separator there. */
function written<T>({ type, of }: Column<T>, rows: readonly T[]): [string, Parameter] {
  if (type === 'id') return ids(rows, of as TextOf<T>);
  if (type === 'text') return [texts(rows, of as TextOf<T>), null];
  if (type === 'word' || type === 'json') return [words(rows, of as TextOf<T>), null];
  // The driver takes a parameter's type from a boolean, but not from null: the statement would be prepared once for each.
  return [plain(rows, of), type === 'boolean' ? false : null];
}

/** The array that `encode` made of a column of this type, at the parameter of that number. */
const arrayAt = (type: Type, at: number): string => {
  if (type === 'id') return `string_to_array($${at}::text, $${at + 1}::text)`;
  return type === 'word' || type === 'json' ? `string_to_array($${at}::text, E'\\x1e', '')` : `$${at}::${type}[]`;
};

/** As texts joined into one; else as an array literal. */
const isJoined = (type: Type): boolean => type === 'id' || type === 'word' || type === 'json';

/**
 * Two parameters a column: its elements, and what every row has that is beyond them. A column in which all rows
 * have the same has no elements, which saves both sides most of their work; but the first, which counts the rows.
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
 * The rows that `encode` made of these columns as `r`, their parameters numbered from the given one. What is unnested in
 * a select list goes row by row to whoever reads it; in `from` each array would be stored as a table of its own first.
 */
export const unnest = <T>(columns: readonly Column<T>[], from: number): string => {
  const elements = columns.map(({ name, type }, i) => `unnest(${arrayAt(type, from + 2 * i)}) as ${name}`);
  const each = columns.map(
    ({ name, type }, i) => `coalesce(${name}, $${from + 2 * i + 1}::${isJoined(type) ? 'text' : type}) as ${name}`,
  );
  return `(select ${each.join(', ')} from (select ${elements.join(', ')}) as u) as r`;
};

export const names = <T>(columns: readonly Column<T>[]): string => columns.map(({ name }) => name).join(', ');

/** What is selected from `r` for the table's columns. */
export const values = <T>(columns: readonly Column<T>[]): string =>
  columns.map(({ name, type, as }) => as ?? (type === 'json' ? `r.${name}::json` : `r.${name}`)).join(', ');

/** Wall-clock milliseconds of a column of `r` as a timestamp. */
export const timeOf = (name: string): string => `to_timestamp(r.${name} / 1000::float8)`;

/** A timestamp as wall-clock milliseconds. */
export const msOf = (column: string): string => `(extract(epoch from ${column}) * 1000)::bigint`;
