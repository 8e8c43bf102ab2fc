/**
 * The spans of letters to other partitions: from the first sending until the receiver confirms that the letter had its effect.
 * What the receiver does for it is below the letter's span.
 *
 * Law: a letter leaves with the same trace each time it is sent, from whichever node. What is told changes no letter that is
 * not traced, and of those that are only the span that the receiver continues.
 */
import { sampledTraceOf, withoutTrace, withTrace } from '../../actors/correlation.js';
import type { Confirmation, NumberedLetter, Post } from '../../actors/ports/letters.js';
import type { Clock } from '../../actors/ports/runtime.js';
import type { Tracing } from '../../actors/ports/tracing.js';
import type { Receiver } from '../letters/local-post.js';
import { childOf, spanId } from './traces-in.js';

/**
 * Letters under way whose spans are not told yet. Beyond it the oldest go untold: most of them were sent from a partition that has
 * moved away since, whose next owner hears the confirmation.
 */
const MOST = 5_000;

interface UnderWay {
  readonly letter: NumberedLetter;
  readonly parent: string;
  readonly id: string;
  readonly fromMs: number;
}

const isTraced = ({ correlation }: NumberedLetter): boolean => sampledTraceOf(correlation) !== undefined;

export class LetterSpans {
  /** The oldest first, by channel and number. */
  private readonly underWay = new Map<string, UnderWay>();
  private readonly numbers = new Map<string, Set<number>>();

  constructor(
    private readonly tracing: Tracing,
    private readonly clock: Pick<Clock, 'monotonic'>,
  ) {}

  sending<P extends Post>(post: P): P {
    const send = (letters: readonly NumberedLetter[]) =>
      post.send(letters.some(isTraced) ? letters.map((letter) => this.sent(letter)) : letters);
    return { ...post, send };
  }

  receiving(receiver: Receiver): Receiver {
    return {
      letters: (letters) => receiver.letters(letters),
      confirmed: (confirmation) => {
        this.confirmed(confirmation);
        receiver.confirmed(confirmation);
      },
    };
  }

  // -------------------------------------------------------------- machinery

  private sent(letter: NumberedLetter): NumberedLetter {
    const { from, to, number, correlation } = letter;
    const parent = sampledTraceOf(correlation);
    if (parent === undefined) return letter;
    const id = spanId(parent, 'letter', from, to, number);
    const channel = `${from}>${to}`;
    const key = `${channel} ${number}`;
    if (!this.underWay.has(key)) {
      this.underWay.set(key, { letter, parent, id, fromMs: this.clock.monotonic() });
      this.numbers.set(channel, (this.numbers.get(channel) ?? new Set()).add(number));
      for (const [oldest] of this.underWay) {
        if (this.underWay.size <= MOST) break;
        this.end(oldest);
      }
    }
    return { ...letter, correlation: withTrace(withoutTrace(correlation), childOf(parent, id)) };
  }

  private confirmed({ from, to, upTo }: Confirmation): void {
    const toMs = this.clock.monotonic();
    for (const number of this.numbers.get(`${from}>${to}`) ?? []) {
      if (number > upTo) continue;
      const ended = this.end(`${from}>${to} ${number}`);
      if (ended === undefined) continue;
      const { letter, parent, id, fromMs } = ended;
      const about = { 'holdfast.from_partition': from, 'holdfast.to_partition': to, 'holdfast.letter': number };
      const { type } = letter.letter.command;
      this.tracing.tell({ name: `letter ${type}`, kind: 'producer', parent, id, fromMs, toMs, about });
    }
  }

  private end(key: string): UnderWay | undefined {
    const ended = this.underWay.get(key);
    if (ended === undefined) return undefined;
    this.underWay.delete(key);
    const { from, to, number } = ended.letter;
    const numbers = this.numbers.get(`${from}>${to}`);
    numbers?.delete(number);
    if (numbers?.size === 0) this.numbers.delete(`${from}>${to}`);
    return ended;
  }
}
