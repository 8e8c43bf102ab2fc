/** The twin of EVENTS in memory: messages as a broker would store them. A test publishes, loses and reorders them. */
import type { JournalId } from '../../actors/ids.js';
import type { EventPlace } from './event-place.js';
import type { LiveMessage, LiveSource } from './live-source.js';
import type { LastTurn } from './passage.js';

export interface MemorySource extends LiveSource {
  publish(journal: JournalId, turn: number, batch: string): void;
  /** What a reader is told next; retention removes the first. */
  messages: LiveMessage[];
}

export function memorySource(now: () => number): MemorySource {
  const created = now();
  let sequence = 0;
  let wake: (() => void)[] = [];

  const source: MemorySource = {
    messages: [],

    publish(journal, turn, text) {
      source.messages.push({ journal, turn, text, storedMs: now(), sequence: ++sequence });
      const waiting = wake;
      wake = [];
      for (const one of waiting) one();
    },

    async end() {
      const lasts = new Map<JournalId, LastTurn>();
      for (const { journal, turn, storedMs } of source.messages) lasts.set(journal, { turn, storedMs });
      const turns = new Map([...lasts].map(([journal, { turn }]) => [journal, turn]));
      return { place: { created, seq: sequence, time: source.messages.at(-1)?.storedMs ?? 0, turns }, lasts };
    },

    async *read(from, signal, onGap) {
      const read = new Map(from.turns);
      let leave = () => {};
      signal.addEventListener('abort', () => leave(), { once: true });
      const first = source.messages[0]?.sequence ?? sequence + 1;
      if (first > from.seq + 1) onGap(lost(from, first));
      while (!signal.aborted) {
        const messages: LiveMessage[] = [];
        for (const message of source.messages) {
          if (message.turn <= (read.get(message.journal) ?? 0)) continue;
          read.set(message.journal, message.turn);
          messages.push(message);
        }
        if (messages.length > 0) yield { messages, created, ended: {} };
        else {
          await new Promise<void>((resolve) => {
            wake.push(resolve);
            leave = resolve;
          });
        }
      }
    },
  };
  return source;
}

const lost = ({ seq }: EventPlace, first: number): string =>
  `EVENTS has removed messages that nobody had read here: those from ${seq + 1} to ${first - 1}.`;
