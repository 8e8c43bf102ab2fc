/**
 * Decides which order a request means.
 *
 *   no key                    a new order with a random id, which begins with ORD-0 (drawn-ids.ts)
 *   a key like such an id     the order with that id, even while its first request is still under way. This repeats an
 *                             order whose client knows only its id. If the order is another caller's, the key counts as
 *                             any other key.
 *   any other key             the order whose id is a hash of user, key and calling service. It begins with ORD-4 to
 *                             ORD-7. The key itself may be an id that this system made, of an order that the caller
 *                             already has (`alias`).
 *
 * So the same caller and key always mean the same order, on any edge, without a look-up. The two kinds of ids never
 * meet, so nobody can block a caller's key by using the id that it hashes to.
 */
import crypto from 'node:crypto';
import { crockford128, isOurOrderId, type OrderId, orderId, type UserId } from '../../actors/ids.js';
import type { PlaceRequest } from '../../actors/ports/owners.js';

export type Target = Pick<PlaceRequest, 'order' | 'fresh' | 'alias'>;

/** @param draw a new id, for an order without a key. */
export function targetOf(user: UserId, service: string, key: string | undefined, draw: () => OrderId): Target {
  if (key === undefined) return { order: draw(), fresh: true };
  if (isOurOrderId(key) && DRAWN.test(key)) return { order: orderId(key), fresh: false };
  return hashedTarget(user, service, key);
}

/** @param service the service that acts for the user (serviceOf); '' for the user itself. */
export const hashedTarget = (user: UserId, service: string, key: string): Target => ({
  order: keyedOrderId(user, service, key),
  fresh: false,
  alias: isOurOrderId(key) ? orderId(key) : undefined,
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

/** Reused for every id. */
const bytes = new Uint8Array(16);

/** One character per byte. crypto.hash (Node 20.12) needs no object and no Buffer and takes a quarter of the time. */
const sha256: (text: string) => string =
  'hash' in crypto
    ? (text) => crypto.hash('sha256', text, 'binary')
    : (text) => crypto.createHash('sha256').update(text).digest('binary');
