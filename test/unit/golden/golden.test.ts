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
 *   answers-v1  What came after that: acts that were refused or had nothing to do, an act with what was decided with it,
 *               refused stock writes, free orders, a total beyond all limits; a named node that released its
 *               partitions, and its successor, between whose partitions every kind of letter travels.
 *   moves-v1    Three nodes: partitions are given away, come back to the same journal, and are taken over from a journal
 *               that another node sealed; orders and products of different nodes; some of their letters are under way.
 *   events-v1   One node whose records tell what public events say of an actor before a cascade: orders paid, shipped,
 *               returned, refunded and timed out in later turns, and one that waits for stock.
 *   import-v1   Orders that were made elsewhere: one told of otherwise, shipped and forgotten; one of which little is known; one
 *               in two currencies.
 *   forgotten-v1  An order with personal data that failed, was forgotten and asked for again; and one that is under way.
 *
 * A form that can be stored and that no golden journal has fails a test (stored-forms.ts). It belongs into a new file,
 * as the version writes it that introduces it.
 */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { JournalId } from '../../../actors/ids.js';
import { foldClaims } from '../../../actors/node/claims.js';
import { eventBatch } from '../../../actors/node/cloud-events.js';
import {
  type Claim,
  type ClaimsRecord,
  decodeRecord,
  encodeClaims,
  encodeSeal,
  encodeTurn,
  eventJson,
  packBefore,
  packCascade,
  packEvent,
  type SealRecord,
  type StoredRecord,
  type TurnRecord,
} from '../../../actors/node/record.js';
import { type JournalTail, replay } from '../../../actors/node/replay.js';
import type { World } from '../../../actors/node/world.js';
import { absentOrder } from '../../../actors/order/order.js';
import type { PartitionRow, RefusedWriteRow, StoredOrder, StoredProduct } from '../../../actors/ports/snapshot-rows.js';
import { unknownProduct } from '../../../actors/product/inventory.js';
import type { OrderEvent, ProductEvent } from '../../../actors/protocol.js';
import { formsIn, storedForms } from './stored-forms.js';

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
  /** Absent in files of before there were any. */
  readonly refused?: readonly RefusedWriteRow[];
}

const goldenOf = (file: string): Golden => JSON.parse(readFileSync(`test/unit/golden/${file}.json`, 'utf8'));
const read = (texts: readonly string[]): StoredRecord[] => texts.map((text) => decodeRecord(text, 'golden'));
const isTurn = (record: StoredRecord): record is TurnRecord => record.kind === 'turn';
const json = <T>(value: T): T => JSON.parse(JSON.stringify(value));

/** The state of that time; fields that an actor got since are at their defaults. */
const today = ({ orders, products, channels, refused = [] }: Folded): Folded => ({
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
  refused,
});

/** Ends a journal whose epochs were released. */
const SEAL: SealRecord = { kind: 'seal', id: 'S', journal: 'J' as JournalId, by: 'J' as JournalId, at: 0 };
const unreleased = (chain: readonly Claim[]) => {
  const before = chain.map(({ released: _, ...claim }) => claim);
  return { epoch: before.length + 1, before };
};

/** The state of a world, in a fixed order. */
function plain({ orders, products, owned, refusedWrites: refused }: World): Folded {
  const stored = <State extends { readonly id: string }>(
    entries: Iterable<{ state: State; version: number; epoch: number; n: number }>,
  ) =>
    [...entries]
      .map(({ state, version, epoch, n }) => ({ state, version, epoch, n }))
      .sort((a, b) => (a.state.id < b.state.id ? -1 : 1));
  return json({
    orders: stored(orders.values()),
    products: stored(products.values()),
    channels: Object.fromEntries([...owned].map(([partition, { channels }]) => [partition, channels.row()])),
    refused,
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
  'answers-v1': [
    ...ofOrder('placed', 'answered', 'held', 'paid', 'confirmed', 'captured', 'failed', 'cancelled', 'voided'),
    ...ofOrder('act_answered', 'stock_arrived', 'shipped', 'return_requested', 'return_received'),
    ...ofOrder('refund_requested', 'refunded'),
    ...ofProduct('received', 'held', 'released', 'committed', 'returned', 'backordered'),
  ],
  'events-v1': [
    ...ofOrder('placed', 'answered', 'held', 'paid', 'confirmed', 'captured', 'failed', 'stock_arrived'),
    ...ofOrder('shipped', 'delivered', 'return_requested', 'return_received', 'refund_requested', 'refunded'),
    ...ofOrder('hold_extended', 'cancelled', 'voided'),
    ...ofProduct('received', 'adjusted', 'held', 'committed', 'released', 'returned', 'backordered'),
  ],
  'forgotten-v1': [
    ...ofOrder('placed', 'held', 'paid', 'confirmed', 'failed', 'cancelled', 'forgotten'),
    ...ofOrder('refund_requested', 'refunded'),
    ...ofProduct('received', 'held', 'committed', 'returned'),
  ],
  'import-v1': ofOrder('imported', 'import_differed', 'shipped', 'forgotten'),
  'moves-v1': [...ofOrder('placed', 'held', 'paid', 'confirmed'), ...ofProduct('received', 'held', 'committed')],
};

for (const [file, types] of Object.entries(STORIES)) {
  const test = suite(`golden ${file}`);
  const golden = goldenOf(file);
  const turns = Object.values(golden.journals).flatMap((texts) => read(texts).filter(isTurn));
  const then = today(golden.folded);

  const tails = () =>
    new Map(
      Object.entries(golden.journals).map(([journal, texts]): [JournalId, JournalTail] => {
        const records = read(texts);
        const seal = records.find((record) => record.kind === 'seal') ?? SEAL;
        return [journal as JournalId, { turns: records.filter(isTurn), seal, idAtPlace: undefined }];
      }),
    );
  const fold = (rows: Pick<Folded, 'orders' | 'products'> = { orders: [], products: [] }): Folded => {
    const { partitions } = golden;
    const { chains } = foldClaims(read(golden.claims) as ClaimsRecord[], partitions);
    return plain(
      replay({
        partitions,
        // Nothing is flushed here, so the released epochs are read from their journals too.
        claims: new Map(chains.map((chain, partition) => [partition, unreleased(chain)])),
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
          events.map((e) => packEvent(e.of.kind, e.of.id, e.version, eventJson(e.event))),
        ),
      );
      return encodeTurn(
        record,
        cascades,
        record.cascades.map(({ before = [] }) => packBefore(before)),
      );
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

const forms = suite('golden forms');

forms('every form that is written is in a golden journal', () => {
  const all = Object.keys(STORIES)
    .map(goldenOf)
    .flatMap(({ claims, journals }) => read([...claims, ...Object.values(journals).flat()]));
  const found = new Set(all.flatMap((record) => [...formsIn(record)]));
  assert.equal(
    storedForms.filter((form) => !found.has(form)),
    [],
  );
});

forms.run();
