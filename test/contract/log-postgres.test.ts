import type { Log } from '../../actors/ports/log.js';
import { connectPostgres } from '../../storage/postgres/postgres.js';
import { postgresLog } from '../../storage/postgres/postgres-log.js';
import { logContract } from './log.suite.js';
import { testDatabase } from './rig/storage-database.js';

const database = await testDatabase();
if (database !== undefined) {
  // Two nodes write to one Postgres: each call goes to the other one than the last call.
  const other = connectPostgres(database.url, { max: 4 });
  const logs = [postgresLog(database.client), postgresLog(other)] as const;
  let calls = 0;
  const next = () => logs[++calls % 2 === 0 ? 0 : 1];
  const either: Log = {
    append: (...all) => next().append(...all),
    read: (...all) => next().read(...all),
    end: (...all) => next().end(...all),
    last: (...all) => next().last(...all),
    trim: (...all) => next().trim(...all),
  };
  logContract(
    'Postgres, by two clients in turn',
    () => either,
    async () => {
      await other.end();
      await database.stop();
    },
  );
}
