/**
 * The EVENTS message of a turn: whether more fits, and its text.
 *
 * Law: what was said to fit does. The text is needed only once the turn is appended, so how long it will be is first
 * judged from above, and written when it is asked for; only where that could be too long, it is written at once, and
 * counted.
 */

import { listed } from '../flat-text.js';
import { cascadeEvents, type EventFrame, mostEventBytes } from './cloud-events.js';
import { MessageRoom } from './message-room.js';
import type { JournaledEvent } from './record.js';

export interface PublicCascade {
  readonly correlation: string;
  /** Each with its text in the record. */
  readonly events: readonly (JournaledEvent & { readonly json: string })[];
}

const BRACKETS = 2;

export class PublicBatch {
  private readonly cascades: PublicCascade[] = [];
  private mostBytes = BRACKETS;
  /** Of those whose text is written already. */
  private readonly room: MessageRoom;
  private isCounted = false;

  constructor(
    private readonly frame: EventFrame,
    private readonly most: number,
    byteLength: (text: string) => number,
  ) {
    this.room = new MessageRoom(BRACKETS, most, byteLength);
  }

  /** @returns false when it does not fit, and is not in it. */
  take(cascade: PublicCascade): boolean {
    if (!this.isCounted) {
      const bytes = this.mostBytes + mostEventBytes(cascade, this.frame) + 1;
      if (bytes <= this.most) {
        this.mostBytes = bytes;
        this.cascades.push(cascade);
        return true;
      }
      this.isCounted = true;
      for (const text of this.texts()) this.room.take(text, 0);
    }
    const text = cascadeEvents(cascade, this.frame);
    if (!this.room.has(text, 0)) return false;
    if (text !== '') this.room.take(text, 0);
    return true;
  }

  /** A JSON array; empty text when there are no events. */
  get text(): string {
    const texts = this.isCounted ? this.room.texts : this.texts();
    return texts.length === 0 ? '' : listed('[', texts.slice(), ']');
  }

  private texts(): string[] {
    return this.cascades.map((cascade) => cascadeEvents(cascade, this.frame)).filter((text) => text !== '');
  }
}
