/**
 * A repeat of a placing gets the first answer, byte for byte: with any acts on the order in the same turn and the same
 * millisecond, with any callers at once, and whether the order is in memory, is read from its row, or was replayed
 * after a crash. The clock stands still throughout.
 */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type JournalId, journalId, nodeId, type OrderId, orderId, writeId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import { statementsOf } from '../../../actors/node/flush.js';
import type { NodeSettings } from '../../../actors/node/node.js';
import type { Claim, TurnRecord } from '../../../actors/node/record.js';
import { replay } from '../../../actors/node/replay.js';
import type { World } from '../../../actors/node/world.js';
import { decidedIn } from '../../../actors/order/as-decided.js';
import type { OrderContext } from '../../../actors/order/order.js';
import type { PlaceReply } from '../../../actors/ports/owners.js';
import type { OrderContent, OrderEvent, PaymentOperation, PaymentOutcome } from '../../../actors/protocol.js';
import { answerOf } from '../../../http/orders/order-answer.js';
import { memorySnapshots } from '../../../storage/memory/memory-snapshots.js';
import { A, B, C, contentOf, oneLine, receiveOf } from '../actors/samples.js';
import { joinsOf, type Of, ownedWorld, Rig, worldOf } from './node-rig.js';

const test = suite('repeats of a placing');
const PARTITIONS = 4;
const KEYS = ['K0', 'K1', 'K2'].map(orderId);
const CONTENTS: { readonly [key: string]: OrderContent } = {
  K0: oneLine(A, 2),
  K1: contentOf({ lines: [A, B, C].map((product) => ({ product, quantity: 2 })) }),
  K2: contentOf({ lines: [B, A].map((product) => ({ product, quantity: 1 })), notes: 'a \u0000 in it' }),
};
const YES: { readonly [O in PaymentOperation]: PaymentOutcome } = {
  authorize: 'authorized',
  capture: 'captured',
  void: 'voided',
  refund: 'refunded',
};

const PAID: OrderContext = { instantPayment: () => 'authorized' };

type Way = Pick<NodeSettings, 'context' | 'deliverAtHome' | 'orderTimeoutMs'>;

/** A node by hand over stores in memory; it can crash and start again from them. */
class Shop {
  rig: Rig;
  /** By key: each answer so far. */
  readonly answers = new Map<OrderId, string[]>(KEYS.map((key) => [key, []]));
  private readonly stores = memorySnapshots();
  private readonly journals: { readonly journal: JournalId; readonly turns: TurnRecord[] }[] = [];
  private readonly asked = new Map<number, OrderId>();
  private heard = 0;
  private writes = 0;

  private constructor(private readonly way: Way) {
    this.rig = this.next();
    this.join(ownedWorld(PARTITIONS));
  }

  static async open(way: Way): Promise<Shop> {
    const shop = new Shop(way);
    await shop.stores.snapshots.openJournal(shop.journal, nodeId('N'));
    for (const product of [A, B, C]) shop.receive(product, product === C ? 3 : 40);
    await shop.settle();
    return shop;
  }

  get journal(): JournalId {
    return this.journals.at(-1)?.journal ?? journalId('');
  }

  place(key: OrderId): void {
    const content = CONTENTS[key] ?? oneLine(A, 1);
    this.asked.set(this.rig.place(key, content, { fresh: false }), key);
  }

  receive(product: typeof A, quantity: number): void {
    const ref = writeId(`w${++this.writes}`);
    this.rig.stock(product, receiveOf({ ref, fingerprint: ref, quantity, backorders: { allowed: product === C } }));
  }

  begin(): void {
    if (this.rig.node.wantsTurn()) this.rig.begin();
  }

  append(): void {
    if (!this.rig.node.isAppending) return;
    this.journals.at(-1)?.turns.push(this.rig.lastRecord);
    this.rig.append();
  }

  /** Lets the provider answer every operation. */
  pay(isYes: boolean): void {
    const { node, world } = this.rig;
    for (const { order, operation, ref } of this.rig.all('pay')) {
      if (world.orders.get(order)?.paying !== ref) continue;
      node.paymentAnswered(order, operation, ref, isYes || operation === 'void' ? YES[operation] : 'declined');
    }
    this.rig.hear();
  }

  /** Lets Postgres and the post do their outstanding work. */
  async carryOut(): Promise<void> {
    const { snapshots, queries } = this.stores;
    for (; this.heard < this.rig.hear().told.length; this.heard++) {
      const effect = this.rig.told[this.heard];
      if (effect?.kind === 'lookUp')
        this.rig.node.lookedUp(effect.number, await snapshots.lookUp(effect.orders, effect.writes));
      if (effect?.kind === 'send') for (const letter of effect.letters) this.rig.node.letter(letter);
      if (effect?.kind === 'confirm') this.rig.node.confirmed(effect.confirmation);
      if (effect?.kind === 'replyPlace') this.hear(effect.request, effect.reply);
      if (effect?.kind === 'replyDecided') {
        const state = decidedIn(effect.order, await queries.history(effect.order));
        if (state === undefined) throw new Error('its history has no outcome');
        this.hear(effect.request, { kind: 'outcome', state, repeat: effect.repeat });
      }
      if (effect?.kind === 'flush') await this.write(effect);
    }
  }

