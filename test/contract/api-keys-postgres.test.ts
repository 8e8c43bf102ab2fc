import { postgresApiKeys } from '../../storage/postgres/postgres-api-keys.js';
import { apiKeysContract } from './api-keys.suite.js';
import { testDatabase } from './rig/storage-database.js';

const database = await testDatabase();
if (database !== undefined) apiKeysContract('Postgres', postgresApiKeys(database.client), database.stop);
