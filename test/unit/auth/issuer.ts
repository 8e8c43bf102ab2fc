// An issuer of tokens for a test: a small HTTP server with OIDC discovery, its keys, and a pen.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';

type Claims = Omit<JWTPayload, 'exp'> & {
  readonly exp?: number | undefined;
  /** Seconds from now. */
  readonly lives?: number;
};

export class Issuer {
  /** How often each address was asked. */
  readonly asked: string[] = [];
  /** How often its keys were asked for. */
  keysAsked = 0;
  /** Answers 503 while it is set. */
  isBroken = false;
  /** Another text than the keys, when set. */
  says: string | undefined;
  /** What the discovery names as issuer, when it is not the issuer. */
  names: string | undefined;
  private readonly published: JWK[] = [];
  private readonly private = new Map<string, { readonly key: CryptoKey; readonly alg: string; readonly jwk: JWK }>();
  private readonly server: Server;
  private held: { readonly until: Promise<void>; readonly tell: () => void } | undefined;

  private constructor(server: Server) {
    this.server = server;
  }

  static async start(algorithms: readonly string[] = ['ES256']): Promise<Issuer> {
    const server = createServer((req, res) => {
      issuer.asked.push(req.url ?? '');
      res.statusCode = issuer.isBroken ? 503 : 200;
      if (issuer.isBroken) res.end();
      else if (req.url === '/.well-known/openid-configuration') {
        res.end(JSON.stringify({ issuer: issuer.names ?? issuer.url, jwks_uri: `${issuer.url}/keys` }));
      } else {
        issuer.keysAsked++;
        const said = issuer.says ?? JSON.stringify({ keys: issuer.published });
        issuer.held?.tell();
        void (issuer.held?.until ?? Promise.resolve()).then(() => res.end(said));
      }
    });
    const issuer = new Issuer(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    for (const alg of algorithms) await issuer.addKey(alg);
    return issuer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** @returns the public key as text, which a forger has as well. */
  async addKey(alg: string, kid: string = alg, isPublished = true): Promise<string> {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    this.private.set(kid, { key: privateKey, alg, jwk: await exportJWK(publicKey) });
    if (isPublished) this.publish(kid);
    return exportSPKI(publicKey);
  }

  publicKey(kid: string): JWK {
    const found = this.published.find((jwk) => jwk.kid === kid);
    if (found === undefined) throw new Error(`there is no key ${kid}`);
    return found;
  }

  publish(kid: string): void {
    const pen = this.private.get(kid);
    if (pen === undefined) throw new Error(`there is no key ${kid}`);
    this.published.push({ ...pen.jwk, kid, alg: pen.alg, use: 'sig' });
  }

  /** What is said of the keys from now on arrives when it is released. */
  holdAnswers(): { readonly isHeld: Promise<void>; release(): void } {
    let release = () => {};
    let tell = () => {};
    const until = new Promise<void>((resolve) => {
      release = resolve;
    });
    const isHeld = new Promise<void>((resolve) => {
      tell = resolve;
    });
    this.held = { until, tell };
    return {
      isHeld,
      release: () => {
        this.held = undefined;
        release();
      },
    };
  }

  unpublish(kid: string): void {
    this.published.splice(
      this.published.findIndex((jwk) => jwk.kid === kid),
      1,
    );
  }

  async token({ lives = 60, ...claims }: Claims, kid = 'ES256'): Promise<string> {
    const pen = this.private.get(kid);
    if (pen === undefined) throw new Error(`there is no key ${kid}`);
    const exp = Math.floor(Date.now() / 1000) + lives;
    return new SignJWT({ iss: this.url, exp, ...claims } as JWTPayload)
      .setProtectedHeader({ alg: pen.alg, kid })
      .sign(pen.key);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

const part = (value: object | string): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A token without a signature. */
export const unsigned = (claims: object, alg = 'none'): string => `${part({ alg, typ: 'JWT' })}.${part(claims)}.`;
