import { postgresQueries } from '../../storage/lists/queries.js';
import { postgresSettlements } from '../../storage/postgres/postgres-settlement.js';
import { postgresSnapshots } from '../../storage/snapshots/snapshots.js';
import { testDatabase } from './rig/storage-database.js';
import { storageContract } from './storage.suite.js';

const database = await testDatabase();
if (database !== undefined) {
  const { client, lists } = database;
  const stores = {
    snapshots: postgresSnapshots(client),
    queries: postgresQueries(client, lists),
    settlements: postgresSettlements(client),
  };
  storageContract('Postgres', stores, database.stop);
}
