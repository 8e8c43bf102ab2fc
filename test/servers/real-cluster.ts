// Three real nats-servers as a JetStream cluster on loopback, on free ports, each with a folder of its own. They run on the
// example that operators get (deploy/nats-cluster.conf) with its accounts; only its addresses and folders are replaced.
//
// Law: each broker is signalled by the pid of the child that was started here. When the test's process ends, none is left.

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { cp, mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../deploy/servers/free-ports.js';
import { isAtLeast } from '../../deploy/servers/nats-binary.js';
import { NATS_ACCOUNTS, type NatsAccount, passwordVariable, userOf } from '../../deploy/servers/nats-server.js';
import { patientMs, until } from '../deadlines.js';
import type { Certificate } from './certificates.js';
import { natsBinary, type Skipped } from './real-servers.js';

const NAMES = ['nats-1', 'nats-2', 'nats-3'] as const;
const TOGETHER_MS = 40_000;
const END_MS = 10_000;
const KEPT_OUTPUT = 200_000;
/** An older broker does not know `sync_interval`, and refuses to start on it. */
const KNOWS_SYNC = [2, 10] as const;

type Name = (typeof NAMES)[number];

const PASSWORD = 'the-same-for-all';
const PASSWORDS = Object.fromEntries(NATS_ACCOUNTS.map((account) => [passwordVariable(account), PASSWORD]));
const tlsOf = (tls: Certificate | undefined) =>
  tls && { NATS_TLS_CERT: tls.certificate, NATS_TLS_KEY: tls.key, NATS_TLS_CA: tls.authority };

interface Ports {
  readonly client: number;
  readonly monitor: number;
  readonly cluster: number;
}

const running = new Set<RealCluster>();
process.on('exit', () => {
  for (const cluster of running) cluster.raze();
});

export class RealCluster {
  private readonly children = new Map<Name, ChildProcess>();
  private readonly output = new Map<Name, string>();

  private constructor(
    private readonly command: string,
    readonly version: string,
    private readonly folder: string,
    private readonly ports: ReadonlyMap<Name, Ports>,
    private readonly tls: Certificate | undefined,
  ) {}

  /**
   * @param tls of all brokers, for 127.0.0.1. Without it they speak plainly.
   * @returns the brokers once they have a leader among them, or the reason if there is no nats-server.
   */
  static async start(version: '2.15' | '2.9' = '2.15', tls?: Certificate): Promise<RealCluster | Skipped> {
    const binary = await natsBinary(version);
    if ('missing' in binary) return { skipped: `no nats-server ${version}: ${binary.missing}` };
    const ports = await portsOf(NAMES);
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-cluster-'));
    const cluster = new RealCluster(binary.command, binary.version, folder, ports, tls);
    running.add(cluster);
    await cp('deploy/security', join(folder, 'security'), { recursive: true });
    for (const name of NAMES) {
      await mkdir(join(folder, name));
      await writeFile(cluster.fileOf(name), configuration(cluster.version, folder, name, ports, tls !== undefined));
      cluster.run(name);
    }
    if (!(await cluster.isTogether(TOGETHER_MS))) {
      await cluster.stop();
      throw new Error(`three brokers did not become a cluster:\n${cluster.lastWords()}`);
    }
    return cluster;
  }

  get names(): readonly Name[] {
    return NAMES;
  }

  /** All brokers, as in NATS_URL, with the account of a node. */
  get url(): string {
    return this.urlAs('node');
  }

  urlAs(account: NatsAccount): string {
    // The client compares a certificate with a name, never with an address.
    const [scheme, host] = this.tls === undefined ? ['nats', '127.0.0.1'] : ['tls', 'localhost'];
    const access = `${scheme}://${userOf(account)}:${PASSWORD}@${host}`;
    return NAMES.map((name) => `${access}:${this.portsOf(name).client}`).join(',');
  }

  /** All brokers, as in NATS_MONITOR_URL. */
  get monitorUrl(): string {
    return NAMES.map((name) => `http://127.0.0.1:${this.portsOf(name).monitor}`).join(',');
  }

  run(name: Name): void {
    const child = spawn(this.command, ['--config', this.fileOf(name)], {
      env: { PATH: process.env.PATH, NATS_NAME: name, GOMAXPROCS: '1', ...PASSWORDS, ...tlsOf(this.tls) },
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true, // A terminal's signals to the test must not reach it.
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      this.output.set(name, ((this.output.get(name) ?? '') + chunk.toString()).slice(-KEPT_OUTPUT));
    });
    this.children.set(name, child);
  }

  /** Those whose process is gone. */
  get gone(): readonly Name[] {
    return NAMES.filter((name) => hasEnded(this.children.get(name)));
  }

  /** Stops the process where it is. @returns what lets it go on */
  freeze(name: Name): () => void {
    const child = this.children.get(name);
    child?.kill('SIGSTOP');
    return () => void child?.kill('SIGCONT');
  }

  /** Resolves when the process is gone. */
  async kill(name: Name, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.children.get(name);
    if (child === undefined || hasEnded(child)) return;
    child.kill(signal);
    if (!(await until(() => hasEnded(child), END_MS))) throw new Error(`${name} did not end on ${signal}`);
  }

  /** Whether all brokers that run are in touch, and have streams that a majority of them can lead. */
  isTogether(withinMs: number): Promise<boolean> {
    return until(
      async () => {
        const names = NAMES.filter((name) => !this.gone.includes(name));
        return (await Promise.all(names.map((name) => this.isHealthy(name)))).every(Boolean);
      },
      withinMs,
      100,
    );
  }

  async stop(): Promise<void> {
    await Promise.all(NAMES.map((name) => this.kill(name, 'SIGTERM').catch(() => this.kill(name))));
    this.raze();
  }

  /** Kills at once, without waiting: for the end of the test's own process. */
  raze(): void {
    for (const child of this.children.values()) if (!hasEnded(child)) child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    running.delete(this);
  }

  lastWords(lines = 12): string {
    const last = (name: Name) => (this.output.get(name) ?? '').trim().split('\n').slice(-lines).join('\n');
    return NAMES.map((name) => `${name}:\n${last(name)}`).join('\n');
  }

  // -------------------------------------------------------------- machinery

  private fileOf(name: Name): string {
    return join(this.folder, `${name}.conf`);
  }

  private portsOf(name: Name): Ports {
    return portsIn(this.ports, name);
  }

  /** A broker says that it is well once every stream that it has a copy of has a leader, and its copy is current. */
  private async isHealthy(name: Name): Promise<boolean> {
    try {
      const signal = AbortSignal.timeout(patientMs(1_000));
      return (await fetch(`http://127.0.0.1:${this.portsOf(name).monitor}/healthz`, { signal })).ok;
    } catch {
      return false;
    }
  }
}

const hasEnded = (child: ChildProcess | undefined): boolean =>
  child === undefined || child.exitCode !== null || child.signalCode !== null;

async function portsOf(names: readonly Name[]): Promise<ReadonlyMap<Name, Ports>> {
  const drawn = new Set<number>();
  const draw = async (): Promise<number> => {
    const port = await freePort();
    if (drawn.has(port)) return draw();
    drawn.add(port);
    return port;
  };
  const ports = new Map<Name, Ports>();
  for (const name of names) {
    ports.set(name, { client: await draw(), monitor: await draw(), cluster: await draw() });
  }
  return ports;
}

function portsIn(ports: ReadonlyMap<Name, Ports>, name: Name): Ports {
  const found = ports.get(name);
  if (found === undefined) throw new Error(`there is no broker ${name}`);
  return found;
}

/** The example of the operators, on loopback. */
function configuration(
  version: string,
  folder: string,
  name: Name,
  ports: ReadonlyMap<Name, Ports>,
  isSecured: boolean,
): string {
  const mine = portsIn(ports, name);
  const replaced: readonly [string, string][] = [
    ['0.0.0.0:4222', `127.0.0.1:${mine.client}`],
    ['0.0.0.0:8222', `127.0.0.1:${mine.monitor}`],
    ['0.0.0.0:6222', `127.0.0.1:${mine.cluster}`],
    ['"/data"', JSON.stringify(join(folder, name))],
    ...NAMES.map((each): [string, string] => [`${each}:6222`, `127.0.0.1:${portsIn(ports, each).cluster}`]),
    ...(isSecured ? [['# include', 'include'] as [string, string]] : []),
    ...(isAtLeast(version, KNOWS_SYNC) ? [] : [['sync_interval: always', ''] as [string, string]]),
  ];
  let text = readFileSync('deploy/nats-cluster.conf', 'utf8');
  for (const [from, to] of replaced) {
    if (!text.includes(from)) throw new Error(`deploy/nats-cluster.conf does not have ${from}`);
    text = text.replaceAll(from, to);
  }
  return text;
}
