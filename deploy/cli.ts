#!/usr/bin/env node

// The command line. Each command is a file in commands/ and documents its exit codes. Exit 2 always means: the command could
// not look, or did not understand its arguments. It prints why.

import { postgresApiKeys } from '../storage/postgres/postgres-api-keys.js';
import { BACKUP_USAGE, backUp } from './commands/backup.js';
import { EVENTS_USAGE, printEvents, readEventsCommand } from './commands/events.js';
import { FEED_USAGE, readFeedCommand, runFeedCommand } from './commands/feed.js';
import { BadCommand, KEYS_USAGE, readKeysCommand, runKeysCommand } from './commands/keys.js';
import { MIGRATE_USAGE, migrateTables } from './commands/migrate.js';
import { NODES_USAGE, showNodes } from './commands/nodes.js';
import { OFFSITE_USAGE, readOffsiteCommand, runOffsite } from './commands/offsite.js';
import { look, print, say } from './commands/place.js';
import { RESTORE_USAGE, restore } from './commands/restore.js';
import { STOP_USAGE, stop } from './commands/stop.js';
import { printUrl, readUrlCommand, URL_USAGE } from './commands/url.js';
import { VERIFY_USAGE, verifyStored } from './commands/verify.js';
import { readConfig } from './config/config.js';
import { version } from './version.js';

const EXIT_COULD_NOT_LOOK = 2;
/** What a command could not do, where it is not to look. */
const COULD_NOT: Readonly<Record<string, string>> = {
  stop: 'stop',
  migrate: 'change the tables',
  backup: 'back up',
  restore: 'restore',
};

const USAGE = `holdfast ${version}

${VERIFY_USAGE}
${KEYS_USAGE}
${NODES_USAGE}
${EVENTS_USAGE}
${FEED_USAGE}
${BACKUP_USAGE}
${RESTORE_USAGE}
${OFFSITE_USAGE}
${URL_USAGE}
${STOP_USAGE}
${MIGRATE_USAGE}
  holdfast version        print the version

It reads the same environment as the start (see .env.example).`;

async function main([command, ...words]: readonly string[]): Promise<number> {
  if (command === undefined || command === 'help' || command === '--help') return usage(0);
  if (command === 'version' || command === '--version') {
    print(version);
    return 0;
  }
  try {
    const [first] = words;
    if (command === 'events') return await printEvents(readConfig(process.env), readEventsCommand(words, Date.now()));
    if (command === 'feed') return await askFeed(words);
    if (command === 'offsite') return await serveOffsite(words);
    if (command === 'keys') return await askKeys(words);
    if (command === 'verify' && words.length <= 1 && (first === undefined || first === '--repair-stats')) {
      return await verifyStored(readConfig(process.env), first !== undefined);
    }
    if (command === 'nodes' && first === undefined) return await showNodes(readConfig(process.env));
    if (command === 'migrate' && first === undefined) return await migrateTables(readConfig(process.env));
    if (command === 'stop' && first === undefined) return await stop(readConfig(process.env));
    const [to, folder, ...more] = words;
    if (to === '--to' && folder !== undefined && more.length === 0) {
      if (command === 'backup') return await backUp(readConfig(process.env), folder);
      if (command === 'restore') return await restore(readConfig(process.env), folder);
    }
    const url = command === 'url' ? readUrlCommand(words) : undefined;
    if (url !== undefined) return await printUrl(readConfig(process.env), url);
    return usage(EXIT_COULD_NOT_LOOK);
  } catch (error) {
    const help = command === 'events' ? EVENTS_USAGE : KEYS_USAGE;
    if (error instanceof BadCommand) say(`holdfast ${command}: ${error.message}.\n\n${help}`);
    else
      say(
        `${command} could not ${COULD_NOT[command] ?? 'look'}: ${error instanceof Error ? error.message : String(error)}`,
      );
    return EXIT_COULD_NOT_LOOK;
  }
}

function usage(code: number): number {
  say(USAGE);
  return code;
}

async function askFeed(words: readonly string[]): Promise<number> {
  const command = readFeedCommand(words, Date.now());
  if (typeof command !== 'string') return runFeedCommand(readConfig(process.env), command);
  say(`holdfast feed: ${command}.\n\n${FEED_USAGE}`);
  return EXIT_COULD_NOT_LOOK;
}

async function serveOffsite(words: readonly string[]): Promise<number> {
  const command = readOffsiteCommand(words);
  if (typeof command !== 'string') return runOffsite(command);
  say(`holdfast offsite: ${command}.\n\n${OFFSITE_USAGE}`);
  return EXIT_COULD_NOT_LOOK;
}

async function askKeys(words: readonly string[]): Promise<number> {
  const command = readKeysCommand(words);
  return look(readConfig(process.env), async (client) => {
    try {
      return await runKeysCommand(command, postgresApiKeys(client), { now: Date.now, print, say });
    } finally {
      await client.end();
    }
  });
}

// Whoever read it has gone, as head does. The command ends as if all had been read.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
process.exitCode = await main(process.argv.slice(2));
setTimeout(() => process.exit(), 500).unref();
