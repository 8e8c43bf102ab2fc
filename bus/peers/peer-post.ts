/**
 * Carries letters and confirmations to the partitions' owners: within this process, or to other nodes. What finds no
 * owner is lost, and its sender repeats it.
 */
import type { Confirmation, NumberedLetter, Post } from '../../actors/ports/letters.js';
import type { Clock } from '../../actors/ports/runtime.js';
import type { OwnershipView } from './owned-partitions.js';
import type { Peers } from './peers.js';

export function peerPost(
  peers: Pick<Peers, 'local' | 'outbox'>,
  ownership: Pick<OwnershipView, 'ownerOf'>,
  clock: Pick<Clock, 'soon'>,
): Post {
  /** The owner's outbox; undefined for a partition that nobody owns, or that this process is about to own. */
  const outboxFor = (partition: number) => {
    const owner = ownership.ownerOf(partition);
    return owner === undefined || owner.journal === peers.local?.journal ? undefined : peers.outbox(owner.journal);
  };
  return {
    send(letters: readonly NumberedLetter[]) {
      const { local } = peers;
      let here: NumberedLetter[] | undefined;
      for (const letter of letters) {
        if (local?.epochOf(letter.to) === undefined) outboxFor(letter.to)?.put('letters', JSON.stringify(letter));
        else if (here === undefined) here = [letter];
        else here.push(letter);
      }
      const arrived = here;
      if (arrived !== undefined) clock.soon(() => peers.local?.receiver.letters(arrived));
    },
    confirm(confirmation: Confirmation) {
      const { from } = confirmation;
      if (peers.local?.epochOf(from) !== undefined) clock.soon(() => peers.local?.receiver.confirmed(confirmation));
      else outboxFor(from)?.put('confirmations', JSON.stringify(confirmation));
    },
  };
}
