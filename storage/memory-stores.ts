/** The small twin: the settlement. */
import type { Settlements } from '../actors/ports.js';
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
