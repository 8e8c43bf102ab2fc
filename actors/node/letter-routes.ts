/** Where a decided letter goes: to its actor in the same cascade, or into a channel (turn.T3). */
import { limits } from '../limits.js';
import type { NumberedLetter } from '../ports/letters.js';
import type { Letter } from '../protocol.js';
import type { World } from './world.js';

export class LetterRoutes {
  constructor(
    private readonly world: World,
    private readonly deliverAtHome: boolean,
  ) {}

  /**
   * Puts the letter into the cascade's queue, or gives it a number.
   * @param numbered the letters that the cascade has numbered so far
   */
  route(from: number, letter: Letter, correlation: string, queue: Letter[], numbered: NumberedLetter[]): void {
    const { world } = this;
    const to = world.partitionOf(letter.to);
    if (from === to) return enqueue(queue, letter);
    const { channels } = world.mustOwn(from);
    const home = this.deliverAtHome ? world.owned.get(to) : undefined;
    // Older letters of the channel must be handled first. Their confirmations need not have arrived.
    if (home?.isFrozen === false && home.channels.seen(from) === channels.last(to)) return enqueue(queue, letter);
    const before = numbered.filter((other) => other.from === from && other.to === to).length;
    numbered.push({ from, to, number: channels.last(to) + before + 1, correlation, letter });
  }

  /** Whether a channel of these letters has no room for more (limits.channelLetters). */
  isCrowded(numbered: readonly NumberedLetter[]): boolean {
    return numbered.some(({ from, to }) => this.world.mustOwn(from).channels.waiting(to) >= limits.channelLetters);
  }
}

/** Adjacent answers to the same order become one command. */
function enqueue(queue: Letter[], letter: Letter): void {
  const last = queue[queue.length - 1];
  if (
    letter.to.kind === 'order' &&
    letter.command.type === 'holdsAnswered' &&
    queue.length > 1 &&
    last?.to.kind === 'order' &&
    last.to.id === letter.to.id &&
    last.command.type === 'holdsAnswered'
  ) {
    const answers = [...last.command.answers, ...letter.command.answers];
    queue[queue.length - 1] = { to: letter.to, command: { type: 'holdsAnswered', answers } };
  } else queue.push(letter);
}
