// Our own nats-server: its configuration, its start and stop, and what a broker reports about itself. It runs only under
// the lock of DATA_DIR. nats-server does not lock its folder, and two on one folder both acknowledge the same
// compare-and-set. So an orphan of an earlier start is ended before a new server starts.
//
// Law: it listens on 127.0.0.1 alone, with the accounts of deploy/security/nats-accounts.conf and random passwords. If the
// version supports it, an ack is an fsync. We report what the running server says about itself, not what its configuration
// asks for.

import { join } from 'node:path';
import { oldest } from '../../bus/nats/broker-guarantee.js';
import { type Child, endOrphan, type Log, startChild } from './children.js';
import { freePort, isFree } from './free-ports.js';
import { newPassword, recall, remember, writeWhole } from './kept-files.js';
import { isAtLeast, type NatsBinary } from './nats-binary.js';
import type { StopStep } from './processes.js';
import { securityFile } from './security-files.js';

/** The first version with `sync_interval`. An older one refuses to start on an unknown key. */
const KNOWS_SYNC: readonly [number, number] = [2, 10];
/** A start reads the whole JetStream folder. */
const READY_WITHIN_MS = 60_000;
const ASK_WITHIN_MS = 3000;
const START_TRIES = 3;
export const NATS_STOP: readonly StopStep[] = [{ signal: 'SIGTERM', waitMs: 2000 }];
/** One thread at a time, beside those that wait for the disk: its one client's messages come one after another. */
const RUNTIME = { GOMAXPROCS: '1' };

/** The users of nats-accounts.conf. */
export const NATS_ACCOUNTS = ['node', 'trim', 'edge', 'feed', 'backup', 'reader', 'operator'] as const;
export type NatsAccount = (typeof NATS_ACCOUNTS)[number];

/** What DATA_DIR remembers of its nats-server, in nats.json. */
interface NatsMemory {
  /** The node's. */
  readonly password: string;
  /** The other accounts'. A folder of an older version has none. */
  readonly passwords?: Readonly<Record<string, string>>;
  readonly port?: number;
  readonly monitorPort?: number;
}

interface NatsServer {
  /** The node's, with user and password in it. */
  readonly url: string;
  /** The same for the feeds. */
  readonly feedUrl: string;
  /** The same for trims. */
  readonly trimUrl: string;
  readonly monitorUrl: string;
  readonly version: string;
  readonly syncAlways: boolean;
  stop(): Promise<void>;
}

/** What is known of all brokers together. */
export interface BrokerFacts {
  /** The oldest among those that answer. */
  readonly version: string;
  /** Undefined: not all of them tell. */
  readonly syncAlways: boolean | undefined;
}

interface OneBroker extends BrokerFacts {
  readonly name: string;
  readonly syncAlways: boolean;
}

/** What a broker reports at its monitoring port; undefined if it does not answer in time. */
async function askBroker(monitorUrl: string): Promise<OneBroker | undefined> {
  try {
    const reply = await fetch(`${monitorUrl}/varz`, { signal: AbortSignal.timeout(ASK_WITHIN_MS) });
    const varz = (await reply.json()) as {
      version?: unknown;
      server_name?: unknown;
      jetstream?: { config?: { sync_always?: unknown } };
    };
    if (typeof varz.version !== 'string') return undefined;
    // An older version does not report it, and does not sync.
    const syncAlways = varz.jetstream?.config?.sync_always === true;
    return { version: varz.version, name: String(varz.server_name ?? ''), syncAlways };
  } catch {
    return undefined;
  }
}

/**
 * With fewer addresses than brokers it is not known that all sync.
 * @returns undefined if none answers
 */
export async function askBrokers(monitorUrls: readonly string[], brokers: number): Promise<BrokerFacts | undefined> {
  const answers = await Promise.all(monitorUrls.map(askBroker));
  const [first, ...others] = answers.flatMap((answer) => (answer === undefined ? [] : [answer]));
  if (first === undefined) return undefined;
  const all = [first, ...others];
  const isEachAsked = all.length === answers.length && all.length >= brokers;
  return {
    version: oldest([first.version, ...others.map(({ version }) => version)]),
    syncAlways: all.some(({ syncAlways }) => !syncAlways) ? false : isEachAsked || undefined,
  };
}

const memoryOf = (dataDir: string) => join(dataDir, 'nats.json');
export const userOf = (account: NatsAccount) => (account === 'node' ? 'holdfast' : `holdfast_${account}`);

/** The variable in nats-accounts.conf. */
export const passwordVariable = (account: NatsAccount) => `${userOf(account).toUpperCase()}_PASSWORD`;

const passwordOf = ({ password, passwords }: NatsMemory, account: NatsAccount) =>
  account === 'node' ? password : (passwords?.[account] ?? '');

const urlOf = (memory: NatsMemory, account: NatsAccount) =>
  `nats://${userOf(account)}:${passwordOf(memory, account)}@127.0.0.1:${memory.port}`;

