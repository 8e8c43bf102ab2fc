import { postgresWebhookQueue } from '../../storage/postgres/postgres-webhook-queue.js';
import { postgresWebhooks } from '../../storage/postgres/postgres-webhooks.js';
import { testDatabase } from './rig/storage-database.js';
import { webhooksContract } from './webhooks.suite.js';

const database = await testDatabase();
if (database !== undefined) {
  const { client, stop } = database;
  webhooksContract('Postgres', { webhooks: postgresWebhooks(client), queue: postgresWebhookQueue(client) }, stop);
}
