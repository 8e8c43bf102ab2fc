/**
 * A product: it alone changes its stock, one command after the other.
 *
 *   hold --enough--> held --commit--> gone --uncommit, return--> available
 *     |               +----release--> available
 *     +--too little, backorders allowed--> as much as there is held, the rest backordered --fill--> held
 *     +--too little--> answered short
 *
 * Invariants:
 *  I1. 0 <= held <= on hand, after every event.
 *  I2. on hand = received + returned - committed +/- adjusted: each event moves exactly what it names.
 *  I3. Only the order ends a hold or a backorder, by its release or its commit.
 *  I4. A product's currency never changes.
 *  I5. New stock goes first to the orders that wait, in their sequence. While one waits, no other order is held anything.
 * Letters arrive exactly once and in order. So a release or commit without its hold is broken code, and it throws.
 */
import type { OrderId, ProductId } from '../ids.js';
import { limits } from '../limits.js';
import type {
  Backorders,
  Decision,
  HoldAnswer,
  Letter,
  ProductCommand,
  ProductEvent,
  ProductRefusal,
} from '../protocol.js';

/** An order that waits for stock. */
export interface Waiting {
  readonly order: OrderId;
  readonly quantity: number;
  /** The order is confirmed: stock that comes in for it is committed at once. */
  readonly committed: boolean;
  /** How often stock has come in for it. */
  readonly fills: number;
}

export interface ProductState {
  readonly id: ProductId;
  /** Number of its events. */
  readonly version: number;
  /** False until the first receipt: the product is unknown. */
  readonly known: boolean;
  readonly name: string;
  /** Minor units. */
  readonly unitPrice: number;
  readonly currency: string;
  readonly onHand: number;
  readonly held: number;
  /** The sum of the quantities in `waiting`. */
  readonly backordered: number;
  readonly backorders: Backorders;
  /** First come, first served. */
  readonly waiting: readonly Waiting[];
  /** Wall clock, milliseconds. */
  readonly updatedAt: number;
}

export const NO_BACKORDERS: Backorders = { allowed: false };

export const unknownProduct = (id: ProductId): ProductState => ({
  id,
  version: 0,
  known: false,
  name: '',
  unitPrice: 0,
  currency: '',
  onHand: 0,
  held: 0,
  backordered: 0,
  backorders: NO_BACKORDERS,
  waiting: [],
  updatedAt: 0,
});

/** The three numbers of a stock: now, or after one of its operations. */
export type Stock = Pick<ProductState, 'onHand' | 'held' | 'backordered'>;

/** Stock that nobody holds and no waiting order is promised. */
export const available = ({ onHand, held, backordered }: Stock): number => Math.max(0, onHand - held - backordered);

/** How much a new order could be held now. While others wait it stands behind them (inventory.I5). */
const freeFor = (state: ProductState): number => (state.waiting.length > 0 ? 0 : available(state));

/** The answer that an order of this quantity would get now. */
export function prospectOf(state: ProductState, quantity: number): 'held' | 'backordered' | 'short' | 'unknown' {
  if (!state.known) return 'unknown';
  const free = freeFor(state);
  if (quantity <= free) return 'held';
  return mayWait(state, quantity - free) ? 'backordered' : 'short';
}

/** There is stock, and orders wait for it: the runtime sends `fill`. */
export const fillOwed = (state: ProductState): boolean => state.waiting.length > 0 && state.onHand > state.held;

type Answer = Decision<ProductEvent, ProductRefusal>;

/** What a decision may know besides the state. It comes in with the turn. */
export interface StockContext {
  /** There is room for one more waiting order: it stays in memory until its stock has come. */
  readonly mayWait: boolean;
}

type Row<T extends ProductCommand['type']> = (
  state: ProductState,
  command: Extract<ProductCommand, { type: T }>,
  context: StockContext,
) => Answer;

// ---------------------------------------------------------------- decide

