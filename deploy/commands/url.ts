// `holdfast url postgres` and `holdfast url nats` print the URL alone on standard output, for psql and the nats CLI.

import { connect } from 'node:net';
import { parsePostgresUrl } from '../../storage/postgres/libpq-url.js';
import type { Config } from '../config/config.js';
import { findServers } from '../servers/servers.js';
import { print, say } from './place.js';

export const URL_USAGE = `  holdfast url postgres   print where the database is, for psql
  holdfast url nats       print where the broker is, for the nats CLI
                          exit 0: it answers; 1: it is known, and nothing answers there now; 2: not known`;

const EXIT_ANSWERS = 0;
const EXIT_SILENT = 1;
const EXIT_UNKNOWN = 2;
const CONNECT_MS = 1_500;
const NATS_PORT = 4222;

type Server = 'postgres' | 'nats';

export async function printUrl(config: Config, of: Server): Promise<number> {
  const { dataDir } = config;
  const found = await findServers(config, dataDir);
  const url = of === 'postgres' ? found?.postgres : found?.nats?.url;
  if (url === undefined) {
    say(
      found === undefined
        ? `Nothing was ever started in DATA_DIR ${dataDir}: start it (npm start), or set DATA_DIR as the start has it.`
        : `The system in DATA_DIR ${dataDir} runs without NATS: its journal is in Postgres, and there is no EVENTS stream.`,
    );
    return EXIT_UNKNOWN;
  }
  print(url);
  const hosts = of === 'postgres' ? parsePostgresUrl(url).hosts : natsHosts(url);
  if ((await Promise.all(hosts.map(listens))).includes(true)) return EXIT_ANSWERS;
  say(`Nothing answers there now: start Holdfast (npm start) with DATA_DIR=${dataDir}, or the server.`);
  return EXIT_SILENT;
}

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
