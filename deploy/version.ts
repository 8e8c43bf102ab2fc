import { readFileSync } from 'node:fs';

/** As package.json has it, two folders up from the compiled file. */
export const version = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version;
