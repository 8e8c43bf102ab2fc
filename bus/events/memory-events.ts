/** Public events in memory, with the promises of jetstream-events.ts except durability. */

import type { JournalId } from '../../actors/ids.js';
import { EVENTS_SEAL } from '../../actors/node/cloud-events.js';
import type { EventLog, EventPlace } from '../../actors/ports/events.js';
import type { Appended, Position } from '../../actors/ports/log.js';

interface EventMessage {
  readonly position: Position;
  readonly n: number;
  readonly batch: string;
  readonly place: EventPlace;
}

export interface MemoryEvents extends EventLog {
  /** The messages of a journal's event log, oldest first. */
  messages(journal: JournalId): readonly EventMessage[];
  readonly journals: Iterable<JournalId>;
  /** Keeps only the messages from one index to another: a broker's crash removes the last, retention the first. */
  keep(journal: JournalId, from: number, to: number): void;
}

/** @param keptSinceMs what its retention says */
export function memoryEvents(keptSinceMs = Number.POSITIVE_INFINITY): MemoryEvents {
  const logs = new Map<JournalId, EventMessage[]>();
  let position: Position = 0;
  const messages = (journal: JournalId): readonly EventMessage[] => logs.get(journal) ?? [];

  return {
    messages,
    get journals() {
      return logs.keys();
    },
    keep(journal, from, to) {
      logs.set(journal, messages(journal).slice(from, to));
    },
    keptSinceMs: async () => keptSinceMs,
    async last(journal) {
      const last = messages(journal).at(-1);
      return last && { position: last.position, n: last.n, sealed: last.batch === EVENTS_SEAL };
    },
    async publish(journal, after, n, batch, place): Promise<Appended> {
      if ((messages(journal).at(-1)?.position ?? 0) !== after) return { kind: 'conflict' };
      position += 1;
      const log = logs.get(journal) ?? [];
      logs.set(journal, log);
      log.push({ position, n, batch, place });
      return { kind: 'appended', position };
    },
  };
}
