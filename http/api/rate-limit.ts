/**
 * How often one may ask: counted for whoever asks, told in every reply of the API, refused with 429.
 *
 * A request is counted once it is known who asks, and before anything of it is done; one that does not get so
 * far (401, 404) is counted for its address. What is not under /api/ is never counted.
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

  /** @param proxies how many of those who forward requests to us are ours: what they say about the client counts. */
  constructor(limits: RateLimits, proxies: number) {
    this.limits = limits;
    this.proxies = proxies;
  }

  /** Takes one of what the caller has left. @throws Failure the 429 */
  async take(request: ApiRequest): Promise<void> {
    if (request.allowance !== undefined || !isCounted(request.req)) return;
    request.allowance = await this.limits.take(this.callerOf(request));
    if (!request.allowance.isAllowed) throw tooMany(request.allowance);
  }

  /** The answer with what is left. */
  tell({ allowance }: ApiRequest, answer: Answer): Answer {
    if (allowance === undefined) return answer;
    return { ...answer, headers: [...(answer.headers ?? []), ...headersOf(allowance)] };
  }

  private callerOf({ req, principal }: ApiRequest): string {
    const isKnown = principal.subject !== '' && principal !== NOBODY;
    return isKnown ? `subject:${principal.subject}` : `address:${clientAddress(req, this.proxies)}`;
  }
}

/** A browser asks before it asks: that is not the caller's doing. */
const isCounted = ({ method, url = '' }: IncomingMessage): boolean => method !== 'OPTIONS' && API.test(url);

/** As the router sees it, which takes an absolute address and capitals too. */
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

/** Rounded up: whoever comes back then is served. */
const secondsOf = (ms: number): number => Math.max(1, Math.ceil(ms / 1_000));

// ---------------------------------------------------------------- who it is

/** Each of our proxies adds the address it was asked from, at the end: what stands before those anyone may have written. */
export function clientAddress(req: IncomingMessage, proxies: number): string {
  const socket = req.socket.remoteAddress ?? '';
  if (proxies === 0) return network(socket);
  const forwarded = String(req.headers['x-forwarded-for'] ?? '')
    .split(',')
    .map((each) => each.trim());
  const claimed = forwarded[Math.max(0, forwarded.length - proxies)] ?? '';
  return network(isIPv4(claimed) || isIPv6(claimed) ? claimed : socket);
}

/** An IPv6 client has a network of 64 bits to itself, at least: one budget for all of it. */
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
