/**
 * Why a connection to Postgres failed, in words. Both drivers report codes of Postgres, the network or TLS.
 * Never shows a password.
 */
import type { PostgresTarget } from './libpq-url.js';

/** A pooler refuses start-up parameters, or ignores them. */
export const POOLER =
  'a pooler such as PgBouncer is in between, which does not pass on our settings: add pgbouncer=true to the URL (...?pgbouncer=true), or name Postgres itself';

type Who = Pick<PostgresTarget, 'user' | 'database'>;

/** @returns a clause that follows the host's name. */
export function whyNotConnected(error: unknown, { user, database }: Who): string {
  const { code, message } = codeOf(error);
  switch (code) {
    case '28P01':
      return `the password of user "${user}" is wrong`;
    case '28000':
      return `user "${user}" is not allowed in: ${message}`;
    case '3D000':
      return `there is no database "${database}"`;
    case '42501':
      return `user "${user}" may not use database "${database}"`;
    case '53300':
      return 'it has no connection left';
    case '57P03':
      return 'it is still starting, or shutting down';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'there is no host of this name';
    case 'ECONNREFUSED':
    case 'ENOENT':
      return 'nobody listens there';
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'CONNECT_TIMEOUT':
      return 'it does not answer';
  }
  if (/unsupported startup parameter/.test(message)) return POOLER;
  if (/password must be a string|no password/i.test(message)) return `it wants a password of user "${user}"`;
  if (/does not support SSL/i.test(message)) return 'it does not know TLS: sslmode=disable goes without';
  if (/CERT|TLS|SSL|SIGNATURE/.test(code)) return `its TLS certificate is not accepted: ${message}`;
  return /timeout/i.test(message) ? 'it does not answer' : message;
}

/** `localhost` has two addresses; Node reports both failures in one AggregateError. */
function codeOf(error: unknown): { readonly code: string; readonly message: string } {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return { code, message };
}
