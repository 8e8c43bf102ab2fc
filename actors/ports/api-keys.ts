/** API keys as they are stored. Types only; a contract suite tests each promise. */
import type { UserId } from '../ids.js';
import type { Scope } from '../principal.js';

/** What is stored of an API key: never the key itself. */
export interface ApiKey {
  /** A part of the key itself, for people and for revoking. */
  readonly id: string;
  readonly hash: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Undefined for a service, which sees all data. */
  readonly userId: UserId | undefined;
  /** The id of the first key in a series of replaced keys. All keys of the series are one caller for idempotency. */
  readonly caller: string;
  readonly createdAt: number;
  readonly expiresAt: number | undefined;
  readonly revokedAt: number | undefined;
  readonly lastUsedAt: number | undefined;
}

export interface ApiKeys {
  /** Rejects when a key with this id or hash exists. */
  create(key: ApiKey): Promise<void>;
  /** Finds expired and revoked keys too. */
  find(hash: string): Promise<ApiKey | undefined>;
  /** Newest first, at most limits.listedKeys. */
  list(): Promise<readonly ApiKey[]>;
  /** Returns the key after the call; the first revocation keeps its time. Undefined when there is no such key. */
  revoke(id: string, at: number): Promise<ApiKey | undefined>;
  /** Stores the time of the key's use; an earlier time changes nothing. */
  touch(id: string, at: number): Promise<void>;
}
