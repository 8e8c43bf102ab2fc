// A server that cannot be used is said with the variable that names it: what is wrong is there, or in the server.

import { CannotReachNats } from '../bus/nats/nats.js';
import { CannotConnect } from '../storage/postgres/migrate.js';
import { withoutSecrets } from './config/config.js';

/** @param url as it was given; undefined: the server is ours. */
export function explained<T>(asked: Promise<T>, url: string | undefined): Promise<T> {
  return asked.catch((error: unknown) => {
    throw explanation(error, url);
  });
}

function explanation(error: unknown, url: string | undefined): unknown {
  const isPostgres = error instanceof CannotConnect;
  if (!isPostgres && !(error instanceof CannotReachNats)) return error;
  const name = isPostgres ? 'Postgres' : 'NATS';
  if (url === undefined) return new Error(`Our own ${name} cannot be used: ${error.message}.`, { cause: error });
  const variable = isPostgres ? 'DATABASE_URL' : 'NATS_URL';
  const shown = withoutSecrets(url);
  const also = isPostgres ? ' (or PGPASSWORD and its like, where the URL leaves something out)' : '';
  return new Error(`${name} cannot be used: ${error.message}. Correct ${variable}=${shown}${also}.`, { cause: error });
}
