/** The heartbeats in memory, for tests and the simulation. */
import type { NodeId } from '../../actors/ids.js';
import type { Members, Seen } from '../../actors/ports/members.js';

interface MemoryMembers extends Members {
  /** Forgets everything, as a broker does that was away. */
  lose(): void;
}

export function memoryMembers(): MemoryMembers {
  const last = new Map<NodeId, Seen>();
  let revision = 0;
  return {
    async put(heartbeat) {
      last.set(heartbeat.node, { heartbeat: structuredClone(heartbeat), revision: ++revision });
    },
    all: async () => [...last.values()],
    lose() {
      last.clear();
      revision = 0;
    },
  };
}
