// `holdfast keys`: create, list and revoke API keys. The whole command is parsed before anything is read or changed. A key
// is printed once, alone on standard output. Messages go to standard error, so that a script can capture the key alone.

import { userId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { ApiKey, ApiKeys } from '../../actors/ports/api-keys.js';
import { isScope, SCOPES, type Scope } from '../../actors/principal.js';
import { ID_RULE, isIdText } from '../../http/api/schemas.js';
import { drawKey } from '../../http/auth/api-key.js';
import { sqlState } from '../../storage/postgres/postgres.js';
import { postgresApiKeys } from '../../storage/postgres/postgres-api-keys.js';
import { BadCommand, type CommandGroup, EXIT, type Given, type Terminal } from './command.js';
import { look } from './place.js';
import { tableOf } from './text-table.js';

const EXITS = '0: done; 1: there is no such key; 2: not understood, or no database to look at';

type WithKeys = (use: (keys: ApiKeys) => Promise<number>, terminal: Terminal) => Promise<number>;

/** @param withKeys where the keys are */
export const keysOn = (withKeys: WithKeys): CommandGroup => ({
  name: 'keys',
  summary: 'Create, list and revoke API keys',
  commands: [
    {
      name: 'create',
      summary: 'Make an API key and print it, once',
      about: 'servers',
      options: [
        { name: '--name', value: 'N', what: 'whose key it is' },
        { name: '--scopes', value: 'A,B', what: `what it may: ${SCOPES.join(', ')}` },
        { name: '--user', value: 'U', what: "a customer's key, who sees that user's orders only" },
        { name: '--expires', value: 'TIME', what: 'such as 90d, 12h or 30m' },
        {
          name: '--replaces',
          value: 'ID',
          what: 'a new key for the same caller; the old one stays until it is revoked',
        },
      ],
      examples: [
        { line: 'keys create --name shop --scopes orders:read,orders:write --expires 90d', what: 'a service' },
        { line: 'keys create --name app-of-ada --scopes orders:read,orders:write --user ada', what: 'a customer' },
      ],
      exits: EXITS,
      run: async (given, terminal) => {
        const wanted = readCreate(given);
        return withKeys((keys) => run(wanted, keys, terminal), terminal);
      },
    },
    {
      name: 'list',
      summary: 'Show all keys: what they may, until when, when last used',
      about: 'servers',
      examples: [{ line: 'keys list', what: 'never the keys themselves' }],
      exits: EXITS,
      run: (_given, terminal) => withKeys((keys) => run({ kind: 'list' }, keys, terminal), terminal),
    },
    {
      name: 'revoke',
      summary: 'Refuse a key from now on',
      about: 'servers',
      arguments: [{ name: 'ID', what: 'of `holdfast keys list`' }],
      examples: [],
      exits: EXITS,
      run: (given, terminal) =>
        withKeys((keys) => run({ kind: 'revoke', id: idIn(given.arguments[0] ?? '') }, keys, terminal), terminal),
    },
  ],
});

export const keysCommands = keysOn((use, terminal) =>
  look(terminal.config(), async (client) => {
    try {
      return await use(postgresApiKeys(client));
    } finally {
      await client.end();
    }
  }),
);

type KeysCommand =
  | { readonly kind: 'create'; readonly wanted: Wanted; readonly expiresMs: number | undefined }
  | { readonly kind: 'list' }
  | { readonly kind: 'revoke'; readonly id: string };

type Wanted =
  | { readonly name: string; readonly scopes: readonly Scope[]; readonly user: string | undefined }
  | { readonly replaces: string };

const MS_OF: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };
const MOST_DAYS = 3_650;

async function run(command: KeysCommand, keys: ApiKeys, terminal: Terminal): Promise<number> {
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

/** @throws BadCommand */
function readCreate(given: Given): KeysCommand {
  const [name, scopes, user] = [given.text('--name'), given.text('--scopes'), given.text('--user')];
  const [expires, replaces] = [given.text('--expires'), given.text('--replaces')];
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
  const may = scopesOf(scopes ?? '');
  if (user !== undefined && !isIdText(user)) throw new BadCommand(`--user ${ID_RULE}`);
  if (user !== undefined && may.includes('admin')) {
    throw new BadCommand('--user makes a key for one customer, and admin sees all: choose one of the two');
  }
  return { kind: 'create', wanted: { name, scopes: may, user }, expiresMs };
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
  terminal: Terminal,
): Promise<number> {
  const { now, say } = terminal;
  const { id, key, hash } = drawKey();
  const same = 'replaces' in wanted ? (await keys.list()).find((old) => old.id === wanted.replaces) : undefined;
  if ('replaces' in wanted && same === undefined) {
    say(`There is no key ${wanted.replaces}: holdfast keys list shows them.`);
    return EXIT.refused;
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
  terminal.answer({ ...told(stored, now()), key }, key);
  if (same !== undefined) say(`Key ${same.id} still works: holdfast keys revoke ${same.id}, once nobody uses it.`);
  return EXIT.done;
}

async function list(keys: ApiKeys, terminal: Terminal): Promise<number> {
  const now = terminal.now();
  const all = await keys.list();
  if (all.length === 0) terminal.say('There are no keys: holdfast keys create makes one.');
  const rows = all.map((key) => [key.id, stateOf(key, now), usedAt(key), powersOf(key), key.name]);
  const table = tableOf(['ID', 'STATE', 'LAST USED', 'MAY', 'NAME'], rows, terminal.columns);
  terminal.answer(
    all.map((key) => told(key, now)),
    all.length > 0 ? table : [],
  );
  return EXIT.done;
}

/** For programs: the names of the API. */
const told = (key: ApiKey, now: number) => ({
  ...{ id: key.id, name: key.name, scopes: key.scopes, user_id: key.userId, state: stateOf(key, now).split(' ')[0] },
  ...{ created_at: timeOf(key.createdAt), expires_at: timeOf(key.expiresAt) },
  ...{ revoked_at: timeOf(key.revokedAt), last_used_at: timeOf(key.lastUsedAt) },
});

const timeOf = (at: number | undefined): string | undefined =>
  at === undefined ? undefined : new Date(at).toISOString();

async function revoke(id: string, keys: ApiKeys, terminal: Terminal): Promise<number> {
  const { now, say } = terminal;
  const key = await keys.revoke(id, now());
  if (key === undefined) {
    say(`There is no key ${id}: holdfast keys list shows them.`);
    return EXIT.refused;
  }
  say(`Key ${id} (${key.name}) is revoked: it is refused within ${limits.credentialMs / 1000} s.`);
  if (terminal.isJson) terminal.answer(told(key, now()), []);
  return EXIT.done;
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