/** This folder's own broker, running or not; undefined before its first start. */
export async function rememberedNats(
  dataDir: string,
  account: NatsAccount = 'node',
): Promise<{ url: string; monitorUrl: string } | undefined> {
  const memory = await recall<NatsMemory>(memoryOf(dataDir));
  if (memory?.port === undefined) return undefined;
  return { url: urlOf(memory, account), monitorUrl: `http://127.0.0.1:${memory.monitorPort}` };
}

/** Those that are known stay, and each account has one. */
function withPasswords(known: NatsMemory | undefined) {
  const others = NATS_ACCOUNTS.filter((account) => account !== 'node');
  return {
    password: known?.password ?? newPassword(),
    passwords: Object.fromEntries(others.map((account) => [account, known?.passwords?.[account] ?? newPassword()])),
  };
}

export async function startNats(
  dataDir: string,
  nodeId: string,
  binary: NatsBinary,
  log: Log,
  signal?: AbortSignal,
  /** The part of the broker's configuration about users. */
  accounts?: string,
): Promise<NatsServer> {
  await endOrphan(dataDir, 'nats', NATS_STOP, log);
  const known = await recall<NatsMemory>(memoryOf(dataDir));
  const passwords = withPasswords(known);
  const users = accounts ?? (await securityFile('nats-accounts.conf'));
  let [wantedPort, wantedMonitor] = [known?.port, known?.monitorPort];
  for (let tries = 1; ; tries++) {
    const port = await freePort(wantedPort);
    let monitorPort = await freePort(wantedMonitor);
    while (monitorPort === port) monitorPort = await freePort();
    const memory = { ...passwords, port, monitorPort };
    await remember(memoryOf(dataDir), memory);
    try {
      return await startOn(dataDir, `holdfast-${nodeId}`, binary, memory, users, log, signal);
    } catch (error) {
      const taken = !(await isFree(port)) || !(await isFree(monitorPort));
      if (!taken || tries >= START_TRIES) throw error;
      [wantedPort, wantedMonitor] = [undefined, undefined];
    }
  }
}

async function startOn(
  dataDir: string,
  name: string,
  binary: NatsBinary,
  memory: Required<NatsMemory>,
  accounts: string,
  log: Log,
  signal: AbortSignal | undefined,
): Promise<NatsServer> {
  const monitorUrl = `http://127.0.0.1:${memory.monitorPort}`;
  const file = join(dataDir, 'nats-server.conf');
  await writeWhole(file, configuration(dataDir, name, binary.version, memory, accounts));
  const child: Child = await startChild(
    dataDir,
    {
      name: 'nats',
      command: binary.command,
      args: ['--config', file],
      cwd: dataDir,
      env: { PATH: process.env.PATH, HOME: dataDir, ...RUNTIME },
      ready: async () => (await isHealthy(monitorUrl)) && (await askBroker(monitorUrl))?.name === name,
      readyWithinMs: READY_WITHIN_MS,
      stopSteps: NATS_STOP,
      signal,
    },
    log,
  );
  const facts = await askBroker(monitorUrl);
  if (facts === undefined) {
    await child.stop();
    throw new Error(`nats-server ${binary.version} started, but its monitoring at ${monitorUrl} does not answer.`);
  }
  return {
    url: urlOf(memory, 'node'),
    feedUrl: urlOf(memory, 'feed'),
    trimUrl: urlOf(memory, 'trim'),
    monitorUrl,
    version: facts.version,
    syncAlways: facts.syncAlways,
    stop: () => child.stop(),
  };
}

async function isHealthy(monitorUrl: string): Promise<boolean> {
  try {
    return (await fetch(`${monitorUrl}/healthz`, { signal: AbortSignal.timeout(ASK_WITHIN_MS) })).ok;
  } catch {
    return false;
  }
}

function configuration(
  dataDir: string,
  name: string,
  version: string,
  memory: Required<NatsMemory>,
  accounts: string,
): string {
  // The broker refuses to start on a variable that is not used.
  const used = NATS_ACCOUNTS.filter((account) => accounts.includes(`$${passwordVariable(account)}`));
  const sync = isAtLeast(version, KNOWS_SYNC) ? '  sync_interval: always\n' : '';
  return [
    '# Written anew at each start; changes are lost.',
    `server_name: ${JSON.stringify(name)}`,
    `listen: "127.0.0.1:${memory.port}"`,
    `http: "127.0.0.1:${memory.monitorPort}"`,
    'max_payload: 1048576',
    `jetstream {\n  store_dir: ${JSON.stringify(join(dataDir, 'nats'))}\n${sync}}`,
    ...used.map((account) => `${passwordVariable(account)}: ${JSON.stringify(passwordOf(memory, account))}`),
    accounts,
    '',
  ].join('\n');
}
