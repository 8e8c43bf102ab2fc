/** A node by hand: nothing is appended, looked up, flushed or paid until the test says so. Its partitions have joined. */
import {
  journalId,
  type OrderId,
  orderId,
  type ProductId,
  partitionOf,
  productId,
  writeId,
} from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import { Channels } from '../../../actors/node/channels.js';
import { type EventSource, eventBatch } from '../../../actors/node/cloud-events.js';
import type { Effect } from '../../../actors/node/effects.js';
import type { FoundIds } from '../../../actors/node/lookups.js';
import { Node, type NodeSettings } from '../../../actors/node/node.js';
import { OwnedPartition } from '../../../actors/node/owned-partition.js';
import { decodeRecord, type Join, type TurnRecord } from '../../../actors/node/record.js';
import { World } from '../../../actors/node/world.js';
import type { ActRequest, PlaceRequest, StockRequest } from '../../../actors/ports/owners.js';
import type {
  Act,
  AdjustCommand,
  OrderAct,
  OrderContent,
  PaymentOutcome,
  ReceiveCommand,
} from '../../../actors/protocol.js';
import { receiveOf } from '../actors/samples.js';

type Kind = Effect['kind'];
export type Of<K extends Kind> = Extract<Effect, { kind: K }>;

/** An act; without a reference it gets one of its own. */
type UnnamedAct = OrderAct extends infer A
  ? A extends OrderAct
    ? Omit<A, 'act'> & { readonly act?: Act }
    : never
  : never;

/** The world of some partitions of a system, all at one epoch. */
export const worldOf = (owned: Iterable<number>, epoch = 1, partitions = 16): World => {
  const world = new World(partitions);
  for (const partition of owned) world.owned.set(partition, new OwnedPartition(partition, epoch, new Channels()));
  return world;
};

export const ownedWorld = (partitions = 16, epoch = 1): World => worldOf(Array(partitions).keys(), epoch, partitions);

export const joinsOf = (world: World): Join[] =>
  [...world.owned.values()].map(({ partition, epoch }) => ({ partition, epoch, after: [] }));

export class Rig {
  readonly node: Node;
  /** Every effect so far, in order. */
  readonly told: Effect[] = [];
  monotonicMs = 0;
  wallMs = 1_700_000_000_000;
  private readonly source: EventSource;
  private request = 0;
  private position = 0;

  constructor(over: Partial<NodeSettings> = {}, joined = ownedWorld()) {
    let ids = 0;
    const settings: NodeSettings = {
      journal: journalId('J1'),
      source: '/test',
      recordBytes: 1_000_000,
      deliverAtHome: true,
      context: { instantPayment: () => 'authorized' },
      byteLength: (text) => Buffer.byteLength(text),
      orderTimeoutMs: 1_000,
      holdTtlMs: 1_000_000,
      resendMs: 200,
      newId: () => `R${++ids}`,
      members: () => 1,
      appendsAnswers: false,
      onLeft: () => {},
      ...over,
    };
    this.source = settings.source;
    this.node = new Node(settings, joined.partitions);
    this.node.tick(-10_000, true);
    if (joined.owned.size > 0) this.join(joined);
    this.node.tick(0, false);
    this.hear();
  }

  get world(): World {
    return this.node.world;
  }

  /** Appends a join. Its flush is acknowledged, and not heard, unless it has more than partitions. */
  join(world: World, joins = joinsOf(world)): this {
    const before = this.hear().told.length;
    this.node.join(world, joins);
    this.turn();
    const { orders, products, refusals } = this.last('flush').flush;
    const isBare = orders.length + products.length + refusals.length === 0;
    if (isBare) this.flushed();
    const isSilent = ({ kind }: Effect) => kind === 'append' || (isBare && kind === 'flush');
    this.told.push(...this.told.splice(before).filter((effect) => !isSilent(effect)));
    return this;
  }

  // -------------------------------------------------------------- requests

  place(id: string, content: OrderContent, over: Partial<PlaceRequest> = {}): number {
    const request = ++this.request;
    this.node.place(request, { order: orderId(id), content, correlation: `c-${id}`, fresh: true, ...over });
    return request;
  }

  stock(product: ProductId, command: ReceiveCommand | AdjustCommand, over: Partial<StockRequest> = {}): number {
    const request = ++this.request;
    this.node.stock(request, { product, command, correlation: 'c', fresh: true, ...over });
    return request;
  }

  act(id: string, command: UnnamedAct, over: Partial<ActRequest> = {}): number {
    const request = ++this.request;
    const act = { ref: writeId(`act-${request}`), fingerprint: 'f' };
    this.node.act(request, {
      order: orderId(id),
      command: { act, ...command } as OrderAct,
      correlation: `c-${id}`,
      ...over,
    });
    return request;
  }

