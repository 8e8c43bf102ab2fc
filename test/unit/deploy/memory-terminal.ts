// A terminal that keeps what a command prints and says, and the way from a typed line to a command.

import type { Command, CommandGroup, Terminal } from '../../../deploy/commands/command.js';
import { BadCommand, type Given } from '../../../deploy/commands/command.js';
import { read } from '../../../deploy/commands/parser.js';
import { readConfig } from '../../../deploy/config/config.js';

interface MemoryTerminal extends Terminal {
  readonly out: string[];
  readonly said: string[];
}

export function memoryTerminal(changes: Partial<Terminal> = {}): MemoryTerminal {
  const [out, said]: [string[], string[]] = [[], []];
  const env = changes.env ?? {};
  const isJson = changes.isJson ?? false;
  return {
    ...{ env, isJson, columns: undefined, out, said },
    config: () => readConfig(env),
    now: Date.now,
    print: (line) => void out.push(line),
    say: (line) => void said.push(line),
    answer: (value, lines) => void out.push(...(isJson ? [JSON.stringify(value)] : [lines].flat())),
    colored: (_color, text) => text,
    ...changes,
  };
}

/** @throws BadCommand for what the parser refuses */
export function typed(commands: readonly (Command | CommandGroup)[], ...words: readonly string[]): Given {
  const reading = read(commands, '0.0.0', words);
  if (reading.kind === 'run') return reading.given;
  throw new BadCommand(reading.kind === 'wrong' ? reading.message : reading.text);
}