  async flush(): Promise<void> {
    this.rig.pass(limits.flushWholeEveryMs);
    await this.carryOut();
    this.rig.pass(1);
  }

  /** kill -9: appended records are kept, work under way is lost. */
  async restart(): Promise<void> {
    const { snapshots } = this.stores;
    await snapshots.closeJournals([this.journal]);
    const ids = this.journals.flatMap(({ turns }) => turns.flatMap(eventsOf).map(({ id }) => id));
    const all = Array.from({ length: PARTITIONS }, (_, partition) => partition);
    const loaded = await snapshots.load(all, PARTITIONS, ids);
    const chain = this.journals.map(({ journal }, i): Claim => ({ epoch: i + 1, node: nodeId('N'), journal }));
    const seal = { kind: 'seal', id: 'S', journal: this.journal, by: this.journal, at: 0 } as const;
    const tails = new Map(
      this.journals.map(({ journal, turns }) => {
        const folded = loaded.journals.find((row) => row.journal === journal)?.folded.n ?? 0;
        return [journal, { turns: turns.slice(folded), seal, idAtPlace: turns[folded - 1]?.id }];
      }),
    );
    const epoch = this.journals.length + 1;
    const claims = new Map(all.map((partition) => [partition, { epoch, before: chain }]));
    await snapshots.openJournal(journalId(`J${epoch}`), nodeId('N'));
    this.rig = this.next();
    this.join(replay({ partitions: PARTITIONS, claims, tails, loaded }));
  }

  /** Finishes everything, so that all orders leave memory. */
  async settle(): Promise<void> {
    for (let calm = 0; calm < 6; calm++) {
      if (this.rig.node.isAppending || this.rig.node.wantsTurn()) calm = 0;
      this.append();
      this.begin();
      this.append();
      this.pay(true);
      await this.carryOut();
      await this.flush();
    }
  }

  /** The answer according to the order's events. */
  decided(key: OrderId): string | undefined {
    const events = this.journals.flatMap(({ turns }) => turns.flatMap(eventsOf)).filter(({ id }) => id === key);
    const state = decidedIn(key, events);
    return state && text({ kind: 'outcome', state, repeat: false });
  }

  private next(): Rig {
    const epoch = this.journals.length + 1;
    const journal = journalId(`J${epoch}`);
    this.journals.push({ journal, turns: [] });
    this.asked.clear();
    this.heard = 0;
    const wallMs = this.rig?.wallMs;
    const nothing = worldOf([], epoch, PARTITIONS);
    const rig = new Rig({ ...this.way, journal, newId: () => `${journal}-${++this.writes}` }, nothing);
    if (wallMs !== undefined) rig.wallMs = wallMs;
    return rig;
  }

  private join(world: World): void {
    this.rig.node.join(world, joinsOf(world));
    this.begin();
    this.append();
  }

  private async write({ flush }: Of<'flush'>): Promise<void> {
    for (const statement of statementsOf(flush, true, 0))
      assert.is(await this.stores.snapshots.write(this.journal, statement), 'written');
    this.rig.node.flushed(flush.number);
  }

  private hear(request: number, reply: PlaceReply): void {
    const key = this.asked.get(request);
    if (key === undefined) return;
    assert.is(reply.kind, 'outcome', `${key} is ${JSON.stringify(reply)}`);
    this.answers.get(key)?.push(text(reply));
  }
}

const text = (reply: PlaceReply): string => {
  const { status, body } = answerOf(reply, 'x');
  return `${status} ${body}`;
};

const eventsOf = ({ at, cascades }: TurnRecord): { id: OrderId; event: OrderEvent; at: number }[] =>
  cascades.flatMap(({ events }) =>
    events.flatMap(({ of, event }) => (of.kind === 'order' ? [{ id: of.id, event: event as OrderEvent, at }] : [])),
  );

// ---------------------------------------------------------------- steps

