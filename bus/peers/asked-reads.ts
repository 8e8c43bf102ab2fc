/** The API's reads as endpoints on NATS: `nats req holdfast.orders.get ORD-...`. One process of the system answers. */
import type { ApiRead, ApiReads } from '../../actors/ports/api-reads.js';
import type { MicroEndpoint } from './micro-service.js';

const READS: readonly (readonly [ApiRead, string])[] = [
  ['orders.get', 'an order, by its id'],
  ['orders.history', 'the events of an order, by its id'],
  ['inventory.get', 'a product, by its id'],
  ['inventory.ledger', 'the movements of a product, by its id: PROD-001, or PROD-001?limit=5&cursor=...&at=...'],
];
/** An id of 255 characters and a cursor. */
const MOST_CHARS = 4_000;

export const readEndpoints = (reads: ApiReads): readonly MicroEndpoint[] =>
  READS.map(([what, about]) => ({
    name: what.replace('.', '-'),
    subject: `holdfast.${what}`,
    queue: 'holdfast',
    about,
    answer: (asked) => reads.read(what, asked.trim().slice(0, MOST_CHARS)),
  }));
