/**
 * Stored journals of earlier versions, kept for ever. Every later version must read, fold and publish them
 * exactly as the version that wrote them.
 *
 *   journal-v1  Two products received and adjusted; orders confirmed, short, unknown, declined, timed out and
 *               voided, captured, still charging; then a take-over, and letters that travel by number, one
 *               order half answered.
 *   life-v1     What came after: a product that lets orders wait; orders filled twice, shipped in parts,
 *               delivered, returned and restocked, refunded and refused a refund; cancelled while they wait and
 *               while they are charged; held late; captured in vain; one that waits on, one on its way back.
 */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { JournalId } from '../../../actors/ids.js';
import { foldClaims } from '../../../actors/node/claims.js';
import { eventBatch } from '../../../actors/node/cloud-events.js';
import {
  type ClaimsRecord,
  decodeRecord,
  encodeClaims,
  encodeSeal,
  encodeTurn,
  packCascade,
  packEvent,
  type StoredRecord,
  type TurnRecord,
} from '../../../actors/node/record.js';
import { type JournalTail, replay } from '../../../actors/node/replay.js';
import type { World } from '../../../actors/node/world.js';
import { absentOrder } from '../../../actors/order/order.js';
import type { PartitionRow, StoredOrder, StoredProduct } from '../../../actors/ports/snapshot-rows.js';
import { unknownProduct } from '../../../actors/product/inventory.js';
import type { OrderEvent, ProductEvent } from '../../../actors/protocol.js';

interface Golden {
  readonly partitions: number;
  readonly source: string;
  readonly claims: readonly string[];
  readonly journals: { readonly [journal: string]: readonly string[] };
  readonly folded: Folded;
  readonly events: readonly string[];
}

interface Folded {
  readonly orders: readonly StoredOrder[];
  readonly products: readonly StoredProduct[];
  readonly channels: { readonly [partition: number]: Pick<PartitionRow, 'seen' | 'sent'> };
}

const read = (texts: readonly string[]): StoredRecord[] => texts.map((text) => decodeRecord(text, 'golden'));
const isTurn = (record: StoredRecord): record is TurnRecord => record.kind === 'turn';
const json = <T>(value: T): T => JSON.parse(JSON.stringify(value));

/** The state of that time; fields that an actor got since are at their defaults. */
const today = ({ orders, products, channels }: Folded): Folded => ({
  orders: orders.map((row) => {
    const { state, version } = row;
    const lines = state.lines.map((line) => ({ ...line, backordered: line.backordered ?? 0 }));
    return { ...row, state: { ...absentOrder(state.id), ...state, version, lines } };
  }),
  products: products.map((row) => {
    const { state, version } = row;
    return { ...row, state: { ...unknownProduct(state.id), ...state, version } };
  }),
  channels,
});

/** The state of a world, in a fixed order. */
function plain({ orders, products, channels }: World): Folded {
  const stored = <State extends { readonly id: string }>(
    entries: Iterable<{ state: State; version: number; epoch: number; n: number }>,
  ) =>
    [...entries]
      .map(({ state, version, epoch, n }) => ({ state, version, epoch, n }))
      .sort((a, b) => (a.state.id < b.state.id ? -1 : 1));
  return json({
    orders: stored(orders.values()),
    products: stored(products.values()),
    channels: Object.fromEntries([...channels].map(([partition, each]) => [partition, each.row()])),
  });
}

const ofOrder = (...types: OrderEvent['type'][]) => types.map((type) => `order ${type}`);
const ofProduct = (...types: ProductEvent['type'][]) => types.map((type) => `product ${type}`);
const STORIES: { readonly [file: string]: readonly string[] } = {
  'journal-v1': [
    ...ofOrder('answered', 'captured', 'confirmed', 'failed', 'held', 'paid', 'placed', 'voided'),
    ...ofProduct('adjusted', 'committed', 'held', 'received', 'released'),
  ],
  'life-v1': [
    ...ofOrder('placed', 'answered', 'held', 'paid', 'confirmed', 'captured', 'voided'),
    ...ofOrder('late_sent', 'hold_extended', 'capture_failed', 'cancelled', 'stock_arrived', 'shipped', 'delivered'),
    ...ofOrder('return_requested', 'return_received', 'refund_requested', 'refunded', 'refund_failed'),
    ...ofProduct('received', 'held', 'released', 'committed', 'returned', 'backordered', 'unbackordered'),
  ],
};

for (const [file, types] of Object.entries(STORIES)) {
  const test = suite(`golden ${file}`);
  const golden: Golden = JSON.parse(readFileSync(`test/unit/golden/${file}.json`, 'utf8'));
  const turns = Object.values(golden.journals).flatMap((texts) => read(texts).filter(isTurn));
  const then = today(golden.folded);

  const tails = () =>
    new Map(
      Object.entries(golden.journals).map(([journal, texts]): [JournalId, JournalTail] => {
        const records = read(texts);
        const seal = records.find((record) => record.kind === 'seal');
        return [journal as JournalId, { turns: records.filter(isTurn), seal, idAtPlace: undefined }];
      }),
    );
  const fold = (rows: Pick<Folded, 'orders' | 'products'> = { orders: [], products: [] }): Folded => {
    const { partitions } = golden;
    const { chains } = foldClaims(read(golden.claims) as ClaimsRecord[], partitions);
    return plain(
      replay({
        partitions,
        chains: new Map(chains.map((chain, partition) => [partition, chain])),
        tails: tails(),
        loaded: { journals: [], partitions: [], lastPlacedAt: 0, ...rows },
      }),
    );
  };

  test('the story is complete: every type of event of orders and products', () => {
    const told = turns.flatMap((t) => t.cascades.flatMap((c) => c.events.map((e) => `${e.of.kind} ${e.event.type}`)));
    assert.equal([...new Set(told)].sort(), [...types].sort());
  });

  test('its fold gives the same states as when it was written', () => {
    assert.equal(fold(), json(then));
  });

  test('rows flushed on the way change nothing, at whatever position each was flushed', () => {
    assert.equal(fold({ orders: then.orders, products: [] }), json(then));
    assert.equal(fold({ orders: then.orders.slice(3), products: then.products }), json(then));
  });

  test('a record written today equals the stored one, byte for byte', () => {
    const again = (record: StoredRecord, text: string): string => {
      const { v: _, ...fields } = JSON.parse(text);
      if (record.kind === 'seal') return encodeSeal(fields);
      if (record.kind === 'claims') return encodeClaims(fields);
      const cascades = record.cascades.map(({ correlation, events }) =>
        packCascade(
          correlation,
          events.map((e) => packEvent(e.of.kind, e.of.id, e.version, JSON.stringify(e.event))),
        ),
      );
      return encodeTurn(record, cascades);
    };
    for (const text of [...golden.claims, ...Object.values(golden.journals).flat()]) {
      assert.is(again(decodeRecord(text, 'golden'), text), text);
    }
  });

  test('its public events are the same bytes as before: ids, types and data', () => {
    assert.equal(
      turns.map((turn) => eventBatch(turn, golden.source)),
      golden.events,
    );
  });

  test.run();
}
