/**
 * Ids. An id is text; its brand keeps the compiler from taking an order's id for a product's.
 */
declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

export type OrderId = Branded<'OrderId'>;
export type ProductId = Branded<'ProductId'>;
export type UserId = Branded<'UserId'>;
/** Names one write (a receipt, an adjustment); the same in all retries of the write. */
export type WriteId = Branded<'WriteId'>;
/** Names one incarnation of one node, and the journal that only this incarnation writes. */
export type JournalId = Branded<'JournalId'>;
/** Names a DATA_DIR: all incarnations that run in it are the same node. */
export type NodeId = Branded<'NodeId'>;

export const orderId = (text: string) => text as OrderId;
export const productId = (text: string) => text as ProductId;
export const userId = (text: string) => text as UserId;
export const writeId = (text: string) => text as WriteId;
export const journalId = (text: string) => text as JournalId;
export const nodeId = (text: string) => text as NodeId;

/** The 32 characters of Crockford base32, as character codes. */
export const CROCKFORD = Uint8Array.from('0123456789ABCDEFGHJKMNPQRSTVWXYZ', (character) => character.charCodeAt(0));
/** Reused for each text. */
const characters = new Array<number>(26).fill(0);

/**
 * 16 bytes as 26 characters of Crockford base32, most significant first, as a ULID writes them (github.com/ulid/spec).
 */
export function crockford128(bytes: ArrayLike<number>): string {
  let buffer = 0;
  let bits = 2; // 130 bits are written: two leading zero bits, then the 128.
  let written = 0;
  for (let i = 0; i < 16; i++) {
    buffer = ((buffer << 8) | (bytes[i] ?? 0)) & 0xffff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      characters[written++] = CROCKFORD[(buffer >> bits) & 31] as number;
    }
  }
  return String.fromCharCode.apply(null, characters);
}

const OUR_ORDER_ID = /^ORD-[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/** Whether the text has the form of the order ids that this system makes. */
export const isOurOrderId = (text: string): boolean => OUR_ORDER_ID.test(text);

/** An actor, as letters and the journal name it. */
export type Address =
  | { readonly kind: 'order'; readonly id: OrderId }
  | { readonly kind: 'product'; readonly id: ProductId };

/** The idempotency key of a payment operation that an order needs only once. A refund has an id of its own. */
export const paymentRef = (order: OrderId, operation: string): string => `${order}:${operation}`;

/**
 * FNV-1a, 32 bits, over the UTF-16 code units' low and high bytes (isthe.com/chongo/tech/comp/fnv).
 * @param from the hash of the text before.
 */
export function fnv1a32(text: string, from = 0x811c9dc5): number {
  let hash = from;
  const { length } = text; // The engine has many kinds of strings: in the loop it would look the length up each time.
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i);
    hash = fnvStep(hash, unit & 0xff);
    if (unit > 0xff) hash = fnvStep(hash, unit >> 8);
  }
  return hash >>> 0;
}

/** The hash with one more byte, as a signed number. */
export const fnvStep = (hash: number, byte: number): number => Math.imul(hash ^ byte, 0x01000193);

const PREFIX = { order: fnv1a32('order/'), product: fnv1a32('product/') } as const;

/** The hash of `<kind>/<id>`. */
export const hashOf = (kind: Address['kind'], id: string): number => fnv1a32(id, PREFIX[kind]);

/** The partition of an actor, by its hash. It never changes, since a system's number of partitions never changes. */
export const partitionOf = (kind: Address['kind'], id: string, partitions: number): number =>
  hashOf(kind, id) % partitions;
