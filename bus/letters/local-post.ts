/** Carries letters between partitions of one process: the twin of a post over the bus. */
import type { Confirmation, NumberedLetter, Post } from '../../actors/ports/letters.js';
import type { Clock } from '../../actors/ports/runtime.js';

export interface Receiver {
  letters(letters: readonly NumberedLetter[]): void;
  confirmed(confirmation: Confirmation): void;
}

export interface LocalPost extends Post {
  /** Whoever owns the partitions from now on; undefined: nobody, and what is sent is lost. */
  deliverTo(receiver: Receiver | undefined): void;
}

export function localPost(clock: Pick<Clock, 'soon'>): LocalPost {
  let receiver: Receiver | undefined;
  return {
    deliverTo: (next) => {
      receiver = next;
    },
    send: (letters) => clock.soon(() => receiver?.letters(letters)),
    confirm: (confirmation) => clock.soon(() => receiver?.confirmed(confirmation)),
  };
}
