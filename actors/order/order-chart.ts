/** The state chart of an order (order.ts) as a table: which function decides which command in which phase. */
import { limits } from '../limits.js';
import type { OrderAct, OrderCommand } from '../protocol.js';
import { importAgain, importOrder, isElsewhere } from './imported-order.js';
import { type Answer, nothing, type OrderContext, type OrderState, type Phase, type Row, remembered } from './order.js';
import {
  cancelAgain,
  cancelConfirmed,
  cancelPending,
  closeAct,
  deliver,
  extendHold,
  forget,
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
  forget,
};
const quiet = {
  closeAct,
  holdsAnswered: ignore,
  stockArrived: ignore,
  paymentAnswered: ignore,
  sendLate: ignore,
  timeOut: ignore,
};
const again = { place: repeat, import: importAgain };
const returns = { requestReturn, receiveReturn, refund };

/** One row per phase, one cell per command. A missing cell does not compile. */
const chart: { readonly [P in Phase]: { readonly [T in OrderCommand['type']]: Row<T> } } = {
  absent: {
    ...quiet,
    place,
    import: importOrder,
    closeAct: unknown,
    cancel: unknown,
    ship: unknown,
    deliver: unknown,
    requestReturn: unknown,
    receiveReturn: unknown,
    refund: unknown,
    extendHold: unknown,
    move: unknown,
    forget: unknown,
  },
  holding: {
    ...{ ...quiet, holdsAnswered, sendLate, stockArrived, timeOut: timedOut },
    ...{ ...acts, cancel: cancelPending, extendHold },
    ...again,
  },
  charging: {
    ...{ ...quiet, stockArrived, paymentAnswered: charged, timeOut: timedOut },
    ...{ ...acts, cancel: cancelPending, extendHold },
    ...again,
  },
  confirmed: {
    ...{ ...quiet, stockArrived, paymentAnswered: moneyMoved },
    ...{ ...acts, ...returns, cancel: cancelConfirmed, ship, deliver },
    ...again,
  },
  shipped: {
    ...{ ...quiet, paymentAnswered: moneyMoved },
    ...{ ...acts, ...returns, ship, deliver },
    ...again,
  },
  delivered: {
    ...{ ...quiet, paymentAnswered: moneyMoved },
    ...{ ...acts, ...returns, ship, deliver },
    ...again,
  },
  cancelled: {
    ...{ ...quiet, holdsAnswered: answeredTooLate, paymentAnswered: undone },
    ...{ ...acts, cancel: cancelAgain, refund },
    ...again,
  },
  failed: { ...quiet, holdsAnswered: answeredTooLate, paymentAnswered: undone, ...acts, refund, ...again },
};

export function decideOrder(state: OrderState, command: OrderCommand, context: OrderContext): Answer {
  const row = (isElsewhere(state, command) ? illegal : chart[state.phase][command.type]) as Row<OrderCommand['type']>;
  if (!('act' in command) || command.type === 'closeAct') return row(state, command, context);
  return priorOf(state, command) ?? counted(row(state, command, context));
}

/** order.O4: a repeat of an act changes nothing and gets the first answer. */
function priorOf(state: OrderState, command: OrderAct): Answer | undefined {
  const { act } = command;
  const { life } = state;
  const known = remembered(state, act);
  if (known !== undefined) {
    if (known.fingerprint !== act.fingerprint) return { refused: 'other_body' };
    return known.refused === undefined ? nothing : { refused: known.refused };
  }
  if (command.type === 'forget') return undefined; // It is never too late.
  const most = isEnding(command) ? limits.actsOfOrder : limits.actsOfOrder - limits.actsToEnd;
  return life.acts.length >= most ? { refused: 'too_many_acts' } : undefined;
}

/**
 * Whether the order could remember the answer to a further act, if that had no effect. The number of answers never falls,
 * so a no stays a no. It is the same for every act of a kind, whatever the order's state.
 */
export function mayAnswer({ life }: OrderState, command: OrderAct): boolean {
  const most = isEnding(command) ? limits.answeredActs + limits.actsToEnd : limits.answeredActs;
  return (life.answered?.length ?? 0) < most;
}

/** The act's own event stores how many events were decided with it. So a repeat finds the state of the first answer. */
function counted(answer: Answer): Answer {
  if ('refused' in answer || answer.events.length < 2) return answer;
  const [own, ...others] = answer.events;
  if (own === undefined || !('act' in own) || own.act === undefined) return answer;
  const act = { ...own.act, events: answer.events.length };
  return { ...answer, events: [{ ...own, act }, ...others] };
}

/** Acts that bring a whole order to its end have room of their own: acts on parts could use all of it. */
const isEnding = (command: OrderAct): boolean =>
  command.type === 'cancel' ||
  command.type === 'move' ||
  (command.type === 'ship' && command.lines === undefined) ||
  (command.type === 'deliver' && command.fulfillment === undefined);
