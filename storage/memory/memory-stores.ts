/** Small stores in memory: the settlement, the gremlin's switch and the keys of receipts. */

import type { GremlinSwitch } from '../../actors/ports/gremlin.js';
import type { GremlinStanding } from '../../actors/ports/gremlin-setting.js';
import type { ReceiptKeys } from '../../actors/ports/receipt-keys.js';
import type { Clock } from '../../actors/ports/runtime.js';
import type { Settlement } from '../../actors/ports/settlement.js';
import type { Settlements } from '../../actors/ports/snapshots.js';

export function memorySettlements(): Settlements {
  let stored: Settlement | undefined;
  return {
    settled: async () => stored,
    async settle(mine) {
      stored ??= mine;
      return stored;
    },
  };
}

export function memoryReceiptKeys(): ReceiptKeys {
  const taken = new Map<string, string>();
  return {
    async take(ref, fingerprint) {
      const first = taken.get(ref) ?? fingerprint;
      taken.set(ref, first);
      return first;
    },
  };
}

export function memoryGremlinSwitch(clock: Pick<Clock, 'now'>): GremlinSwitch {
  let stored: GremlinStanding | undefined;
  const standing = () => {
    const restMs = (stored?.until ?? 0) - clock.now();
    return stored && restMs > 0 ? { ...stored, restMs } : undefined;
  };
  return {
    async enable(id, setting, forMs) {
      const since = clock.now();
      stored = { id, setting, since, until: since + forMs, restMs: forMs };
      return stored;
    },
    async disable() {
      stored = undefined;
    },
    standing: async () => standing(),
  };
}
