// A database for a test file, with Holdfast's tables: on a real Postgres of its own, or on the one of
// TEST_DATABASE_URL.

import { limits } from '../../../actors/limits.js';
import { migrate } from '../../../storage/postgres/migrate.js';
import { connectPostgres, type PostgresClient } from '../../../storage/postgres/postgres.js';
import { patientMs } from '../../deadlines.js';
import { realPostgres } from '../../servers/real-servers.js';

interface TestDatabase {
  readonly url: string;
  readonly client: PostgresClient;
  /** The client for lists, configured as in the product. */
  readonly lists: PostgresClient;
  stop(): Promise<void>;
}

/** Prints SKIP and why, and returns undefined, if there is no Postgres. */
export async function testDatabase(): Promise<TestDatabase | undefined> {
  const given = process.env.TEST_DATABASE_URL;
  const server = given === undefined ? await realPostgres() : { url: given, stop: async () => {} };
  if ('skipped' in server) {
    console.log(`SKIP ${server.skipped}`);
    return undefined;
  }
  const admin = connectPostgres(server.url, { max: 1 });
  const name = `holdfast_test_${process.pid}_${Date.now().toString(36)}`;
  await admin.query('make the test database', `create database ${name}`, [], 20_000);
  const url = server.url.replace(/\/[^/?]*(\?|$)/, `/${name}$1`);
  const ran = await Promise.all([migrate(url), migrate(url)]);
  // Each migration runs once, whichever of the two starts it.
  if (ran.flat().length === 0 || new Set(ran.flat()).size !== ran.flat().length)
    throw new Error(`two migrators at once ran ${JSON.stringify(ran)}`);
  const statementMs = patientMs(limits.statementMs);
  const client = connectPostgres(url, { max: 4, statementMs });
  const lists = connectPostgres(url, { max: 2, statementMs, planAnew: true });
  return {
    url,
    client,
    lists,
    async stop() {
      // A child server does not keep this process alive.
      const awake = setInterval(() => {}, 1_000);
      await Promise.all([client.end(), lists.end()]);
      await admin.query('drop the test database', `drop database ${name} with (force)`, [], 20_000);
      await admin.end();
      await server.stop();
      clearInterval(awake);
    },
  };
}
