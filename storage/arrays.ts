/**
 * Columns as one text parameter each, for `unnest`: array literals, or, where no element can hold a
 * control character, elements joined by one (half the work on both sides). Built here, since the
 * driver's own serialiser looks at every element several times.
 */

import { listed } from '../actors/flat.js';

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

/** One column of a table, and where a row of ours has its value. */
export interface Column<T> {
  readonly name: string;
  /** What its elements are on the wire. */
  readonly type: 'text' | 'word' | 'json' | 'bigint' | 'numeric' | 'boolean';
  /** What a row takes of it; the element itself where absent. */
  readonly as?: string;
  of(row: T): string | number | boolean | null | undefined;
}

type TextOf<T> = (row: T) => string | null | undefined;

export const encode = <T>(columns: readonly Column<T>[], rows: readonly T[]): string[] =>
  columns.map(({ type, of }) => {
    if (type === 'text') return texts(rows, of as TextOf<T>);
    return type === 'word' || type === 'json' ? words(rows, of as TextOf<T>) : plain(rows, of);
  });

/** `unnest(...) as r(...)`, its parameters numbered from the given one. */
export const unnest = <T>(columns: readonly Column<T>[], from: number): string => {
  const arrays = columns.map(({ type }, i) =>
    type === 'word' || type === 'json'
      ? `string_to_array($${from + i}::text, E'\\x1e', '')`
      : `$${from + i}::${type}[]`,
  );
  return `unnest(${arrays.join(', ')}) as r(${names(columns)})`;
};

export const names = <T>(columns: readonly Column<T>[]): string => columns.map(({ name }) => name).join(', ');

/** What is selected from `r` for the table's columns. */
export const values = <T>(columns: readonly Column<T>[]): string =>
  columns.map(({ name, type, as }) => as ?? (type === 'json' ? `r.${name}::json` : `r.${name}`)).join(', ');

/** Wall-clock milliseconds of a column of `r` as a timestamp. */
export const timeOf = (name: string): string => `to_timestamp(r.${name} / 1000::float8)`;

/** A timestamp as wall-clock milliseconds. */
export const msOf = (column: string): string => `(extract(epoch from ${column}) * 1000)::bigint`;
