/**
 * Turns the outcome of an order into an answer. The answer depends only on the order's state, so a repeat gets the
 * status and the body of the first answer.
 */
import type { OrderState } from '../../actors/order/order.js';
import type { NoAnswer, PlaceReply } from '../../actors/ports/owners.js';
import { TOTAL_TOO_LARGE } from '../api/errors.js';
import { Failure, goneOrder, idempotencyMismatch, unanswered } from '../api/failure.js';
import { type Answer, brokenAnswer, errorBody, failureAnswer, success } from '../api/reply.js';
import { orderJson } from './order-view.js';

export function answerOf(reply: PlaceReply, order: string): Answer {
  switch (reply.kind) {
    case 'outcome':
      return decided(reply.state);
    case 'pending':
      return pending(reply.state);
    case 'refused':
      return refused(reply.refusal, order);
    case 'unavailable':
      return failureAnswer(notConfirmed(reply, order));
  }
}

/** Where no owner got the request there is no order, so the answer names none. */
export const notConfirmed = (reply: Pick<NoAnswer, 'why' | 'absent' | 'told'>, order: string): Failure =>
  unanswered(
    reply,
    'The order could not be made durable in time. It may still take effect: repeat it with the same Idempotency-Key. If it had none, use its order_id as the key.',
    reply.absent === true ? {} : { order_id: order },
  );

function decided(state: OrderState): Answer {
  if (state.phase === 'failed') return failed(state);
  return state.life.cancelled?.was === 'pending' ? cancelled(state) : confirmed(state);
}

const cancelled = (state: OrderState): Answer => ({
  status: 409,
  body: errorBody(
    'cancelled',
    'The order was cancelled before it was confirmed; nothing is charged. Order again with a new Idempotency-Key.',
    [],
    `,"order_id":${JSON.stringify(state.id)}`,
  ),
});

const confirmed = (state: OrderState): Answer => ({
  status: 201,
  body: `{"status":"success","message":"Order created successfully","data":${orderJson(state)}}`,
});

function pending(state: OrderState): Answer {
  const where = `/api/orders/${encodeURIComponent(state.id)}`;
  return {
    ...success(
      202,
      orderJson(state),
      'Your order is safe with us and still being worked on. Please look at its Location in a moment.',
    ),
    headers: ['Location', where],
  };
}

function failed(state: OrderState): Answer {
  const about = `,"order_id":${JSON.stringify(state.id)}`;
  switch (state.reason) {
    case 'out_of_stock': {
      const details = state.shortages.map((s) => ({ product_id: s.product, asked: s.asked, available: s.available }));
      const sentences = details.map((d) => `${d.product_id}: ${d.asked} asked, ${d.available} available`);
      const message = `Not enough in stock. ${sentences.join('; ')}.`;
      return {
        status: 409,
        body: errorBody('out_of_stock', message, [], `${about},"details":${JSON.stringify(details)}`),
      };
    }
    case 'unknown_product': {
      const unknown = state.lines.filter((line) => line.hold === 'unknown').map((line) => line.product);
      const message =
        unknown.length === 0
          ? 'The products of this order are not sold in one currency.'
          : `There is no product ${unknown.join(', ')}.`;
      const details = unknown.map((product) => ({ product_id: product }));
      return {
        status: 404,
        body: errorBody('unknown_product', message, [], `${about},"details":${JSON.stringify(details)}`),
      };
    }
    case 'payment_declined':
      return { status: 402, body: errorBody('payment_declined', 'The payment was declined.', [], about) };
    case 'total_too_large':
      return { status: 409, body: errorBody('total_too_large', TOTAL_TOO_LARGE, [], about) };
    default: // The contract names no status for a timeout. Like other final failures of an order it is a conflict.
      return {
        status: 409,
        body: errorBody(
          'timed_out',
          'The order could not be completed in its time and has been given up; nothing is charged. Order again with a new Idempotency-Key.',
          [],
          about,
        ),
      };
  }
}

function refused(refusal: Extract<PlaceReply, { kind: 'refused' }>['refusal'], order: string): Answer {
  if (refusal === 'broken') return brokenAnswer(undefined, order);
  if (refusal === 'gone') return failureAnswer(goneOrder(order));
  if (refusal === 'too_large') {
    const message = 'The order is too large to be stored: send fewer lines or less text.';
    return failureAnswer(new Failure(413, 'too_large', message, { errors: [{ field: 'body', message }] }));
  }
  return failureAnswer(idempotencyMismatch('another order'));
}
