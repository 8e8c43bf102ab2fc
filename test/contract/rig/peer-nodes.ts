/**
 * Nodes that share one memory of orders and products, each with the partitions that it owns, and that talk over a link.
 * An owner decides by Holdfast's own state charts (fake-owners.ts), and only for what it owns.
 */
import { type JournalId, journalId, nodeId, type OrderId, type ProductId, partitionOf } from '../../../actors/ids.js';
import type { Claim } from '../../../actors/node/record.js';
import type { Confirmation, NumberedLetter, Post } from '../../../actors/ports/letters.js';
import type {
  ActReply,
  ActRequest,
  Caller,
  NoAnswer,
  Owners,
  PlaceReply,
  PlaceRequest,
  StockReply,
  StockRequest,
} from '../../../actors/ports/owners.js';
import type { Clock } from '../../../actors/ports/runtime.js';
import { Unavailable } from '../../../actors/unavailable.js';
import type { LocalOwner, OwnershipView } from '../../../bus/peers/owned-partitions.js';
import type { PeerLink } from '../../../bus/peers/peer-link.js';
import { peerPost } from '../../../bus/peers/peer-post.js';
import { Peers } from '../../../bus/peers/peers.js';
import { routedOwners } from '../../../bus/peers/routed-owners.js';
import { FakeOwners } from '../../unit/edge/fake-owners.js';

export const PARTITIONS = 4;
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const MOVED: NoAnswer = { kind: 'unavailable', why: 'this node does not own the partition', moved: true };

/** What all nodes see: the claims, and the one memory. */
export class PeerSystem {
  readonly memory = new FakeOwners();
  readonly claims: (Claim | null)[] = Array.from({ length: PARTITIONS }, () => null);
  private readonly listeners = new Set<() => void>();

  /** @param isTold false: the nodes find out when they look. */
  claim(partition: number, owner: JournalId, isTold = true): void {
    const epoch = (this.claims[partition]?.epoch ?? 0) + 1;
    this.claims[partition] = { epoch, node: nodeId(owner), journal: owner };
    if (isTold) this.tell();
  }

  release(partition: number): void {
    const claim = this.claims[partition];
    if (claim) this.claims[partition] = { ...claim, released: 1 };
    this.tell();
  }

  /** The claims as one node last read them. */
  view(): OwnershipView {
    let map = [...this.claims];
    const read = () => {
      map = [...this.claims];
    };
    return {
      ownerOf(partition) {
        const claim = map[partition];
        return claim == null || claim.released !== undefined ? undefined : claim;
      },
      refresh: async () => read(),
      watch: (changed) => {
        const listener = () => {
          read();
          changed();
        };
        this.listeners.add(listener);
        return () => this.listeners.delete(listener);
      },
    };
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}

export class PeerNode implements LocalOwner {
  readonly journal: JournalId;
  readonly peers: Peers;
  readonly routed: Owners;
  readonly post: Post;
  readonly letters: NumberedLetter[] = [];
  readonly confirmations: Confirmation[] = [];
  /** Up to where rows were waited for. */
  readonly awaited: number[] = [];
  /** The commands that this owner got. */
  readonly asked: (PlaceRequest | ActRequest | StockRequest)[] = [];
  /** Those whose client is gone. */
  readonly hungUp: (PlaceRequest | ActRequest | StockRequest)[] = [];
  /** If set, each command waits for it. */
  before: (() => Promise<void>) | undefined;
  /** The same for each answer. */
  after: (() => Promise<void>) | undefined;

  constructor(
    readonly name: string,
    private readonly system: PeerSystem,
    link: PeerLink,
    clock: Clock,
    serves = true,
  ) {
    this.journal = journalId(`J-${name}`);
    const ownership = system.view();
    this.peers = new Peers({ link, ownership, name, clock, logger: silent });
    this.post = peerPost(this.peers, ownership, clock);
    this.routed = routedOwners({
      partitions: PARTITIONS,
      local: () => this.peers.local,
      asks: this.peers.asks,
      notReady: async () => undefined,
      clock,
    });
    if (serves) this.peers.serve(this);
  }

  epochOf(partition: number): number | undefined {
    const claim = this.system.claims[partition];
    return claim?.journal === this.journal && claim.released === undefined ? claim.epoch : undefined;
  }

  get ownsAll(): boolean {
    return this.system.claims.every((_, partition) => this.epochOf(partition) !== undefined);
  }

  hurryFlush(position: number): void {
    this.awaited.push(position);
  }

  readonly receiver = {
    letters: (letters: readonly NumberedLetter[]) => void this.letters.push(...letters),
    confirmed: (confirmation: Confirmation) => void this.confirmations.push(confirmation),
  };

  readonly owners: Owners = {
    place: (ask, waitMs, caller) =>
      this.decide(ask, this.ofOrder(ask.order), caller, () => this.system.memory.place(ask, waitMs)),
    act: (ask, _, caller) => this.decide(ask, this.ofOrder(ask.order), caller, () => this.system.memory.act(ask)),
    stock: (ask, _, caller) =>
      this.decide(ask, this.ofProduct(ask.product), caller, () => this.system.memory.stock(ask)),
    order: (id) => this.read(this.ofOrder(id), () => this.system.memory.order(id)),
    product: (id) => this.read(this.ofProduct(id), () => this.system.memory.product(id)),
    flushed: (id) => this.read(this.ofOrder(id), async () => {}),
    notReady: async () => undefined,
  };

  private ofOrder = (id: OrderId) => this.epochOf(partitionOf('order', id, PARTITIONS)) !== undefined;
  private ofProduct = (id: ProductId) => this.epochOf(partitionOf('product', id, PARTITIONS)) !== undefined;

  private async decide<Reply extends PlaceReply | ActReply | StockReply>(
    ask: PlaceRequest | ActRequest | StockRequest,
    isMine: boolean,
    caller: Caller | undefined,
    decide: () => Promise<Reply>,
  ): Promise<Reply> {
    const reply = isMine ? await this.decideMine(ask, caller, decide) : MOVED;
    if (reply.kind !== 'unavailable' || reply.moved !== true || caller?.goOn === undefined) return reply as Reply;
    return (await caller.goOn(ask, 5_000)) as Reply;
  }

  private async decideMine<Reply>(
    ask: PlaceRequest | ActRequest | StockRequest,
    caller: Caller | undefined,
    decide: () => Promise<Reply>,
  ) {
    this.asked.push(ask);
    if (caller !== undefined && caller.goOn === undefined) caller.hangUp = () => void this.hungUp.push(ask);
    await this.before?.();
    const reply = await decide();
    await this.after?.();
    return reply;
  }

  private async read<State>(isMine: boolean, read: () => Promise<State>): Promise<State> {
    if (!isMine) throw new Unavailable(MOVED.why, false, true);
    await this.before?.();
    return read();
  }
}
