// `holdfast offsite`: an off-site for backups, for a house of your own and for trials. It runs until SIGTERM or Ctrl-C.

import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../../bus/system-clock.js';
import { startOffsiteServer } from '../../http/backup/offsite-server.js';
import { quiet, say } from './place.js';

export const OFFSITE_USAGE = `  holdfast offsite --dir DIR [--port 3003] [--host 127.0.0.1]
                          take archives of backups in, one a UTC day, until it is ended; they are kept in DIR
                          exit 0: it was ended; 2: could not listen`;

const PORT = 3003;

interface OffsiteCommand {
  readonly folder: string;
  readonly port: number;
  readonly host: string;
}

/** @returns what is wrong with the words, as text */
export function readOffsiteCommand(words: readonly string[]): OffsiteCommand | string {
  const text = { type: 'string' } as const;
  let given: { dir?: string | undefined; port?: string | undefined; host?: string | undefined };
  try {
    given = parseArgs({
      args: [...words],
      options: { dir: text, port: text, host: text },
      allowPositionals: false,
    }).values;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const { dir, port = String(PORT), host = '127.0.0.1' } = given;
  if (dir === undefined || dir === '') return '--dir must name the folder of the archives';
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) return '--port must be a whole number from 0 to 65535';
  return { folder: resolve(dir), port: Number(port), host };
}

export async function runOffsite({ folder, port, host }: OffsiteCommand): Promise<number> {
  const logger = { ...quiet, info: (fields: object, line: string) => say(`${line}: ${JSON.stringify(fields)}`) };
  const server = await startOffsiteServer({ host, port, folder, clock: systemClock(), logger });
  say(`The off-site takes archives at http://${host}:${server.port}/api/backup/upload, and keeps them in ${folder}.`);
  await new Promise<void>((ended) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => ended());
  });
  await server.stop();
  return 0;
}
