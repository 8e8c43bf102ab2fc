/**
 * Every form that records can have today: each field of each record, event and letter. The compiler refuses this table
 * when the protocol has a field that it lacks. So golden.test.ts knows which forms no golden journal has.
 */
import type { OrderFacts, OwedRefund, PricedLine } from '../../../actors/node/event-facts.js';
import type {
  Cascade,
  Claim,
  ClaimsRecord,
  Join,
  RefusedWrite,
  SealRecord,
  StoredRecord,
  TurnPart,
  TurnRecord,
} from '../../../actors/node/record.js';
import type { NumberedLetter } from '../../../actors/ports/letters.js';
import type { Stock } from '../../../actors/product/inventory.js';
import type {
  Act,
  Backorders,
  Cost,
  HoldAnswer,
  ImportedFacts,
  ImportedItem,
  Line,
  OrderAct,
  OrderCommand,
  OrderContent,
  OrderEvent,
  ProductCommand,
  ProductEvent,
  Shortage,
} from '../../../actors/protocol.js';

/** The fields of a type, each with the value 1. */
type Fields<T> = { readonly [Field in keyof T]-?: 1 };
/** The fields of each member of a union, by the value of its tag. */
type Members<Union, Tag extends keyof Union> = {
  readonly [Name in Union[Tag] & string]: Fields<Omit<Extract<Union, { readonly [T in Tag]: Name }>, Tag>>;
};
type Late = NonNullable<Extract<OrderEvent, { readonly type: 'placed' }>['late']>;
/** Commands that no actor sends to another. */
type NoLetter =
  | OrderAct['type']
  | 'place'
  | 'import'
  | 'paymentAnswered'
  | 'sendLate'
  | 'timeOut'
  | 'closeAct'
  | 'receive'
  | 'adjust'
  | 'fill';
type ToOrder = Exclude<OrderCommand, { readonly type: NoLetter }>;
type ToProduct = Exclude<ProductCommand, { readonly type: NoLetter }>;

const RECORD = { kind: 1, id: 1, at: 1 } as const;
const MOVE = { order: 1, quantity: 1 } as const;

const turn: Fields<TurnRecord> = {
  ...RECORD,
  journal: 1,
  n: 1,
  parts: 1,
  cascades: 1,
  letters: 1,
  refused: 1,
  joins: 1,
};
const seal: Fields<SealRecord> = { ...RECORD, journal: 1, by: 1, n: 1 };
const claims: Fields<ClaimsRecord> = { ...RECORD, by: 1, map: 1, names: 1, previous: 1 };
const claim: Fields<Claim> = { epoch: 1, node: 1, journal: 1, at: 1, released: 1, to: 1 };
const join: Fields<Join> = { partition: 1, epoch: 1, after: 1 };
const part: Fields<TurnPart> = { epoch: 1, seen: 1 };
const refused: Fields<RefusedWrite> = { ref: 1, product: 1, fingerprint: 1, refusal: 1 };
const numbered: Fields<NumberedLetter> = { from: 1, to: 1, number: 1, correlation: 1, letter: 1 };

const cascade: Fields<Cascade> = { correlation: 1, events: 1, before: 1 };
const orderBefore: Fields<OrderFacts> = { user: 1, currency: 1, total: 1, lines: 1, refunds: 1 };
const productBefore: Fields<Stock> = { onHand: 1, held: 1, backordered: 1 };
const priced: Fields<PricedLine> = { product: 1, quantity: 1, unitPrice: 1 };
const owed: Fields<OwedRefund> = { id: 1, minor: 1 };

const act: Fields<Act> = { ref: 1, fingerprint: 1, events: 1 };
const backorders: Fields<Backorders> = { allowed: 1, limit: 1 };
const late: Fields<Late> = { products: 1, delayMs: 1 };
const line: Fields<Line> = { product: 1, quantity: 1 };
const shortage: Fields<Shortage> = { product: 1, asked: 1, available: 1 };
const content: Fields<OrderContent> = {
  ...{ user: 1, userIsNumber: 1, lines: 1, currency: 1, email: 1, notes: 1, paymentMethod: 1 },
  ...{ shippingAddress: 1, billingAddress: 1 },
};
const facts: Fields<ImportedFacts> = {
  ...{ origin: 1, placedAt: 1, tracking: 1, shipping: 1, prices: 1, total: 1, items: 1 },
};
const item: Fields<ImportedItem> = { product: 1, quantity: 1, cost: 1 };
const cost: Fields<Cost> = { currency: 1, amount: 1 };
const answer: Members<HoldAnswer, 'answer'> = {
  held: { product: 1, unitPrice: 1, currency: 1, backordered: 1 },
  short: { product: 1, available: 1, unitPrice: 1, currency: 1 },
  unknown: { product: 1 },
};

