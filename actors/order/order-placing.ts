/** The decisions of an order up to its outcome: cells of the chart (order-chart.ts). */
import type { OrderId, ProductId } from '../ids.js';
import { limits } from '../limits.js';
import { DEFAULT_CURRENCY } from '../money.js';
import type { FailureReason, HoldAnswer, Letter, OrderEvent, Shortage } from '../protocol.js';
import { sameContent } from './content-equality.js';
import { type Answer, nothing, type OrderLine, type OrderState, type Row } from './order.js';

export const place: Row<'place'> = (state, { content, correlation }, { holdDelayMs }) => {
  let delayMs = 0;
  const products: ProductId[] = [];
  if (holdDelayMs !== undefined) {
    for (const { product } of content.lines) {
      const lateMs = holdDelayMs(state.id, product);
      if (lateMs > 0) products.push(product);
      delayMs = Math.max(delayMs, lateMs);
    }
  }
  const placed: OrderEvent = { type: 'placed', content, correlation };
  const onTime =
    products.length > 0 ? content.lines.filter(({ product }) => !products.includes(product)) : content.lines;
  return {
    events: [products.length > 0 ? { ...placed, late: { products, delayMs } } : placed],
    letters: holds(state.id, onTime, content.currency),
  };
};

/** order.O4: a repeat changes nothing; another order under the same id is refused. */
export const repeat: Row<'place'> = (state, { content }) => {
  if (state.content.user !== content.user) return { refused: 'not_yours' };
  return sameContent(state, content) ? nothing : { refused: 'other_body' };
};

/** Sends the holds that were kept back: their delay is over. */
export const sendLate: Row<'sendLate'> = (state) => {
  const late = state.lines.filter((line) => line.hold === 'late');
  if (late.length === 0) return nothing;
  return { events: [{ type: 'late_sent' }], letters: holds(state.id, late, state.content.currency) };
};

export const holdsAnswered: Row<'holdsAnswered'> = (state, { answers }, { instantPayment, captureOn }) => {
  const currency = currencyOf(state, answers);
  const lines = answered(state.lines, answers, currency);
  if (answers.some((a) => a.answer === 'unknown' || (a.answer === 'held' && a.currency !== currency))) {
    return fail(state, 'unknown_product', answers);
  }
  if (answers.some((a) => a.answer === 'short'))
    return fail(state, 'out_of_stock', answers, shortagesOf(state, answers));
  if (lines.some(({ hold }) => hold === 'asked' || hold === 'late')) {
    return { events: [{ type: 'answered', answers }], letters: [] };
  }
  const total = lines.reduce((sum, line) => sum + line.quantity * (line.unitPrice ?? 0), 0);
  if (total > limits.amountMinor) return fail(state, 'total_too_large', answers);
  const held: OrderEvent = { type: 'held', answers, currency: currency ?? DEFAULT_CURRENCY, total };
  if (total === 0) return { events: [held, CONFIRMED], letters: commits(state) };
  const payment = instantPayment?.(state.id);
  if (payment === undefined) return { events: [held], letters: [] };
  if (payment === 'authorized') {
    return { events: [held, paid(captureOn !== 'ship', captureOn), CONFIRMED], letters: commits(state) };
  }
  return {
    events: [held, { type: 'failed', reason: 'payment_declined', answers: [], shortages: [], voidOwed: false }],
    letters: releases(state.id, lines),
  };
};

/** order.O1: releases holds that are answered after the order has ended. */
export const answeredTooLate: Row<'holdsAnswered'> = (state, { answers }) => ({
  events: [{ type: 'answered', answers }],
  letters: releases(
    state.id,
    answered(state.lines, answers, currencyOf(state, answers)).filter(({ product }) =>
      answers.some((a) => a.product === product),
    ),
  ),
});

