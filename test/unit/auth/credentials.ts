// Every kind of credential that a client may send: keys of all kinds, tokens of one issuer, and forgeries.
import { SignJWT } from 'jose';
import { userId } from '../../../actors/ids.js';
import type { ApiKey, ApiKeys } from '../../../actors/ports/api-keys.js';
import type { Logger } from '../../../actors/ports/runtime.js';
import { SCOPES, type Scope } from '../../../actors/principal.js';
import { drawKey } from '../../../http/auth/api-key.js';
import { Auth } from '../../../http/auth/auth.js';
import { memoryApiKeys } from '../../../storage/memory/memory-api-keys.js';
import { realClock } from '../edge/fake-owners.js';
import { Issuer, unsigned } from './issuer.js';

const AUDIENCE = 'holdfast';

export class Credentials {
  readonly keys: ApiKeys = memoryApiKeys();
  /** Every secret that was ever created: none may be written down anywhere. */
  readonly secrets: string[] = [];
  readonly auth: Auth;

  private constructor(
    private readonly issuer: Issuer,
    logger: Logger,
    adminKey: string,
  ) {
    this.secrets.push(adminKey);
    const tokens = { issuer: issuer.url, audience: AUDIENCE, jwksUrl: undefined };
    this.auth = new Auth({ keys: this.keys, adminKey, tokens, clock: realClock, logger });
  }

  static async start(logger: Logger, adminKey: string): Promise<Credentials> {
    return new Credentials(await Issuer.start(), logger, adminKey);
  }

  stop(): Promise<void> {
    return this.issuer.stop();
  }

  /** @param user the customer of the key; undefined for a service. */
  async key(scopes: readonly Scope[], user?: string, more: Partial<ApiKey> = {}): Promise<string> {
    const { id, key, hash } = drawKey();
    this.secrets.push(key);
    await this.keys.create({
      ...{ id, hash, scopes, name: 'test', caller: id, createdAt: Date.now() },
      userId: user === undefined ? undefined : userId(user),
      ...{ expiresAt: undefined, revokedAt: undefined, lastUsedAt: undefined },
      ...more,
    });
    return key;
  }

  async token(sub: string, scopes: readonly Scope[], more: object = {}): Promise<string> {
    const token = await this.issuer.token({ sub, aud: AUDIENCE, scope: scopes.join(' '), ...more });
    this.secrets.push(token);
    return token;
  }

  /** Whole headers by name, each of which must get 401; undefined for no header. */
  async invalid(): Promise<Readonly<Record<string, string | undefined>>> {
    const { issuer } = this;
    const admin = { sub: 'root', aud: AUDIENCE, scope: 'admin', iss: issuer.url };
    const exp = Math.floor(Date.now() / 1000) + 600;
    const good = await this.token('root', ['admin']);
    const pem = await issuer.addKey('ES256', 'forged');
    await issuer.addKey('ES256', 'hidden', false);
    const hmac = (secret: string) =>
      new SignJWT({ ...admin, exp })
        .setProtectedHeader({ alg: 'HS256', kid: 'ES256' })
        .sign(new TextEncoder().encode(secret));
    const bearers = {
      garbage: 'garbage',
      'an unknown key': drawKey().key,
      'an expired key': await this.key(['admin'], undefined, { expiresAt: Date.now() - 1 }),
      'a revoked key': await this.key(['admin'], undefined, { revokedAt: Date.now() - 1 }),
      'alg none': unsigned({ ...admin, exp }),
      'HS256 over the public key as PEM': await hmac(pem),
      'HS256 over the public key as JWK': await hmac(JSON.stringify(issuer.publicKey('ES256'))),
      'a key that is not published': await issuer.token(admin, 'hidden'),
      'another audience': await this.token('root', ['admin'], { aud: 'another' }),
      'another issuer': await this.token('root', ['admin'], { iss: 'https://elsewhere.example' }),
      'an expired token': await this.token('root', ['admin'], { lives: -600 }),
      'a token without its signature': good.replace(/[^.]+$/, ''),
      'a changed token': good.replace(
        /\.[^.]+\./,
        `.${Buffer.from(JSON.stringify({ ...admin, sub: 'x', exp })).toString('base64url')}.`,
      ),
    };
    this.secrets.push(...Object.values(bearers).filter((text) => text.length > 20));
    return {
      nothing: undefined,
      'an empty header': '',
      'another scheme': `Basic ${Buffer.from(`root:${good}`).toString('base64')}`,
      ...Object.fromEntries(Object.entries(bearers).map(([name, text]) => [name, `Bearer ${text}`])),
    };
  }
}

export const without = (scope: Scope): Scope[] => SCOPES.filter((other) => other !== 'admin' && other !== scope);
