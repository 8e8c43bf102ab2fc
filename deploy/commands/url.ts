// `holdfast url postgres` and `holdfast url nats` print the URL alone on standard output, for psql, the nats CLI and other nodes.
// Our own servers have several accounts; a given server has the one of its URL.

import { connect } from 'node:net';
import { parsePostgresUrl } from '../../storage/postgres/libpq-url.js';
import type { Config } from '../config/config.js';
import { NATS_ACCOUNTS, type NatsAccount, rememberedNats } from '../servers/nats-server.js';
import { POSTGRES_ACCOUNTS, type PostgresAccount, rememberedPostgresUrl } from '../servers/postgres-server.js';
import { findServers } from '../servers/servers.js';
import { print, say } from './place.js';

export const URL_USAGE = `  holdfast url postgres [ACCOUNT]
                          print where the database is, for psql; accounts: ${POSTGRES_ACCOUNTS.join(', ')}
  holdfast url nats [ACCOUNT]
                          print where the broker is, for the nats CLI; accounts: ${NATS_ACCOUNTS.join(', ')}
                          without ACCOUNT it is a node's; people take reader
                          exit 0: it answers; 1: it is known, and nothing answers there now; 2: not known`;

const EXIT_ANSWERS = 0;
const EXIT_SILENT = 1;
const EXIT_UNKNOWN = 2;
const CONNECT_MS = 1_500;
const NATS_PORT = 4222;

type UrlCommand =
  | { readonly of: 'postgres'; readonly account: PostgresAccount }
  | { readonly of: 'nats'; readonly account: NatsAccount };

/** Undefined for what it does not understand. */
export function readUrlCommand([of, account = 'node', ...more]: readonly string[]): UrlCommand | undefined {
  const [postgres, nats] = [
    POSTGRES_ACCOUNTS.find((each) => each === account),
    NATS_ACCOUNTS.find((each) => each === account),
  ];
  if (more.length > 0) return undefined;
  if (of === 'postgres' && postgres !== undefined) return { of, account: postgres };
  return of === 'nats' && nats !== undefined ? { of, account: nats } : undefined;
}

export async function printUrl(config: Config, command: UrlCommand): Promise<number> {
  const { dataDir } = config;
  const found = await findServers(config, dataDir);
  const given = command.of === 'postgres' ? found?.postgres : found?.nats?.url;
  if (given === undefined) {
    say(
      found === undefined
        ? `Nothing was ever started in DATA_DIR ${dataDir}: start it (npm start), or set DATA_DIR as the start has it.`
        : `The system in DATA_DIR ${dataDir} runs without NATS: its journal is in Postgres, and there is no EVENTS stream.`,
    );
    return EXIT_UNKNOWN;
  }
  const isOurs = command.of === 'postgres' ? config.databaseUrl === undefined : config.natsUrls.length === 0;
  if (!isOurs && command.account !== 'node') {
    const variable = command.of === 'postgres' ? 'DATABASE_URL' : 'NATS_URL';
    say(
      `${variable} is set: that server's accounts are known to whoever made them (deploy/security), not to Holdfast.`,
    );
    return EXIT_UNKNOWN;
  }
  const url = (isOurs ? await urlOf(command, dataDir) : given) ?? given;
  print(url);
  const hosts = command.of === 'postgres' ? parsePostgresUrl(url).hosts : natsHosts(url);
  if ((await Promise.all(hosts.map(listens))).includes(true)) return EXIT_ANSWERS;
  say(`Nothing answers there now: start Holdfast (npm start) with DATA_DIR=${dataDir}, or the server.`);
  return EXIT_SILENT;
}

const urlOf = async (command: UrlCommand, dataDir: string): Promise<string | undefined> =>
  command.of === 'postgres'
    ? rememberedPostgresUrl(dataDir, command.account)
    : (await rememberedNats(dataDir, command.account))?.url;

interface Host {
  readonly host: string;
  readonly port: number;
}

const natsHosts = (list: string): Host[] =>
  list.split(',').map((text) => {
    const url = new URL(text);
    return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || NATS_PORT) };
  });

function listens({ host, port }: Host): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(CONNECT_MS, () => end(false));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
