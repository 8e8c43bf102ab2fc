/** The system's fixed settings, settled once. The first insert wins when several nodes start at the same moment. */

import type { Settlement } from '../../actors/ports/settlement.js';
import type { Settlements } from '../../actors/ports/snapshots.js';
import type { PostgresClient } from './postgres.js';

const INSERT = `insert into settlement (id, partitions, journal, seed) values ($1, $2, $3, $4)
  on conflict (one) do nothing`;

const SELECT = 'select id, partitions, journal, seed from settlement';

export function postgresSettlements(client: PostgresClient): Settlements {
  const settled = async () => (await client.query<Settlement>('read what was settled', SELECT))[0];
  return {
    settled,
    async settle({ id, partitions, journal, seed }) {
      await client.query('settle what this system is', INSERT, [id, partitions, journal, seed]);
      const stored = await settled();
      if (stored === undefined) throw new Error('the settlement vanished while it was made: start again');
      return stored;
    },
  };
}
