/**
 * The public keys of the token issuer, from its JWKS.
 *
 * Law: while the issuer is unavailable, tokens with a known key are still accepted. A token with an unknown key gets
 * IssuerAway, which is not a refusal. Only keys that were requested after the token arrived can refuse it. So a new key
 * counts from the moment the issuer publishes it. The issuer is asked at most once per cooldown. A bounded number of
 * tokens wait for it; further tokens get IssuerAway.
 */
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { limits } from '../../actors/limits.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';

export class IssuerAway extends Error {
  override readonly name = 'IssuerAway';
}

interface IssuerOptions {
  /** Exactly as the tokens name it. */
  readonly issuer: string;
  /** The address of its keys; undefined means OIDC discovery. */
  readonly jwksUrl: string | undefined;
  readonly clock: Pick<Clock, 'monotonic' | 'after'>;
  readonly logger: Logger;
}

const DISCOVERY = '/.well-known/openid-configuration';
const MOST_BYTES = 1_048_576;

export class IssuerKeys {
  private readonly options: IssuerOptions;
  private keys: JWTVerifyGetKey | undefined;
  /** When the request for the current keys began. */
  private keysAt = Number.NEGATIVE_INFINITY;
  private requestedAt = Number.NEGATIVE_INFINITY;
  private failedAt = Number.NEGATIVE_INFINITY;
  private fetching: Promise<JWTVerifyGetKey> | undefined;
  private waiting = 0;

  constructor(options: IssuerOptions) {
    this.options = options;
  }

  /** The key that the header of a token names. Throws IssuerAway, or the error of jose for an unknown key. */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    const { clock } = this.options;
    const since = clock.monotonic();
    let keys = this.keys ?? (await this.fetched());
    if (since - this.keysAt > limits.issuerKeysMs) this.fetched().catch(() => {}); // Logged there; the old keys stay.
    for (;;) {
      try {
        return await keys(header, token);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey) || this.keysAt >= since) throw error;
        keys = await this.newer();
      }
    }
  };

  /**
   * Whether newer keys are known that were requested after `since`. A key may have been replaced under the same name, so
   * a token that failed its check is checked once more. If the issuer is unavailable, the refusal stays.
   */
  async areNewer(since: number): Promise<boolean> {
    if (this.keysAt >= since) return false;
    return this.newer().then(
      () => true,
      () => false,
    );
  }

  // -------------------------------------------------------------- machinery

  private async newer(): Promise<JWTVerifyGetKey> {
    if (this.waiting >= limits.issuerWaiting) throw new IssuerAway('too many tokens wait for unknown keys');
    this.waiting++;
    try {
      return await this.fetched();
    } finally {
      this.waiting--;
    }
  }

  private fetched(): Promise<JWTVerifyGetKey> {
    const { clock, logger } = this.options;
    if (clock.monotonic() - this.failedAt < limits.issuerRetryMs) {
      return Promise.reject(new IssuerAway('the issuer of tokens did not answer a moment ago'));
    }
    this.fetching ??= this.cooled()
      .then(() => {
        this.requestedAt = clock.monotonic();
        return this.fetch();
      })
      .then(
        (keys) => {
          this.keys = keys;
          this.keysAt = this.requestedAt;
          return keys;
        },
        (error: unknown) => {
          this.failedAt = clock.monotonic();
          logger.warn(
            { cause: String(error) },
            'The keys of the token issuer cannot be fetched: known keys stay valid.',
          );
          throw new IssuerAway('the keys of the token issuer cannot be fetched', { cause: error });
        },
      )
      .finally(() => {
        this.fetching = undefined;
      });
    return this.fetching;
  }

  private async cooled(): Promise<void> {
    const { clock } = this.options;
    const restMs = this.requestedAt + limits.issuerCooldownMs - clock.monotonic();
    if (restMs > 0) await new Promise<void>((resolve) => void clock.after(restMs, resolve));
  }

  private async fetch(): Promise<JWTVerifyGetKey> {
    const deadline = AbortSignal.timeout(limits.issuerAnswerMs);
    const url = this.options.jwksUrl ?? (await this.discovered(deadline));
    return createLocalJWKSet((await jsonAt(url, deadline)) as JSONWebKeySet);
  }

  private async discovered(deadline: AbortSignal): Promise<string> {
    const { issuer } = this.options;
    const found = (await jsonAt(issuer.replace(/\/$/, '') + DISCOVERY, deadline)) as Record<string, unknown> | null;
    if (found?.issuer !== issuer) throw new Error(`the discovery of ${issuer} names another issuer`);
    const { jwks_uri: url } = found;
    if (typeof url !== 'string' || !URL.canParse(url)) throw new Error(`the discovery of ${issuer} has no jwks_uri`);
    // A discovery over TLS must not lead to keys without TLS.
    if (issuer.startsWith('https:') && !url.startsWith('https:')) throw new Error('the jwks_uri is not https');
    return url;
  }
}

async function jsonAt(url: string, signal: AbortSignal): Promise<unknown> {
  const reply = await fetch(url, { signal, redirect: 'error', headers: { accept: 'application/json' } });
  if (reply.status !== 200 || reply.body === null) throw new Error(`${url} answered ${reply.status}`);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of reply.body) {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) throw new Error(`${url} answered more than ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}
