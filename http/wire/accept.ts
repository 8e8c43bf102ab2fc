/**
 * What a client would rather have, of what there is: Accept and Accept-Encoding with their weights (RFC 9110, 12.4 and
 * 12.5). By hand, since `accepts`, which Koa brings, lets the order decide between equals, and overlooks a media type
 * that bears a parameter such as a charset.
 */
import type { IncomingMessage } from 'node:http';
import { elementsOf } from './field-list.js';

/**
 * Whether it would rather have the second of two media types, each in small letters and without parameters. The first
 * is for everybody else, also for who takes neither: an answer of another type helps more than none.
 */
export function prefersSecond({ headers }: IncomingMessage, first: string, second: string): boolean {
  const { accept } = headers;
  if (accept === undefined || accept === '*/*') return false; // Most say no more than that.
  const weights = weightsIn(accept);
  const ofFirst = wishFor(rangesOf(first), weights);
  const ofSecond = wishFor(rangesOf(second), weights);
  if (ofSecond.weight === 0) return false;
  if (ofSecond.weight !== ofFirst.weight) return ofSecond.weight > ofFirst.weight;
  return ofSecond.breadth < ofFirst.breadth;
}

/** Nothing said is no wish for it. */
export function prefersGzip({ headers }: IncomingMessage): boolean {
  const header = headers['accept-encoding'];
  if (header === undefined) return false;
  const weights = weightsIn(String(header));
  const gzip = wishFor(['gzip', 'x-gzip', '*'], weights); // One coding with two names.
  const identity = wishFor(['identity', '*'], weights);
  return gzip.weight > 0 && gzip.weight >= identity.weight;
}

// ---------------------------------------------------------------- machinery

const rangesOf = (type: string): string[] => [type, type.replace(/\/.*/, '/*'), '*/*'];

const WEIGHT = /;\s*q\s*=\s*"?([\d.]+)/i;

/** By what is named, in small letters and without parameters. */
function weightsIn(header: string): ReadonlyMap<string, number> {
  const weights = new Map<string, number>();
  for (const element of elementsOf(header)) {
    const name = element.split(';', 1)[0]?.trim().toLowerCase() ?? '';
    const plain = element.replace(/"(?:\\.|[^"\\])*"/g, ''); // A weight in another parameter's text is none.
    const weight = Number(WEIGHT.exec(plain)?.[1] ?? 1);
    weights.set(name, Math.max(weights.get(name) ?? 0, weight >= 0 ? Math.min(weight, 1) : 0));
  }
  return weights;
}

/** What counts is the narrowest range that is named; what none names is not wished for. */
function wishFor(ranges: readonly string[], weights: ReadonlyMap<string, number>) {
  const breadth = ranges.findIndex((range) => weights.has(range));
  return { weight: weights.get(ranges[breadth] ?? '') ?? 0, breadth };
}
