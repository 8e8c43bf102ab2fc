// From words to a command: the parser (commander) knows the list of commands, and nothing else knows the parser.

import { CommanderError, Argument as ParsedArgument, Option as ParsedOption, Command as Parser } from 'commander';
import { ABOUT, type Argument, type Command, type CommandGroup, EXIT_CODES, type Given, isGroup } from './command.js';

type Reading =
  | {
      readonly kind: 'run';
      readonly path: string;
      readonly command: Command;
      readonly given: Given;
      readonly isJson: boolean;
    }
  /** Help, or the version, for standard output. */
  | { readonly kind: 'told'; readonly text: string }
  | { readonly kind: 'wrong'; readonly message: string };

const JSON_OPTION = {
  name: '--json',
  what: 'the answer as one JSON value, or one a line where it has no end',
} as const;

/** @param columns of the terminal, for help */
export function read(
  commands: readonly (Command | CommandGroup)[],
  version: string,
  words: readonly string[],
  columns?: number,
): Reading {
  const [out, err]: [string[], string[]] = [[], []];
  let found: Reading | undefined;
  const program = new Parser('holdfast');
  const onFound = (reading: Reading) => {
    found = reading;
  };
  program
    .description('Orders that never sell what is not there: ask a running system, and look after its servers.')
    .usage('COMMAND [options]')
    .version(version, '--version', 'print the version')
    .helpOption('--help', 'show this help, or that of a command')
    .helpCommand('help [COMMAND]', 'show the help of a command')
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void out.push(text),
      writeErr: (text) => void err.push(text),
      getOutHelpWidth: () => Math.min(columns ?? HELP_COLUMNS, HELP_COLUMNS),
      getErrHelpWidth: () => HELP_COLUMNS,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .addHelpText('after', `\n${exitLines()}\n\n${ENVIRONMENT}`);
  for (const one of commands) add(program, one, '', onFound);
  try {
    program.parse(words.length === 0 ? ['help'] : [...words], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { kind: 'told', text: out.join('').trimEnd() };
    return { kind: 'wrong', message: sentenceOf(err.join(''), words, commands) };
  }
  return found ?? { kind: 'told', text: out.join('').trimEnd() };
}

/** A command's words as its completion and its help name them. */
export const optionsOf = (command: Command) => [...(command.options ?? []), JSON_OPTION];

// ---------------------------------------------------------------- machinery

const HELP_COLUMNS = 110;
const ENVIRONMENT = `Environment:
  HOLDFAST_URL  the address of a running system, such as https://shop.example
  HOLDFAST_KEY  an API key or a token for it
  NO_COLOR      no colours
  Commands on servers read the same environment as the start (see .env.example).`;

function exitLines(): string {
  const lines = EXIT_CODES.map(([code, what]) => `  ${code.padEnd(5)}${what}`);
  return ['Exit codes:', ...lines].join('\n');
}

function add(parent: Parser, one: Command | CommandGroup, before: string, onFound: (reading: Reading) => void): void {
  const parsed = parent
    .command(one.name)
    .description(`${one.summary}.`)
    .summary(one.summary)
    .helpOption('--help', 'show this help');
  const path = `${before}${one.name}`;
  if (isGroup(one)) {
    for (const each of one.commands) add(parsed, each, `${path} `, onFound);
    return;
  }
  for (const argument of one.arguments ?? []) parsed.addArgument(argumentOf(argument));
  for (const { name, value, what, words } of optionsOf(one).map((option) => ({
    value: undefined,
    words: undefined,
    ...option,
  }))) {
    const option = new ParsedOption(value === undefined ? name : `${name} <${value}>`, what);
    parsed.addOption(words === undefined ? option : option.choices(words));
  }
  parsed.addHelpText('after', `\n${moreHelp(one, path)}`);
  parsed.allowExcessArguments().action(() => {
    const options = parsed.opts<Record<string, string | boolean | undefined>>();
    const given = (name: string) => options[camel(name)];
    const [stray] = isOpenEnded(one) ? [] : parsed.args.slice(one.arguments?.length ?? 0);
    if (stray !== undefined) return onFound({ kind: 'wrong', message: said(path, `it does not take "${stray}"`) });
    onFound({
      kind: 'run',
      path,
      command: one,
      isJson: given('--json') === true,
      given: {
        arguments: parsed.args,
        text: (name) => {
          const value = given(name);
          return typeof value === 'string' ? value : undefined;
        },
        flag: (name) => given(name) === true,
      },
    });
  });
}

function argumentOf({ name, what, words, isOptional = false, isList = false }: Argument): ParsedArgument {
  const dotted = isList ? `${name}...` : name;
  const argument = new ParsedArgument(isOptional ? `[${dotted}]` : `<${dotted}>`, what);
  return words === undefined ? argument : argument.choices(words);
}

const moreHelp = ({ examples, notes = [], about, exits }: Command, path: string): string =>
  [
    ...notes,
    ...(notes.length > 0 ? [''] : []),
    ...(examples.length > 0 ? ['Examples:'] : []),
    ...examples.flatMap(({ line, what }) => [`  holdfast ${line}`, `      ${what}`]),
    ...(examples.length > 0 ? [''] : []),
    `It ${ABOUT[about]}.`,
    `Exit codes: ${exits ?? '0: done; 1: refused or not found; 2: not understood'}${about === 'system' ? '; 3: no answer' : ''}.`,
    ...(path.startsWith('completions') ? [] : ['See also: holdfast --help']),
  ].join('\n');

const camel = (name: string): string => name.slice(2).replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

/** Commander's message as our sentence: what is wrong, the nearest right word, and where to read on. */
function sentenceOf(text: string, words: readonly string[], commands: readonly (Command | CommandGroup)[]): string {
  const message = text.trim().replace(/^error: /, '');
  const [first = '', second = ''] = words;
  const one = commands.find(({ name }) => name === first);
  const sub = one !== undefined && isGroup(one) ? one.commands.find(({ name }) => name === second) : undefined;
  const path = [one?.name, sub?.name].filter((name) => name !== undefined).join(' ');
  // A group without its second word prints its whole help as the error.
  const isHelp = message.startsWith('Usage:');
  if (isHelp && first === 'help') return said('', `unknown command '${words.slice(1).join(' ')}'`);
  const names = one !== undefined && isGroup(one) ? one.commands.map(({ name }) => name).join(', ') : '';
  const what = isHelp
    ? `say which: ${names}`
    : message.replace(/\n\(Did you mean/, ' (Did you mean').replace(/\.$/, '');
  return said(path, what);
}

const said = (path: string, what: string): string => {
  const whole = path === '' ? 'holdfast' : `holdfast ${path}`;
  return `${whole}: ${what}.\nSee: ${whole} --help`;
};

const isOpenEnded = (command: Command): boolean => command.arguments?.at(-1)?.isList === true;