const rows: { readonly [T in ProductCommand['type']]: Row<T> } = {
  receive(state, { type: _, ...receipt }) {
    if (state.known && state.currency !== receipt.currency) return { refused: 'currency_fixed' }; // inventory.I4
    if (state.onHand + receipt.quantity > limits.stock) return { refused: 'too_much_stock' };
    return { events: [{ type: 'received', ...receipt }], letters: [] };
  },
  adjust(state, { type: _, ...adjustment }) {
    if (!state.known) return { refused: 'unknown_product' };
    if (adjustment.delta < 0 && -adjustment.delta > available(state)) return { refused: 'below_held' }; // inventory.I1, inventory.I5
    if (state.onHand + adjustment.delta > limits.stock) return { refused: 'too_much_stock' };
    return { events: [{ type: 'adjusted', ...adjustment }], letters: [] };
  },
  hold(state, { order, quantity, currency }, context) {
    if (!state.known || (currency !== undefined && currency !== state.currency)) {
      return { events: [], letters: answerTo(order, { product: state.id, answer: 'unknown' }) };
    }
    const free = freeFor(state);
    const { id: product, unitPrice, currency: sold } = state;
    if (quantity <= free) {
      const answer: HoldAnswer = { product, answer: 'held', unitPrice, currency: sold };
      return { events: [{ type: 'held', order, quantity }], letters: answerTo(order, answer) };
    }
    const missing = quantity - free;
    if (!context.mayWait || !mayWait(state, missing)) {
      const answer: HoldAnswer = { product, answer: 'short', available: free, unitPrice, currency: sold };
      return { events: [], letters: answerTo(order, answer) };
    }
    const backordered: ProductEvent = { type: 'backordered', order, quantity: missing };
    return {
      events: free > 0 ? [{ type: 'held', order, quantity: free }, backordered] : [backordered],
      letters: answerTo(order, { product, answer: 'held', unitPrice, currency: sold, backordered: missing }),
    };
  },
  release(state, { order, quantity }) {
    const backordered = waitingOf(state, order)?.quantity ?? 0;
    mustHold(state, order, quantity - backordered);
    const events: ProductEvent[] = [];
    if (quantity > backordered) events.push({ type: 'released', order, quantity: quantity - backordered });
    if (backordered > 0) events.push({ type: 'unbackordered', order, quantity: backordered });
    return { events, letters: [] };
  },
  commit(state, { order, quantity }) {
    const backordered = state.waiting.length > 0 ? (waitingOf(state, order)?.quantity ?? 0) : 0;
    mustHold(state, order, quantity - backordered);
    return { events: [{ type: 'committed', order, quantity: quantity - backordered }], letters: [] };
  },
  uncommit(state, { order, quantity }) {
    const backordered = waitingOf(state, order)?.quantity ?? 0;
    const events: ProductEvent[] = [];
    if (quantity > backordered) events.push({ type: 'returned', order, quantity: quantity - backordered, no: 1 });
    if (backordered > 0) events.push({ type: 'unbackordered', order, quantity: backordered });
    return { events, letters: [] };
  },
  return(_, { order, quantity, no }) {
    return { events: [{ type: 'returned', order, quantity, no }], letters: [] };
  },
  /** inventory.I5: gives new stock to waiting orders. If many wait, the next turn goes on. */
  fill(state, { most = limits.fillsPerTurn }) {
    const events: ProductEvent[] = [];
    const letters: Letter[] = [];
    let free = state.onHand - state.held;
    for (const { order, quantity: missing, committed, fills } of state.waiting) {
      if (free <= 0 || letters.length >= most) break;
      const quantity = Math.min(free, missing);
      const no = fills + 2;
      free -= quantity;
      events.push({ type: 'held', order, quantity, no });
      if (committed) events.push({ type: 'committed', order, quantity, no });
      const lines = [{ product: state.id, quantity }];
      letters.push({ to: { kind: 'order', id: order }, command: { type: 'stockArrived', lines } });
    }
    return { events, letters };
  },
};

const ROOM: StockContext = { mayWait: true };

export function decideProduct(state: ProductState, command: ProductCommand, context = ROOM): Answer {
  const row = rows[command.type] as Row<ProductCommand['type']>;
  return row(state, command, context);
}

// ---------------------------------------------------------------- evolve

