/**
 * Reads orders and products for the edge: from the node's memory, or from the cache and Postgres for an order that
 * has left memory.
 *
 * Law: a read shows only appended changes. It waits for the append under way if that changes the actor. It is answered
 * only after a look at the journal's end that began after the question (journal-look.ts).
 */
import type { OrderId, ProductId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { Sight } from '../../actors/node/effects.js';
import type { Node } from '../../actors/node/node.js';
import type { OrderState } from '../../actors/order/order.js';
import type { ProductState } from '../../actors/product/inventory.js';
import { Unavailable } from '../../actors/unavailable.js';
import type { JournalLook } from '../journal/journal-look.js';
import type { StoredOrders } from '../reads/order-reads.js';
import type { ReadCache } from '../reads/read-cache.js';
import type { AwaitedProgress } from './awaited-progress.js';

export class DurableReads {
  constructor(
    private readonly node: Node,
    private readonly waits: AwaitedProgress,
    private readonly stored: StoredOrders,
    private readonly orderCache: ReadCache<OrderState | undefined>,
    private readonly journal: Pick<JournalLook, 'look'>,
  ) {}

  async order(id: OrderId): Promise<OrderState | undefined> {
    await this.journal.look();
    const inMemory = await this.see(() => this.node.sights.order(id));
    return inMemory ?? (await this.orderCache.read(id, () => this.stored.order(id))).value;
  }

  async product(id: ProductId): Promise<ProductState | undefined> {
    await this.journal.look();
    return this.see(() => this.node.sights.product(id));
  }

  /** Resolves when Postgres has the order's appended changes. @throws Unavailable */
  async flushed(id: OrderId): Promise<void> {
    await this.journal.look();
    await this.waits.until(
      'flush',
      () => this.node.sights.isFlushed(id) !== false,
      limits.statementMs,
      'Postgres has not caught up with this order yet',
    );
    if (this.node.sights.isFlushed(id) === undefined) throw elsewhere();
  }

  /** Reads the state now or, if it has a change that is not durable, when the append under way is acknowledged. */
  private async see<State>(look: () => Sight<State>): Promise<State | undefined> {
    if (this.waits.isOver) throw new Unavailable('the node that owned it is gone');
    let sight = look();
    if (sight.kind === 'later') {
      const isDurable = () => {
        sight = look();
        return sight.kind !== 'later';
      };
      await this.waits.until('append', isDurable, limits.statementMs, 'its last change is not durable yet');
    }
    if (sight.kind === 'elsewhere') throw elsewhere();
    return sight.kind === 'now' ? sight.state : undefined;
  }
}

const elsewhere = () => new Unavailable('another node owns its partition by now; ask again', false, true);
