/** Public events in memory, with the promises of jetstream-events.ts except durability. */

import type { JournalId } from '../../actors/ids.js';
import { EVENTS_SEAL } from '../../actors/node/cloud-events.js';
import type { EventLog } from '../../actors/ports/events.js';
import type { Appended, Position } from '../../actors/ports/log.js';

interface EventMessage {
  readonly position: Position;
  readonly n: number;
  readonly batch: string;
}

export interface MemoryEvents extends EventLog {
  /** The messages of a journal's event log, oldest first. */
  messages(journal: JournalId): readonly EventMessage[];
  /** Keeps only the messages from one index to another: a broker's crash removes the last, retention the first. */
  keep(journal: JournalId, from: number, to: number): void;
}

export function memoryEvents(): MemoryEvents {
  const logs = new Map<JournalId, EventMessage[]>();
  let position: Position = 0;
  const messages = (journal: JournalId): readonly EventMessage[] => logs.get(journal) ?? [];

  return {
    messages,
    keep(journal, from, to) {
      logs.set(journal, messages(journal).slice(from, to));
    },
    async last(journal) {
      const last = messages(journal).at(-1);
      return last && { position: last.position, n: last.n, sealed: last.batch === EVENTS_SEAL };
    },
    async publish(journal, after, n, batch): Promise<Appended> {
      if ((messages(journal).at(-1)?.position ?? 0) !== after) return { kind: 'conflict' };
      position += 1;
      const log = logs.get(journal) ?? [];
      logs.set(journal, log);
      log.push({ position, n, batch });
      return { kind: 'appended', position };
    },
  };
}
