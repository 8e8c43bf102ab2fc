/**
 * Verifies the tokens (JWT) of one issuer and reads their subject and scopes.
 *
 * Law: a valid token is signed by a published key of the issuer with a listed algorithm, is for this audience, and has
 * not expired. The token itself does not decide how it is checked. Without the scope `admin` its subject is a customer.
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
  /** Undefined means OIDC discovery. */
  readonly jwksUrl: string | undefined;
}

export interface Verified {
  readonly principal: Principal;
  /** Wall clock, milliseconds. */
  readonly expiresAt: number;
}

/** Only asymmetric algorithms: no `none`, and no HMAC, whose secret could be the public key. */
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

  /** @returns undefined if the token is not valid. @throws IssuerAway if that cannot be decided now. */
  async verify(token: string): Promise<Verified | undefined> {
    const since = this.clock.monotonic();
    for (;;) {
      try {
        return this.verified(await this.payloadOf(token));
      } catch (error) {
        if (error instanceof IssuerAway) throw error;
        if (error instanceof errors.JWSSignatureVerificationFailed && (await this.keys.areNewer(since))) continue;
        // Not the client's fault: for example, a key of the issuer is too short.
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

/** `scope` is words separated by blanks (RFC 9068); `scp` is such a text or a list. Unknown words belong to others. */
function scopesOf({ scope, scp }: JWTPayload): ReadonlySet<Scope> {
  const words = [scope, scp].flatMap((claim) => (typeof claim === 'string' ? claim.split(' ') : claim));
  return new Set(words.filter((word) => typeof word === 'string').filter(isScope));
}
