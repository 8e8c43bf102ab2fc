/** The small twins: the settlement and the gremlin's switch. */
import type { GremlinStanding } from '../actors/gremlin.js';
import type { Clock, GremlinSwitch, Settlements } from '../actors/ports.js';
import type { Settlement } from '../actors/settlement.js';

export function memorySettlements(): Settlements {
  let stands: Settlement | undefined;
  return {
    settled: async () => stands,
    async settle(mine) {
      stands ??= mine;
      return stands;
    },
  };
}

export function memoryGremlinSwitch(clock: Pick<Clock, 'now'>): GremlinSwitch {
  let stands: GremlinStanding | undefined;
  const standing = () => {
    const restMs = (stands?.until ?? 0) - clock.now();
    return stands && restMs > 0 ? { ...stands, restMs } : undefined;
  };
  return {
    async enable(id, setting, forMs) {
      const since = clock.now();
      stands = { id, setting, since, until: since + forMs, restMs: forMs };
      return stands;
    },
    async disable() {
      stands = undefined;
    },
    standing: async () => standing(),
  };
}
