/** The events of an order of two of A and one of B, for tests in the form given, when, then. */
import * as assert from 'uvu/assert';
import { type ProductId, writeId } from '../../../actors/ids.js';
import { type OrderContext, type OrderState, paymentOwed } from '../../../actors/order/order.js';
import { decideOrder } from '../../../actors/order/order-chart.js';
import type { HoldAnswer, OrderCommand, OrderEvent } from '../../../actors/protocol.js';
import { A, B, held, O1, orderAfter, placed } from './samples.js';

// ---------------------------------------------------------------- given, when, then

export const ASKED: OrderContext = {};
export const AT_ONCE: OrderContext = { instantPayment: () => 'authorized' };

export const given = (...events: OrderEvent[]) => ({
  when: (command: OrderCommand, context = ASKED) => ({
    follows(told: OrderEvent[], letters: object[] = []) {
      const expected = counted(told);
      assert.equal(decideOrder(orderAfter(events), command, context), { events: expected, letters });
      return orderAfter([...events, ...expected]);
    },
    refused: (refused: string) => assert.equal(decideOrder(orderAfter(events), command, context), { refused }),
  }),
});

/** The events of an act: the first one has their number, if there are several. */
function counted([own, ...others]: readonly OrderEvent[]): OrderEvent[] {
  if (own === undefined) return [];
  if (others.length === 0 || !('act' in own) || own.act === undefined) return [own, ...others];
  return [{ ...own, act: { ...own.act, events: 1 + others.length } }, ...others];
}

export const actOf = (ref: string, fingerprint = 'f') => ({ ref: writeId(ref), fingerprint });
export const act = actOf('X');
export const before = actOf('BEFORE');
export const line = (product: ProductId, quantity: number) => ({ product, quantity });
export const ALL = [line(A, 2), line(B, 1)];
export const CANCEL: OrderCommand = { type: 'cancel', act };
export const SHIP: OrderCommand = { type: 'ship', act };
export const ship = (...lines: ReturnType<typeof line>[]): OrderCommand => ({ type: 'ship', act, lines });
export const DELIVER: OrderCommand = { type: 'deliver', act };
export const back = (...lines: ReturnType<typeof line>[]): OrderCommand => ({ type: 'requestReturn', act, lines });
export const received = (no: number, restock?: boolean): OrderCommand => ({
  ...{ type: 'receiveReturn', act, ...(restock !== undefined && { restock }) },
  returned: `${O1}-R${no}`,
});
export const refund = (minor?: number): OrderCommand =>
  minor === undefined ? { type: 'refund', act } : { type: 'refund', act, minor };
export const toProduct = (type: 'uncommit' | 'return', product: ProductId, quantity: number, no?: number) => ({
  to: { kind: 'product', id: product },
  command: no === undefined ? { type, order: O1, quantity } : { type, order: O1, quantity, no },
});

const answers = (backordered = 0): HoldAnswer[] => [
  backordered > 0 ? ({ ...held(A), backordered } as HoldAnswer) : held(A),
  held(B),
];
const allHeld = (backordered = 0): OrderEvent => ({
  ...{ type: 'held', currency: 'USD', total: 1500 },
  answers: answers(backordered),
});
export const paid = (captured: boolean, captureOn?: 'ship'): OrderEvent =>
  captureOn === undefined ? { type: 'paid', captured } : { type: 'paid', captured, captureOn };
export const CONFIRMED: OrderEvent = { type: 'confirmed' };
export const CAPTURED: OrderEvent = { type: 'captured' };
export const HELD = [placed(), allHeld()];
export const AUTHORIZED = [...HELD, paid(false), CONFIRMED];
export const PAID = [...HELD, paid(true), CONFIRMED];
export const WAITING = [placed(), allHeld(2), paid(true), CONFIRMED];
export const cancelled = (was: 'pending' | 'confirmed', voidOwed = false, by = act): OrderEvent => ({
  ...{ type: 'cancelled', act: by, was },
  voidOwed,
});
export const shipped = (no: number, lines = ALL, by = act): OrderEvent => ({
  ...{ type: 'shipped', act: by, id: `${O1}-F${no}` },
  lines,
});
export const delivered = (nos: number[], by = act): OrderEvent => ({
  ...{ type: 'delivered', act: by },
  ids: nos.map((no) => `${O1}-F${no}`),
});
export const sentBack = (no: number, lines: ReturnType<typeof line>[], by = act): OrderEvent => ({
  ...{ type: 'return_requested', act: by, id: `${O1}-R${no}` },
  lines,
});
export const returned = (no: number, restocked: boolean, by = act): OrderEvent => ({
  ...{ type: 'return_received', act: by, id: `${O1}-R${no}` },
  restocked,
});
export const owed = (no: number, minor: number, over: object = {}): OrderEvent => ({
  ...{ type: 'refund_requested', id: `${O1}-P${no}`, minor, currency: 'USD' },
  ...over,
});
export const refunded = (no: number): OrderEvent => ({ type: 'refunded', id: `${O1}-P${no}` });
export const SHIPPED = [...PAID, shipped(1, ALL, before)];
export const DELIVERED = [...SHIPPED, delivered([1], actOf('BEFORE 2'))];
export const owes = (state: OrderState) => paymentOwed(state)?.ref;
