/** A node by hand: nothing is appended, looked up, flushed or paid until the test says so. */
import { journalId, type OrderId, orderId, type ProductId, productId, writeId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import { Channels } from '../../../actors/node/channels.js';
import type { Effect } from '../../../actors/node/effects.js';
import type { FoundIds } from '../../../actors/node/lookups.js';
import { Node, type NodeSettings } from '../../../actors/node/node.js';
import { decodeRecord, type TurnRecord } from '../../../actors/node/record.js';
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

export const ownedWorld = (partitions = 16): World => {
  const world = new World(partitions);
  for (let partition = 0; partition < partitions; partition++) world.channels.set(partition, new Channels());
  return world;
};

export class Rig {
  readonly node: Node;
  /** Every effect so far, in order. */
  readonly told: Effect[] = [];
  monotonicMs = 0;
  wallMs = 1_700_000_000_000;
  private request = 0;
  private position = 0;

  constructor(
    over: Partial<NodeSettings> = {},
    readonly world = ownedWorld(),
  ) {
    let ids = 0;
    const settings: NodeSettings = {
      journal: journalId('J1'),
      source: '/test',
      recordBytes: 1_000_000,
      deliverAtHome: true,
      context: { instantPayment: () => 'authorized' },
      byteLength: (text) => Buffer.byteLength(text),
      epochOf: () => 1,
      orderTimeoutMs: 1_000,
      holdTtlMs: 1_000_000,
      resendMs: 200,
      newId: () => `R${++ids}`,
      onLeft: () => {},
      ...over,
    };
    this.node = new Node(settings, world);
    this.node.tick(0, true);
    this.hear();
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
    this.position += 10;
    this.node.appended(this.position);
    return this.hear();
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
export const productIn = (world: World, partition: number): ProductId => idIn(world, 'product', partition, productId);
export const orderIn = (world: World, partition: number): OrderId => idIn(world, 'order', partition, orderId);

function idIn<Id>(world: World, kind: 'order' | 'product', partition: number, brand: (text: string) => Id): Id {
  for (let i = 0; ; i++) {
    const id = brand(`${kind}-${i}`);
    if (world.partitionOf({ kind, id } as Parameters<World['partitionOf']>[0]) === partition) return id;
  }
}
