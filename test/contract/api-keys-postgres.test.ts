import { postgresApiKeys } from '../../storage/api-keys.js';
import { apiKeysContract } from './api-keys.suite.js';
import { testDatabase } from './storage-database.js';

const database = await testDatabase();
if (database !== undefined) apiKeysContract('Postgres', postgresApiKeys(database.client), database.stop);
