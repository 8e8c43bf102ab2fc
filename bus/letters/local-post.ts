/** Carries letters between the partitions of one process. */
import type { Confirmation, NumberedLetter, Post } from '../../actors/ports/letters.js';
import type { Clock } from '../../actors/ports/runtime.js';

export interface Receiver {
  letters(letters: readonly NumberedLetter[]): void;
  confirmed(confirmation: Confirmation): void;
}

export interface LocalPost extends Post {
  /** Sets the owner of the partitions. While there is none (undefined), letters are lost. */
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
