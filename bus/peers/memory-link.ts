/** The link's twin in memory, for tests: it loses, repeats, delays and reorders texts as a seed decides. */
import type { Clock } from '../../actors/ports/runtime.js';
import type { PeerAddress, PeerLink } from './peer-link.js';

interface LinkWeather {
  /** The share of texts that are lost, and of those that arrive twice. */
  readonly lost: number;
  readonly repeated: number;
  /** Each text takes up to this long, so a later one may overtake it. 0: all arrive in order. */
  readonly delayMs: number;
}

const CALM: LinkWeather = { lost: 0, repeated: 0, delayMs: 0 };

interface MemoryNetworkParts {
  /** In [0, 1). */
  readonly random: () => number;
  readonly weather?: () => LinkWeather;
  readonly mostBytes?: number;
}

interface MemoryNetwork {
  /**
   * The link of one process. Its texts arrive by its own clock: not while it is paused, and never once it is dead.
   * @param isUp false: the process is dead or cut off, and nobody listens
   */
  link(clock: Pick<Clock, 'after'>, isUp?: () => boolean): PeerLink;
}

interface Listener {
  readonly clock: Pick<Clock, 'after'>;
  readonly isUp: () => boolean;
  readonly take: (text: string) => void;
}

export function memoryNetwork({
  random,
  weather = () => CALM,
  mostBytes = 1_048_576,
}: MemoryNetworkParts): MemoryNetwork {
  const listeners = new Map<PeerAddress, Set<Listener>>();
  const delay = () => weather().delayMs * random();
  return {
    link: (clock, isUp = () => true) => ({
      mostBytes,
      to: (address, nobody) => ({
        send(text) {
          if (Buffer.byteLength(text) > mostBytes) throw new Error(`a text of ${text.length} characters is too long`);
          if (!isUp()) return;
          const all = [...(listeners.get(address) ?? [])].filter((each) => each.isUp());
          if (all.length === 0) return void clock.after(delay(), nobody);
          for (const listener of all) {
            if (random() < weather().lost) continue;
            const times = random() < weather().repeated ? 2 : 1;
            for (let i = 0; i < times; i++) {
              listener.clock.after(delay(), () => {
                if (listener.isUp() && listeners.get(address)?.has(listener)) listener.take(text);
              });
            }
          }
        },
        close() {},
      }),
      listen(address, take) {
        const listener = { clock, isUp, take };
        const all = listeners.get(address) ?? new Set();
        listeners.set(address, all.add(listener));
        return () => {
          all.delete(listener);
          if (all.size === 0 && listeners.get(address) === all) listeners.delete(address);
        };
      },
    }),
  };
}
