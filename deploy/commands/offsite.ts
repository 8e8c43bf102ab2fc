// `holdfast offsite`: an off-site for backups, for a house of your own and for trials. It runs until SIGTERM or Ctrl-C.

import { resolve } from 'node:path';
import { systemClock } from '../../bus/system-clock.js';
import { startOffsiteServer } from '../../http/backup/offsite-server.js';
import { BadCommand, type Command, EXIT, type Given, type Terminal, wholeIn } from './command.js';
import { quiet, say } from './place.js';

export const offsiteCommand: Command = {
  name: 'offsite',
  summary: 'Take archives of backups in, until it is ended',
  about: 'nothing',
  options: [
    { name: '--dir', value: 'DIR', what: 'the folder of the archives' },
    { name: '--port', value: 'PORT', what: '3003 if it is left out; 0: any free port' },
    { name: '--host', value: 'HOST', what: '127.0.0.1 if it is left out' },
  ],
  notes: ['It takes one archive a UTC day. It has no accounts: keep it in a private network.'],
  examples: [{ line: 'offsite --dir archives', what: 'for BACKUP_OFFSITE_URL=http://127.0.0.1:3003' }],
  exits: '0: it was ended; 2: could not listen',
  run: (given, terminal) => runOffsite(readOffsite(given), terminal),
};

const PORT = 3003;

interface OffsiteCommand {
  readonly folder: string;
  readonly port: number;
  readonly host: string;
}

/** @throws BadCommand */
function readOffsite(given: Given): OffsiteCommand {
  const dir = given.text('--dir') ?? '';
  if (dir === '') throw new BadCommand('--dir must name the folder of the archives');
  const port = wholeIn('--port', given.text('--port') ?? String(PORT), 0, 65_535);
  return { folder: resolve(dir), port, host: given.text('--host') ?? '127.0.0.1' };
}

async function runOffsite({ folder, port, host }: OffsiteCommand, terminal: Terminal): Promise<number> {
  const logger = { ...quiet, info: (fields: object, line: string) => say(`${line}: ${JSON.stringify(fields)}`) };
  const server = await startOffsiteServer({ host, port, folder, clock: systemClock(), logger });
  const isOver = new Promise<void>((ended) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => ended());
  });
  say(`The off-site takes archives at http://${host}:${server.port}/api/backup/upload, and keeps them in ${folder}.`);
  if (terminal.isJson) terminal.answer({ url: `http://${host}:${server.port}`, folder }, []);
  await isOver;
  await server.stop();
  return EXIT.done;
}
