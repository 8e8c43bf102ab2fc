// `holdfast completions`: what a shell needs to complete the command line. All three scripts are made from the list of commands,
// ask nothing and run nothing.

import { type Command, type CommandGroup, EXIT, isGroup, type Option } from './command.js';
import { optionsOf } from './parser.js';

const SHELLS = {
  bash: { script: bashScript, file: '~/.local/share/bash-completion/completions/holdfast' },
  zsh: { script: zshScript, file: '~/.zsh/completions/_holdfast' },
  fish: { script: fishScript, file: '~/.config/fish/completions/holdfast.fish' },
} as const;

type Commands = readonly (Command | CommandGroup)[];

/** @param all is read when a script is made: the list has this command too */
export const completionCommands = (all: () => Commands): CommandGroup => ({
  name: 'completions',
  summary: 'Print what bash, zsh or fish needs to complete the command line',
  commands: Object.entries(SHELLS).map(([shell, { script, file }]) => ({
    name: shell,
    summary: `Print the completions for ${shell}`,
    about: 'nothing' as const,
    examples: [{ line: `completions ${shell} > ${file}`, what: 'new shells have them' }],
    exits: '0: printed',
    run: async (_given, terminal) => {
      const text = script(all());
      terminal.answer({ shell, script: text }, text);
      return EXIT.done;
    },
  })),
});

// ---------------------------------------------------------------- what can follow

interface Leaf {
  /** The words of the command, such as `keys create`. */
  readonly path: string;
  readonly options: readonly Option[];
  /** What its arguments may be, where that is known. */
  readonly words: readonly string[];
}

interface Branch {
  readonly path: string;
  readonly next: readonly { readonly name: string; readonly summary: string }[];
}

const branchesOf = (all: Commands): Branch[] => [
  { path: '', next: [...all, { name: 'help', summary: 'Show the help of a command' }] },
  { path: 'help', next: all },
  ...all.filter(isGroup).map(({ name, commands }) => ({ path: name, next: commands })),
];

const leavesOf = (all: Commands): Leaf[] =>
  all.flatMap((one) =>
    isGroup(one) ? one.commands.map((each) => leafOf(`${one.name} ${each.name}`, each)) : [leafOf(one.name, one)],
  );

const HELP: Option = { name: '--help', what: 'show this help' };
const leafOf = (path: string, command: Command): Leaf => ({
  path,
  options: [...optionsOf(command), HELP],
  words: (command.arguments ?? []).flatMap(({ words = [] }) => words),
});

/** Sentences stand between single quotes. */
const quoted = (text: string): string => `'${text.replace(/'/g, "'\\''")}'`;

// ---------------------------------------------------------------- bash

/** The words before the cursor name the command; the word just before it may be an option that takes one of some words. */
function bashScript(all: Commands): string {
  const next = branchesOf(all).map(
    ({ path, next }) => `    ${quoted(path)}) words=${quoted(next.map(({ name }) => name).join(' '))} ;;`,
  );
  const leaves = leavesOf(all).map(({ path, options, words }) => {
    const names = [...options.map(({ name }) => name), ...words].join(' ');
    return `    ${quoted(path)}) words=${quoted(names)} ;;`;
  });
  const values = leavesOf(all).flatMap(({ path, options }) =>
    options.flatMap(({ name, value, words }) => {
      if (value === undefined) return [];
      const those = words === undefined ? '' : words.join(' ');
      return [
        `    ${quoted(`${path} ${name}`)}) words=${quoted(those)}; files=${words === undefined && isFile(value) ? 1 : ''} ;;`,
      ];
    }),
  );
  return `# bash completion for holdfast, made by: holdfast completions bash
_holdfast() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} path='' words='' files='' i
  for ((i = 1; i < COMP_CWORD && i < 3; i++)); do
    case "\${COMP_WORDS[i]}" in
      -*) break ;;
    esac
    case "$path" in
      ${all
        .filter(isGroup)
        .map(({ name }) => name)
        .join('|')}) path="$path \${COMP_WORDS[i]}" ;;
      '') path=\${COMP_WORDS[i]} ;;
    esac
  done
  case "$path" in
${[...next, ...leaves].join('\n')}
  esac
  case "$path $before" in
${values.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [ -n "$files" ]; then COMPREPLY+=($(compgen -f -- "$current")); fi
}
complete -F _holdfast holdfast`;
}

