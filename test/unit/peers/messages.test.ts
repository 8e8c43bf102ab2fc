/** Requests and states survive the way to another node exactly, whatever happened to the order or the product. */
import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { orderId, productId, userId, writeId } from '../../../actors/ids.js';
import type { OrderState } from '../../../actors/order/order.js';
import { STATUSES } from '../../../actors/order/transitions.js';
import type { ActRequest, PlaceReply, PlaceRequest, StockRequest } from '../../../actors/ports/owners.js';
import type { ProductState } from '../../../actors/product/inventory.js';
import type { Json, OrderAct } from '../../../actors/protocol.js';
import {
  type Answer,
  answerText,
  askText,
  bodyText,
  headOf,
  type PeerMessage,
  readMessage,
  UnreadableMessage,
  type Wanted,
} from '../../../bus/peers/messages.js';
import { orderJson } from '../../../http/orders/order-view.js';
import { World } from '../actors/actors-world.js';
import { contentOf } from '../actors/samples.js';

const test = suite('messages between nodes');
const text = fc.string({ unit: 'binary', maxLength: 12 });
const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const json = fc.jsonValue({ stringUnit: 'binary' }).filter((value) => !hasMinusZero(value)) as fc.Arbitrary<Json>;
const line = fc.record({ product: text.map(productId), quantity: whole });
const act = fc.record({ ref: text.map(writeId), fingerprint: text }, { requiredKeys: ['ref', 'fingerprint'] });

/** JSON has no -0, and neither have the amounts and quantities of Holdfast. */
function hasMinusZero(value: unknown): boolean {
  if (typeof value === 'number') return Object.is(value, -0);
  return typeof value === 'object' && value !== null && Object.values(value).some(hasMinusZero);
}

const place: fc.Arbitrary<PlaceRequest> = fc.record(
  {
    order: text.map(orderId),
    content: fc.record(
      {
        user: text.map(userId),
        userIsNumber: fc.boolean(),
        lines: fc.array(line, { maxLength: 4 }),
        currency: text,
        email: text,
        shippingAddress: json,
        billingAddress: json,
        notes: text,
        paymentMethod: text,
      },
      { requiredKeys: ['user', 'userIsNumber', 'lines'] },
    ),
    correlation: text,
    fresh: fc.boolean(),
    impatient: fc.constantFrom(true, false, undefined),
    alias: fc.constantFrom(orderId('ORD-1'), undefined),
  },
  { requiredKeys: ['order', 'content', 'correlation', 'fresh'] },
);

const command: fc.Arbitrary<OrderAct> = fc.oneof(
  fc.record({ type: fc.constant('cancel' as const), act, reason: text }, { requiredKeys: ['type', 'act'] }),
  fc.record(
    { type: fc.constant('ship' as const), act, lines: fc.array(line), tracking: text, carrier: text },
    { requiredKeys: ['type', 'act'] },
  ),
  fc.record(
    { type: fc.constant('refund' as const), act, minor: whole, reason: text },
    { requiredKeys: ['type', 'act'] },
  ),
  fc.record({ type: fc.constant('move' as const), act, to: fc.constantFrom(...STATUSES) }),
);
const acting: fc.Arbitrary<ActRequest> = fc.record(
  {
    order: text.map(orderId),
    command,
    correlation: text,
    ifVersions: fc.array(whole),
    unlessVersions: fc.oneof(fc.constant('any' as const), fc.array(whole)),
    user: text.map(userId),
    fresh: fc.boolean(),
    oldFingerprint: fc.constantFrom('f', undefined),
  },
  { requiredKeys: ['order', 'command', 'correlation'] },
);
const stock: fc.Arbitrary<StockRequest> = fc.record(
  {
    product: text.map(productId),
    command: fc.oneof(
      fc.record(
        {
          ...{ type: fc.constant('receive' as const), ref: text.map(writeId), fingerprint: text, name: text },
          ...{ unitPrice: whole, currency: text, quantity: whole },
          backorders: fc.record({ allowed: fc.boolean(), limit: whole }, { requiredKeys: ['allowed'] }),
        },
        { requiredKeys: ['type', 'ref', 'fingerprint', 'name', 'unitPrice', 'currency', 'quantity'] },
      ),
      fc.record({
        ...{ type: fc.constant('adjust' as const), ref: text.map(writeId), fingerprint: text, reason: text },
        delta: fc.maxSafeInteger().filter((delta) => !Object.is(delta, -0)),
      }),
    ),
    correlation: text,
    fresh: fc.boolean(),
    oldFingerprint: fc.constantFrom('f', undefined),
    corrects: fc.boolean(),
    looks: fc.boolean(),
  },
  { requiredKeys: ['product', 'command', 'correlation', 'fresh'] },
);

const read = (part: string, items: string): PeerMessage => {
  const message = readMessage(`${headOf('E1', 'näme')},"${part}":[${items}]}`);
  if ('cut' in message) throw new Error('it is whole');
  return message;
};

/** Without the members whose value is undefined. */
function given(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(given);
  if (typeof value !== 'object' || value === null) return value;
  // `__proto__` may be the name of an address's field.
  const all = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(all.map(([name, each]) => [name, given(each)]));
}

const same = (got: unknown, sent: unknown): void => {
  if (!isDeepStrictEqual(given(got), given(sent))) assert.equal(given(got), given(sent));
};

