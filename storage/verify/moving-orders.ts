/**
 * Promise 2 for moving orders: some of their events are only in a journal, or a letter of theirs is under way. They are
 * judged one by one, on rows and journals together.
 *
 *  - The product has held each line that the order knows as held, and none that was answered short or unknown. A line
 *    without an answer is held only if the answer is under way.
 *  - Confirmed order: each held line is committed, or the letter for it is under way. Ended before: each held line is
 *    released, or the letter is under way. Cancelled after: each is returned, or the letter is under way.
 *  - Holds in several parts, because the order waited for stock, count together.
 */
import type { NumberedLetter } from '../../actors/ports/letters.js';
import type { HoldAnswer, Line, OrderEvent } from '../../actors/protocol.js';
import type { Findings } from './verdict.js';

export interface Move {
  readonly product: string;
  readonly type: 'hold' | 'release' | 'commit' | 'return' | 'backorder' | 'unbackorder';
  readonly no: number;
  readonly quantity: number;
}

export interface MovingOrder {
  readonly id: string;
  readonly history: readonly OrderEvent[];
  readonly moves: readonly Move[];
  readonly underWay: readonly NumberedLetter[];
}

type Answer = HoldAnswer['answer'];
type Sums = { [T in Move['type']]: number };

export function judgeMoving(order: MovingOrder, findings: Findings): void {
  const wrong = (sentence: string) => findings.add('holds', `order ${order.id}`, sentence);
  const { quantities, answers, outcome, restocked } = fold(order.history);
  const underWay = new Set(order.underWay.flatMap(meanings));
  for (const product of new Set([...quantities.keys(), ...order.moves.map((move) => move.product)])) {
    const quantity = quantities.get(product) ?? 0;
    const answer = answers.get(product);
    const isHeld = answer === 'held' || (answer === undefined && underWay.has(`held ${product}`));
    const found: Sums = { hold: 0, release: 0, commit: 0, return: 0, backorder: 0, unbackorder: 0 };
    let filled = 0;
    for (const move of order.moves) {
      if (move.product !== product) continue;
      found[move.type] += move.quantity;
      if (move.type === 'hold' && move.no > 1) filled += move.quantity;
    }
    const waiting = found.backorder - filled - found.unbackorder;
    const given = quantity - waiting - found.unbackorder;
    const done = (letter: string) => !underWay.has(`${letter} ${product}`);
    const isReleased = outcome === 'released' && answer === 'held' && done('release');
    const isCommitted = (outcome === 'confirmed' || outcome === 'returned') && done('commit');
    const isReturned = outcome === 'returned' && isCommitted && done('uncommit');
    const expected: Sums = {
      hold: isHeld ? given : 0,
      release: isReleased ? given : 0,
      commit: isCommitted ? given : 0,
      return: isReturned ? given : done('return') ? (restocked.get(product) ?? 0) : found.return,
      backorder: isHeld ? found.backorder : 0,
      unbackorder: isReleased || isReturned ? found.backorder - filled : 0,
    };
    if (KINDS.every((kind) => found[kind] === expected[kind])) continue;
    const whose = quantity === 0 ? 'no order with such a line' : `an order that is ${outcome}`;
    wrong(`what product ${product} did for it (${whose}) is ${words(found)}, expected ${words(expected)}`);
  }
}

/** `released`: ended before it was confirmed, so its holds are released. `returned`: cancelled after it was confirmed. */
type Outcome = 'pending' | 'confirmed' | 'released' | 'returned';

function fold(history: readonly OrderEvent[]) {
  const quantities = new Map<string, number>();
  const answers = new Map<string, Answer>();
  const returns = new Map<string, readonly Line[]>();
  const restocked = new Map<string, number>();
  let outcome: Outcome = 'pending';
  for (const event of history) {
    if (event.type === 'placed') for (const line of event.content.lines) quantities.set(line.product, line.quantity);
    if (event.type === 'confirmed') outcome = 'confirmed';
    if (event.type === 'failed') outcome = 'released';
    if (event.type === 'cancelled') outcome = event.was === 'confirmed' ? 'returned' : 'released';
    if (event.type === 'return_requested') returns.set(event.id, event.lines);
    if (event.type === 'return_received' && event.restocked) {
      for (const { product, quantity } of returns.get(event.id) ?? []) {
        restocked.set(product, (restocked.get(product) ?? 0) + quantity);
      }
    }
    if (event.type !== 'answered' && event.type !== 'held' && event.type !== 'failed') continue;
    for (const { product, answer } of event.answers) if (!answers.has(product)) answers.set(product, answer);
  }
  return { quantities, answers, outcome, restocked };
}

/** The order that a letter concerns. */
export const orderOf = ({ letter }: NumberedLetter): string | undefined => {
  if (letter.to.kind === 'order') return letter.to.id;
  return 'order' in letter.command ? letter.command.order : undefined;
};

/** What a letter will do, such as `commit PROD-001`. */
function meanings({ letter: { to, command } }: NumberedLetter): string[] {
  if (command.type === 'holdsAnswered') return command.answers.map(({ product, answer }) => `${answer} ${product}`);
  return [`${command.type} ${to.id}`];
}

const KINDS = ['hold', 'release', 'commit', 'return', 'backorder', 'unbackorder'] as const;

const words = (sums: Sums): string =>
  `held ${sums.hold}, released ${sums.release}, committed ${sums.commit}, returned ${sums.return}, backordered ${sums.backorder}, no longer ${sums.unbackorder}`;
