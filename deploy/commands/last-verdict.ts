// The last verdict of `holdfast verify` on this machine, kept in DATA_DIR for `holdfast watch`.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { recall, remember } from '../servers/kept-files.js';
import { say } from './place.js';

interface LastVerdict {
  readonly clean: boolean;
  readonly total: number;
  readonly at: string;
}

const FILE = 'last-verify.json';

/** A folder that cannot be written changes no verdict. */
export async function keepVerdict(dataDir: string, { clean, total, at }: LastVerdict): Promise<void> {
  if (!existsSync(dataDir)) return;
  await remember(join(dataDir, FILE), { clean, total, at }).catch((error: unknown) =>
    say(`The verdict is not kept for holdfast watch: ${error instanceof Error ? error.message : String(error)}`),
  );
}

export const lastVerdict = (dataDir: string): Promise<LastVerdict | undefined> =>
  recall<LastVerdict>(join(dataDir, FILE)).catch(() => undefined);
