/**
 * Content negotiation: Accept and Accept-Encoding with their weights (RFC 9110, 12.4 and 12.5). The package `accepts`,
 * which Koa includes, does not fit: it decides between equal weights by their order, and it ignores a media type with a
 * parameter such as a charset.
 */
import type { IncomingMessage } from 'node:http';
import { elementsOf } from './field-list.js';

/**
 * Whether the client prefers the second of two media types, both in lower case and without parameters. Every other
 * client gets the first, even one that accepts neither: an answer of another type helps more than none.
 */
export function prefersSecond({ headers }: IncomingMessage, first: string, second: string): boolean {
  const { accept } = headers;
  if (accept === undefined || accept === '*/*') return false; // The common cases.
  const weights = weightsIn(accept);
  const ofFirst = preferenceFor(rangesOf(first), weights);
  const ofSecond = preferenceFor(rangesOf(second), weights);
  if (ofSecond.weight === 0) return false;
  if (ofSecond.weight !== ofFirst.weight) return ofSecond.weight > ofFirst.weight;
  return ofSecond.breadth < ofFirst.breadth;
}

/** Without an Accept-Encoding header the client does not get gzip. */
export function prefersGzip({ headers }: IncomingMessage): boolean {
  const header = headers['accept-encoding'];
  if (header === undefined) return false;
  const weights = weightsIn(String(header));
  const gzip = preferenceFor(['gzip', 'x-gzip', '*'], weights); // One coding with two names.
  const identity = preferenceFor(['identity', '*'], weights);
  return gzip.weight > 0 && gzip.weight >= identity.weight;
}

// ---------------------------------------------------------------- machinery

const rangesOf = (type: string): string[] => [type, type.replace(/\/.*/, '/*'), '*/*'];

const WEIGHT = /;\s*q\s*=\s*"?([\d.]+)/i;

/** The weights by name, in lower case and without parameters. */
function weightsIn(header: string): ReadonlyMap<string, number> {
  const weights = new Map<string, number>();
  for (const element of elementsOf(header)) {
    const name = element.split(';', 1)[0]?.trim().toLowerCase() ?? '';
    const plain = element.replace(/"(?:\\.|[^"\\])*"/g, ''); // A weight inside a quoted parameter does not count.
    const weight = Number(WEIGHT.exec(plain)?.[1] ?? 1);
    weights.set(name, Math.max(weights.get(name) ?? 0, weight >= 0 ? Math.min(weight, 1) : 0));
  }
  return weights;
}

/** The narrowest range that the header names counts. If it names none, the weight is 0. */
function preferenceFor(ranges: readonly string[], weights: ReadonlyMap<string, number>) {
  const breadth = ranges.findIndex((range) => weights.has(range));
  return { weight: weights.get(ranges[breadth] ?? '') ?? 0, breadth };
}
