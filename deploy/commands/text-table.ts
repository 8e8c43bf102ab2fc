// A table as lines: a head, and a line a row. It fits the width of a terminal by cutting its widest columns. In a pipe nothing is cut.

const GAP = '  ';
const LEAST = 8;
const CUT = '…';

/** @param columns of the terminal; undefined: any width will do */
export function tableOf(head: readonly string[], rows: readonly (readonly string[])[], columns?: number): string[] {
  const all = [head, ...rows.map((row) => row.map(onOneLine))];
  const widths = head.map((_, column) => Math.max(...all.map((row) => lengthOf(row[column] ?? ''))));
  if (columns !== undefined) shrink(widths, columns);
  return all.map((row) =>
    row
      .map((cell, i) => fitted(cell, widths[i] ?? 0))
      .join(GAP)
      .trimEnd(),
  );
}

/** Whatever a client once sent moves no cursor. */
export const onOneLine = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ');

function shrink(widths: number[], columns: number): void {
  const most = columns - GAP.length * (widths.length - 1);
  for (let over = sum(widths) - most; over > 0; over--) {
    const widest = widths.indexOf(Math.max(...widths));
    const width = widths[widest] ?? 0;
    if (width <= LEAST) return;
    widths[widest] = width - 1;
  }
}

function fitted(cell: string, width: number): string {
  const length = lengthOf(cell);
  if (length <= width) return cell + ' '.repeat(width - length);
  return `${[...cell].slice(0, Math.max(0, width - 1)).join('')}${CUT}`;
}

const lengthOf = (text: string): number => [...text].length;
const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);
