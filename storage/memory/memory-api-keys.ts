/** API keys in memory: the twin of postgres-api-keys.ts. */
import { limits } from '../../actors/limits.js';
import type { ApiKey, ApiKeys } from '../../actors/ports/api-keys.js';

export function memoryApiKeys(): ApiKeys {
  const keys = new Map<string, ApiKey>();
  const all = () => [...keys.values()];
  const change = (id: string, into: (key: ApiKey) => ApiKey): ApiKey | undefined => {
    const key = keys.get(id);
    if (key === undefined) return undefined;
    const changed = into(key);
    keys.set(id, changed);
    return changed;
  };
  return {
    async create(key) {
      if (keys.has(key.id) || all().some(({ hash }) => hash === key.hash))
        throw new Error('there is such a key already');
      if (key.userId !== undefined && key.scopes.includes('admin')) throw new Error('a customer is no admin');
      keys.set(key.id, { ...key });
    },
    find: async (hash) => all().find((key) => key.hash === hash),
    list: async () =>
      all()
        .sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? -1 : 1))
        .slice(0, limits.listedKeys),
    revoke: async (id, at) => change(id, (key) => ({ ...key, revokedAt: key.revokedAt ?? at })),
    async touch(id, at) {
      change(id, (key) => ({ ...key, lastUsedAt: Math.max(key.lastUsedAt ?? at, at) }));
    },
  };
}