test('every request arrives as it was sent; what is fresh stands in its head', () => {
  const wanted = fc.oneof(
    place.map((body): Wanted => ({ kind: 'place', body })),
    acting.map((body): Wanted => ({ kind: 'act', body })),
    stock.map((body): Wanted => ({ kind: 'stock', body })),
    text.map((body): Wanted => ({ kind: 'order', body: orderId(body) })),
    text.map((body): Wanted => ({ kind: 'product', body: productId(body) })),
  );
  fc.assert(
    fc.property(wanted, whole, fc.boolean(), ({ kind, body }, id, fresh) => {
      const head = { id, partition: 1, epoch: 2, seq: 3, patienceMs: 4, ...(fresh && { fresh }) };
      const { asks } = read('asks', askText(head, kind, bodyText({ kind, body } as Wanted)));
      same(asks, [{ ...head, kind, body: typeof body === 'string' ? body : { ...body, fresh: undefined } }]);
    }),
    { numRuns: 1_000 },
  );
});

/** Any state that the state charts can make. */
const ORDERS = [0, 1].map((i) => orderId(`ORD-ü${i}`));
const PRODUCTS = [0, 1].map((i) => productId(`P"${i}`));
type Step = (world: World) => void;
const order = fc.constantFrom(...ORDERS);
const steps = fc.array(
  fc.oneof<fc.Arbitrary<Step>[]>(
    fc.tuple(order, fc.nat(2)).map(([id, more]) => (world) => {
      const lines = PRODUCTS.slice(0, 1 + (more % 2)).map((product) => ({ product, quantity: 1 + more }));
      world.commandOrder(id, { type: 'place', content: contentOf({ lines }), correlation: 'c' });
    }),
    fc.constantFrom(...PRODUCTS).map((id) => (world) => {
      const receipt = { ref: writeId('w'), fingerprint: '', name: 'ü', unitPrice: 100, currency: 'USD', quantity: 2 };
      world.commandProduct(id, { type: 'receive', ...receipt, backorders: { allowed: true, limit: 9 } });
    }),
    fc.nat(9).map((pick) => (world) => void world.deliver(pick)),
    fc.tuple(order, fc.boolean()).map(
      ([id, willing]) =>
        (world) =>
          void world.charge(id, willing),
    ),
    fc.tuple(order, fc.nat(3)).map(
      ([id, pick]) =>
        (world) =>
          world.deliverPayment(id, pick),
    ),
    fc.tuple(order, fc.constantFrom(...STATUSES), fc.nat()).map(([id, to, no]) => (world) => {
      world.commandOrder(id, { type: 'move', to, act: { ref: writeId(`${no}`), fingerprint: 'f' } });
    }),
    fc.tuple(order, fc.nat()).map(([id, no]) => (world) => {
      world.commandOrder(id, { type: 'refund', minor: 50, act: { ref: writeId(`${no}`), fingerprint: 'f' } });
    }),
    fc.tuple(order, fc.nat()).map(([id, no]) => (world) => {
      const act = { ref: writeId(`${no}`), fingerprint: 'f' };
      world.commandOrder(id, { type: 'closeAct', act, refused: 'backordered' });
    }),
  ),
  { maxLength: 60, size: 'max' },
);

const answered = (answer: Answer): Answer => {
  const [{ id, ...got } = { id: 0 }] = read('answers', answerText(7, answer)).answers ?? [];
  assert.is(id, 7);
  return got as Answer;
};

test('every state arrives as it is, and is shown to clients as at its owner', () => {
  const lives = new Set<boolean>();
  fc.assert(
    fc.property(steps, (script) => {
      const world = new World({});
      for (const step of script) step(world);
      for (const state of world.orders.values()) {
        const got = answered({ state });
        same(got, { state });
        const arrived = ('state' in got ? got.state : undefined) as OrderState;
        assert.is(orderJson(arrived), orderJson(state));
        assert.is(JSON.stringify(arrived), JSON.stringify(state));
        lives.add(arrived.life === state.life);
        const outcome: PlaceReply = { kind: 'outcome', state, repeat: true };
        const reply = answered({ reply: outcome });
        same(reply, { reply: outcome });
        assert.is('reply' in reply && orderJson((reply.reply as { state: OrderState }).state), orderJson(state));
      }
      for (const state of world.products.values() as Iterable<ProductState>) {
        same(answered({ state }), { state });
        same(answered({ reply: { kind: 'refused', refusal: 'below_held', state } }), {
          reply: { kind: 'refused', refusal: 'below_held', state },
        });
      }
    }),
    { numRuns: 500 },
  );
  assert.equal([...lives].sort(), [false, true], 'orders with and without a life of their own were seen');
});

test('what is absent stays absent', () => {
  same(answered({ state: undefined }), {});
  const refused = { kind: 'refused', refusal: 'unknown_order', state: undefined, repeat: false } as const;
  same(answered({ reply: refused }), { reply: refused });
  const failed = { kind: 'unavailable', why: 'x', moved: true } as const;
  assert.equal(answered({ failed }), { failed });
});

test('a message of another version, and no message at all, are refused by name', () => {
  for (const [bad, why] of [
    ['{"v":2,"from":"E"}', /version 2; this Holdfast reads version 1/],
    ['null', /version undefined/],
    ['{', /no JSON/],
  ] as const) {
    assert.throws(
      () => readMessage(bad),
      (error: unknown) => error instanceof UnreadableMessage && why.test(error.message),
    );
  }
});

test.run();
