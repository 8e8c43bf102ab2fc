import { postgresLog } from '../../storage/postgres-log.js';
import { logContract } from './log.suite.js';
import { testDatabase } from './storage-database.js';

const database = await testDatabase();
if (database !== undefined) logContract('Postgres', () => postgresLog(database.client), database.stop);
