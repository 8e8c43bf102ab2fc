// The terminal of this process. Colours only where a person reads, and never with NO_COLOR.

import { readConfig } from '../config/config.js';
import type { Color, Terminal } from './command.js';
import { print, say } from './place.js';

const CODES: Readonly<Record<Color, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
};

export function processTerminal(isJson: boolean): Terminal {
  const { stdout, env } = process;
  const hasColors = hasColorsFor(stdout.isTTY, env) && !isJson;
  return {
    env,
    isJson,
    columns: stdout.isTTY ? stdout.columns : undefined,
    config: () => readConfig(env),
    now: Date.now,
    print,
    say,
    answer: (value, lines) => {
      if (isJson) return print(JSON.stringify(value));
      for (const line of typeof lines === 'string' ? [lines] : lines) print(line);
    },
    colored: (color, text) => (hasColors ? paint(color, text) : text),
  };
}

export const hasColorsFor = (isTerminal: boolean, { NO_COLOR, TERM }: NodeJS.ProcessEnv): boolean =>
  isTerminal && (NO_COLOR ?? '') === '' && TERM !== 'dumb';

export function paint(color: Color, text: string): string {
  const [on, off] = CODES[color];
  return `\x1b[${on}m${text}\x1b[${off}m`;
}
