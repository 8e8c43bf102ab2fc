/**
 * Clients that write stock. No later answer may contradict an earlier one, and a write has its effect once, however
 * often it is repeated.
 */

import { fnv1a32, type ProductId, productId, type WriteId, writeId } from '../../actors/ids.js';
import type { StockReply } from '../../actors/ports/owners.js';
import type { AdjustCommand, Backorders, ReceiveCommand } from '../../actors/protocol.js';
import type { Clients } from './clients.js';
import type { Chance } from './clock.js';
import type { Cluster } from './cluster.js';
import { tracedOrNot } from './traced.js';

interface Write {
  readonly product: ProductId;
  readonly command: ReceiveCommand | AdjustCommand;
  /** The request has no key, so nobody can repeat it for a while. */
  readonly isDrawn: boolean;
  acknowledged: boolean;
  /** The refusal that was answered under its key. */
  refused: string | undefined;
}

export class StockWrites {
  readonly asked = new Map<WriteId, Write>();
  /** The writes of which a request was sent. */
  private readonly begun = new Set<WriteId>();
  private count = 0;

  constructor(
    private readonly cluster: Cluster,
    private readonly clients: Clients,
    private readonly products: number,
  ) {}

  /** Receives the first stock of every product. */
  begin(chance: Chance): void {
    for (let i = 0; i < this.products; i++) {
      const [ref, product] = [this.ref(), productId(`P${i}`)];
      const backorders = chance.hits(0.7) ? drawBackorders(chance) : undefined;
      this.send(this.new(product, receipt(ref, product, chance.whole(3, 40), backorders)), 3_000);
    }
  }

  /** Repeats every write: a write that was done is neither done again nor refused. */
  askAllAgain(): void {
    for (const write of this.asked.values()) this.send(write, 3_000);
  }

  /** Receives enough stock for all waiting orders. */
  fillBackorders(): void {
    for (const { id, backordered } of this.truth.products.values())
      if (backordered > 0) this.send(this.new(id, receipt(this.ref(), id, backordered)), 3_000);
  }

  /** Writes stock, or repeats a write. */
  some(chance: Chance): void {
    const patience = this.clients.patience;
    const again = chance.hits(0.4) ? chance.any([...this.asked.values()].slice(-8)) : undefined;
    if (again !== undefined) return this.send(again, patience(chance));
    const product = productId(`P${chance.whole(0, this.products - 1)}`);
    const ref = this.ref();
    const command: ReceiveCommand | AdjustCommand = chance.hits(0.6)
      ? receipt(ref, product, chance.whole(1, 8), chance.hits(0.2) ? drawBackorders(chance) : undefined)
      : { type: 'adjust', ref, fingerprint: `f${ref}`, delta: drawDelta(chance), reason: 'count' };
    const write = this.new(product, command, chance.hits(0.3));
    if (!write.isDrawn && chance.hits(0.3)) this.sendLate(write, chance);
    for (let i = chance.pick([1, 1, 3]); i > 0; i--) this.send(write, patience(chance));
  }

  private readonly ref = (): WriteId => writeId(this.faults.timeline.id());

  private new(product: ProductId, command: Write['command'], isDrawn = false): Write {
    const write = { product, command, isDrawn, acknowledged: false, refused: undefined };
    this.asked.set(command.ref, write);
    return write;
  }

  /** Sends a write that arrives late. Its client has given up, may repeat it meanwhile, and never gets this answer. */
  private sendLate({ product, command }: Write, chance: Chance): void {
    const { timeline, counters } = this.faults;
    for (let i = chance.pick([1, 1, 2]); i > 0; i--) {
      timeline.after(chance.between(0, 8_000), () => {
        const ask = { product, command, correlation: tracedOrNot(`late-${++this.count}`, this.count), fresh: false };
        const reply = this.cluster.anyEdge()?.owners.stock(ask, 3_000);
        reply?.then((answer) => {
          const refused = this.truth.refused.has(`${command.ref} ${product}`);
          if (refused && answer.kind === 'refused') counters.add('client: a late sending of what was refused');
        });
      });
    }
  }

  private send(write: Write, waitMs: number): void {
    const { product, command } = write;
    const isFresh = write.isDrawn && !this.begun.has(command.ref);
    if (write.isDrawn && !isFresh && !this.faults.isCalm) return;
    const machine = this.cluster.anyEdge();
    if (machine === undefined) return;
    this.begun.add(command.ref);
    const reply = machine.owners.stock(
      { product, command, correlation: tracedOrNot(`w${++this.count}`, this.count), fresh: isFresh },
      waitMs,
    );
    this.clients.await(machine, `${command.type} ${command.ref}`, waitMs, reply, (answer) =>
      this.written(write, answer, isFresh),
    );
  }

  private written(write: Write, reply: StockReply, isFresh: boolean): void {
    const { verdict, faults } = this.cluster.around;
    const { product, command } = write;
    faults.counters.add(`client: ${command.type} ${reply.kind}${reply.kind === 'refused' ? ` ${reply.refusal}` : ''}`);
    if (reply.kind === 'unavailable') return;
    if (reply.kind === 'refused') {
      if (write.acknowledged)
        verdict.fail('a repeat is an answer', `write ${command.ref}: done, then ${reply.refusal}`);
      if (!['unknown_product', 'below_held'].includes(reply.refusal))
        verdict.fail('nothing breaks', `write ${command.ref} was refused as ${reply.refusal}`);
      if (write.refused !== undefined && write.refused !== reply.refusal)
        verdict.fail('a repeat is an answer', `write ${command.ref}: ${write.refused}, then ${reply.refusal}`);
      // A fresh write has no key of a client, so no client can repeat it under that key.
      if (!isFresh) {
        write.refused = reply.refusal;
        if (!this.truth.refused.has(`${command.ref} ${product}`))
          verdict.fail('a 2xx is durable', `write ${command.ref} was refused before that was appended`);
      }
      return;
    }
    if (write.refused !== undefined)
      verdict.fail('a no stays a no', `write ${command.ref}: ${write.refused}, then done`);
    write.acknowledged = true;
    if (!this.truth.writes.has(`${command.ref} ${product}`))
      verdict.fail('a 2xx is durable', `write ${command.ref} was acknowledged before it was appended`);
  }

  private get faults() {
    return this.cluster.around.faults;
  }

  private get truth() {
    return this.cluster.around.stores.truth;
  }
}

/** Whether the product costs nothing. An order of only such products is not charged. */
const isFree = (product: ProductId): boolean => fnv1a32(product) % 5 === 0;

const receipt = (ref: WriteId, product: ProductId, quantity: number, backorders?: Backorders): ReceiveCommand => ({
  type: 'receive',
  ref,
  fingerprint: `f${ref}`,
  name: product,
  unitPrice: isFree(product) ? 0 : 250,
  currency: 'USD',
  quantity,
  ...(backorders && { backorders }),
});

/** Sometimes far too much: the product refuses it, unless much stock has come in by then. */
const drawDelta = (chance: Chance): number => (chance.hits(0.3) ? -chance.whole(10, 60) : chance.whole(-3, 3));

/** Whether orders may wait for a product, and for how many pieces of it. */
const drawBackorders = (chance: Chance): Backorders =>
  chance.pick<Backorders>([{ allowed: false }, { allowed: true }, { allowed: true, limit: chance.whole(0, 8) }]);
