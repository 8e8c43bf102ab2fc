import * as assert from 'uvu/assert';
import { postgresStatsFold } from '../../storage/lists/order-stats-fold.js';
import { postgresQueries } from '../../storage/lists/queries.js';
import { postgresSnapshots } from '../../storage/snapshots/snapshots.js';
import { statsLaws } from '../../storage/verify/stats-laws.js';
import { numbersContract } from './numbers.suite.js';
import { testDatabase } from './rig/storage-database.js';

const database = await testDatabase();
if (database !== undefined) {
  const { client, lists } = database;
  const { fold } = postgresStatsFold(client);
  const recount = async () => {
    for (const { text } of statsLaws) assert.equal(await lists.query('recount', text), []);
  };
  const queries = postgresQueries(client, lists);
  numbersContract('Postgres', { snapshots: postgresSnapshots(client), queries, fold, recount }, database.stop);
}
