import { postgresQueries } from '../../storage/queries.js';
import { postgresSettlements } from '../../storage/settlement.js';
import { postgresSnapshots } from '../../storage/snapshots.js';
import { storageContract } from './storage.suite.js';
import { testDatabase } from './storage-database.js';

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
