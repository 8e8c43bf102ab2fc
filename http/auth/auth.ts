/**
 * From a request to who asks: an API key or a token as `Authorization: Bearer`.
 *
 *  1. A credential is never logged, stored or repeated; in memory it is a hash.
 *  2. What was verified is taken for good for limits.credentialMs, counted from before it was looked at: no
 *     revocation takes effect later. Its own end is looked at every time.
 *  3. No answer is not a no: 503, never 401, when the database or the issuer cannot be asked.
 *  4. What is wrong with a credential is not said: unknown, revoked and expired look the same.
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
  /** An admin's key that is not stored. */
  readonly adminKey: string | undefined;
  /** Undefined: no tokens are taken. */
  readonly tokens: TokenOptions | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Known extends Verified {
  /** Monotonic. */
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
  /** Hashes of what is not valid, and until when. */
  private readonly refused = new Map<string, number>();
  private readonly verifying = new Map<string, Promise<Principal>>();

  constructor(options: AuthOptions) {
    this.options = options;
    const { tokens, clock, logger, adminKey } = options;
    this.tokens = tokens && new Tokens(tokens, clock, logger);
    this.adminHash = adminKey === undefined ? undefined : Buffer.from(hashOf(adminKey));
  }

  /** Who asks; at once, unless the credential has to be looked up. Throws, or rejects with, the 401 or 503. */
  principal(req: IncomingMessage): Principal | Promise<Principal> {
    const text = BEARER.exec(req.headers.authorization ?? '')?.[1];
    if (text === undefined) throw unauthorized(req.headers.authorization !== undefined);
    const hash = hashOf(text);
    if (this.adminHash !== undefined && timingSafeEqual(this.adminHash, Buffer.from(hash))) return ADMIN.principal;
    // A hash is nothing that a guesser chooses: how long a Map takes to find it tells nothing about a key.
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

  /** What it fails with is nobody's answer: a refusal is remembered, and without an answer the life goes on to its end. */
  private refresh(text: string, hash: string): void {
    if (this.verifying.has(hash) || this.verifying.size >= limits.credentialLookUps) return;
    this.verify(text, hash).catch(() => {});
  }

  /** One look-up for all that wait for it. */
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
        .catch((error: unknown) => logger.debug({ key: key.id, cause: String(error) }, 'A use was not noted.'));
    }
    return {
      principal: { subject: `key:${key.caller}`, userId: key.userId, scopes: new Set(key.scopes) },
      expiresAt: key.expiresAt ?? Number.POSITIVE_INFINITY,
    };
  }
}

/** Bounded: the oldest goes first. */
function remember<T>(known: Map<string, T>, hash: string, value: T): void {
  known.delete(hash);
  if (known.size >= limits.knownCredentials) {
    const oldest = known.keys().next().value;
    if (oldest !== undefined) known.delete(oldest);
  }
  known.set(hash, value);
}

/** @param given whether there was anything that could have been one. */
function unauthorized(given: boolean): Failure {
  const message = given
    ? 'This API key or token is not valid here: it is unknown, revoked, expired, or meant for another service.'
    : 'Send an API key or a token: Authorization: Bearer hf_...';
  const challenge = given ? 'Bearer error="invalid_token"' : 'Bearer';
  return new Failure(401, 'unauthorized', message, { headers: ['WWW-Authenticate', challenge] });
}
