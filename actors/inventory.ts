/**
 * A product's keeper: the only one that changes its stock, one command after the other.
 *
 *   hold --enough--> held --commit--> gone        hold --too little--> answered short
 *                      +----release--> available
 *
 * Invariants:
 *  I1. 0 <= held <= on hand, after every event.
 *  I2. on hand = received + returned - committed +/- adjusted: each event moves exactly what it names.
 *  I3. Only the order ends a hold: there is no other way out of `held` than its release or commit.
 *  I4. A product's currency never changes.
 * Letters arrive exactly once and in order, so a release or commit without its hold is broken code:
 * it throws.
 */

import type { ProductId } from './ids.js';
import { limits } from './limits.js';
import type { Decision, HoldAnswer, Letter, ProductCommand, ProductEvent, ProductRefusal } from './protocol.js';

export interface ProductState {
  readonly id: ProductId;
  /** False until the first receipt: the product is unknown. */
  readonly known: boolean;
  readonly name: string;
  /** Minor units. */
  readonly unitPrice: number;
  readonly currency: string;
  readonly onHand: number;
  readonly held: number;
  /** Wall clock, milliseconds. */
  readonly updatedAt: number;
}

export const unknownProduct = (id: ProductId): ProductState => ({
  id,
  known: false,
  name: '',
  unitPrice: 0,
  currency: '',
  onHand: 0,
  held: 0,
  updatedAt: 0,
});

export const available = (state: ProductState): number => state.onHand - state.held;

type Answer = Decision<ProductEvent, ProductRefusal>;
type Row<T extends ProductCommand['type']> = (
  state: ProductState,
  command: Extract<ProductCommand, { type: T }>,
) => Answer;

// ---------------------------------------------------------------- decide

const rows: { readonly [T in ProductCommand['type']]: Row<T> } = {
  receive(state, { type: _, ...receipt }) {
    if (state.known && state.currency !== receipt.currency) return { refused: 'currency_fixed' }; // I4
    if (state.onHand + receipt.quantity > limits.stock) return { refused: 'too_much_stock' };
    return { events: [{ type: 'received', ...receipt }], letters: [] };
  },
  adjust(state, { type: _, ...adjustment }) {
    if (!state.known) return { refused: 'unknown_product' };
    if (state.onHand + adjustment.delta < state.held) return { refused: 'below_held' }; // I1
    if (state.onHand + adjustment.delta > limits.stock) return { refused: 'too_much_stock' };
    return { events: [{ type: 'adjusted', ...adjustment }], letters: [] };
  },
  hold(state, { order, quantity, currency }) {
    const answer = (answer: HoldAnswer): Letter[] => [
      { to: { kind: 'order', id: order }, command: { type: 'holdsAnswered', answers: [answer] } },
    ];
    if (!state.known || (currency !== undefined && currency !== state.currency)) {
      return { events: [], letters: answer({ product: state.id, answer: 'unknown' }) };
    }
    if (quantity > available(state)) {
      return { events: [], letters: answer({ product: state.id, answer: 'short', available: available(state) }) };
    }
    return {
      events: [{ type: 'held', order, quantity }],
      letters: answer({ product: state.id, answer: 'held', unitPrice: state.unitPrice, currency: state.currency }),
    };
  },
  release(state, { order, quantity }) {
    mustHold(state, order, quantity);
    return { events: [{ type: 'released', order, quantity }], letters: [] };
  },
  commit(state, { order, quantity }) {
    mustHold(state, order, quantity);
    return { events: [{ type: 'committed', order, quantity }], letters: [] };
  },
};

export function decideProduct(state: ProductState, command: ProductCommand): Answer {
  const row = rows[command.type] as Row<ProductCommand['type']>;
  return row(state, command);
}

// ---------------------------------------------------------------- evolve

type Fold<T extends ProductEvent['type']> = (
  state: ProductState,
  event: Extract<ProductEvent, { type: T }>,
) => ProductState;

const fold: { readonly [T in ProductEvent['type']]: Fold<T> } = {
  received: (state, { name, unitPrice, currency, quantity }) => ({
    ...state,
    known: true,
    name,
    unitPrice,
    currency,
    onHand: state.onHand + quantity,
  }),
  adjusted: (state, { delta }) => ({ ...state, onHand: state.onHand + delta }),
  held: (state, { quantity }) => ({ ...state, held: state.held + quantity }),
  released: (state, { quantity }) => ({ ...state, held: state.held - quantity }),
  committed: (state, { quantity }) => ({
    ...state,
    held: state.held - quantity,
    onHand: state.onHand - quantity,
  }),
};

/** @param at wall clock of the turn, milliseconds. */
export function evolveProduct(state: ProductState, event: ProductEvent, at: number): ProductState {
  const row = fold[event.type] as Fold<ProductEvent['type']>;
  const next = row(state, event) as { -readonly [K in keyof ProductState]: ProductState[K] };
  next.updatedAt = at;
  return next;
}

// ---------------------------------------------------------------- machinery

function mustHold(state: ProductState, order: string, quantity: number): void {
  if (state.held >= quantity) return;
  throw new Error(`product ${state.id} holds ${state.held}, order ${order} gives back or takes ${quantity}`);
}
