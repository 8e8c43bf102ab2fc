/**
 * The owners as an edge sees them on any node: a request goes to this process's incarnation if that owns the partition,
 * else over the link.
 *
 *  R1. What is owned here is asked directly, without any copy.
 *  R2. Whoever answers "moved" has decided nothing more: the request goes on to the next owner with the same id, and is
 *      no longer fresh.
 *  R3. A key may be the id of another order of its caller (`alias`). If one node owns both partitions it decides. Else the
 *      edge asks the alias's owner first, and no second order arises. Only ids that this system makes are asked for:
 *      a key never names an imported order.
 */
import { isOurOrderId, type OrderId, type ProductId, partitionOf } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { OrderState } from '../../actors/order/order.js';
import type {
  ActReply,
  ActRequest,
  Caller,
  Owners,
  PlaceReply,
  PlaceRequest,
  StockReply,
  StockRequest,
} from '../../actors/ports/owners.js';
import type { Clock } from '../../actors/ports/runtime.js';
import type { ProductState } from '../../actors/product/inventory.js';
import { noAnswer, Unavailable } from '../../actors/unavailable.js';
import type { AsksMade } from './asks-made.js';
import type { Answer } from './messages.js';
import type { LocalOwner } from './owned-partitions.js';

interface RoutedOwnersParts {
  readonly partitions: number;
  readonly local: () => LocalOwner | undefined;
  readonly asks: Pick<AsksMade, 'ask'>;
  /** Why this node cannot serve; undefined when it can. */
  readonly notReady: () => Promise<string | undefined>;
  readonly clock: Pick<Clock, 'monotonic'>;
}

