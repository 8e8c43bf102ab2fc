/**
 * Checks each event of an order with its own arithmetic:
 *
 *  - Statuses follow the declared transitions. No order is both cancelled and shipped.
 *  - A request has its effect once, and has none after it was refused.
 *  - An order ships no more than was ordered and is held, and returns no more than was shipped. It refunds no more than
 *    was captured. No more stock arrives for an order than its product gave it.
 */
import type { ProductId } from '../../actors/ids.js';
import type { OrderState } from '../../actors/order/order.js';
import { statusOf, TRANSITIONS } from '../../actors/order/transitions.js';
import type { Line, OrderEvent } from '../../actors/protocol.js';
import type { StockTruth } from './stock-truth.js';
import type { Verdict } from './verdict.js';

export class OrderTruth {
  private readonly arrived = new Map<string, number>();

  constructor(
    private readonly verdict: Verdict,
    private readonly stocks: StockTruth,
  ) {}

  happened(before: OrderState, event: OrderEvent, after: OrderState): void {
    const { verdict } = this;
    const name = `order ${after.id}`;
    const [from, to] = [statusOf(before.phase), statusOf(after.phase)];
    if ((event.type === 'placed' || event.type === 'imported') && before.phase !== 'absent')
      verdict.fail('one outcome', `${name} placed twice`);
    const isLegal = TRANSITIONS.some((move) => move.from === from && move.to === to && move.event === event.type);
    if (from !== to && !isLegal) verdict.fail('one outcome', `${name} went from ${from} to ${to} by ${event.type}`);
    if ('act' in event && event.act !== undefined) {
      const { ref } = event.act;
      if (before.life.acts.some((act) => act.ref === ref)) verdict.fail('no effect twice', `${name}: act ${ref}`);
      if (before.life.answered?.some((act) => act.ref === ref))
        verdict.fail('a no stays a no', `${name}: ${event.type} by act ${ref}`);
    }
    switch (event.type) {
      case 'cancelled':
        if (before.life.fulfillments.length > 0) verdict.fail('one outcome', `${name} was shipped, and is cancelled`);
        break;
      case 'shipped':
        if (before.phase !== 'confirmed') verdict.fail('one outcome', `${name} is shipped while ${before.phase}`);
        this.shipped(after);
        break;
      case 'return_requested':
        this.returned(after);
        break;
      case 'stock_arrived':
        this.stockArrived(after, event.lines);
        break;
      case 'refund_requested':
      case 'refunded':
        this.refunded(before, event, after);
        break;
      default:
    }
  }

  private shipped({ id, lines, life }: OrderState): void {
    for (const { product, quantity, backordered } of lines) {
      const shipped = pieces(life.fulfillments, product);
      if (shipped > quantity - backordered)
        this.verdict.fail('never oversold', `order ${id} shipped ${shipped} ${product} of ${quantity - backordered}`);
    }
  }

  private returned({ id, lines, life }: OrderState): void {
    for (const { product } of lines) {
      const [returned, shipped] = [pieces(life.returns, product), pieces(life.fulfillments, product)];
      if (returned > shipped)
        this.verdict.fail('all or nothing', `order ${id} returned ${returned} ${product} of ${shipped}`);
    }
  }

  private stockArrived({ id }: OrderState, lines: readonly Line[]): void {
    for (const { product, quantity } of lines) {
      const arrived = (this.arrived.get(`${id} ${product}`) ?? 0) + quantity;
      this.arrived.set(`${id} ${product}`, arrived);
      const { filled } = this.stocks.of(id, product);
      if (arrived > filled)
        this.verdict.fail(
          'no effect twice',
          `${arrived} ${product} arrived for order ${id}, which was given ${filled}`,
        );
    }
  }

  private refunded(before: OrderState, event: OrderEvent, { id, life, total = 0 }: OrderState): void {
    const promised = life.refunds
      .filter(({ status }) => status !== 'failed')
      .reduce((sum, { minor }) => sum + minor, 0);
    if (promised > total) this.verdict.fail('money follows the order', `order ${id} refunds ${promised} of ${total}`);
    const hasMoved = before.payment === 'paid' || before.payment === 'partially_refunded';
    if (event.type === 'refunded' && !hasMoved)
      this.verdict.fail('money follows the order', `order ${id} was refunded while ${before.payment}`);
  }
}

const pieces = (some: readonly { readonly lines: readonly Line[] }[], product: ProductId): number =>
  some.flatMap(({ lines }) => lines).reduce((sum, line) => sum + (line.product === product ? line.quantity : 0), 0);
