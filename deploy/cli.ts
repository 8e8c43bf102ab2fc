#!/usr/bin/env node

// The command line. Each command is a file in commands/, listed in all-commands.ts. Exit codes are in commands/command.ts.

import { allCommands } from './commands/all-commands.js';
import { BadCommand, EXIT, type Terminal } from './commands/command.js';
import { read } from './commands/parser.js';
import { Interrupted, NotReached, Refused } from './commands/system.js';
import { processTerminal } from './commands/terminal.js';
import { version } from './version.js';

const EXIT_INTERRUPTED = 130;
/** What a command could not do, where it is not to look. */
const COULD_NOT: Readonly<Record<string, string>> = {
  stop: 'stop',
  migrate: 'change the tables',
  backup: 'back up',
  restore: 'restore',
  archive: 'archive',
};

async function main(words: readonly string[]): Promise<number> {
  const reading = read(allCommands, version, words, process.stdout.columns);
  if (reading.kind === 'told') {
    process.stdout.write(`${reading.text}\n`);
    return EXIT.done;
  }
  if (reading.kind === 'wrong') {
    process.stderr.write(`${reading.message}\n`);
    return EXIT.notUnderstood;
  }
  const { path, command, given, isJson } = reading;
  const terminal = processTerminal(isJson);
  try {
    return await command.run(given, terminal);
  } catch (error) {
    return failed(error, path, terminal);
  }
}

function failed(error: unknown, path: string, { say, answer, isJson }: Terminal): number {
  const why = error instanceof Error ? error.message : String(error);
  if (error instanceof BadCommand) {
    say(`holdfast ${path}: ${why}.\nSee: holdfast ${path} --help`);
    return EXIT.notUnderstood;
  }
  if (error instanceof Refused) {
    if (isJson && error.reply.body !== undefined) answer(error.reply.body, []);
    say(`holdfast ${path}: ${why}`);
    return EXIT.refused;
  }
  if (error instanceof NotReached || error instanceof Interrupted) {
    say(`holdfast ${path}: ${why}`);
    return error instanceof NotReached ? EXIT.notReached : EXIT_INTERRUPTED;
  }
  const [first = ''] = path.split(' ');
  say(`${path} could not ${COULD_NOT[first] ?? 'look'}: ${why}`);
  return EXIT.notUnderstood;
}

// Whoever read it has gone, as head does. The command ends as if all had been read.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
process.exitCode = await main(process.argv.slice(2));
setTimeout(() => process.exit(), 500).unref();
