/**
 * The spans of letters to other partitions: from the first sending until the receiver confirms that the letter had its effect.
 * What the receiver does for it is below the letter's span.
 *
 * Law: a letter leaves with the same trace each time it is sent, from whichever node. What is told changes no letter that is
 * not traced, and of those that are only the span that the receiver continues.
 */
import { traceOf, withoutTrace, withTrace } from '../../actors/correlation.js';
import type { Confirmation, NumberedLetter, Post } from '../../actors/ports/letters.js';
import type { Clock } from '../../actors/ports/runtime.js';
import type { Tracing } from '../../actors/ports/tracing.js';
import type { Receiver } from '../letters/local-post.js';
import { childOf, spanId } from './traces-in.js';

/** Letters under way whose spans are not told yet. Beyond it letters go untold, with their trace. */
const MOST = 5_000;

interface UnderWay {
  readonly letter: NumberedLetter;
  readonly parent: string;
  readonly id: string;
  readonly fromMs: number;
}

const isTraced = ({ correlation }: NumberedLetter): boolean => traceOf(correlation) !== undefined;

export class LetterSpans {
  /** By channel, then by number. */
  private readonly channels = new Map<string, Map<number, UnderWay>>();
  private size = 0;

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
    const parent = traceOf(correlation);
    if (parent === undefined) return letter;
    const id = spanId(parent, 'letter', from, to, number);
    const key = `${from}>${to}`;
    const channel = this.channels.get(key) ?? new Map<number, UnderWay>();
    if (!channel.has(number) && this.size < MOST) {
      this.channels.set(key, channel.set(number, { letter, parent, id, fromMs: this.clock.monotonic() }));
      this.size++;
    }
    return { ...letter, correlation: withTrace(withoutTrace(correlation), childOf(parent, id)) };
  }

  private confirmed({ from, to, upTo }: Confirmation): void {
    const channel = this.channels.get(`${from}>${to}`);
    if (channel === undefined) return;
    const toMs = this.clock.monotonic();
    for (const [number, { letter, parent, id, fromMs }] of channel) {
      if (number > upTo) continue;
      channel.delete(number);
      this.size--;
      const about = { 'holdfast.from_partition': from, 'holdfast.to_partition': to, 'holdfast.letter': number };
      const { type } = letter.letter.command;
      this.tracing.tell({ name: `letter ${type}`, kind: 'producer', parent, id, fromMs, toMs, about });
    }
    if (channel.size === 0) this.channels.delete(`${from}>${to}`);
  }
}
