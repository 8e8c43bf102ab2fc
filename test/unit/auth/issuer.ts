// A token issuer for a test: a small HTTP server with OIDC discovery, its public keys and its signing keys.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';

type Claims = Omit<JWTPayload, 'exp'> & {
  readonly exp?: number | undefined;
  /** Seconds from now. */
  readonly lives?: number;
};

export class Issuer {
  /** The requests to each path. */
  readonly asked: string[] = [];
  /** The requests for its keys. */
  keysAsked = 0;
  /** While it is set, each request gets 503. */
  isBroken = false;
  /** Sent instead of the keys, if it is set. */
  says: string | undefined;
  /** The issuer that the discovery document names, if it is wrong. */
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
    const signer = this.private.get(kid);
    if (signer === undefined) throw new Error(`there is no key ${kid}`);
    this.published.push({ ...signer.jwk, kid, alg: signer.alg, use: 'sig' });
  }

  /** Holds back every reply about the keys until `release`. */
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
    const signer = this.private.get(kid);
    if (signer === undefined) throw new Error(`there is no key ${kid}`);
    const exp = Math.floor(Date.now() / 1000) + lives;
    return new SignJWT({ iss: this.url, exp, ...claims } as JWTPayload)
      .setProtectedHeader({ alg: signer.alg, kid })
      .sign(signer.key);
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
