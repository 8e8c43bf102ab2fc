/** API keys, as they are stored. Types alone; what a port promises is held by its contract suite. */
import type { UserId } from '../ids.js';
import type { Scope } from '../principal.js';

/** What is remembered of an API key: never the key. */
export interface ApiKey {
  /** Stands in the key itself, for people and for revoking. */
  readonly id: string;
  readonly hash: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Undefined: a service, which sees all. */
  readonly userId: UserId | undefined;
  /** The id of the first of the keys that replaced one another: to idempotency they are one caller. */
  readonly caller: string;
  readonly createdAt: number;
  readonly expiresAt: number | undefined;
  readonly revokedAt: number | undefined;
  readonly lastUsedAt: number | undefined;
}

export interface ApiKeys {
  /** Rejects when there is one with this id or hash. */
  create(key: ApiKey): Promise<void>;
  /** Also one that is expired or revoked. */
  find(hash: string): Promise<ApiKey | undefined>;
  /** Newest first, at most limits.listedKeys. */
  list(): Promise<readonly ApiKey[]>;
  /** Answers the key as it then is; the first revocation stands. Undefined: there is none. */
  revoke(id: string, at: number): Promise<ApiKey | undefined>;
  /** It was used; an earlier time changes nothing. */
  touch(id: string, at: number): Promise<void>;
}
