/**
 * The public keys of the issuer of tokens, as its JWKS has them.
 *
 * Law: an issuer that is away stops nobody whose key is known; for one that is not known there is no answer
 * (IssuerAway), which is not a no. A no is said by keys alone that were asked for after the question: so a key
 * of the issuer's counts from the moment he publishes it. Whatever keys his tokens name, he is asked once a
 * cooldown at most; meanwhile so many wait, and for more there is no answer.
 */
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { limits } from '../../actors/limits.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';

export class IssuerAway extends Error {
  override readonly name = 'IssuerAway';
}

interface IssuerOptions {
  /** As the tokens name it, to the letter. */
  readonly issuer: string;
  /** Where its keys are; undefined: it is asked by OIDC discovery. */
  readonly jwksUrl: string | undefined;
  readonly clock: Pick<Clock, 'monotonic' | 'after'>;
  readonly logger: Logger;
}

const DISCOVERY = '/.well-known/openid-configuration';
const MOST_BYTES = 1_048_576;

export class IssuerKeys {
  private readonly options: IssuerOptions;
  private keys: JWTVerifyGetKey | undefined;
  /** When those were asked for. */
  private keysAt = Number.NEGATIVE_INFINITY;
  private askedAt = Number.NEGATIVE_INFINITY;
  private failedAt = Number.NEGATIVE_INFINITY;
  private fetching: Promise<JWTVerifyGetKey> | undefined;
  private waiting = 0;

  constructor(options: IssuerOptions) {
    this.options = options;
  }

  /** The key that a token's header names. Throws IssuerAway, or what jose says of a key that there is not. */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    const { clock } = this.options;
    const since = clock.monotonic();
    let keys = this.keys ?? (await this.fetched());
    if (since - this.keysAt > limits.issuerKeysMs) this.fetched().catch(() => {}); // It has been logged; these go on.
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
   * Whether there are keys by now that were asked for after `since`: for who was told no by a key that may have been
   * replaced under its name, or has none. An issuer that is away leaves it at that no.
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
    if (this.waiting >= limits.issuerWaiting) throw new IssuerAway('too many ask for keys that nobody knows');
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
        this.askedAt = clock.monotonic();
        return this.fetch();
      })
      .then(
        (keys) => {
          this.keys = keys;
          this.keysAt = this.askedAt;
          return keys;
        },
        (error: unknown) => {
          this.failedAt = clock.monotonic();
          logger.warn({ cause: String(error) }, 'The keys of the issuer of tokens cannot be had: those known go on.');
          throw new IssuerAway('the keys of the issuer of tokens cannot be had', { cause: error });
        },
      )
      .finally(() => {
        this.fetching = undefined;
      });
    return this.fetching;
  }

  private async cooled(): Promise<void> {
    const { clock } = this.options;
    const restMs = this.askedAt + limits.issuerCooldownMs - clock.monotonic();
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
    // What was asked over TLS is not to be answered without.
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
