/**
 * The EVENTS message of a turn: whether another cascade fits, and the message's text.
 *
 * Law: a cascade that `take` accepts fits. The text is needed only once the turn is appended. So `take` first checks an
 * upper bound of its length. Only when the bound is too large does it write the text at once and count its bytes.
 */
import { listed } from '../flat-text.js';
import { cascadeEvents, type EventFrame, mostEventBytes } from './cloud-events.js';
import { MessageRoom } from './message-room.js';
import type { Cascade, JournaledEvent } from './record.js';

export interface PublicCascade extends Cascade {
  /** `json` is the event's text in the record. */
  readonly events: readonly (JournaledEvent & { readonly json: string })[];
}

const BRACKETS = 2;

export class PublicBatch {
  private readonly cascades: PublicCascade[] = [];
  private mostBytes = BRACKETS;
  /** Holds the cascades whose text is already written. */
  private readonly room: MessageRoom;
  private isCounted = false;

  constructor(
    private readonly frame: EventFrame,
    private readonly most: number,
    byteLength: (text: string) => number,
  ) {
    this.room = new MessageRoom(BRACKETS, most, byteLength);
  }

  /** @returns false when the cascade does not fit; then it was not added. */
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
