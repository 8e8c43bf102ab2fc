// The error about a server that cannot be used names the variable to correct. The fault is in that variable or in the server.

import { CannotReachNats } from '../bus/nats/cannot-reach-nats.js';
import { CannotConnect } from '../storage/postgres/migrate.js';
import { withoutSecrets } from './config/config.js';

/**
 * @param url the URL as given in the environment; undefined: the server is our own
 * @param variable where it was given
 */
export function explained<T>(opening: Promise<T>, url: string | undefined, variable: string): Promise<T> {
  return opening.catch((error: unknown) => {
    throw explanation(error, url, variable);
  });
}

function explanation(error: unknown, url: string | undefined, variable: string): unknown {
  const isPostgres = error instanceof CannotConnect;
  if (!isPostgres && !(error instanceof CannotReachNats)) return error;
  const name = isPostgres ? 'Postgres' : 'NATS';
  if (url === undefined) return new Error(`Our own ${name} cannot be used: ${error.message}.`, { cause: error });
  const shown = withoutSecrets(url);
  const also = isPostgres ? ' (or PGPASSWORD and its like, where the URL leaves something out)' : '';
  return new Error(`${name} cannot be used: ${error.message}. Correct ${variable}=${shown}${also}.`, { cause: error });
}
