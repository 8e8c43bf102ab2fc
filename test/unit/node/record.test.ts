/** A stored record is read word for word; an unreadable one is named, with its log. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId, nodeId, orderId, productId, userId } from '../../../actors/ids.js';
import {
  type ClaimsRecord,
  decodeRecord,
  encodeClaims,
  encodeSeal,
  encodeTurn,
  eventJson,
  type Join,
  type JournaledEvent,
  journalLog,
  packCascade,
  packEvent,
  RECORD_VERSION,
  type SealRecord,
  type TurnRecord,
  UnreadableRecord,
} from '../../../actors/node/record.js';
import type { NumberedLetter } from '../../../actors/ports/letters.js';
import { decodeSettlement, encodeSettlement } from '../../../actors/ports/settlement.js';
import type { HoldAnswer, Line, OrderContent, OrderEvent, ProductEvent } from '../../../actors/protocol.js';
import { A, hold, placed } from '../actors/samples.js';

const test = suite('record');
const journal = journalId('J1');
const HOSTILE = 'a"b\\c\n\u2028é😀\ud800';

const letter: NumberedLetter = { from: 1, to: 2, number: 3, correlation: HOSTILE, letter: hold(A, 2) };
const turn: TurnRecord = {
  kind: 'turn',
  id: 'R1',
  journal,
  n: 7,
  at: 1_700_000_000_000,
  parts: { 1: { epoch: 4 }, 2: { epoch: 5, seen: { 1: 9 } } },
  letters: [letter],
  cascades: [
    {
      correlation: HOSTILE,
      events: [
        { of: { kind: 'order', id: orderId(HOSTILE) }, version: 1, event: placed() },
        {
          of: { kind: 'product', id: productId(HOSTILE) },
          version: 12,
          event: { type: 'held', order: orderId('x'), quantity: 1 },
        },
      ],
    },
    {
      correlation: 'second',
      events: [{ of: { kind: 'order', id: orderId('2') }, version: 3, event: { type: 'confirmed' } }],
    },
  ],
};

const packed = ({ of, version, event }: JournaledEvent) => packEvent(of.kind, of.id, version, JSON.stringify(event));
const textOf = ({ kind: _, cascades, ...head }: TurnRecord) =>
  encodeTurn(
    head,
    cascades.map(({ correlation, events }) => packCascade(correlation, events.map(packed))),
  );
/** Without the version, which only the reader needs. */
const read = (text: string) => {
  const { v: _, ...record } = decodeRecord(text, 'here') as object as { v: number };
  return record;
};

test('a turn is read as it was written', () => {
  assert.equal(read(textOf(turn)), turn);
});

/** Every field of every event: a new field must be added here, and the test fails if it is not written. */
const CONTENT: Required<OrderContent> = {
  user: userId(HOSTILE),
  userIsNumber: true,
  lines: [],
  currency: HOSTILE,
  email: '',
  shippingAddress: null,
  billingAddress: { street: HOSTILE },
  notes: HOSTILE,
  paymentMethod: 'card',
};
const CONTENTS = Object.entries(CONTENT).map(([field, value]): Partial<OrderContent> => ({ [field]: value }));
const LINE: Required<Line> = { product: productId(HOSTILE), quantity: 3 };
const HELD: Required<Extract<HoldAnswer, { answer: 'held' }>> = {
  product: productId(HOSTILE),
  answer: 'held',
  unitPrice: 999,
  currency: 'EUR',
  backordered: 2,
};
const { backordered: _, ...HELD_WHOLE } = HELD;
const placedWith = (more: Partial<OrderContent>): OrderEvent => {
  const { content, ...event } = placed() as Extract<OrderEvent, { type: 'placed' }>;
  return { ...event, correlation: HOSTILE, content: { ...content, ...more } };
};
const ANSWERS: readonly HoldAnswer[] = [HELD, HELD_WHOLE, { product: A, answer: 'short', available: 3 }];

