/**
 * The log in memory, for the simulation and the contract suite. It keeps the port's promises except durability.
 *
 * Hazard 1: the head is stored beside the records, so a writer that slept cannot append again after a trim.
 */
import { limits } from '../../actors/limits.js';
import type { Entry, Log, Position } from '../../actors/ports/log.js';

interface MemoryLogOptions {
  /** Room for all records together; `reserveBytes` of it is for urgent records only. */
  readonly bytes?: number;
  readonly reserveBytes?: number;
  readonly pageRecords?: number;
}

export function memoryLog({
  bytes = limits.journalBytes,
  reserveBytes = limits.journalReserveBytes,
  pageRecords = 1_000,
}: MemoryLogOptions = {}): Log {
  const logs = new Map<string, { head: Position; entries: Entry[] }>();
  let used = 0;

  return {
    async append(log, after, record, options) {
      const stored = logs.get(log) ?? { head: 0, entries: [] };
      if (stored.head !== after) return { kind: 'conflict' };
      const room = options?.urgent === true ? bytes : bytes - reserveBytes;
      if (used + record.length > room) return { kind: 'full' };
      logs.set(log, stored);
      used += record.length;
      stored.head++;
      stored.entries.push({ position: stored.head, record });
      return { kind: 'appended', position: stored.head };
    },

    async read(log, after) {
      const entries = logs.get(log)?.entries ?? [];
      const from = firstAfter(entries, after);
      return entries.slice(from, from + pageRecords);
    },

    end: async (log) => logs.get(log)?.head ?? 0,

    last: async (log) => logs.get(log)?.entries.at(-1),

    async trim(log, upTo) {
      const entries = logs.get(log)?.entries ?? [];
      const count = Math.min(firstAfter(entries, upTo), entries.length - 1);
      if (count < 1) return;
      for (const { record } of entries.splice(0, count)) used -= record.length;
    },
  };
}

/** Index of the first entry past a position. */
function firstAfter(entries: readonly Entry[], after: Position): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle]?.position ?? 0) > after) high = middle;
    else low = middle + 1;
  }
  return low;
}