type Step = (shop: Shop) => unknown;
const aKey = fc.constantFrom(...KEYS);
const anAct = fc.constantFrom<Parameters<Rig['act']>[1][]>(
  ...[
    { type: 'cancel' } as const,
    { type: 'ship' } as const,
    { type: 'deliver' } as const,
    { type: 'refund' } as const,
  ],
  ...[{ type: 'requestReturn' } as const, { type: 'extendHold' } as const, { type: 'refund', minor: 1 } as const],
  { type: 'ship', lines: [{ product: A, quantity: 1 }] },
);
const step = <T>(weight: number, drawn: fc.Arbitrary<T>, run: (shop: Shop, drawn: T) => unknown) => ({
  weight,
  arbitrary: drawn.map(
    (one): Step =>
      (shop) =>
        run(shop, one),
  ),
});
const nothing = fc.constant(undefined);
const steps = fc.array(
  fc.oneof(
    step(6, aKey, (shop, key) => shop.place(key)),
    step(6, fc.tuple(aKey, anAct), (shop, [key, act]) => shop.rig.act(key, act)),
    step(4, nothing, (shop) => shop.begin()),
    step(4, nothing, (shop) => shop.append()),
    step(3, fc.boolean(), (shop, isYes) => shop.pay(isYes)),
    step(5, nothing, (shop) => shop.carryOut()),
    step(1, nothing, (shop) => shop.flush()),
    step(1, nothing, (shop) => shop.restart()),
    step(1, nothing, (shop) => shop.receive(C, 2)),
  ),
  { minLength: 5, maxLength: 60 },
);
const ways: fc.Arbitrary<Way> = fc.record({
  context: fc.constantFrom<OrderContext[]>(
    PAID,
    { ...PAID, captureOn: 'ship' },
    { instantPayment: () => 'declined' },
    {},
    { captureOn: 'ship' },
  ),
  deliverAtHome: fc.boolean(),
  orderTimeoutMs: fc.constantFrom(900, 1_000_000),
});

test('acts, captures, crashes and repeats in one millisecond: one answer to each key', async () => {
  let repeats = 0;
  await fc.assert(
    fc.asyncProperty(ways, steps, async (way, script) => {
      const shop = await Shop.open(way);
      for (const run of script) await run(shop);
      for (let i = 0; i < 2; i++) {
        await shop.settle();
        for (const key of KEYS) shop.place(key);
        await shop.settle();
      }
      // Appended and not flushed: after the crash it is in the journal only.
      for (const key of KEYS) for (const type of ['ship', 'refund'] as const) shop.rig.act(key, { type });
      await shop.carryOut();
      shop.begin();
      shop.append();
      await shop.restart();
      for (const key of KEYS) for (let i = 0; i < 2; i++) shop.place(key);
      await shop.settle();
      for (const [key, answers] of shop.answers) {
        repeats += answers.length - 1;
        assert.equal([...new Set(answers)], [shop.decided(key)], key);
      }
    }),
    { numRuns: 300 },
  );
  assert.ok(repeats > 300 * 9, `${repeats} repeats`);
});

// ---------------------------------------------------------------- examples

const placedAndShipped = async (way: Partial<Way> = {}) => {
  const shop = await Shop.open({ context: PAID, deliverAtHome: true, orderTimeoutMs: 1_000, ...way });
  const [K] = KEYS as [OrderId, ...OrderId[]];
  return { shop, K };
};

test('two callers at once, and a cancellation between them, in one turn', async () => {
  const { shop, K } = await placedAndShipped();
  shop.place(K);
  shop.place(K);
  await shop.carryOut();
  shop.rig.act(K, { type: 'cancel' });
  shop.place(K);
  await shop.settle();
  const [first, ...again] = shop.answers.get(K) ?? [];
  assert.match(first ?? '', /^201 .*"status":"confirmed","payment_status":"paid"/);
  assert.equal(again, [first, first]);
});

test('captured after the answer: the first answer said authorized, and so does its repeat', async () => {
  const { shop, K } = await placedAndShipped({ context: {} });
  shop.place(K);
  await shop.settle();
  shop.place(K);
  await shop.settle();
  const [first, again] = shop.answers.get(K) ?? [];
  assert.match(first ?? '', /"payment_status":"authorized"/);
  assert.is(again, first);
});

test('a repeat of an undecided order waits, and gets the outcome', async () => {
  const { shop, K } = await placedAndShipped({ context: {} });
  shop.place(K);
  await shop.carryOut();
  shop.begin();
  shop.append();
  shop.place(K);
  await shop.carryOut();
  shop.begin();
  assert.equal(shop.answers.get(K), []);
  shop.pay(false);
  await shop.settle();
  const [first, again] = shop.answers.get(K) ?? [];
  assert.match(first ?? '', /^402 /);
  assert.is(again, first);
});

test('an outcome taken back because the record was full does not count', () => {
  let takenBack = 0;
  for (let chars = 1_000; chars < 4_000; chars += 100) {
    const rig = new Rig({ context: {}, recordBytes: 6_000 }).receive(9, A);
    rig.place('K', oneLine(A, 1));
    rig.turn().place('L', { ...oneLine(A, 1), notes: 'x'.repeat(chars) });
    rig.paymentAnswered('K', 'authorized').begin();
    const entry = rig.world.orders.get(orderId('K'));
    if (!rig.has('L') || entry?.state.phase !== 'charging') continue;
    takenBack++;
    assert.is(entry.decided, undefined);
    rig.append().turn();
    assert.is(entry.decided, entry.state);
    assert.is(entry.state.phase, 'confirmed');
  }
  assert.ok(takenBack > 0);
});

test.run();