export const charged: Row<'paymentAnswered'> = (state, { operation, outcome }, { captureOn }) => {
  if (operation !== 'authorize') return nothing;
  if (outcome === 'authorized') return { events: [paid(false, captureOn), CONFIRMED], letters: commits(state) };
  return outcome === 'declined' ? fail(state, 'payment_declined', []) : nothing;
};

export const timedOut: Row<'timeOut'> = (state) => fail(state, 'timed_out', []);

// ---------------------------------------------------------------- machinery

const CONFIRMED: OrderEvent = { type: 'confirmed' };

const paid = (captured: boolean, captureOn: 'confirm' | 'ship' | undefined): OrderEvent =>
  captureOn === 'ship' ? { type: 'paid', captured, captureOn } : { type: 'paid', captured };

function fail(
  state: OrderState,
  reason: FailureReason,
  answers: readonly HoldAnswer[],
  shortages: readonly Shortage[] = [],
): Answer {
  return {
    events: [{ type: 'failed', reason, answers, shortages, voidOwed: state.phase === 'charging' }],
    letters: releases(state.id, answered(state.lines, answers, currencyOf(state, answers))),
  };
}

const holds = (
  order: OrderId,
  lines: readonly { readonly product: ProductId; readonly quantity: number }[],
  currency: string | undefined,
): Letter[] =>
  lines.map(({ product, quantity }) => ({
    to: { kind: 'product', id: product },
    command: currency === undefined ? { type: 'hold', order, quantity } : { type: 'hold', order, quantity, currency },
  }));

const commits = (state: OrderState): Letter[] =>
  state.lines.map(({ product, quantity }) => ({
    to: { kind: 'product', id: product },
    command: { type: 'commit', order: state.id, quantity },
  }));

/** The letters that give back the held ones of these lines. */
export const releases = (order: OrderId, lines: readonly OrderLine[]): Letter[] =>
  lines
    .filter((line) => line.hold === 'held')
    .map(({ product, quantity }) => ({
      to: { kind: 'product', id: product },
      command: { type: 'release', order, quantity },
    }));

/** The lines after these answers. @param currency the order's: a price in another currency is not stored. */
export function answered(
  lines: readonly OrderLine[],
  answers: readonly HoldAnswer[],
  currency: string | undefined,
): readonly OrderLine[] {
  if (answers.length === 0) return lines;
  return lines.map((line, i) => {
    if (line.hold !== 'asked') return line;
    // Answers mostly arrive in the order of the lines.
    const a = answers[i]?.product === line.product ? answers[i] : answers.find((each) => each.product === line.product);
    if (a === undefined) return line;
    const isPriced = a.answer !== 'unknown' && a.unitPrice !== undefined && a.currency === currency;
    if (a.answer !== 'held' || !isPriced) return unpriced(line, a, isPriced ? a.unitPrice : undefined);
    // Field by field: a spread that adds a field costs more than the rest of this decision.
    const { product, quantity } = line;
    return { product, quantity, hold: 'held', backordered: a.backordered ?? 0, unitPrice: a.unitPrice };
  });
}

function unpriced(line: OrderLine, a: HoldAnswer, unitPrice: number | undefined): OrderLine {
  const backordered = a.answer === 'held' ? (a.backordered ?? 0) : line.backordered;
  return { ...line, hold: a.answer, backordered, ...(unitPrice !== undefined && { unitPrice }) };
}

const shortagesOf = (state: OrderState, answers: readonly HoldAnswer[]): Shortage[] =>
  answers.flatMap((a) =>
    a.answer === 'short' ? [{ product: a.product, asked: quantityOf(state, a.product), available: a.available }] : [],
  );

const quantityOf = (state: OrderState, product: ProductId): number =>
  state.lines.find((line) => line.product === product)?.quantity ?? 0;

export function currencyOf(state: OrderState, answers: readonly HoldAnswer[]): string | undefined {
  if (state.currency !== undefined) return state.currency;
  for (const a of answers) if (a.answer !== 'unknown' && a.currency !== undefined) return a.currency;
  return undefined;
}
