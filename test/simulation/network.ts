/**
 * The bus between the nodes: the product's link in memory, behind faults. It loses, repeats, delays and reorders texts,
 * and is away for a while. A text that is on its way arrives, although its sender may be dead by then.
 */

import type { Clock } from '../../actors/ports/runtime.js';
import { memoryNetwork } from '../../bus/peers/memory-link.js';
import type { PeerLink } from '../../bus/peers/peer-link.js';
import type { Being } from './clock.js';
import type { Faults } from './faults.js';

/** What a text carries, by the names of its fields. */
const CARGO = ['letters', 'confirmations', 'asks', 'got', 'answers', 'cancels', 'cut'] as const;

/** Longer than an answer takes otherwise. */
const DELAYED_MS = 50;

export class Network {
  private readonly network;

  constructor(
    private readonly faults: Faults,
    mostBytes: number,
  ) {
    this.network = memoryNetwork({ random: () => faults.chance.next(), mostBytes });
  }

  link(being: Being, clock: Pick<Clock, 'after'>): PeerLink {
    const link = this.network.link(clock, () => being.state !== 'dead');
    return {
      mostBytes: link.mostBytes,
      listen: link.listen,
      to: (address, nobody) => {
        const line = link.to(address, nobody);
        const order = { sent: 0, arrived: 0 };
        return { send: (text) => this.carry(text, line.send, order), close: line.close };
      },
    };
  }

  /** @param order of the texts of one line, by their numbers */
  private carry(text: string, send: (text: string) => void, order: { sent: number; arrived: number }): void {
    const { timeline, weather, chance, counters, isCalm } = this.faults;
    const cargo = CARGO.filter((name) => text.includes(`"${name}":`));
    const count = (fate: string) => {
      for (const name of cargo) counters.add(`bus: ${name} ${fate}`);
    };
    if (this.faults.isAway('bus')) return count('lost in an outage');
    if (isCalm) return void timeline.after(chance.between(0.1, 2), () => send(text));
    if (chance.hits(weather.letterLost)) return count('lost');
    const times = chance.hits(weather.letterRepeated) ? 2 : 1;
    count(times === 2 ? 'repeated' : 'sent');
    const number = ++order.sent;
    const arrive = () => {
      if (number < order.arrived) count('overtaken');
      order.arrived = Math.max(number, order.arrived);
      send(text);
    };
    for (let i = 0; i < times; i++) {
      const delayMs = chance.next() * weather.letterDelayMs;
      if (delayMs > DELAYED_MS) count('delayed');
      timeline.after(delayMs, arrive);
    }
  }
}
