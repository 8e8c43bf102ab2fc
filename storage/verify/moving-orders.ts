/**
 * Promise 2 for orders on the move: part of what happened stands only in the journal, or a letter of theirs
 * is under way. Judged one by one, rows and journal taken together.
 *
 *  - What an order knows as held, the product has held; what was answered short or unknown, it has not. A
 *    line without an answer is held only if the answer is under way.
 *  - Confirmed: each line is committed, or the letter that asks for it is under way. Failed: each line that
 *    was held is released, or the letter is under way. Otherwise neither.
 */
import type { NumberedLetter } from '../../actors/node/record.js';
import type { HoldAnswer, OrderEvent } from '../../actors/protocol.js';
import type { Findings } from './verdict.js';

export interface Move {
  readonly product: string;
  readonly type: 'hold' | 'release' | 'commit' | 'return' | 'backorder' | 'unbackorder';
  readonly quantity: number;
}

export interface MovingOrder {
  readonly id: string;
  readonly history: readonly OrderEvent[];
  readonly moves: readonly Move[];
  readonly underWay: readonly NumberedLetter[];
}

type Answer = HoldAnswer['answer'];

export function judgeMoving(order: MovingOrder, findings: Findings): void {
  const wrong = (sentence: string) => findings.add('holds', `order ${order.id}`, sentence);
  const { quantities, answers, outcome } = fold(order.history);
  const underWay = new Set(order.underWay.flatMap(meanings));
  for (const product of new Set([...quantities.keys(), ...order.moves.map((move) => move.product)])) {
    const quantity = quantities.get(product);
    const answer = answers.get(product);
    const isHeld = answer === 'held' || (answer === undefined && underWay.has(`held ${product}`));
    const expected = {
      hold: isHeld ? (quantity ?? 0) : 0,
      release: outcome === 'failed' && answer === 'held' && !underWay.has(`release ${product}`) ? (quantity ?? 0) : 0,
      commit: outcome === 'confirmed' && !underWay.has(`commit ${product}`) ? (quantity ?? 0) : 0,
      return: 0,
      backorder: 0,
      unbackorder: 0,
    };
    const found: Sums = { hold: 0, release: 0, commit: 0, return: 0, backorder: 0, unbackorder: 0 };
    for (const move of order.moves) if (move.product === product) found[move.type] += move.quantity;
    if (same(found, expected)) continue;
    const whose = quantity === undefined ? 'no order with such a line' : `an order that is ${outcome}`;
    wrong(`what product ${product} did for it (${whose}) is ${words(found)}, expected ${words(expected)}`);
  }
}

/** A confirmed order's line that was never held still must be committed: then the commit has no hold. */
function fold(history: readonly OrderEvent[]) {
  const quantities = new Map<string, number>();
  const answers = new Map<string, Answer>();
  let outcome: 'pending' | 'confirmed' | 'failed' = 'pending';
  for (const event of history) {
    if (event.type === 'placed') for (const line of event.content.lines) quantities.set(line.product, line.quantity);
    if (event.type === 'confirmed' || event.type === 'failed') outcome = event.type;
    if (event.type !== 'answered' && event.type !== 'held' && event.type !== 'failed') continue;
    for (const { product, answer } of event.answers) if (!answers.has(product)) answers.set(product, answer);
  }
  return { quantities, answers, outcome };
}

/** The order that a letter is about. */
export const orderOf = ({ letter }: NumberedLetter): string | undefined => {
  if (letter.to.kind === 'order') return letter.to.id;
  return 'order' in letter.command ? letter.command.order : undefined;
};

/** Such as `commit PROD-001`. */
function meanings({ letter: { to, command } }: NumberedLetter): string[] {
  if (command.type === 'holdsAnswered') return command.answers.map(({ product, answer }) => `${answer} ${product}`);
  return [`${command.type} ${to.id}`];
}

type Sums = Record<Move['type'], number>;
const same = (a: Sums, b: Sums) => a.hold === b.hold && a.release === b.release && a.commit === b.commit;
const words = (sums: Sums) => `held ${sums.hold}, released ${sums.release}, committed ${sums.commit}`;
