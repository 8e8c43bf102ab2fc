/** How letters leave a process of the simulation. The truth checks each of them when it leaves. */
import type { NumberedLetter, Post } from '../../actors/ports/letters.js';
import type { Receiver } from '../../bus/letters/local-post.js';
import type { Faults } from './faults.js';
import type { Truth } from './truth.js';

export const watchedPost = (truth: Truth, post: Post): Post => ({
  send(letters) {
    for (const letter of letters) truth.left(letter);
    post.send(letters);
  },
  confirm(confirmation) {
    truth.confirmed(confirmation);
    post.confirm(confirmation);
  },
});

/**
 * Gives each letter to every process, and loses, repeats, delays and reorders it, also between two partitions of one
 * process.
 */
export function broadcast(faults: Faults, deliver: (to: (receiver: Receiver) => void) => void): Post {
  const { timeline, weather, chance, counters } = faults;
  const carry = (name: string, give: (receiver: Receiver) => void) => {
    if (!faults.isCalm && chance.hits(weather.letterLost)) return counters.add(`${name}: lost`);
    const repeats = !faults.isCalm && chance.hits(weather.letterRepeated) ? 2 : 1;
    counters.add(`${name}: ${repeats === 2 ? 'repeated' : 'delivered'}`);
    for (let i = 0; i < repeats; i++) {
      const delayMs = faults.isCalm ? 1 : chance.next() * weather.letterDelayMs; // Without faults: in order.
      timeline.after(delayMs, () => deliver(give));
    }
  };
  return {
    send(letters: readonly NumberedLetter[]) {
      for (const letter of letters) carry('letter', (receiver) => receiver.letters([letter]));
    },
    confirm: (confirmation) => carry('confirmation', (receiver) => receiver.confirmed(confirmation)),
  };
}
