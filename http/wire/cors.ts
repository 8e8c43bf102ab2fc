/**
 * CORS decides which pages of other origins may use the API from a browser.
 *
 * Law: without CORS_ORIGINS no page may, and replies have no CORS headers. A preflight is answered here and never
 * reaches a handler.
 */
import type { IncomingMessage } from 'node:http';
import type { Answer } from '../api/reply.js';

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';
const MAY_SEND =
  'Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Prefer, X-Request-ID, X-Correlation-ID';
const MAY_READ =
  'Location, ETag, Link, List-Age-Ms, RateLimit, RateLimit-Policy, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, Idempotency-Replayed, Preference-Applied, X-Request-ID, X-Correlation-ID';
const NONE: readonly string[] = [];
/** The longest time for which any browser caches a preflight. */
const KEEP_S = '86400';

export class Cors {
  private readonly origins: ReadonlySet<string>;
  private readonly anyone: boolean;

  /** @param origins in the form of browsers (`https://shop.example`), or `*` for all. */
  constructor(origins: readonly string[]) {
    this.origins = new Set(origins);
    this.anyone = this.origins.has('*');
  }

  /** The answer to a preflight; undefined for any other request. */
  preflight(req: IncomingMessage): Answer | undefined {
    if (this.origins.size === 0 || req.method !== 'OPTIONS') return undefined;
    if (req.headers.origin === undefined || req.headers['access-control-request-method'] === undefined)
      return undefined;
    const headers = ['Vary', 'Access-Control-Request-Method, Access-Control-Request-Headers'];
    if (this.allowed(req) !== undefined) {
      headers.push('Access-Control-Allow-Methods', METHODS, 'Access-Control-Allow-Headers', MAY_SEND);
      headers.push('Access-Control-Max-Age', KEEP_S);
    }
    return { status: 204, body: '', headers };
  }

  /** The headers that let the page read the reply: raw names and values. */
  headersFor(req: IncomingMessage): readonly string[] {
    if (this.origins.size === 0) return NONE;
    const allowed = this.allowed(req);
    const vary = this.anyone ? [] : ['Vary', 'Origin'];
    if (allowed === undefined) return vary;
    return [...vary, 'Access-Control-Allow-Origin', allowed, 'Access-Control-Expose-Headers', MAY_READ];
  }

  private allowed({ headers: { origin } }: IncomingMessage): string | undefined {
    if (origin === undefined) return undefined;
    if (this.anyone) return '*';
    return this.origins.has(origin) ? origin : undefined;
  }
}
