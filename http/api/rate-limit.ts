/**
 * Rate limiting: each caller's requests are counted, every reply of the API shows what is left, and a request beyond
 * the limit gets 429.
 *
 * A request is counted after authentication and before its work. A request that fails earlier (401, 404) counts
 * for the client's address. Requests outside /api/ are never counted.
 */
import type { IncomingMessage } from 'node:http';
import { isIPv4, isIPv6 } from 'node:net';
import type { Allowance, RateLimits } from '../../actors/ports/rate-limits.js';
import { NOBODY } from '../../actors/principal.js';
import type { ApiRequest } from './api-request.js';
import { Failure } from './failure.js';
import type { Answer } from './reply.js';

export class Rationing {
  private readonly limits: RateLimits;
  private readonly proxies: number;

  /** @param proxies the number of trusted proxies, whose X-Forwarded-For entries count. */
  constructor(limits: RateLimits, proxies: number) {
    this.limits = limits;
    this.proxies = proxies;
  }

  /** Counts the request for its caller. @throws Failure 429 if nothing is left. */
  async take(request: ApiRequest): Promise<void> {
    if (request.allowance !== undefined || !isCounted(request.req)) return;
    request.allowance = await this.limits.take(this.callerOf(request));
    if (!request.allowance.isAllowed) throw tooMany(request.allowance);
  }

  /** Adds the RateLimit headers to the answer. */
  withHeaders({ allowance }: ApiRequest, answer: Answer): Answer {
    if (allowance === undefined) return answer;
    return { ...answer, headers: [...(answer.headers ?? []), ...headersOf(allowance)] };
  }

  private callerOf({ req, principal }: ApiRequest): string {
    const isKnown = principal.subject !== '' && principal !== NOBODY;
    return isKnown ? `subject:${principal.subject}` : `address:${clientAddress(req, this.proxies)}`;
  }
}

/** A browser sends a preflight by itself, so OPTIONS does not count. */
const isCounted = ({ method, url = '' }: IncomingMessage): boolean => method !== 'OPTIONS' && API.test(url);

/** Matches like the router, which also accepts absolute URLs and capitals. */
const API = /^(?:[a-z][\w+.-]*:\/\/[^/?#]*)?\/api\//i;

function tooMany({ limit, resetMs }: Allowance): Failure {
  const message = `More than ${limit} requests: try again in ${secondsOf(resetMs)} s.`;
  return new Failure(429, 'rate_limited', message, { headers: ['Retry-After', String(secondsOf(resetMs))] });
}

const headersOf = ({ limit, remaining, resetMs }: Allowance): string[] => [
  ...['RateLimit-Limit', String(limit)],
  ...['RateLimit-Remaining', String(remaining)],
  ...['RateLimit-Reset', String(secondsOf(resetMs))],
];

/** Rounded up, so that a client that waits this long is served. */
const secondsOf = (ms: number): number => Math.max(1, Math.ceil(ms / 1_000));

// ---------------------------------------------------------------- the client's address

/** Each trusted proxy appends the address of its client. Any client can have written the entries before those. */
export function clientAddress(req: IncomingMessage, proxies: number): string {
  const socket = req.socket.remoteAddress ?? '';
  if (proxies === 0) return network(socket);
  const forwarded = String(req.headers['x-forwarded-for'] ?? '')
    .split(',')
    .map((each) => each.trim());
  const claimed = forwarded[Math.max(0, forwarded.length - proxies)] ?? '';
  return network(isIPv4(claimed) || isIPv6(claimed) ? claimed : socket);
}

/** An IPv6 client owns at least a /64 network, so the whole network shares one budget. */
function network(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !isIPv6(address)) return mapped ?? address;
  const [head = '', tail] = (address.split('%')[0] ?? '').toLowerCase().split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const last = tail === undefined ? [] : groups(tail);
  const first = groups(head);
  const missing = tail === undefined ? 0 : Math.max(0, 8 - first.length - last.length);
  const all = [...first, ...Array.from({ length: missing }, () => '0'), ...last];
  return `${all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
