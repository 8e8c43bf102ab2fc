// What a command of the command line is. all-commands.ts lists them; help, completions and the parser are made from that list.
//
// Law: the answer goes to standard output, and everything else to standard error. With --json the answer is one JSON value,
// or one a line where it has no end. A command that talks to a running system needs its address and nothing else of it; the
// others read the servers of the environment.

import type { Config } from '../config/config.js';

/** The end of a command, for scripts. */
export const EXIT = { done: 0, refused: 1, notUnderstood: 2, notReached: 3 } as const;

/** What each exit code means, for help and for OPERATING. */
export const EXIT_CODES: readonly (readonly [string, string])[] = [
  ['0', 'done'],
  ['1', 'looked or asked, and the answer is no: refused, failed, not clean, not found'],
  ['2', 'not understood, or nothing to look at: wrong arguments, a wrong environment, no database'],
  ['3', 'no answer: no system at the address, or it had none in time (5xx, 429)'],
  ['130', 'ended by Ctrl-C before it was done'],
];

/** How a command finds what it is about. */
export const ABOUT = {
  system:
    'asks a running system: HOLDFAST_URL and HOLDFAST_KEY, else the node of this environment (HOST, PORT, ADMIN_KEY)',
  servers: 'works on the servers of this environment, also when no node runs (DATA_DIR, DATABASE_URL, NATS_URL)',
  both: 'asks a running system first; without HOLDFAST_URL, where none answers, it reads the servers of this environment',
  either: 'asks the system at HOLDFAST_URL, where that is set; otherwise it reads the servers of this environment',
  nothing: 'needs no system',
} as const;

/** The command cannot be parsed. The message is a sentence. */
export class BadCommand extends Error {
  override readonly name = 'BadCommand';
}

interface Described {
  readonly what: string;
  /** All words that it takes, for completions; the parser refuses others. */
  readonly words?: readonly string[];
}

export interface Argument extends Described {
  /** Such as `ID`. */
  readonly name: string;
  readonly isOptional?: boolean;
  readonly isList?: boolean;
}

export interface Option extends Described {
  /** Such as `--order`. */
  readonly name: string;
  /** What it takes, such as `ID`; undefined: nothing. */
  readonly value?: string;
}

interface Example {
  /** As it is typed, without `holdfast`. */
  readonly line: string;
  readonly what: string;
}

interface Named {
  readonly name: string;
  /** A sentence's beginning, for lists. */
  readonly summary: string;
}

export interface Command extends Named {
  readonly about: keyof typeof ABOUT;
  readonly arguments?: readonly Argument[];
  readonly options?: readonly Option[];
  /** Further sentences for its help. */
  readonly notes?: readonly string[];
  /** The tests run them, in the order of all-commands.ts. */
  readonly examples: readonly Example[];
  /** What 0 and 1 mean here, where that is more than EXIT_CODES say. */
  readonly exits?: string;
  run(given: Given, terminal: Terminal): Promise<number>;
}

/** Several commands under one word, such as `keys`. */
export interface CommandGroup extends Named {
  readonly commands: readonly Command[];
}

export const isGroup = (one: Command | CommandGroup): one is CommandGroup => 'commands' in one;

/** The words after the command, by name. */
export interface Given {
  readonly arguments: readonly string[];
  text(option: string): string | undefined;
  flag(option: string): boolean;
}

/** Where a command runs: its environment, its clock, and who reads it. */
export interface Terminal {
  readonly env: NodeJS.ProcessEnv;
  readonly isJson: boolean;
  /** Columns of the terminal that reads the answer; undefined: a file or another program reads it. */
  readonly columns: number | undefined;
  /** Of the environment. @throws ConfigError */
  config(): Config;
  now(): number;
  print(line: string): void;
  say(line: string): void;
  /** The answer: the value with --json, else the lines. */
  answer(value: unknown, lines: string | readonly string[]): void;
  /** The text in this colour, where it is for a terminal. */
  colored(color: Color, text: string): string;
}

export type Color = 'bold' | 'dim' | 'red' | 'green' | 'yellow';

// ---------------------------------------------------------------- parts that several commands have

/** @throws BadCommand */
export function wholeIn(option: string, text: string, from: number, to: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= from && value <= to) return value;
  throw new BadCommand(`${option} must be a whole number from ${from} to ${to}, not "${text}"`);
}
