/**
 * A journal as version 1 stored it, kept for ever: whatever changes in the code, it is read, folded and
 * published as it was on the day it was written. Its story: two products received and adjusted; orders
 * confirmed, short, unknown, declined, timed out and voided, captured, still charging; then a take-over,
 * and letters that travel by number, one order half answered.
 */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventBatch } from '../../actors/cloud-events.js';
import type { JournalId } from '../../actors/ids.js';
import { unknownProduct } from '../../actors/inventory.js';
import { foldClaims } from '../../actors/node/claims.js';
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
} from '../../actors/node/record.js';
import { type JournalTail, replay } from '../../actors/node/replay.js';
import type { PartitionRow, StoredOrder, StoredProduct } from '../../actors/node/rows.js';
import type { World } from '../../actors/node/world.js';
import { absentOrder } from '../../actors/order.js';

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

const test = suite('golden');
const golden: Golden = JSON.parse(readFileSync('test/unit/golden/journal-v1.json', 'utf8'));
const read = (texts: readonly string[]): StoredRecord[] => texts.map((text) => decodeRecord(text, 'golden'));
const isTurn = (record: StoredRecord): record is TurnRecord => record.kind === 'turn';
const turns = Object.values(golden.journals).flatMap((texts) => read(texts).filter(isTurn));

function tails(): Map<JournalId, JournalTail> {
  const all = Object.entries(golden.journals).map(([journal, texts]): [JournalId, JournalTail] => {
    const records = read(texts);
    const seal = records.find((record) => record.kind === 'seal');
    return [journal as JournalId, { turns: records.filter(isTurn), seal, idAtPlace: undefined }];
  });
  return new Map(all);
}

/** States as they were told then, and with them what an actor has had since: nothing of it. */
const folded = {
  ...golden.folded,
  orders: golden.folded.orders.map((row) => {
    const { state, version } = row;
    const lines = state.lines.map((line) => ({ ...line, backordered: 0 }));
    return { ...row, state: { ...absentOrder(state.id), ...state, version, lines } };
  }),
  products: golden.folded.products.map((row) => {
    const { state, version } = row;
    return { ...row, state: { ...unknownProduct(state.id), ...state, version } };
  }),
};
const told: Folded = JSON.parse(JSON.stringify(folded));

function fold(rows: Pick<Folded, 'orders' | 'products'> = { orders: [], products: [] }): Folded {
  const { chains } = foldClaims(read(golden.claims) as ClaimsRecord[], golden.partitions);
  return plain(
    replay({
      partitions: golden.partitions,
      chains: new Map(chains.map((chain, partition) => [partition, chain])),
      tails: tails(),
      loaded: { journals: [], partitions: [], ...rows },
    }),
  );
}

/** What is remembered of a world, in an order of its own. */
function plain({ orders, products, channels }: World): Folded {
  const stored = <State extends { readonly id: string }>(
    entries: Iterable<{ state: State; version: number; epoch: number; n: number }>,
  ) =>
    [...entries]
      .map(({ state, version, epoch, n }) => ({ state, version, epoch, n }))
      .sort((a, b) => (a.state.id < b.state.id ? -1 : 1));
  return JSON.parse(
    JSON.stringify({
      orders: stored(orders.values()),
      products: stored(products.values()),
      channels: Object.fromEntries([...channels].map(([partition, each]) => [partition, each.row()])),
    }),
  );
}

test('the story is whole: every event there is, of orders and products', () => {
  const types = new Set(
    turns.flatMap((t) => t.cascades.flatMap((c) => c.events.map((e) => `${e.of.kind} ${e.event.type}`))),
  );
  assert.equal(
    [...types].sort(),
    ['answered', 'captured', 'confirmed', 'failed', 'held', 'paid', 'placed', 'voided']
      .map((type) => `order ${type}`)
      .concat(['adjusted', 'committed', 'held', 'received', 'released'].map((type) => `product ${type}`)),
  );
});

test('its fold gives the same states as ever', () => {
  assert.equal(fold(), told);
});

test('rows that were flushed on the way change nothing, wherever each of them stood', () => {
  assert.equal(fold({ orders: folded.orders, products: [] }), told);
  assert.equal(fold({ orders: folded.orders.slice(3), products: folded.products }), told);
});

test('what is written today is what was written then, byte for byte', () => {
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

test('its public events are the same bytes as ever: ids, types and data', () => {
  assert.equal(
    turns.map((turn) => eventBatch(turn, golden.source)),
    golden.events,
  );
});

test.run();
