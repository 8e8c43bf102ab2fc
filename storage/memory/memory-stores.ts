/** The small twins: the settlement and the gremlin's switch. */

import type { GremlinSwitch } from '../../actors/ports/gremlin.js';
import type { GremlinStanding } from '../../actors/ports/gremlin-setting.js';
import type { Clock } from '../../actors/ports/runtime.js';
import type { Settlement } from '../../actors/ports/settlement.js';
import type { Settlements } from '../../actors/ports/snapshots.js';

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
