import { postgresLog } from '../../storage/postgres/postgres-log.js';
import { logContract } from './log.suite.js';
import { testDatabase } from './rig/storage-database.js';

const database = await testDatabase();
if (database !== undefined) logContract('Postgres', () => postgresLog(database.client), database.stop);
