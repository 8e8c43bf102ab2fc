/**
 * Parses a libpq URL (postgresql.org/docs/current/libpq-connect.html) with several hosts, Unix sockets and every
 * sslmode. The two drivers each read these differently, so they are parsed here once.
 */
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import type { ConnectionOptions } from 'node:tls';

export interface PostgresTarget {
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  readonly database: string;
  readonly user: string;
  readonly password: string;
  /** `prefer`: encrypted if the server supports it. */
  readonly tls: false | 'prefer' | ConnectionOptions;
  readonly sessionAttributes: string | undefined;
  readonly applicationName: string | undefined;
  /** Behind a pooler that gives each transaction another connection, such as PgBouncer: `pgbouncer=true`. */
  readonly isPooled: boolean;
  /** libpq's `options`, such as `-c search_path=x`. */
  readonly options: string | undefined;
}

const SHAPE = /^postgres(?:ql)?:\/\/(?:([^:@/?]*)(?::([^@/?]*))?@)?([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/;
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|::1|\/.*)$/;

/** @throws Error with a sentence about the fault in the URL. It never contains the password. */
export function parsePostgresUrl(url: string, env: NodeJS.ProcessEnv = process.env): PostgresTarget {
  const shape = SHAPE.exec(url.trim());
  if (shape === null) {
    throw new Error('the Postgres URL has an unknown form: write postgres://user:password@host:5432/database');
  }
  const [, user = '', password = '', authority = '', database = '', query = ''] = shape;
  const parameters = new URLSearchParams(query);
  const hosts = hostsOf(
    parameters.get('host') ?? decode(authority),
    parameters.get('port') ?? env.PGPORT ?? '5432',
    env,
  );
  const isPooled = /^(true|1|on)$/.test(parameters.get('pgbouncer') ?? '');
  if (isPooled && parameters.has('options')) {
    throw new Error(
      'the Postgres URL has pgbouncer=true and options, which PgBouncer does not pass on: give the role these settings instead (alter role ... set ...)',
    );
  }
  const name = decode(user) || parameters.get('user') || env.PGUSER || userInfo().username;
  return {
    hosts,
    database: decode(database) || parameters.get('dbname') || env.PGDATABASE || name,
    user: name,
    password: decode(password) || parameters.get('password') || env.PGPASSWORD || '',
    tls: tlsOf(parameters, hosts[0]?.host ?? '', env),
    sessionAttributes: parameters.get('target_session_attrs') ?? undefined,
    applicationName: parameters.get('application_name') ?? undefined,
    isPooled,
    options: parameters.get('options') ?? undefined,
  };
}

function hostsOf(list: string, ports: string, env: NodeJS.ProcessEnv): { host: string; port: number }[] {
  const portList = ports.split(',');
  return (list || env.PGHOST || 'localhost').split(',').map((entry, i) => {
    const [, bracketed, plain = '', own] = /^(?:\[([^\]]*)\]|([^:]*|[^:]*:[^:]*:.*?))(?::(\d+))?$/.exec(entry) ?? [];
    const host = bracketed ?? plain;
    const port = Number(own ?? portList[i] ?? portList[0]);
    if (host === '' || !Number.isInteger(port) || port < 1 || port > 65_535) {
      throw new Error(`the Postgres URL names no usable host and port in '${entry}': write host:5432`);
    }
    return { host, port };
  });
}

function tlsOf(parameters: URLSearchParams, host: string, env: NodeJS.ProcessEnv): PostgresTarget['tls'] {
  const mode = parameters.get('sslmode') ?? env.PGSSLMODE ?? (LOOPBACK.test(host) ? 'disable' : 'prefer');
  const file = (name: string) => {
    const path = parameters.get(name);
    return path === null || path === 'system' ? undefined : readFileSync(path);
  };
  if (mode === 'disable' || host.startsWith('/')) return false;
  if (mode === 'allow' || mode === 'prefer') return 'prefer';
  const ca = file('sslrootcert');
  const [cert, key] = [file('sslcert'), file('sslkey')];
  const files = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
  if (mode === 'require' && ca === undefined) return { ...files, rejectUnauthorized: false };
  if (mode === 'require' || mode === 'verify-ca') return { ...files, checkServerIdentity: () => undefined };
  // Node checks the certificate against `host`. Needed for an IP address, since TLS sends only names (SNI).
  if (mode === 'verify-full') return { ...files, host };
  throw new Error(
    `the Postgres URL asks for the unknown sslmode '${mode}': choose disable, allow, prefer, require, verify-ca or verify-full`,
  );
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error('the Postgres URL holds a % that starts no escape: write %25 for a percent sign');
  }
}
