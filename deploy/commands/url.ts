// `holdfast url postgres` and `holdfast url nats` print the URL alone on standard output, for psql, the nats CLI and other nodes.
// Our own servers have several accounts; a given server has the one of its URL.

import { connect } from 'node:net';
import { parsePostgresUrl } from '../../storage/postgres/libpq-url.js';
import { NATS_ACCOUNTS, type NatsAccount, rememberedNats } from '../servers/nats-server.js';
import { POSTGRES_ACCOUNTS, type PostgresAccount, rememberedPostgresUrl } from '../servers/postgres-server.js';
import { findServers } from '../servers/servers.js';
import { type Command, type CommandGroup, EXIT, type Terminal } from './command.js';
import { say } from './place.js';
import { localAddresses } from './system.js';

const EXITS = '0: it answers; 1: it is known, and nothing answers there now; 2: not known';
const WITHOUT = "Without ACCOUNT it is a node's; people take reader.";

const urlOfServer = (of: 'postgres' | 'nats', what: string, accounts: readonly string[]): Command => ({
  name: of,
  summary: `Print where ${what}`,
  about: 'servers',
  arguments: [{ name: 'ACCOUNT', what: 'whose', words: accounts, isOptional: true }],
  notes: [WITHOUT],
  examples: [{ line: `url ${of} reader`, what: 'reads, and changes nothing' }],
  exits: EXITS,
  run: ({ arguments: [account = 'node'] }, terminal) => printUrl({ of, account } as UrlCommand, terminal), // The parser has checked the account.
});

export const urlCommands: CommandGroup = {
  name: 'url',
  summary: 'Print where the database, the broker or the API is',
  commands: [
    urlOfServer('postgres', 'the database is, for psql', POSTGRES_ACCOUNTS),
    urlOfServer('nats', 'the broker is, for the nats CLI', NATS_ACCOUNTS),
    {
      name: 'api',
      summary: 'Print where the node of this environment answers clients',
      about: 'servers',
      examples: [{ line: 'url api', what: 'for HOLDFAST_URL and curl' }],
      exits: EXITS,
      run: (_given, terminal) => printApi(terminal),
    },
  ],
};

const CONNECT_MS = 1_500;
const NATS_PORT = 4222;
const HTTP_PORT = 80;

type UrlCommand =
  | { readonly of: 'postgres'; readonly account: PostgresAccount }
  | { readonly of: 'nats'; readonly account: NatsAccount };

async function printUrl(command: UrlCommand, terminal: Terminal): Promise<number> {
  const config = terminal.config();
  const { dataDir } = config;
  const found = await findServers(config, dataDir);
  const given = command.of === 'postgres' ? found?.postgres : found?.nats?.url;
  if (given === undefined) {
    say(
      found === undefined
        ? `Nothing was ever started in DATA_DIR ${dataDir}: start it (npm start), or set DATA_DIR as the start has it.`
        : `The system in DATA_DIR ${dataDir} runs without NATS: its journal is in Postgres, and there is no EVENTS stream.`,
    );
    return EXIT.notUnderstood;
  }
  const isOurs = command.of === 'postgres' ? config.databaseUrl === undefined : config.natsUrls.length === 0;
  if (!isOurs && command.account !== 'node') {
    const variable = command.of === 'postgres' ? 'DATABASE_URL' : 'NATS_URL';
    say(
      `${variable} is set: that server's accounts are known to whoever made them (deploy/security), not to Holdfast.`,
    );
    return EXIT.notUnderstood;
  }
  const url = (isOurs ? await urlOf(command, dataDir) : given) ?? given;
  const hosts = command.of === 'postgres' ? parsePostgresUrl(url).hosts : natsHosts(url);
  return tell(
    url,
    hosts,
    terminal,
    `Nothing answers there now: start Holdfast (npm start) with DATA_DIR=${dataDir}, or the server.`,
  );
}

async function printApi(terminal: Terminal): Promise<number> {
  const [url] = localAddresses(terminal.config());
  if (url === undefined) {
    say('PORT=0 names no port: the log of the node says which it has.');
    return EXIT.notUnderstood;
  }
  const { hostname, port } = new URL(url);
  const host = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || HTTP_PORT) };
  return tell(url, [host], terminal, 'Nothing answers there now: start Holdfast (npm start).');
}

async function tell(url: string, hosts: readonly Host[], terminal: Terminal, silent: string): Promise<number> {
  if (!terminal.isJson) terminal.print(url); // At once: the answer of a slow host comes later.
  const answers = (await Promise.all(hosts.map(listens))).includes(true);
  if (terminal.isJson) terminal.answer({ url, answers }, []);
  if (answers) return EXIT.done;
  say(silent);
  return EXIT.refused;
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