test('an event keeps every field in its text, also the optional ones', () => {
  const order = orderId(HOSTILE);
  const events: (OrderEvent | ProductEvent)[] = [
    { type: 'confirmed' },
    { type: 'paid', captured: true },
    { type: 'paid', captured: false, captureOn: 'ship' },
    { type: 'released', order, quantity: 2 },
    { type: 'committed', order, quantity: 2 },
    { type: 'committed', order, quantity: 2, no: 3 },
    { type: 'held', order, quantity: 2, no: 3 },
    { ...placed(), late: { products: [A], delayMs: 5_000 } } as OrderEvent,
    placed(),
    ...CONTENTS.map((more) => placedWith(more)),
    placedWith({ lines: [LINE, LINE] }),
    ...ANSWERS.map(
      (answer): OrderEvent => ({ type: 'held', answers: [answer, answer], currency: 'EUR', total: 1_998 }),
    ),
    { type: 'held', answers: [], currency: HOSTILE, total: 0 },
  ];
  for (const event of events) assert.equal(JSON.parse(eventJson(event)), event);
});

test('a turn without a cascade, which a probe makes, is read', () => {
  const empty = { ...turn, cascades: [], letters: [], parts: {} };
  assert.equal(read(textOf(empty)), empty);
});

test('a cascade of letters alone, without an event, is read', () => {
  const lettersAlone = { ...turn, cascades: [{ correlation: 'c', events: [] }] };
  assert.equal(read(textOf(lettersAlone)), lettersAlone);
});

test('the joins of a turn are read as they were written', () => {
  const after: Join['after'] = [
    [journalId('J0'), 'seal'],
    [journalId('J1'), 7],
  ];
  const joins: Join[] = [
    { partition: 3, epoch: 2, after },
    { partition: 4, epoch: 1, after: [] },
  ];
  const joining = { ...turn, cascades: [], letters: [], parts: { 3: { epoch: 2 }, 4: { epoch: 1 } }, joins };
  assert.equal(read(textOf(joining)), joining);
});

test('a seal is read as it was written', () => {
  const seal: SealRecord = { kind: 'seal', id: 'S', journal, by: journalId('J2'), at: 5 };
  assert.equal(read(encodeSeal(seal)), seal);
});

test('claims are read as they were written', () => {
  const node = nodeId('N');
  const map = [null, { epoch: 2, node, journal, at: 5 }, { epoch: 1, node, journal, released: 8, to: nodeId('M') }];
  const claims: ClaimsRecord = { kind: 'claims', id: 'C', by: journal, at: 5, map };
  assert.equal(read(encodeClaims(claims)), claims);
});

test('a settlement is read as it was written', () => {
  const settlement = { id: 'S', partitions: 16, journal: 'postgres', seed: 'none' } as const;
  const {
    v: _,
    kind: __,
    ...again
  } = decodeSettlement(encodeSettlement(settlement)) as object as Record<string, unknown>;
  assert.equal(again, settlement);
});

// ---------------------------------------------------------------- unreadable records

const refused = (text: string, sentence: RegExp) =>
  assert.throws(
    () => decodeRecord(text, 'journal.J1 at 42'),
    (error: unknown) => error instanceof UnreadableRecord && sentence.test(error.message),
  );

test('an unknown version is named, with both versions and the place', () => {
  const later = textOf(turn).replace(`"v":${RECORD_VERSION}`, '"v":2');
  refused(later, /journal\.J1 at 42 holds a record of version 2; this Holdfast reads version 1/);
});

test('a record without a version is refused', () => refused('{"kind":"turn"}', /version undefined/));
test('a record that is no object is refused', () => {
  for (const text of ['null', '7', '"turn"', '[]']) refused(text, /version undefined/);
});
test('what is no JSON is refused', () => refused(textOf(turn).slice(0, -1), /journal\.J1 at 42 holds no JSON/));
test('a kind that is not known is named', () => refused('{"v":1,"kind":"will"}', /unknown kind will/));
test('a turn without cascades is refused', () => refused('{"v":1,"kind":"turn"}', /unknown kind turn/));
test('a settlement of another version is refused', () => {
  assert.throws(
    () => decodeSettlement('{"v":2,"kind":"settlement"}'),
    /the log system holds no settlement of version 1/,
  );
});

test("a journal's log bears its name", () => assert.is(journalLog(journal), 'journal.J1'));

test.run();
