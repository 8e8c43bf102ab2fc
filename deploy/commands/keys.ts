// `holdfast keys`: create, list and revoke API keys. The whole command is parsed before anything is read or changed. A key
// is printed once, alone on standard output. Messages go to standard error, so that a script can capture the key alone.

import { parseArgs } from 'node:util';
import { userId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { ApiKey, ApiKeys } from '../../actors/ports/api-keys.js';
import { isScope, SCOPES, type Scope } from '../../actors/principal.js';
import { ID_RULE, isIdText } from '../../http/api/schemas.js';
import { drawKey } from '../../http/auth/api-key.js';
import { sqlState } from '../../storage/postgres/postgres.js';

export const KEYS_USAGE = `  holdfast keys create --name N --scopes A,B [--user U] [--expires 90d]
                          make an API key and print it, once; scopes: ${SCOPES.join(', ')};
                          with --user it is a customer's, who sees that user's orders only
  holdfast keys create --replaces ID [--expires 90d]
                          a new key for the same caller; the old one stays until it is revoked
  holdfast keys list      show all keys: what they may, until when, when last used
  holdfast keys revoke ID refuse a key from now on`;

type KeysCommand =
  | { readonly kind: 'create'; readonly wanted: Wanted; readonly expiresMs: number | undefined }
  | { readonly kind: 'list' }
  | { readonly kind: 'revoke'; readonly id: string };

type Wanted =
  | { readonly name: string; readonly scopes: readonly Scope[]; readonly user: string | undefined }
  | { readonly replaces: string };

interface Terminal {
  readonly now: () => number;
  /** Standard output. */
  readonly print: (line: string) => void;
  readonly say: (line: string) => void;
}

/** The command cannot be parsed. The message is a sentence. */
export class BadCommand extends Error {
  override readonly name = 'BadCommand';
}

const EXIT_DONE = 0;
const EXIT_NO_SUCH_KEY = 1;
const MS_OF: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };
const MOST_DAYS = 3_650;

export function readKeysCommand(words: readonly string[]): KeysCommand {
  const [verb, ...rest] = words;
  if (verb === 'list' && rest.length === 0) return { kind: 'list' };
  if (verb === 'revoke') {
    const [id, ...more] = rest;
    if (id === undefined || more.length > 0) throw new BadCommand('say which key to revoke: holdfast keys revoke ID');
    return { kind: 'revoke', id: idIn(id) };
  }
  if (verb !== 'create') throw new BadCommand(`create, list or revoke, not "${verb ?? ''}"`);
  return readCreate(rest);
}

export async function runKeysCommand(command: KeysCommand, keys: ApiKeys, terminal: Terminal): Promise<number> {
  try {
    switch (command.kind) {
      case 'create':
        return await create(command, keys, terminal);
      case 'list':
        return await list(keys, terminal);
      case 'revoke':
        return await revoke(command.id, keys, terminal);
    }
  } catch (error) {
    if (sqlState(error) !== UNDEFINED_TABLE) throw error;
    throw new Error('this database has no table for keys yet: start this version of Holdfast on it once');
  }
}

// ---------------------------------------------------------------- parsing

const UNDEFINED_TABLE = '42P01';

function readCreate(words: readonly string[]): KeysCommand {
  const { name, scopes, user, expires, replaces } = optionsOf(words);
  const expiresMs = expires === undefined ? undefined : durationOf(expires);
  if (replaces !== undefined) {
    if (name !== undefined || scopes !== undefined || user !== undefined) {
      throw new BadCommand('--replaces takes name, scopes and user from the old key: leave them out');
    }
    return { kind: 'create', wanted: { replaces: idIn(replaces) }, expiresMs };
  }
  if (name === undefined || !/^[^\p{Cc}]{1,200}$/u.test(name)) {
    throw new BadCommand('--name must say in 1 to 200 characters whose key it is');
  }
  const given = scopesOf(scopes ?? '');
  if (user !== undefined && !isIdText(user)) throw new BadCommand(`--user ${ID_RULE}`);
  if (user !== undefined && given.includes('admin')) {
    throw new BadCommand('--user makes a key for one customer, and admin sees all: choose one of the two');
  }
  return { kind: 'create', wanted: { name, scopes: given, user }, expiresMs };
}

