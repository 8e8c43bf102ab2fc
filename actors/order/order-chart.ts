/** The state chart of an order (order.ts) as a table: which row decides which command in which phase. */
import { limits } from '../limits.js';
import type { OrderAct, OrderCommand } from '../protocol.js';
import { type Answer, nothing, type OrderContext, type OrderState, type Phase, type Row } from './order.js';
import {
  cancelConfirmed,
  cancelPending,
  deliver,
  extendHold,
  illegal,
  moneyMoved,
  moveTo,
  receiveReturn,
  refund,
  requestReturn,
  ship,
  stockArrived,
  undone,
} from './order-fulfilment.js';
import { answeredTooLate, charged, holdsAnswered, place, repeat, sendLate, timedOut } from './order-placing.js';

const ignore = () => nothing;
const same = ignore;
const unknown = (): Answer => ({ refused: 'unknown_order' });

const acts = {
  cancel: illegal,
  ship: illegal,
  deliver: illegal,
  requestReturn: illegal,
  receiveReturn: illegal,
  refund: illegal,
  extendHold: illegal,
  move: moveTo,
};
const quiet = {
  holdsAnswered: ignore,
  stockArrived: ignore,
  paymentAnswered: ignore,
  sendLate: ignore,
  timeOut: ignore,
};
const returns = { requestReturn, receiveReturn, refund };

/** A row per phase, a cell per command; a missing one does not compile. */
const chart: { readonly [P in Phase]: { readonly [T in OrderCommand['type']]: Row<T> } } = {
  absent: {
    ...quiet,
    place,
    cancel: unknown,
    ship: unknown,
    deliver: unknown,
    requestReturn: unknown,
    receiveReturn: unknown,
    refund: unknown,
    extendHold: unknown,
    move: unknown,
  },
  holding: {
    ...{ ...quiet, holdsAnswered, sendLate, stockArrived, timeOut: timedOut },
    ...{ ...acts, cancel: cancelPending, extendHold },
    place: repeat,
  },
  charging: {
    ...{ ...quiet, stockArrived, paymentAnswered: charged, timeOut: timedOut },
    ...{ ...acts, cancel: cancelPending, extendHold },
    place: repeat,
  },
  confirmed: {
    ...{ ...quiet, stockArrived, paymentAnswered: moneyMoved },
    ...{ ...acts, ...returns, cancel: cancelConfirmed, ship, deliver },
    place: repeat,
  },
  shipped: {
    ...{ ...quiet, paymentAnswered: moneyMoved },
    ...{ ...acts, ...returns, ship, deliver },
    place: repeat,
  },
  delivered: {
    ...{ ...quiet, paymentAnswered: moneyMoved },
    ...{ ...acts, ...returns, ship, deliver: same },
    place: repeat,
  },
  cancelled: {
    ...{ ...quiet, holdsAnswered: answeredTooLate, paymentAnswered: undone },
    ...{ ...acts, cancel: same, refund },
    place: repeat,
  },
  failed: { ...quiet, holdsAnswered: answeredTooLate, paymentAnswered: undone, ...acts, refund, place: repeat },
};

export function decideOrder(state: OrderState, command: OrderCommand, context: OrderContext): Answer {
  if ('act' in command) {
    const prior = priorOf(state, command);
    if (prior !== undefined) return prior;
  }
  const row = chart[state.phase][command.type] as Row<OrderCommand['type']>;
  return row(state, command, context);
}

/** O4. */
function priorOf({ life }: OrderState, command: OrderAct): Answer | undefined {
  const { act } = command;
  const known = life.acts.find(({ ref }) => ref === act.ref);
  if (known !== undefined) return known.fingerprint === act.fingerprint ? nothing : { refused: 'other_body' };
  const most = isEnding(command) ? limits.actsOfOrder : limits.actsOfOrder - limits.actsToEnd;
  return life.acts.length >= most ? { refused: 'too_many_acts' } : undefined;
}

/** What brings a whole order to its end has room of its own; parts could take all of it. */
const isEnding = (command: OrderAct): boolean =>
  command.type === 'cancel' ||
  command.type === 'move' ||
  (command.type === 'ship' && command.lines === undefined) ||
  (command.type === 'deliver' && command.fulfillment === undefined);
