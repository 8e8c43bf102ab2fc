/** The errors that a client gets when an act did not change its order. */
import { amountText } from '../../actors/money.js';
import type { OrderState } from '../../actors/order/order.js';
import { leftToReturn, leftToShip, refundable } from '../../actors/order/order-fulfilment.js';
import { allowedFrom, statusOf } from '../../actors/order/transitions.js';
import type { ActReply, ActRequest, NoAnswer } from '../../actors/ports/owners.js';
import type { Line, OrderAct } from '../../actors/protocol.js';
import type { ErrorCode } from '../api/errors.js';
import { Failure, goneOrder, idempotencyMismatch, notFound, unanswered } from '../api/failure.js';

export const actUnavailable = (reply: NoAnswer, order: string): Failure =>
  unanswered(
    reply,
    'The change could not be made durable in time. It may still take effect: send the same request again with the same Idempotency-Key, or look at the order first.',
    { order_id: order },
  );

/** The versions at which the client wants to change the order. */
export type VersionCondition = Pick<ActRequest, 'ifVersions' | 'unlessVersions'>;

/** Each kind of act without its name. */
type UnnamedAct = OrderAct extends infer A ? (A extends OrderAct ? Omit<A, 'act'> : never) : never;

type Refused = Extract<ActReply, { kind: 'refused' }>;

export function actRefusal(
  { refusal, state }: Refused,
  order: string,
  command: UnnamedAct,
  condition: VersionCondition,
): Failure {
  const conflict = (code: ErrorCode, message: string, field: string, about: object = {}) =>
    conflictOf(order, code, message, field, about);
  if (refusal === 'gone') return goneOrder(order);
  if (state === undefined || refusal === 'unknown_order' || refusal === 'not_yours') {
    return notFound(`There is no order ${order}.`);
  }
  switch (refusal) {
    case 'other_body':
      return idempotencyMismatch('another request');
    case 'archived': {
      const message = 'The order is archived: it can be read, and it takes no change any more.';
      return new Failure(409, 'archived', message, { about: { order_id: order } });
    }
    case 'changed':
      return changed(order, condition);
    case 'illegal_transition':
      return illegalTransition(state);
    case 'more_than_ordered':
      return conflict('more_than_ordered', `This is more than is left to ship: ${words(leftToShip(state))}.`, 'lines');
    case 'more_than_shipped':
      return conflict(
        'more_than_shipped',
        `This is more than can be returned: ${words(leftToReturn(state))}.`,
        'lines',
      );
    case 'more_than_paid':
      return moreThanPaid(state);
    case 'backordered':
      return conflict('backordered', `Not in stock yet: ${words(backorderedLines(state))}.`, 'lines');
    case 'done_otherwise': {
      const [field, message] = doneOtherwise(command, state);
      return conflict('done_otherwise', message, field);
    }
    case 'too_many_acts':
      return conflict('too_many_changes', 'The order cannot take another change.', 'body');
    case 'unknown_fulfillment':
      return notFound(`Order ${order} has no such shipment.`);
    case 'unknown_return':
      return notFound(`Order ${order} has no such return.`);
    case 'too_large': {
      const message = 'The request is too large to be stored.';
      return new Failure(413, 'too_large', message, { errors: [{ field: 'body', message }] });
    }
    case 'broken':
      return new Failure(
        500,
        'internal',
        `Something is broken on our side (${command.type}); it has been logged under the X-Request-ID.`,
      );
  }
}

function changed(order: string, { ifVersions, unlessVersions }: VersionCondition): Failure {
  const message = 'The order has changed in the meantime: get it again.';
  const field = ifVersions === undefined && unlessVersions !== undefined ? 'If-None-Match' : 'If-Match';
  const errors = [{ field, message }];
  return new Failure(412, 'precondition_failed', message, { errors, about: { order_id: order } });
}

function illegalTransition(state: OrderState): Failure {
  const status = statusOf(state.phase);
  const isUnderWay = state.life.fulfillments.length > 0;
  const isImported = state.life.imported !== undefined;
  const isPaid = state.payment !== 'failed' && state.payment !== 'refunded';
  const allowed = allowedFrom(status).filter((to) =>
    to === 'cancelled' ? !isUnderWay && !isImported : to !== 'shipped' || isPaid || isUnderWay,
  );
  const unpaid = isPaid ? '' : ` and its payment ${state.payment}`;
  const next = allowed.length === 0 ? 'it cannot become anything else' : `it may become ${allowed.join(' or ')}`;
  const elsewhere = isImported ? ' It is cancelled, returned and refunded where it was made.' : '';
  const message = `The order is ${status}${unpaid}: ${next}.${elsewhere}`;
  return conflictOf(state.id, 'illegal_transition', message, 'status', { allowed });
}

export const moreThanPaid = (state: OrderState): Failure =>
  conflictOf(state.id, 'more_than_paid', `This is more than can be refunded: ${money(state)}.`, 'amount');

const conflictOf = (order: string, code: ErrorCode, message: string, field: string, about: object = {}): Failure =>
  new Failure(409, code, message, { errors: [{ field, message }], about: { order_id: order, ...about } });

/** @returns the field that contradicts the earlier change, and a sentence about it. */
function doneOtherwise(command: UnnamedAct, { life }: OrderState): [string, string] {
  switch (command.type) {
    case 'ship': {
      const isKnown = life.fulfillments.some(({ tracking }) => tracking === command.tracking);
      const field = command.tracking !== undefined && !isKnown ? 'tracking_id' : 'carrier';
      return [field, `The order was already shipped with another ${field}, which stays.`];
    }
    case 'receiveReturn': {
      const known = life.returns.find(({ id }) => id === command.returned);
      const how = known?.restocked === true ? 'put back in stock' : 'written off';
      return ['restock', `The return was already received and ${how}, which stays.`];
    }
    default: {
      const how = life.cancelled?.reason === undefined ? 'without a reason' : 'with another reason';
      return ['reason', `The order was already cancelled ${how}, which stays.`];
    }
  }
}

const backorderedLines = (state: OrderState): Line[] =>
  state.lines.map(({ product, backordered }) => ({ product, quantity: backordered }));

function words(lines: readonly Line[]): string {
  const some = lines.filter(({ quantity }) => quantity > 0).map(({ product, quantity }) => `${quantity} of ${product}`);
  return some.length === 0 ? 'nothing' : some.join(', ');
}

function money(state: OrderState): string {
  const { currency } = state;
  return currency === undefined ? 'nothing' : `${amountText(refundable(state), currency)} ${currency}`;
}
