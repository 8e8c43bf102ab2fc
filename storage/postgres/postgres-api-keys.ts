/** API keys, found by their hash. All times come from the caller, so that one clock decides whether a key has expired. */
import { userId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { ApiKey, ApiKeys } from '../../actors/ports/api-keys.js';
import { isScope } from '../../actors/principal.js';
import { msOf, storable, texts } from './column-arrays.js';
import type { PostgresClient } from './postgres.js';

/** A row as the driver returns it. `scopes` is one text, separated by spaces, which no scope's name contains. */
interface Row {
  readonly id: string;
  readonly hash: string;
  readonly name: string;
  readonly scopes: string;
  readonly user: string | null;
  readonly caller: string;
  readonly created: number;
  readonly expires: number | null;
  readonly revoked: number | null;
  readonly used: number | null;
}

const KEY = `id, hash, name, array_to_string(scopes, ' ') as scopes, user_id as "user", caller,
  ${msOf('created_at')} as created, ${msOf('expires_at')} as expires,
  ${msOf('revoked_at')} as revoked, ${msOf('last_used_at')} as used`;

const at = (parameter: string): string => `to_timestamp(${parameter}::float8 / 1000)`;

const CREATE = `insert into api_keys (id, hash, name, scopes, user_id, caller, created_at, expires_at, revoked_at, last_used_at)
  values ($1, $2, $3, $4::text[], $5, $6, ${at('$7')}, ${at('$8')}, ${at('$9')}, ${at('$10')})`;
const FIND = `select ${KEY} from api_keys where hash = $1`;
const LIST = `select ${KEY} from api_keys order by created_at desc, id limit ${limits.listedKeys}`;
const REVOKE = `update api_keys set revoked_at = coalesce(revoked_at, ${at('$2')}) where id = $1 returning ${KEY}`;
const TOUCH = `update api_keys set last_used_at = ${at('$2')}
  where id = $1 and (last_used_at is null or last_used_at < ${at('$2')})`;

export function postgresApiKeys(client: PostgresClient): ApiKeys {
  return {
    async create(key) {
      await client.query('store an API key', CREATE, [
        key.id,
        key.hash,
        storable(key.name),
        texts(key.scopes, (scope) => scope),
        key.userId ?? null,
        key.caller,
        key.createdAt,
        key.expiresAt ?? null,
        key.revokedAt ?? null,
        key.lastUsedAt ?? null,
      ]);
    },
    async find(hash) {
      const [row] = await client.query<Row>('find an API key', FIND, [hash]);
      return row && keyOf(row);
    },
    list: async () => (await client.query<Row>('list the API keys', LIST)).map(keyOf),
    async revoke(id, when) {
      const [row] = await client.query<Row>('revoke an API key', REVOKE, [id, when]);
      return row && keyOf(row);
    },
    async touch(id, when) {
      await client.query('note that an API key was used', TOUCH, [id, when]);
    },
  };
}

const keyOf = (row: Row): ApiKey => ({
  id: row.id,
  hash: row.hash,
  name: row.name,
  scopes: row.scopes.split(' ').filter(isScope),
  userId: row.user === null ? undefined : userId(row.user),
  caller: row.caller,
  createdAt: row.created,
  expiresAt: row.expires ?? undefined,
  revokedAt: row.revoked ?? undefined,
  lastUsedAt: row.used ?? undefined,
});