const isFile = (value: string): boolean => ['FOLDER', 'DIR', 'FILE', 'WHICH'].includes(value);

// ---------------------------------------------------------------- zsh

function zshScript(all: Commands): string {
  const described = (name: string, what: string) => quoted(`${name.replace(/:/g, '\\:')}:${what}`);
  const next = branchesOf(all).map(
    ({ path, next }) =>
      `    ${quoted(path)}) found=(${next.map(({ name, summary }) => described(name, summary)).join(' ')}) ;;`,
  );
  const leaves = leavesOf(all).map(({ path, options, words }) => {
    const all = [...options.map(({ name, what }) => described(name, what)), ...words.map((word) => quoted(word))];
    return `    ${quoted(path)}) found=(${all.join(' ')}) ;;`;
  });
  const values = leavesOf(all).flatMap(({ path, options }) =>
    options.flatMap(({ name, value, words }) => {
      if (value === undefined) return [];
      const action = words === undefined ? (isFile(value) ? '_files; return' : 'return') : `found=(${words.join(' ')})`;
      return [`    ${quoted(`${path} ${name}`)}) ${action} ;;`];
    }),
  );
  return `#compdef holdfast
# zsh completion for holdfast, made by: holdfast completions zsh
_holdfast() {
  local path_='' i  # zsh ties \`path\` to PATH.
  local -a found
  for ((i = 2; i < CURRENT && i < 4; i++)); do
    case "\${words[i]}" in
      -*) break ;;
    esac
    case "$path_" in
      (${all
        .filter(isGroup)
        .map(({ name }) => name)
        .join('|')}) path_="$path_ \${words[i]}" ;;
      ('') path_=\${words[i]} ;;
    esac
  done
  case "$path_" in
${[...next, ...leaves].join('\n')}
  esac
  case "$path_ \${words[CURRENT-1]}" in
${values.join('\n')}
  esac
  _describe 'holdfast' found
}
if [ "$funcstack[1]" = '_holdfast' ]; then _holdfast "$@"; else compdef _holdfast holdfast; fi`;
}

// ---------------------------------------------------------------- fish

/** The words so far are exactly those of a branch, or begin with those of a command. */
const FISH_WORDS = `function __holdfast_is
    set -l words (commandline -opc)
    test "$words[2..-1]" = "$argv"
end
function __holdfast_in
    set -l words (commandline -opc)
    set -l last (math 1 + (count $argv))
    test (count $words) -ge $last; and test "$words[2..$last]" = "$argv"
end`;

function fishScript(all: Commands): string {
  const next = branchesOf(all).flatMap(({ path, next }) =>
    next.map(
      ({ name, summary }) =>
        `complete -c holdfast -n ${quoted(`__holdfast_is ${path}`.trim())} -a ${name} -d ${quoted(summary)}`,
    ),
  );
  const leaves = leavesOf(all).flatMap(({ path, options, words }) => {
    const start = `complete -c holdfast -n ${quoted(`__holdfast_in ${path}`)}`;
    return [
      ...words.map((word) => `${start} -a ${word}`),
      ...options.map(
        ({ name, what, value, words: those }) =>
          `${start} -l ${name.slice(2)}${fishValue(value, those)} -d ${quoted(what)}`,
      ),
    ];
  });
  const head = '# fish completion for holdfast, made by: holdfast completions fish';
  return [head, FISH_WORDS, 'complete -c holdfast -f', ...next, ...leaves].join('\n');
}

function fishValue(value: string | undefined, words: readonly string[] | undefined): string {
  if (value === undefined) return '';
  if (words !== undefined) return ` -x -a ${quoted(words.join(' '))}`;
  return isFile(value) ? ' -r -F' : ' -x';
}
