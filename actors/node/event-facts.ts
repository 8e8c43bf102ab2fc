/**
 * What public events tell beside what happened: whose order it is, its lines and its total; a product's stock.
 *
 * Law: the facts after an event are a function of the facts before its cascade and the cascade's events. A cascade that
 * does not begin with the actor's first event carries the facts before it (record.ts). Older records do not: then a fact is
 * absent until an event tells it.
 */
import type { UserId } from '../ids.js';
import type { OrderState } from '../order/order.js';
import { available, type Stock } from '../product/inventory.js';
import type { HoldAnswer, Line, OrderEvent, ProductEvent } from '../protocol.js';

export interface OrderFacts {
  readonly user: UserId | undefined;
  readonly currency: string | undefined;
  /** Minor units. */
  readonly total: number | undefined;
  readonly lines: readonly PricedLine[] | undefined;
  /** Refunds without an answer yet; undefined when there are none. */
  readonly refunds: readonly OwedRefund[] | undefined;
}

export interface PricedLine extends Line {
  /** Minor units of the order's currency. */
  readonly unitPrice?: number;
}

export interface OwedRefund {
  readonly id: string;
  readonly minor: number;
}

/** An actor before a cascade. */
export type ActorFacts =
  | { readonly kind: 'order'; readonly id: string; readonly facts: OrderFacts }
  | { readonly kind: 'product'; readonly id: string; readonly facts: Stock };

export const UNKNOWN_ORDER: OrderFacts = {
  user: undefined,
  currency: undefined,
  total: undefined,
  lines: undefined,
  refunds: undefined,
};

export const NO_STOCK: Stock = { onHand: 0, held: 0, backordered: 0 };

export function factsOf({ content, currency, total, lines, life }: OrderState): OrderFacts {
  const owed = life.refunds.length === 0 ? [] : life.refunds.filter(({ status }) => status === 'owed');
  return { user: content.user, currency, total, lines, refunds: owed.length === 0 ? undefined : owed };
}

/** The facts after the event; the same object when it changes none. */
export function factsAfter(facts: OrderFacts, event: OrderEvent): OrderFacts {
  switch (event.type) {
    case 'placed': {
      const { user, currency, lines } = event.content;
      return { user, currency, total: undefined, lines, refunds: undefined };
    }
    case 'imported': {
      const { content, facts } = event;
      const { user, currency, lines } = content;
      const pricedLines = lines.map((line, i) => {
        const unitPrice = facts.prices[i] ?? undefined;
        return unitPrice === undefined ? line : { ...line, unitPrice };
      });
      return { user, currency, total: facts.total, lines: pricedLines, refunds: undefined };
    }
    case 'held': {
      const { currency, total, answers } = event;
      const { user, lines, refunds } = facts;
      return { user, currency, total, lines: priced(lines, answers, currency), refunds };
    }
    case 'answered':
    case 'failed': {
      if (event.answers.length === 0) return facts;
      const { user, total, lines, refunds } = facts;
      const currency = facts.currency ?? currencyIn(event.answers);
      return { user, currency, total, lines: priced(lines, event.answers, currency), refunds };
    }
    case 'refund_requested': {
      const { id, minor, currency } = event;
      return { ...facts, currency: facts.currency ?? currency, refunds: [...(facts.refunds ?? []), { id, minor }] };
    }
    default:
      return facts;
  }
}

export function stockAfter({ onHand, held, backordered }: Stock, event: ProductEvent): Stock {
  switch (event.type) {
    case 'received':
    case 'returned':
      return { onHand: onHand + event.quantity, held, backordered };
    case 'adjusted':
      return { onHand: onHand + event.delta, held, backordered };
    case 'held': {
      const filled = event.no !== undefined && event.no > 1 ? event.quantity : 0;
      return { onHand, held: held + event.quantity, backordered: backordered - filled };
    }
    case 'released':
      return { onHand, held: held - event.quantity, backordered };
    case 'committed':
      return { onHand: onHand - event.quantity, held: held - event.quantity, backordered };
    case 'backordered':
      return { onHand, held, backordered: backordered + event.quantity };
    case 'unbackordered':
      return { onHand, held, backordered: backordered - event.quantity };
  }
}

export const stockText = (stock: Stock): string =>
  `,"on_hand":${stock.onHand},"held":${stock.held},"available":${available(stock)}`;

// ---------------------------------------------------------------- as packed in a record

/** An order without the facts at the end that it does not have: `["o",id,user,lines,currency,total,refunds]`. */
export type PackedFacts =
  | ['o', string, UserId, PackedLine[], (string | null)?, (number | null)?, [string, number][]?]
  /** The stock's numbers; no third where nothing is backordered. */
  | ['p', string, number, number, number?];

type PackedLine = [Line['product'], number, number?];

export function packFacts(of: ActorFacts): PackedFacts {
  if (of.kind === 'product') {
    const { onHand, held, backordered } = of.facts;
    return backordered === 0 ? ['p', of.id, onHand, held] : ['p', of.id, onHand, held, backordered];
  }
  const { user = '' as UserId, lines = [], currency, total, refunds } = of.facts;
  const packed: PackedLine[] = lines.map(({ product, quantity, unitPrice }) =>
    unitPrice === undefined ? [product, quantity] : [product, quantity, unitPrice],
  );
  if (refunds !== undefined) {
    const owed = refunds.map(({ id, minor }): [string, number] => [id, minor]);
    return ['o', of.id, user, packed, currency ?? null, total ?? null, owed];
  }
  if (total !== undefined) return ['o', of.id, user, packed, currency ?? null, total];
  return currency === undefined ? ['o', of.id, user, packed] : ['o', of.id, user, packed, currency];
}

export function unpackFacts(packed: PackedFacts): ActorFacts {
  if (packed[0] === 'p') {
    const [, id, onHand, held, backordered = 0] = packed;
    return { kind: 'product', id, facts: { onHand, held, backordered } };
  }
  const [, id, user, lines, currency, total, refunds] = packed;
  const facts: OrderFacts = {
    user,
    currency: currency ?? undefined,
    total: total ?? undefined,
    lines: lines.map(([product, quantity, unitPrice]) =>
      unitPrice === undefined ? { product, quantity } : { product, quantity, unitPrice },
    ),
    refunds: refunds?.map(([refund, minor]) => ({ id: refund, minor })),
  };
  return { kind: 'order', id, facts };
}

// ---------------------------------------------------------------- machinery

/** The lines with the prices that these answers tell. A price in another currency than the order's is none of its. */
function priced(
  lines: readonly PricedLine[] | undefined,
  answers: readonly HoldAnswer[],
  currency: string | undefined,
): readonly PricedLine[] | undefined {
  return lines?.map((line, i) => {
    // Answers mostly arrive in the order of the lines.
    const a = answers[i]?.product === line.product ? answers[i] : answers.find((each) => each.product === line.product);
    if (a === undefined || a.answer === 'unknown' || a.unitPrice === undefined || a.currency !== currency) return line;
    const { product, quantity } = line;
    return { product, quantity, unitPrice: a.unitPrice };
  });
}

function currencyIn(answers: readonly HoldAnswer[]): string | undefined {
  for (const a of answers) if (a.answer !== 'unknown' && a.currency !== undefined) return a.currency;
  return undefined;
}
