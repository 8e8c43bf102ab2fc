/**
 * Parses CSV (RFC 4180) character by character while it arrives, in pieces of any size. Blanks around a value are
 * dropped, empty lines are skipped, and CR LF, LF or CR ends a line.
 *
 * Law: a row that cannot be read does not affect other rows, unless one of its quotation marks is never closed. A row
 * is known as soon as its line ends. A row of any length takes at most limits.importRecordChars of memory.
 */
import { limits } from '../../actors/limits.js';

/** `line` is the number of the line on which the row ends, counted from 1. */
export type CsvRow =
  | { readonly line: number; readonly values: readonly string[] }
  | { readonly line: number; readonly problem: string };

/** The parser's state: the place of the next character. `bad` is the rest of a line that cannot be read. */
type Place = 'before' | 'plain' | 'quoted' | 'quote' | 'behind' | 'bad';

const TOO_LONG = `has more than ${limits.importRecordChars} characters`;
const OPENED = 'has a quotation mark that is opened in the middle of a value';
const CLOSED = 'has a quotation mark that is closed in the middle of a value';
const OPEN = 'has a quotation mark that is never closed';

export class CsvRows {
  private place: Place = 'before';
  private values: string[] = [];
  private value = '';
  private chars = 0;
  private problem = '';
  private currentLine = 1;
  private firstLine = 1;
  private isAfterCr = false;

  /** The line that is being read. */
  get line(): number {
    return this.currentLine;
  }

  /** @returns the rows that end in this text. */
  *in(text: string): Generator<CsvRow> {
    for (let i = 0; i < text.length; i++) {
      const char = text.charAt(i);
      const isOneEnd = char === '\n' && this.isAfterCr;
      const isEnd = char === '\n' || char === '\r';
      this.isAfterCr = char === '\r';
      if (isEnd && this.place !== 'quoted') {
        if (!isOneEnd) {
          yield* this.row();
          this.firstLine = ++this.currentLine;
        }
        continue;
      }
      if (isEnd && !isOneEnd) this.currentLine++;
      this.read(char);
    }
  }

  /** @returns the last row, if no line end follows it. */
  *rest(): Generator<CsvRow> {
    if (this.place === 'quoted') this.isBad(OPEN);
    yield* this.row();
  }

  // -------------------------------------------------------------- machinery

  private read(char: string): void {
    switch (this.place) {
      case 'before':
        if (char === '"') this.place = 'quoted';
        else if (char === ',') this.ends('');
        else if (!isBlank(char)) {
          this.place = 'plain';
          this.add(char);
        }
        break;
      case 'plain':
        if (char === '"') this.isBad(OPENED);
        else if (char === ',') this.ends(this.value.trim());
        else this.add(char);
        break;
      case 'quoted':
        if (char === '"') this.place = 'quote';
        else this.add(char);
        break;
      case 'quote':
        if (char === '"') {
          this.place = 'quoted';
          this.add(char);
          break;
        }
        this.place = 'behind';
        this.read(char);
        break;
      case 'behind':
        if (char === ',') this.ends(this.value);
        else if (!isBlank(char)) this.isBad(CLOSED);
        break;
      case 'bad':
    }
  }

  private add(char: string): void {
    if (this.hasRoom()) this.value += char;
  }

  private ends(value: string): void {
    if (this.hasRoom()) this.values.push(value);
    this.value = '';
    this.place = 'before';
  }

  private hasRoom(): boolean {
    if (++this.chars <= limits.importRecordChars) return true;
    this.problem ||= TOO_LONG;
    return false;
  }

  private isBad(problem: string): void {
    this.problem ||= problem;
    this.place = 'bad';
  }

  private *row(): Generator<CsvRow> {
    const isEmpty = this.place === 'before' && this.chars === 0;
    if (this.place === 'plain') this.ends(this.value.trim());
    else if (this.place !== 'bad') this.ends(this.value);
    const [line, values, problem] = [this.currentLine, this.values, this.problem];
    this.values = [];
    this.value = '';
    this.chars = 0;
    this.problem = '';
    this.place = 'before';
    if (isEmpty) return;
    const since = line > this.firstLine ? `; it begins on line ${this.firstLine}` : '';
    yield problem === '' ? { line, values } : { line, problem: problem + since };
  }
}

const isBlank = (char: string): boolean => char === ' ' || char === '\t';
