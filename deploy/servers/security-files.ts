// The files in deploy/security, which operators use and our own children too.

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** @returns the file's text. The compiled code is in dist/deploy/servers. */
export async function securityFile(name: string): Promise<string> {
  const places = ['../security/', '../../../deploy/security/'].map((place) => new URL(place + name, import.meta.url));
  const found = places.map((place) => fileURLToPath(place)).find((path) => existsSync(path));
  if (found === undefined) throw new Error(`the file deploy/security/${name} is missing: install Holdfast again`);
  return readFile(found, 'utf8');
}
