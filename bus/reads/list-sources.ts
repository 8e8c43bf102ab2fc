/**
 * Which database answers a list: the primary, or a read replica that is nearly up to date.
 *
 *  L1. Only lists, searches, exports and numbers may come from the replica. What is read by id, and whatever decides
 *      something, comes from the primary.
 *  L2. A list has one source, which is chosen once and with its age. If the replica fails meanwhile, the primary answers in
 *      its place, and that is never older.
 *  L3. A list that goes on behind a young order asks the primary. The page before may have come from there, and the replica
 *      may lack orders that are older than its last one.
 */
import type { ListAsk, ListSource, Queries, ReplicaStatus } from '../../actors/ports/queries.js';
import type { Clock } from '../../actors/ports/runtime.js';

export interface Replica {
  readonly queries: Queries;
  /** At most how old its rows are; undefined while it is not to be asked. */
  usableLagMs(): number | undefined;
  readonly maxLagMs: number;
  status(): ReplicaStatus;
}

/** Longer than nodes' clocks differ and than a flush takes. */
const YOUNG_MS = 10_000;

export class ListSources {
  /** Every query, each from where it belongs. */
  readonly queries: Queries;

  constructor(
    private readonly primary: Queries,
    private readonly replica: Replica | undefined,
    private readonly clock: Pick<Clock, 'now'>,
  ) {
    const list = () => this.choose({ isFresh: false }).queries;
    this.queries = {
      ...primary,
      orders: (filter, page) => list().orders(filter, page),
      ordersAfter: (filter, after, limit) =>
        this.choose({ isFresh: false, after }).queries.ordersAfter(filter, after, limit),
      countOrders: (filter) => list().countOrders(filter),
      products: (page) => list().products(page),
      productsAfter: (after, limit) => list().productsAfter(after, limit),
      countProducts: () => list().countProducts(),
      operations: (product, page) => (product === undefined ? list() : primary).operations(product, page),
      stats: (filter, limit) => list().stats(filter, limit),
      userSummary: (user) => list().userSummary(user),
      alsoBought: (product, limit) => list().alsoBought(product, limit),
    };
  }

  choose({ isFresh, after }: ListAsk): ListSource {
    const { primary, replica, clock } = this;
    const lagMs = isFresh ? undefined : replica?.usableLagMs();
    if (replica === undefined || lagMs === undefined) return { queries: primary, lagMs: 0 };
    const isYoung = after !== undefined && clock.now() - after.at < YOUNG_MS + replica.maxLagMs;
    return isYoung ? { queries: primary, lagMs: 0 } : { queries: replica.queries, lagMs };
  }
}
