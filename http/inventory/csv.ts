/**
 * Reads the records of a CSV body while it arrives.
 *
 * Rows of empty cells and columns without a name, which spreadsheets leave behind, are skipped. A record that cannot be
 * read is reported with its line, and reading continues. A body that is not UTF-8, has a wrong header, or is too large
 * ends the reading.
 */
import { limits } from '../../actors/limits.js';
import { type Failure, invalidField, tooLarge } from '../api/failure.js';
import { type CsvRow, CsvRows } from './csv-rows.js';
import { Utf8Pieces } from './utf8-pieces.js';

/** `line` is the number of the line on which the record ends. The header is line 1. */
export type CsvRecord =
  | { readonly line: number; readonly values: Readonly<Record<string, string>> }
  | { readonly line: number; readonly problem: string };

interface Columns {
  readonly required: readonly string[];
  readonly optional: readonly string[];
}

/**
 * Reads further only after all records so far were taken.
 * @throws Failure if the body as a whole is wrong, after the records before the fault.
 */
export async function* readCsv(body: AsyncIterable<Buffer>, columns: Columns): AsyncGenerator<CsvRecord> {
  const utf8 = new Utf8Pieces();
  const rows = new CsvRows();
  let names: readonly string[] | undefined;
  let count = 0;
  function* records(found: Iterable<CsvRow>): Generator<CsvRecord> {
    for (const row of found) {
      if ('values' in row && row.values.every((value) => value === '')) continue;
      if (names === undefined) names = namesIn(row, columns);
      else if (++count > limits.importRows) throw tooLarge(limits.importRows, 'rows');
      else yield named(row, names);
    }
  }
  for await (const piece of body) {
    yield* records(rows.in(utf8.text(piece)));
    if (utf8.isBad) throw notUtf8(rows.line);
  }
  if (utf8.isOpen) throw notUtf8(rows.line);
  yield* records(rows.rest());
  if (count === 0) throw invalidField('body', 'has no rows');
}

// ---------------------------------------------------------------- machinery

const notUtf8 = (line: number): Failure => invalidField('body', `is not valid UTF-8 on line ${line}`);

/** @throws Failure */
function namesIn(row: CsvRow, { required, optional }: Columns): readonly string[] {
  if ('problem' in row) throw notColumns(`${row.problem}: separate the columns with commas`);
  const found = row.values.map((name) => name.trim().toLowerCase());
  const [line = ''] = row.values;
  // Excel takes the separator from such a line, and some programs write one.
  if (/^sep=/i.test(line)) throw notColumns('begins with sep=: remove that line, and separate the columns with commas');
  const separator = row.values.length === 1 ? SEPARATORS.find(([sign]) => line.includes(sign)) : undefined;
  if (separator !== undefined)
    throw notColumns(
      `has ${separator[1]} between the columns: save the file as CSV with commas, and numbers with a decimal point`,
    );
  const missing = required.find((name) => !found.includes(name));
  if (missing !== undefined) throw invalidField(missing, 'is missing in the first line, which names the columns');
  const named = found.filter((name) => name !== '');
  const unknown = named.find((name) => !required.includes(name) && !optional.includes(name));
  if (unknown !== undefined) throw invalidField(unknown.slice(0, 100), 'is not a known column');
  if (new Set(named).size < named.length) throw invalidField('body', 'names a column twice');
  return found.slice(0, found.findLastIndex((name) => name !== '') + 1);
}

const SEPARATORS = [
  [';', 'semicolons'],
  ['\t', 'tabs'],
] as const;

const notColumns = (problem: string): Failure => invalidField('body', `has a first line that ${problem}`);

const named = (row: CsvRow, names: readonly string[]): CsvRecord => {
  if ('problem' in row) return row;
  const { line, values } = row;
  if (values.length < names.length) return { line, problem: 'has fewer columns than the first line' };
  const record: Record<string, string> = {};
  for (const [i, value] of values.entries()) {
    const name = names[i] ?? '';
    if (name !== '') record[name] = value;
    else if (value !== '') return { line, problem: 'has a value in a column without a name' };
  }
  return { line, values: record };
};