  /** Appends a receipt of each product, so that there is stock. */
  receive(quantity: number, ...products: ProductId[]): this {
    for (const product of products) this.stock(product, receiveOf({ ref: writeId(`given-${product}`), quantity }));
    return this.turn();
  }

  /** The provider's answer to the last payment operation. */
  paymentAnswered(id: string, outcome: PaymentOutcome): this {
    const owed = this.all('pay')
      .filter(({ order }) => order === id)
      .at(-1);
    if (owed === undefined) throw new Error(`nobody was asked for money for ${id}`);
    this.node.paymentAnswered(owed.order, owed.operation, owed.ref, outcome);
    return this.hear();
  }

  // -------------------------------------------------------------- steps

  begin(): this {
    this.node.takeTurn(this.wallMs, this.monotonicMs);
    return this.hear();
  }

  append(): this {
    this.mustPublishAsOthers();
    this.position += 10;
    this.node.appended(this.position);
    return this.hear();
  }

  /** The law of cloud-events.ts: whoever publishes the turn from the journal publishes the same bytes. */
  private mustPublishAsOthers(): void {
    const under = this.told.findLast((effect): effect is Of<'append'> => effect.kind === 'append');
    const record = under && decodeRecord(under.record, 'here');
    if (record?.kind !== 'turn' || under === undefined) return;
    const ours = under.turn.outputs().publicBatch;
    const theirs = eventBatch(record, this.source);
    if (ours !== theirs) throw new Error(`the node publishes ${ours}, and others would publish ${theirs}`);
  }

  /** One turn, appended if it has anything to append. */
  turn(): this {
    this.begin();
    return this.node.isAppending ? this.append() : this;
  }

  pass(ms: number, isServing = true): this {
    this.monotonicMs += ms;
    this.node.tick(this.monotonicMs, isServing);
    return this.hear();
  }

  found(number: number, found: Partial<FoundIds> = {}): this {
    this.node.lookedUp(number, { orders: [], writes: [], ...found });
    return this.hear();
  }

  /** Acknowledges the flush under way. @returns it. */
  flushed(): Of<'flush'>['flush'] {
    const { flush } = this.last('flush');
    this.node.flushed(flush.number);
    this.hear();
    return flush;
  }

  /** Flushes everything to Postgres. */
  catchUp(): this {
    while (this.node.isFlushing || this.node.flushedTo.n < this.node.appendedTo.n) {
      if (this.node.isFlushing) this.flushed();
      else this.pass(limits.flushEveryMs);
    }
    return this.pass(limits.flushEveryMs);
  }

  // -------------------------------------------------------------- replies

  hear(): this {
    this.told.push(...this.node.effects);
    this.node.effects = [];
    return this;
  }

  all<K extends Kind>(kind: K): Of<K>[] {
    return this.hear().told.filter((effect): effect is Of<K> => effect.kind === kind);
  }

  last<K extends Kind>(kind: K): Of<K> {
    const last = this.all(kind).at(-1);
    if (last === undefined) throw new Error(`the node said nothing of the kind ${kind}`);
    return last;
  }

  /** One word: `confirmed`, a refusal, `unavailable`; undefined while there is no reply. */
  replyTo(request: number): string | undefined {
    const replies = this.hear().told.filter(
      (e): e is Of<'replyPlace' | 'replyAct' | 'replyStock'> =>
        (e.kind === 'replyPlace' || e.kind === 'replyAct' || e.kind === 'replyStock') && e.request === request,
    );
    if (replies.length > 1) throw new Error(`request ${request} was answered ${replies.length} times`);
    const reply = replies[0]?.reply;
    if (reply === undefined) return undefined;
    if (reply.kind === 'refused') return reply.refusal;
    if (reply.kind === 'outcome') return reply.state.phase;
    return reply.kind === 'done' && reply.repeat ? 'repeat' : reply.kind;
  }

  get lastRecord(): TurnRecord {
    const record = decodeRecord(this.last('append').record, 'here');
    if (record.kind !== 'turn') throw new Error('no turn');
    return record;
  }

  stockOf(product: ProductId): { onHand: number; held: number } | undefined {
    const state = this.world.products.get(product)?.state;
    return state && { onHand: state.onHand, held: state.held };
  }

  has(id: OrderId | string): boolean {
    return this.world.orders.has(orderId(id));
  }
}

/** A product of a partition, and an order of another (or the same) one. */
export const productIn = (world: World, partition: number): ProductId =>
  productId(idIn(world, 'product', partition, 0));
/** @param which another number is another order of the partition */
export const orderIn = (world: World, partition: number, which = 0): OrderId =>
  orderId(idIn(world, 'order', partition, which));

function idIn(world: World, kind: 'order' | 'product', partition: number, which: number): string {
  for (let i = 0, found = 0; ; i++) {
    const id = `${kind}-${i}`;
    if (partitionOf(kind, id, world.partitions) === partition && found++ === which) return id;
  }
}
