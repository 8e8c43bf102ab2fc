/**
 * Tokens (JWT) of one issuer: who they say it is.
 *
 * Law: signed by a key that the issuer publishes, with an algorithm of this list, for this audience, in its time;
 * a token says nothing about how it is to be checked. Without `admin` its subject is a customer.
 */
import { errors, type JWTPayload, jwtVerify } from 'jose';
import { userId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { isScope, type Principal, type Scope } from '../../actors/principal.js';
import { isIdText } from '../api/schemas.js';
import { IssuerAway, IssuerKeys } from './issuer-keys.js';

export interface TokenOptions {
  readonly issuer: string;
  readonly audience: string;
  /** Undefined: by OIDC discovery. */
  readonly jwksUrl: string | undefined;
}

export interface Verified {
  readonly principal: Principal;
  /** Wall clock, milliseconds. */
  readonly expiresAt: number;
}

/** Asymmetric ones alone: no `none`, and no HMAC, whose secret could be the public key. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'ES256', 'ES384', 'EdDSA'];

export class Tokens {
  private readonly options: TokenOptions;
  private readonly keys: IssuerKeys;
  private readonly clock: Clock;
  private readonly logger: Logger;

  constructor(options: TokenOptions, clock: Clock, logger: Logger) {
    this.options = options;
    this.clock = clock;
    this.logger = logger;
    this.keys = new IssuerKeys({ ...options, clock, logger });
  }

  /** Undefined: it is not valid. Throws IssuerAway when that cannot be known. */
  async verify(token: string): Promise<Verified | undefined> {
    const since = this.clock.monotonic();
    for (;;) {
      try {
        return this.verified(await this.payloadOf(token));
      } catch (error) {
        if (error instanceof IssuerAway) throw error;
        if (error instanceof errors.JWSSignatureVerificationFailed && (await this.keys.areNewer(since))) continue;
        // Such as a key of the issuer's that is too short: nothing the client has done.
        if (!(error instanceof errors.JOSEError)) {
          this.logger.warn({ cause: String(error) }, 'A token could not be checked, and was refused.');
        }
        return undefined;
      }
    }
  }

  private async payloadOf(token: string): Promise<JWTPayload> {
    const { issuer, audience } = this.options;
    const { payload } = await jwtVerify(token, this.keys.find, {
      issuer,
      audience,
      algorithms: ALGORITHMS,
      clockTolerance: limits.tokenLeewayMs / 1000,
      currentDate: new Date(this.clock.now()),
      requiredClaims: ['exp', 'sub'],
    });
    return payload;
  }

  private verified(payload: JWTPayload): Verified | undefined {
    const { sub = '', exp = 0 } = payload;
    if (!isIdText(sub)) return undefined;
    const scopes = scopesOf(payload);
    return {
      principal: {
        subject: `token:${this.options.issuer}#${sub}`,
        userId: scopes.has('admin') ? undefined : userId(sub),
        scopes,
      },
      expiresAt: exp * 1000 + limits.tokenLeewayMs,
    };
  }
}

/** `scope` is text with blanks (RFC 9068), `scp` a list of words or such a text; other words are other services'. */
function scopesOf({ scope, scp }: JWTPayload): ReadonlySet<Scope> {
  const words = [scope, scp].flatMap((claim) => (typeof claim === 'string' ? claim.split(' ') : claim));
  return new Set(words.filter((word) => typeof word === 'string').filter(isScope));
}
