/** Several incarnations in one process, over the same stores in memory, with letters between them. */
import {
  type JournalId,
  nodeId,
  orderId,
  type ProductId,
  partitionOf,
  productId,
  userId,
  writeId,
} from '../../../actors/ids.js';
import type { Claim } from '../../../actors/node/record.js';
import type { Log } from '../../../actors/ports/log.js';
import type { PlaceReply, StockReply } from '../../../actors/ports/owners.js';
import type { Snapshots } from '../../../actors/ports/snapshots.js';
import { memoryLog } from '../../../bus/journal/memory-log.js';
import { Incarnation } from '../../../bus/node/incarnation.js';
import { OwnershipMap } from '../../../bus/node/ownership-map.js';
import { forgetfulPayments, instantPayments } from '../../../bus/payments/mock-provider.js';
import { systemClock } from '../../../bus/system-clock.js';
import { memoryCache } from '../../../storage/memory/memory-cache.js';
import { memorySnapshots } from '../../../storage/memory/memory-snapshots.js';

const PARTITIONS = 4;
const clock = systemClock();
const silent = { debug() {}, info() {}, warn() {}, error() {} };

export interface Host extends Incarnation {
  readonly ownership: OwnershipMap;
}

/** Another behaviour of a node's stores. */
interface Over {
  readonly log?: Partial<Log>;
  readonly snapshots?: Partial<Snapshots>;
}

export class Hosts {
  readonly log = memoryLog();
  readonly snapshots: Snapshots;
  private readonly queries;
  private readonly all: Host[] = [];
  private writes = 0;

  constructor() {
    const { snapshots, queries } = memorySnapshots();
    this.snapshots = snapshots;
    this.queries = queries;
  }

  node(name: string, over: Over = {}): Host {
    const log = { ...this.log, ...over.log };
    const ownership = new OwnershipMap({ partitions: PARTITIONS, log, clock, logger: silent });
    const incarnation = new Incarnation({
      node: nodeId(name),
      nodeName: name,
      partitions: PARTITIONS,
      log,
      snapshots: { ...this.snapshots, ...over.snapshots },
      ...{ queries: this.queries, cache: memoryCache(clock), clock, logger: silent, ownership },
      ...{ isStopping: () => false, events: undefined, eventsMayForget: false },
      payments: forgetfulPayments(1),
      context: { instantPayment: instantPayments(1) },
      post: {
        send: (letters) => this.toAll(({ driver }) => driver.letters(letters)),
        confirm: (confirmation) => this.toAll(({ driver }) => driver.confirmed(confirmation)),
      },
      meter: { appended() {}, flushed() {}, unanswered() {}, retried() {}, cached() {}, deadLetter() {} },
      ...{ source: '/test', orderTimeoutMs: 30_000, holdTtlMs: 30_000, recordBytes: 1_000_000 },
      ...{ byteLength: (text: string) => Buffer.byteLength(text), deliverAtHome: true },
    });
    const host = Object.assign(incarnation, { ownership });
    this.all.push(host);
    return host;
  }

  async claims(): Promise<readonly (Claim | null)[]> {
    const map = new OwnershipMap({ partitions: PARTITIONS, log: this.log, clock, logger: silent });
    return (await map.refresh()).map;
  }

  receive({ owners }: Host, product: ProductId, quantity: number): Promise<StockReply> {
    const named = { name: product, unitPrice: 100, currency: 'USD' };
    const command = {
      type: 'receive',
      ref: writeId(`W${++this.writes}`),
      fingerprint: 'f',
      ...named,
      quantity,
    } as const;
    return owners.stock({ product, command, correlation: 'c', fresh: true }, 3_000);
  }

  place({ owners }: Host, id: string, product: ProductId, waitMs = 3_000): Promise<PlaceReply> {
    const content = { user: userId('u'), userIsNumber: false, lines: [{ product, quantity: 1 }] };
    return owners.place({ order: orderId(id), content, correlation: 'c', fresh: true }, waitMs);
  }

  /** Resolves when Postgres has everything that the node has appended. */
  async flushed({ driver, node }: Host): Promise<void> {
    driver.enter(() => node.flushAll());
    await driver.until('flush', () => node.flushedTo.n >= node.appendedTo.n, 3_000, 'it was not flushed');
  }

  /** As a kill -9 does: nothing more is appended or flushed. */
  kill(host: Host): void {
    host.driver.finish({ kind: 'stopped' });
  }

  private toAll(give: (host: Host) => void): void {
    clock.soon(() => {
      for (const host of this.all) give(host);
    });
  }

  /** Ends what still runs. */
  end(): void {
    for (const host of this.all) this.kill(host);
  }
}

export const stateOf = ({ host }: Host, partition: number): string | undefined => host.states().get(partition)?.state;

/** @param rank tells several products of one partition apart. */
export const productIn = (partition: number, rank = 0): ProductId => productId(idIn('product', partition, rank));
export const orderIn = (partition: number): string => idIn('order', partition, 0);

function idIn(kind: 'order' | 'product', partition: number, rank: number): string {
  for (let i = 0, found = 0; ; i++) {
    if (partitionOf(kind, `${kind}-${i}`, PARTITIONS) === partition && found++ === rank) return `${kind}-${i}`;
  }
}

export const journalsOf = async ({ snapshots }: Hosts): Promise<Map<JournalId, boolean>> =>
  new Map((await snapshots.journals()).map(({ journal, closed }) => [journal, closed]));