function optionsOf(words: readonly string[]) {
  const text = { type: 'string' } as const;
  try {
    const options = { name: text, scopes: text, user: text, expires: text, replaces: text };
    return parseArgs({ args: [...words], options, allowPositionals: false }).values;
  } catch (error) {
    throw new BadCommand(error instanceof Error ? error.message : String(error));
  }
}

function scopesOf(list: string): readonly Scope[] {
  const words = list.split(',').map((word) => word.trim());
  const scopes = words.filter(isScope);
  if (scopes.length === 0 || scopes.length < words.length) {
    throw new BadCommand(`--scopes must be some of ${SCOPES.join(', ')}, with commas between`);
  }
  return [...new Set(scopes)];
}

function durationOf(text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,7})([dhm])$/.exec(text) ?? [];
  const ms = Number(number) * (MS_OF[unit] ?? 0);
  if (ms < 60_000 || ms > MOST_DAYS * 86_400_000) {
    throw new BadCommand(`--expires must be a time such as 90d, 12h or 30m, at most ${MOST_DAYS}d`);
  }
  return ms;
}

/** The id of a key, also if the whole key was pasted in its place. */
const idIn = (text: string): string => /^hf_([0-9a-z]+)_/.exec(text)?.[1] ?? text;

// ---------------------------------------------------------------- running

async function create(
  { wanted, expiresMs }: Extract<KeysCommand, { kind: 'create' }>,
  keys: ApiKeys,
  { now, print, say }: Terminal,
): Promise<number> {
  const { id, key, hash } = drawKey();
  const same = 'replaces' in wanted ? (await keys.list()).find((old) => old.id === wanted.replaces) : undefined;
  if ('replaces' in wanted && same === undefined) {
    say(`There is no key ${wanted.replaces}: holdfast keys list shows them.`);
    return EXIT_NO_SUCH_KEY;
  }
  const user = 'user' in wanted ? wanted.user : undefined;
  const whose =
    'replaces' in wanted
      ? { name: same?.name ?? '', scopes: same?.scopes ?? [], userId: same?.userId, caller: same?.caller ?? id }
      : { name: wanted.name, scopes: wanted.scopes, userId: user === undefined ? undefined : userId(user), caller: id };
  const createdAt = now();
  const stored: ApiKey = {
    ...{ id, hash, createdAt, ...whose },
    expiresAt: expiresMs === undefined ? undefined : createdAt + expiresMs,
    revokedAt: undefined,
    lastUsedAt: undefined,
  };
  await keys.create(stored);
  say(`Key ${id} (${stored.name}): ${powersOf(stored)}. It is shown this once and stored nowhere:`);
  print(key);
  if (same !== undefined) say(`Key ${same.id} still works: holdfast keys revoke ${same.id}, once nobody uses it.`);
  return EXIT_DONE;
}

async function list(keys: ApiKeys, { now, print, say }: Terminal): Promise<number> {
  const all = await keys.list();
  if (all.length === 0) say('There are no keys: holdfast keys create makes one.');
  const rows = all.map((key) => [key.id, stateOf(key, now()), usedAt(key), powersOf(key), key.name]);
  const table = [['ID', 'STATE', 'LAST USED', 'MAY', 'NAME'], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const lineOf = (row: readonly string[]) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ');
  if (all.length > 0) for (const row of table) print(lineOf(row).trimEnd());
  return EXIT_DONE;
}

async function revoke(id: string, keys: ApiKeys, { now, say }: Terminal): Promise<number> {
  const key = await keys.revoke(id, now());
  if (key === undefined) {
    say(`There is no key ${id}: holdfast keys list shows them.`);
    return EXIT_NO_SUCH_KEY;
  }
  say(`Key ${id} (${key.name}) is revoked: it is refused within ${limits.credentialMs / 1000} s.`);
  return EXIT_DONE;
}

const minute = (at: number): string => `${new Date(at).toISOString().slice(0, 16)}Z`;

const powersOf = ({ scopes, userId: user }: ApiKey): string =>
  `${scopes.join(',')}${user === undefined ? '' : ` of user ${JSON.stringify(user)}`}`;

const usedAt = ({ lastUsedAt }: ApiKey): string => (lastUsedAt === undefined ? 'never' : minute(lastUsedAt));

function stateOf({ revokedAt, expiresAt }: ApiKey, now: number): string {
  if (revokedAt !== undefined) return `revoked ${minute(revokedAt)}`;
  if (expiresAt === undefined) return 'valid';
  return expiresAt <= now ? `expired ${minute(expiresAt)}` : `valid until ${minute(expiresAt)}`;
}
