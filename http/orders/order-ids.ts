/**
 * Which order a request means.
 *
 *   no key                     a new one, drawn at random; its id begins with ORD-0
 *   a key that looks so drawn  the order of that id, also while its first sending is still on its way: a
 *                              repeat of an order that was answered with nothing but its id. If that is
 *                              another caller's, as any other key:
 *   any other key              a hash of caller and key (of user, key, and the service that asks), which begins with ORD-4 to ORD-7; the key itself
 *                              may be the id of an order that the caller has already (`alias`)
 *
 * So the same caller and key always mean the same order, on any edge, without asking anybody; and since
 * the two kinds of ids never meet, nobody can take a caller's key away by naming the id it hashes to.
 */
import crypto from 'node:crypto';
import { crockford128, isOurOrderId, type OrderId, orderId, type UserId } from '../../actors/ids.js';
import type { PlaceRequest } from '../../actors/ports/owners.js';

export type Target = Pick<PlaceRequest, 'order' | 'fresh' | 'alias'>;

/** @param draw 128 random bits as 26 characters. */
export function targetOf(user: UserId, service: string, key: string | undefined, draw: () => string): Target {
  if (key === undefined) return { order: orderId(`ORD-${draw()}`), fresh: true };
  if (isOurOrderId(key) && DRAWN.test(key)) return { order: orderId(key), fresh: false };
  return hashedTarget(user, service, key);
}

/** @param service who asks for the user (serviceOf); '' is the user itself. */
export const hashedTarget = (user: UserId, service: string, key: string): Target => ({
  order: keyedOrderId(user, service, key),
  fresh: false,
  alias: orderId(key),
});

/** The first character holds the three highest of 128 bits: a ULID's time leaves them 0 for 2,000 years. */
const DRAWN = /^ORD-0/;
const HASHED = 0x80;

/** No user id, key or service contains U+0000, so no two callers and keys share a text. */
function keyedOrderId(user: UserId, service: string, key: string): OrderId {
  const text = service === '' ? `${user}\0${key}` : `${user}\0${key}\0${service}`;
  const digest = sha256(text);
  for (let i = 0; i < bytes.length; i++) bytes[i] = digest.charCodeAt(i);
  bytes[0] = (bytes[0] ?? 0) | HASHED;
  return orderId(`ORD-${crockford128(bytes)}`);
}

/** Filled anew for each id. */
const bytes = new Uint8Array(16);

/** A character a byte. In one call, where node has it (20.12), it costs a quarter: no object, no Buffer. */
const sha256: (text: string) => string =
  'hash' in crypto
    ? (text) => crypto.hash('sha256', text, 'binary')
    : (text) => crypto.createHash('sha256').update(text).digest('binary');
