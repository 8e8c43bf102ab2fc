/**
 * Authenticates the caller of a request by an API key or a token in `Authorization: Bearer`.
 *
 *  1. A credential is never logged, stored or returned. Memory holds only its hash.
 *  2. A verified credential is cached for limits.credentialMs, counted from the start of its look-up. So no revocation
 *     takes effect later than that. Its expiry is checked on every request.
 *  3. If the database or the issuer does not answer, the reply is 503, never 401.
 *  4. A refusal does not say what is wrong: unknown, revoked and expired credentials look the same.
 */
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { limits } from '../../actors/limits.js';
import type { ApiKey, ApiKeys } from '../../actors/ports/api-keys.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import type { Principal } from '../../actors/principal.js';
import { Failure, unavailable } from '../api/failure.js';
import { hashOf, isApiKey } from './api-key.js';
import { type TokenOptions, Tokens, type Verified } from './tokens.js';

interface AuthOptions {
  readonly keys: ApiKeys;
  /** An admin key from the configuration. It is not in the database. */
  readonly adminKey: string | undefined;
  /** Undefined means that tokens are not accepted. */
  readonly tokens: TokenOptions | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Known extends Verified {
  /** On the monotonic clock. */
  readonly until: number;
}

const BEARER = /^Bearer +([!-~]+) *$/i;
const ADMIN: Verified = {
  principal: { subject: 'ADMIN_KEY', userId: undefined, scopes: new Set(['admin']) },
  expiresAt: Number.POSITIVE_INFINITY,
};

export class Auth {
  private readonly options: AuthOptions;
  private readonly tokens: Tokens | undefined;
  private readonly adminHash: Buffer | undefined;
  private readonly known = new Map<string, Known>();
  /** Hashes of invalid credentials, and how long each is remembered. */
  private readonly refused = new Map<string, number>();
  private readonly verifying = new Map<string, Promise<Principal>>();

  constructor(options: AuthOptions) {
    this.options = options;
    const { tokens, clock, logger, adminKey } = options;
    this.tokens = tokens && new Tokens(tokens, clock, logger);
    this.adminHash = adminKey === undefined ? undefined : Buffer.from(hashOf(adminKey));
  }

  /** The caller: immediately if it is cached, else after a look-up. Throws, or rejects with, 401 or 503. */
  principal(req: IncomingMessage): Principal | Promise<Principal> {
    const text = BEARER.exec(req.headers.authorization ?? '')?.[1];
    if (text === undefined) throw unauthorized(req.headers.authorization !== undefined);
    const hash = hashOf(text);
    if (this.adminHash !== undefined && timingSafeEqual(this.adminHash, Buffer.from(hash))) return ADMIN.principal;
    // A guesser cannot choose a hash, so the time of a Map look-up reveals nothing about a key.
    const known = this.known.get(hash);
    const { clock } = this.options;
    const restMs = (known?.until ?? 0) - clock.monotonic();
    if (known !== undefined && restMs > 0) {
      if (known.expiresAt <= clock.now()) throw unauthorized(true);
      if (restMs < limits.credentialMs - limits.credentialRefreshMs) this.refresh(text, hash);
      return known.principal;
    }
    if ((this.refused.get(hash) ?? 0) > clock.monotonic()) throw unauthorized(true);
    return this.verifying.get(hash) ?? this.verify(text, hash);
  }

  // -------------------------------------------------------------- machinery

  /** Nobody waits for a refresh: a refusal is remembered, and without an answer the cached entry lives to its end. */
  private refresh(text: string, hash: string): void {
    if (this.verifying.has(hash) || this.verifying.size >= limits.credentialLookUps) return;
    this.verify(text, hash).catch(() => {});
  }

  /** All requests with one credential share one look-up. */
  private verify(text: string, hash: string): Promise<Principal> {
    if (this.verifying.size >= limits.credentialLookUps) {
      throw new Failure(503, 'busy', 'Too many keys are being looked up: try again in a moment.', {
        headers: ['Retry-After', '1'],
      });
    }
    const until = this.options.clock.monotonic() + limits.credentialMs;
    const verifying = this.lookUp(text, hash)
      .then((verified) => {
        if (verified === undefined || verified.expiresAt <= this.options.clock.now()) {
          this.known.delete(hash);
          remember(this.refused, hash, until);
          throw unauthorized(true);
        }
        remember(this.known, hash, { ...verified, until });
        return verified.principal;
      })
      .finally(() => this.verifying.delete(hash));
    this.verifying.set(hash, verifying);
    return verifying;
  }

  private async lookUp(text: string, hash: string): Promise<Verified | undefined> {
    try {
      if (isApiKey(text)) return this.verifiedKey(await this.options.keys.find(hash));
      return await this.tokens?.verify(text);
    } catch (error) {
      const message = 'This key or token cannot be checked at the moment: try again.';
      throw unavailable(message, {}, error);
    }
  }

  private verifiedKey(key: ApiKey | undefined): Verified | undefined {
    if (key === undefined || key.revokedAt !== undefined) return undefined;
    const { keys, clock, logger } = this.options;
    const now = clock.now();
    if (now - (key.lastUsedAt ?? 0) > limits.keyTouchMs) {
      keys
        .touch(key.id, now)
        .catch((error: unknown) =>
          logger.debug({ key: key.id, cause: String(error) }, 'The last use of a key was not stored.'),
        );
    }
    return {
      principal: { subject: `key:${key.caller}`, userId: key.userId, scopes: new Set(key.scopes) },
      expiresAt: key.expiresAt ?? Number.POSITIVE_INFINITY,
    };
  }
}

/** Adds an entry to a bounded map, which drops its oldest entry. */
function remember<T>(known: Map<string, T>, hash: string, value: T): void {
  known.delete(hash);
  if (known.size >= limits.knownCredentials) {
    const oldest = known.keys().next().value;
    if (oldest !== undefined) known.delete(oldest);
  }
  known.set(hash, value);
}

/** @param given whether the request had an Authorization header. */
function unauthorized(given: boolean): Failure {
  const message = given
    ? 'This API key or token is not valid here: it is unknown, revoked, expired, or meant for another service.'
    : 'Send an API key or a token: Authorization: Bearer hf_...';
  const challenge = given ? 'Bearer error="invalid_token"' : 'Bearer';
  return new Failure(401, 'unauthorized', message, { headers: ['WWW-Authenticate', challenge] });
}
