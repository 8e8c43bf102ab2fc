/**
 * A CSV body as its records, while it arrives. The library is csv-parse; nothing else knows it.
 *
 * A record that cannot be read is told with its line and does not end the rest; a body that is no text in
 * UTF-8, has another header, or is too large does.
 */
import type { IncomingMessage } from 'node:http';
import { CsvError, type Options, parse } from 'csv-parse';
import { limits } from '../../actors/limits.js';
import { Failure, invalidField } from '../failure.js';

/** `line` is the one of the file that the record ends on; the header's is 1. */
export type CsvRecord =
  | { readonly line: number; readonly values: Readonly<Record<string, string>> }
  | { readonly line: number; readonly problem: string };

/** @throws Failure where the body as a whole is wrong. */
export async function readCsv(
  req: IncomingMessage,
  columns: { readonly required: readonly string[]; readonly optional: readonly string[] },
): Promise<readonly CsvRecord[]> {
  const records: CsvRecord[] = [];
  let broken: Failure | undefined;
  const parser = parse({
    bom: true,
    trim: true,
    columns: (names: string[]) => checked(names, columns),
    skip_empty_lines: true,
    skip_records_with_error: true,
    on_record: (record: unknown, { lines }: { readonly lines: number }) => {
      add(bounded(lines, record as Record<string, string>));
      return null;
    },
    on_skip: (error) => {
      if (error !== undefined)
        add({ line: Number(error.lines), problem: `${wordsOf(error)}${since(Number(error.lines))}` });
      return undefined;
    },
  } satisfies Options);
  let lastLine = 1;
  /** A record may reach over lines, and one with an open quotation mark over many that were meant as others. */
  const since = (line: number): string => (line > lastLine + 1 ? `; it begins on line ${lastLine + 1}` : '');
  const add = (record: CsvRecord) => {
    lastLine = record.line;
    if (records.length < limits.importRows) records.push(record);
    else broken ??= tooLarge(`more than ${limits.importRows.toLocaleString('en-US')} rows`);
  };
  parser.resume();
  const ended = new Promise<void>((resolve) => {
    parser.on('end', resolve);
    parser.on('close', resolve);
    parser.on('error', (error) => {
      broken ??= error instanceof Failure ? error : invalidField('body', `is no CSV: ${wordsOf(error)}`);
      resolve();
    });
  });

  const decoder = new TextDecoder('utf-8', { fatal: true });
  let bytes = 0;
  try {
    // Left before its end it stays open: the answer goes out on the same connection.
    for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > limits.importBytes)
        broken ??= tooLarge(`more than ${limits.importBytes.toLocaleString('en-US')} bytes`);
      if (broken !== undefined) break;
      parser.write(decoder.decode(chunk, { stream: true }));
    }
    if (broken === undefined) parser.end(decoder.decode());
  } catch (error) {
    broken = invalidField('body', error instanceof TypeError ? 'is no text in UTF-8' : 'was cut off before its end');
  }
  if (broken === undefined) await ended;
  if (broken !== undefined) throw req.readableEnded ? broken : leftUnread(broken);
  if (records.length === 0) throw invalidField('body', 'has no rows');
  return records;
}

// ---------------------------------------------------------------- machinery

function bounded(line: number, values: Readonly<Record<string, string>>): CsvRecord {
  const chars = Object.values(values).reduce((sum, value) => sum + value.length, 0);
  return chars > limits.importRecordChars
    ? { line, problem: `has more than ${limits.importRecordChars} characters` }
    : { line, values };
}

function checked(
  names: readonly string[],
  { required, optional }: { readonly required: readonly string[]; readonly optional: readonly string[] },
): string[] {
  const found = names.map((name) => name.trim().toLowerCase());
  const missing = required.find((name) => !found.includes(name));
  if (missing !== undefined) throw invalidField(missing, `is missing in the first line: it names the columns`);
  const unknown = found.find((name) => !required.includes(name) && !optional.includes(name));
  if (unknown !== undefined) throw invalidField(unknown.slice(0, 100) || 'body', 'is not a column that is known here');
  if (new Set(found).size < found.length) throw invalidField('body', 'names a column twice');
  return found;
}

const tooLarge = (what: string): Failure =>
  new Failure(413, 'too_large', `The body has ${what}: send it in parts.`, {
    errors: [{ field: 'body', message: `body has ${what}.` }],
  });

const leftUnread = ({ status, code, message, details }: Failure): Failure =>
  new Failure(status, code, message, { ...details, unreadBody: true });

const PROBLEMS: { readonly [code: string]: string } = {
  CSV_RECORD_INCONSISTENT_COLUMNS: 'has another number of columns than the first line',
  CSV_INVALID_CLOSING_QUOTE: 'has a quotation mark that is closed in the middle of a value',
  CSV_QUOTE_NOT_CLOSED: 'has a quotation mark that is never closed',
  INVALID_OPENING_QUOTE: 'has a quotation mark that is opened in the middle of a value',
};

const wordsOf = (error: Error): string =>
  error instanceof CsvError ? (PROBLEMS[error.code] ?? 'cannot be read') : 'cannot be read';
