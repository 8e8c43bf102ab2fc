#!/usr/bin/env node

// The command line. Each command is a file in commands/ and documents its exit codes. Exit 2 always means: the command could
// not look, or did not understand its arguments. It prints why.

import { postgresApiKeys } from '../storage/postgres/postgres-api-keys.js';
import { BadCommand, KEYS_USAGE, readKeysCommand, runKeysCommand } from './commands/keys.js';
import { look, print, say } from './commands/place.js';
import { STOP_USAGE, stop } from './commands/stop.js';
import { printUrl, URL_USAGE } from './commands/url.js';
import { VERIFY_USAGE, verifyStored } from './commands/verify.js';
import { readConfig } from './config/config.js';
import { version } from './version.js';

const EXIT_COULD_NOT_LOOK = 2;

const USAGE = `holdfast ${version}

${VERIFY_USAGE}
${KEYS_USAGE}
${URL_USAGE}
${STOP_USAGE}
  holdfast version        print the version

It reads the same environment as the start (see .env.example).`;

async function main([command, ...words]: readonly string[]): Promise<number> {
  if (command === undefined || command === 'help' || command === '--help') return usage(0);
  if (command === 'version' || command === '--version') {
    print(version);
    return 0;
  }
  try {
    const [first, ...more] = words;
    if (command === 'keys') return await askKeys(words);
    if (command === 'verify' && first === undefined) return await verifyStored(readConfig(process.env));
    if (command === 'stop' && first === undefined) return await stop(readConfig(process.env));
    if (command === 'url' && more.length === 0 && (first === 'postgres' || first === 'nats')) {
      return await printUrl(readConfig(process.env), first);
    }
    return usage(EXIT_COULD_NOT_LOOK);
  } catch (error) {
    if (error instanceof BadCommand) say(`holdfast keys: ${error.message}.\n\n${KEYS_USAGE}`);
    else
      say(
        `${command} could not ${command === 'stop' ? 'stop' : 'look'}: ${error instanceof Error ? error.message : String(error)}`,
      );
    return EXIT_COULD_NOT_LOOK;
  }
}

function usage(code: number): number {
  say(USAGE);
  return code;
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

process.exitCode = await main(process.argv.slice(2));
setTimeout(() => process.exit(), 500).unref();