/** A row applies its event to a copy of the state. */
type Fold<T extends ProductEvent['type']> = (product: Draft, event: Extract<ProductEvent, { type: T }>) => void;

type Draft = { -readonly [K in keyof ProductState]: ProductState[K] };

const fold: { readonly [T in ProductEvent['type']]: Fold<T> } = {
  received(product, { name, unitPrice, currency, quantity, backorders }) {
    product.known = true;
    product.name = name;
    product.unitPrice = unitPrice;
    product.currency = currency;
    product.onHand += quantity;
    if (backorders !== undefined) product.backorders = backorders;
  },
  adjusted(product, { delta }) {
    product.onHand += delta;
  },
  held(product, { order, quantity, no }) {
    product.held += quantity;
    if (no !== undefined && no > 1) fill(product, order, quantity);
  },
  released(product, { quantity }) {
    product.held -= quantity;
  },
  committed(product, { order, quantity, no }) {
    product.held -= quantity;
    product.onHand -= quantity;
    // From `no` 2 on the stock comes in for an order that is committed already.
    if (product.waiting.length > 0 && (no === undefined || no < 2)) {
      product.waiting = committed(product.waiting, order);
    }
  },
  returned(product, { quantity }) {
    product.onHand += quantity;
  },
  backordered(product, { order, quantity }) {
    product.backordered += quantity;
    product.waiting = [...product.waiting, { order, quantity, committed: false, fills: 0 }];
  },
  unbackordered(product, { order, quantity }) {
    product.backordered -= quantity;
    product.waiting = product.waiting.filter((each) => each.order !== order);
  },
};

/** @param at wall clock of the turn, milliseconds. */
export function evolveProduct(state: ProductState, event: ProductEvent, at: number): ProductState {
  const next = copyOf(state);
  next.version = state.version + 1;
  next.updatedAt = at;
  const row = fold[event.type] as Fold<ProductEvent['type']>;
  row(next, event);
  return next;
}

// ---------------------------------------------------------------- machinery

/**
 * Field by field: a spread whose fields are then replaced costs fifteen times as much, for every event of every order.
 */
const copyOf = (product: ProductState): Draft => ({
  id: product.id,
  version: product.version,
  known: product.known,
  name: product.name,
  unitPrice: product.unitPrice,
  currency: product.currency,
  onHand: product.onHand,
  held: product.held,
  backordered: product.backordered,
  backorders: product.backorders,
  waiting: product.waiting,
  updatedAt: product.updatedAt,
});

const answerTo = (order: OrderId, answer: HoldAnswer): Letter[] => [
  { to: { kind: 'order', id: order }, command: { type: 'holdsAnswered', answers: [answer] } },
];

function mustHold(state: ProductState, order: string, quantity: number): void {
  if (quantity >= 0 && state.held >= quantity) return;
  throw new Error(`product ${state.id} holds ${state.held}, order ${order} gives back or takes ${quantity}`);
}

const waitingOf = ({ waiting }: ProductState, order: OrderId): Waiting | undefined =>
  waiting.find((each) => each.order === order);

const mayWait = ({ backorders, backordered, waiting }: ProductState, quantity: number): boolean =>
  backorders.allowed &&
  backordered + quantity <= (backorders.limit ?? limits.stock) &&
  waiting.length < limits.waitingOrders;

function committed(waiting: readonly Waiting[], order: OrderId): readonly Waiting[] {
  const at = waiting.findIndex((each) => each.order === order);
  const found = waiting[at];
  return found === undefined ? waiting : waiting.with(at, { ...found, committed: true });
}

/** The order is the first that waits (inventory.I5): a search for each fill would take quadratic time. */
function fill(product: Draft, order: OrderId, quantity: number): void {
  const [first] = product.waiting;
  if (first?.order !== order) throw new Error(`product ${product.id} fills ${order}, which is not the first to wait`);
  const rest = first.quantity - quantity;
  const after = product.waiting.slice(1);
  if (rest > 0) after.unshift({ ...first, quantity: rest, fills: first.fills + 1 });
  product.backordered -= quantity;
  product.waiting = after;
}