const order: Members<OrderEvent, 'type'> = {
  placed: { content: 1, correlation: 1, late: 1 },
  imported: { content: 1, facts: 1, correlation: 1 },
  import_differed: { fields: 1 },
  late_sent: {},
  answered: { answers: 1 },
  held: { answers: 1, currency: 1, total: 1 },
  hold_extended: { act: 1 },
  paid: { captured: 1, captureOn: 1 },
  confirmed: {},
  captured: {},
  capture_failed: {},
  failed: { reason: 1, answers: 1, shortages: 1, voidOwed: 1 },
  voided: {},
  cancelled: { act: 1, was: 1, reason: 1, voidOwed: 1 },
  stock_arrived: { lines: 1 },
  shipped: { act: 1, id: 1, lines: 1, tracking: 1, carrier: 1 },
  delivered: { act: 1, ids: 1 },
  return_requested: { act: 1, id: 1, lines: 1, reason: 1 },
  return_received: { act: 1, id: 1, restocked: 1 },
  refund_requested: { id: 1, minor: 1, currency: 1, act: 1, returned: 1, reason: 1 },
  refunded: { id: 1 },
  refund_failed: { id: 1 },
  forgotten: { act: 1 },
  act_answered: { act: 1, refused: 1 },
};

const product: Members<ProductEvent, 'type'> = {
  received: { ref: 1, fingerprint: 1, name: 1, unitPrice: 1, currency: 1, quantity: 1, backorders: 1 },
  adjusted: { ref: 1, fingerprint: 1, delta: 1, reason: 1 },
  held: { ...MOVE, no: 1 },
  released: MOVE,
  committed: { ...MOVE, no: 1 },
  returned: { ...MOVE, no: 1 },
  backordered: MOVE,
  unbackordered: MOVE,
};

const toOrder: Members<ToOrder, 'type'> = { holdsAnswered: { answers: 1 }, stockArrived: { lines: 1 } };
const toProduct: Members<ToProduct, 'type'> = {
  hold: { ...MOVE, currency: 1 },
  release: MOVE,
  commit: MOVE,
  uncommit: MOVE,
  return: { ...MOVE, no: 1 },
};

const single = {
  join,
  turn,
  seal,
  claims,
  claim,
  part,
  refused,
  numbered,
  cascade,
  'order before': orderBefore,
  'product before': productBefore,
  'line before': priced,
  'refund before': owed,
  act,
  backorders,
  late,
  line,
  shortage,
  content,
  facts,
  item,
  cost,
};
const many = { answer, order, product, 'letter to order': toOrder, 'letter to product': toProduct };

/** Each form as a text, such as `order shipped.tracking`. A form without fields is its name alone. */
export const storedForms: readonly string[] = [
  ...Object.entries(single).flatMap(([name, fields]) => formsOf(name, fields)),
  ...Object.entries(many).flatMap(([kind, members]) =>
    Object.entries(members).flatMap(([name, fields]) => formsOf(`${kind} ${name}`, fields)),
  ),
];

function formsOf(name: string, fields: object): string[] {
  return [name, ...Object.keys(fields).map((field) => `${name}.${field}`)];
}

/** What the fields hold that are named here: objects of these forms, alone or in a list. */
const HOLDS: Readonly<Record<string, string>> = {
  ...{ act: 'act', backorders: 'backorders', content: 'content', late: 'late', lines: 'line', shortages: 'shortage' },
  ...{ facts: 'facts', shipping: 'cost', items: 'item', cost: 'cost' },
  answers: 'answer',
};

/** The forms that a record has. */
export function formsIn(record: StoredRecord): Set<string> {
  const found = new Set<string>();
  const note = (name: string, value: object): void => {
    for (const form of formsOf(name, value)) found.add(form);
    for (const [field, held] of Object.entries(value)) {
      const form = HOLDS[field];
      if (form === undefined) continue;
      for (const one of Array.isArray(held) ? held : [held])
        note(form === 'answer' ? `answer ${one.answer}` : form, one);
    }
  };
  /** Facts that are absent, and a stock without backorders, are not written. */
  const noteCascade = (each: Cascade): void => {
    for (const form of formsOf('cascade', each)) found.add(form);
    for (const { kind, facts } of each.before ?? []) {
      const written = Object.entries(facts).filter(([, value]) => value !== undefined && value !== 0);
      for (const form of formsOf(`${kind} before`, Object.fromEntries(written))) found.add(form);
      if (kind === 'product') continue;
      for (const line of facts.lines ?? []) for (const form of formsOf('line before', line)) found.add(form);
      for (const refund of facts.refunds ?? []) for (const form of formsOf('refund before', refund)) found.add(form);
    }
  };
  note(record.kind, record);
  if (record.kind === 'claims') for (const each of record.map) if (each !== null) note('claim', each);
  if (record.kind !== 'turn') return found;
  for (const each of Object.values(record.parts)) note('part', each);
  for (const each of record.refused ?? []) note('refused', each);
  for (const each of record.joins ?? []) note('join', each);
  for (const each of record.letters) {
    note('numbered', each);
    note(`letter to ${each.letter.to.kind} ${each.letter.command.type}`, each.letter.command);
  }
  for (const each of record.cascades) {
    noteCascade(each);
    for (const { of, event } of each.events) note(`${of.kind} ${event.type}`, event);
  }
  return found;
}