export function routedOwners({ partitions, local, asks, notReady, clock }: RoutedOwnersParts): Owners {
  const partitionOfOrder = (id: OrderId) => partitionOf('order', id, partitions);
  const partitionOfProduct = (id: ProductId) => partitionOf('product', id, partitions);
  const owns = (here: LocalOwner, partition: number) => here.epochOf(partition) !== undefined;
  const ownerOfOrder = (id: OrderId): Owners | undefined => {
    const here = local();
    return here !== undefined && (here.ownsAll || owns(here, partitionOfOrder(id))) ? here.owners : undefined;
  };
  const ownerOfProduct = (id: ProductId): Owners | undefined => {
    const here = local();
    return here !== undefined && (here.ownsAll || owns(here, partitionOfProduct(id))) ? here.owners : undefined;
  };

  const readOrder = async (id: OrderId, patienceMs: number = limits.statementMs): Promise<OrderState | undefined> =>
    stateIn<OrderState>(await asks.ask({ kind: 'order', body: id }, partitionOfOrder(id), patienceMs, false));
  const readProduct = async (id: ProductId): Promise<ProductState | undefined> =>
    stateIn<ProductState>(
      await asks.ask({ kind: 'product', body: id }, partitionOfProduct(id), limits.statementMs, false),
    );
  const flushed = async (id: OrderId): Promise<void> =>
    void stateIn(await asks.ask({ kind: 'flushed', body: id }, partitionOfOrder(id), limits.statementMs, false));

  /** routed-owners.R3: an order under the key's own id comes first, as it does where one node owns both. */
  async function meantBy({ order, alias, content }: PlaceRequest, rest: () => number): Promise<OrderId> {
    if (alias === undefined || !isOurOrderId(alias)) return order;
    const known = await readOrder(alias, rest());
    if (known?.content.user !== content.user) return order;
    if (rest() === 0) throw new Unavailable(TOO_LATE);
    return (await readOrder(order, rest())) === undefined ? alias : order;
  }

  async function placeAfar(ask: PlaceRequest, waitMs: number, fresh: boolean, caller?: Caller): Promise<PlaceReply> {
    const endsAtMs = clock.monotonic() + waitMs;
    const rest = () => Math.max(0, endsAtMs - clock.monotonic());
    try {
      const order = await meantBy(ask, rest);
      if (ask.alias !== undefined && isOurOrderId(ask.alias) && rest() === 0) throw new Unavailable(TOO_LATE);
      const kind = ask.imported === undefined ? 'place' : 'import';
      const wanted = { kind, body: { ...ask, order, alias: undefined } } as const;
      return replyIn<PlaceReply>(await asks.ask(wanted, partitionOfOrder(order), rest(), fresh, caller));
    } catch (error) {
      if (error instanceof Unavailable) return noAnswer(error); // The alias's owner did not answer: nothing is guessed.
      throw error;
    }
  }

  const actAfar = async (body: ActRequest, waitMs: number, fresh: boolean, caller?: Caller): Promise<ActReply> =>
    replyIn<ActReply>(await asks.ask({ kind: 'act', body }, partitionOfOrder(body.order), waitMs, fresh, caller));

  const stockAfar = async (body: StockRequest, waitMs: number, fresh: boolean, caller?: Caller): Promise<StockReply> =>
    replyIn<StockReply>(
      await asks.ask({ kind: 'stock', body }, partitionOfProduct(body.product), waitMs, fresh, caller),
    );

  // routed-owners.R2: one object each for all requests, so a request that stays here costs nothing more.
  const placing: Caller = { goOn: (ask, restMs) => placeAfar(ask as PlaceRequest, restMs, false) };
  const acting: Caller = { goOn: (ask, restMs) => actAfar(ask as ActRequest, restMs, false) };
  const stocking: Caller = { goOn: (ask, restMs) => stockAfar(ask as StockRequest, restMs, false) };

  return {
    place(ask, waitMs, caller) {
      const { order, alias } = ask;
      const own = ownerOfOrder(order);
      if (own === undefined) return placeAfar(ask, waitMs, ask.fresh, caller);
      if (alias === undefined || ownerOfOrder(alias) === own) return own.place(ask, waitMs, placing);
      if (isOurOrderId(alias)) return placeAfar(ask, waitMs, ask.fresh, caller);
      return own.place({ ...ask, alias: undefined }, waitMs, placing);
    },
    act(ask, waitMs, caller) {
      const own = ownerOfOrder(ask.order);
      return own === undefined ? actAfar(ask, waitMs, ask.fresh === true, caller) : own.act(ask, waitMs, acting);
    },
    stock(ask, waitMs, caller) {
      const own = ownerOfProduct(ask.product);
      return own === undefined ? stockAfar(ask, waitMs, ask.fresh, caller) : own.stock(ask, waitMs, stocking);
    },
    order(id) {
      const own = ownerOfOrder(id);
      return own === undefined ? readOrder(id) : own.order(id).catch(ifElsewhere(() => readOrder(id)));
    },
    product(id) {
      const own = ownerOfProduct(id);
      return own === undefined ? readProduct(id) : own.product(id).catch(ifElsewhere(() => readProduct(id)));
    },
    flushed(id) {
      const own = ownerOfOrder(id);
      return own === undefined ? flushed(id) : own.flushed(id).catch(ifElsewhere(() => flushed(id)));
    },
    notReady,
  };
}

/** The client's patience ends once, not after each question. */
const TOO_LATE = "the order that the key names was looked for, and its owner's answer came too late";

const ifElsewhere =
  <T>(further: () => Promise<T>) =>
  (error: unknown): Promise<T> => {
    if (error instanceof Unavailable && (error.moved || error.absent)) return further();
    throw error;
  };

function replyIn<Reply>(answer: Answer): Reply {
  if ('reply' in answer) return answer.reply as Reply;
  throw new Error('a command was answered like a read');
}

function stateIn<State>(answer: Answer): State | undefined {
  if ('state' in answer) return answer.state as State | undefined;
  if (!('failed' in answer)) throw new Error('a read was answered like a command');
  const { why, absent, moved, told } = answer.failed;
  throw new Unavailable(why, absent, moved, told);
}
