// A scene (scene.ts) as processes: each with the command and the environment that its file gives it. Replaced are addresses
// and folders alone, as all hosts are this machine, and the image's own part of a start (Postgres' first initdb, and the files that
// it then runs).
//
// Law: only loopback. Each process is signalled by the pid of the child that was started here; none outlives the test.

import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { freePort } from '../../deploy/servers/free-ports.js';
import { findPostgres } from '../../deploy/servers/postgres-binary.js';
import { markOf, type RunResult, run } from '../../deploy/servers/processes.js';
import { unprivilegedUser } from '../../deploy/servers/server-user.js';
import { patientMs } from '../deadlines.js';
import { type Environment, RealSystem } from '../faults/rig/real-system.js';
import { redisBinary } from '../servers/real-redis.js';
import { natsBinary, type Skipped } from '../servers/real-servers.js';
import { SpawnedServer } from '../servers/spawned-server.js';
import type { Part, Scene } from './scene.js';

const START_MS = 60_000;
const SHORT_MS = 60_000;
/** What ends before it is ready is started again: a broker of a first start may not answer in time, a port may be taken meanwhile. */
const STARTS = 3;
const BROKER_PORTS = [4222, 6222, 8222];
/** Of Postgres' image. */
const FIRST_START = '/docker-entrypoint-initdb.d/';

const staged = new Set<Stage>();
process.on('exit', () => {
  for (const stage of staged) stage.raze();
});

export class Stage {
  readonly nodes: RealSystem[] = [];
  /** The feeds and the backup, once they were started. */
  private readonly others: RealSystem[] = [];
  private readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-deployed-'));
  /** What stands in a file, and what stands for it here. */
  private readonly replaced: [string, string][] = [];
  private readonly servers = new Map<string, SpawnedServer>();
  private readonly ports = new Set<number>();
  /** This machine, by a name that certificates have: clients of NATS compare no certificate with an address. */
  private readonly here: string;

  private constructor(
    readonly scene: Scene,
    private readonly nats: string,
    private readonly postgres: string,
    private readonly redis: { readonly command: string; readonly env: NodeJS.ProcessEnv },
  ) {
    this.here = scene.isSecured ? 'localhost' : '127.0.0.1';
  }

  /** Starts the servers, and then all nodes at once. @returns the reason if a server is missing */
  static async build(scene: Scene): Promise<Stage | Skipped> {
    const nats = await natsBinary();
    if ('missing' in nats) return { skipped: `no nats-server: ${nats.missing}` };
    const postgres = await findPostgres(tmpdir(), unprivilegedUser());
    if ('missing' in postgres) return { skipped: `no Postgres: ${postgres.missing}` };
    const redis = await redisBinary();
    if ('missing' in redis) return { skipped: `no redis-server: ${redis.missing}` };
    const { folder } = postgres.binaries;
    const psql = await run('psql', ['--version'], { deadlineMs: patientMs(SHORT_MS), env: { PATH: pathTo(folder) } });
    if (psql.code !== 0) return { skipped: 'no psql, which makes the roles of Postgres' };
    const stage = new Stage(scene, nats.command, folder, redis);
    staged.add(stage);
    try {
      chmodSync(stage.folder, 0o755); // As root, Postgres runs as another user, who must get through.
      await Promise.all([stage.startPostgres(), stage.startBrokers(), stage.startRedis()]);
      await Promise.all(scene.nodes.map((part) => stage.startNode(part)));
    } catch (error) {
      await stage.strike();
      throw error;
    }
    return stage;
  }

  /** A node with an empty folder, as a new pod has it. @returns once it is ready */
  async startNode(part: Part): Promise<RealSystem> {
    if (part.before !== undefined) {
      const ended = await this.runOnce(part.before);
      if (ended.code !== 0) throw new Error(`${part.before.command.join(' ')}: ${ended.output}`);
    }
    return this.startOurs(part, this.nodes);
  }

  /**
   * A process that is no node, with an empty folder.
   * @param variable has the port that it has. It is another one here.
   * @returns once it is ready
   */
  async startOther(
    part: Part,
    variable: 'INVENTORY_PORT' | 'BACKUP_PORT',
    more: Environment = {},
  ): Promise<RealSystem> {
    const { [variable]: given = '' } = part.environment;
    const port = await this.port();
    this.replaced.push([`${part.host}:${given}`, `127.0.0.1:${port}`]);
    return this.startOurs(part, this.others, { [variable]: String(port), ...more }, port);
  }

  /** What a cluster does to delete a pod and to start it again: the command before the stop, SIGTERM, and SIGKILL after the grace. */
  async restartBroker(host: string, preStop: readonly string[], graceMs: number): Promise<void> {
    const server = this.servers.get(host);
    if (server === undefined) throw new Error(`there is no broker ${host}`);
    const args = preStop.slice(1).map((word) => word.replace('/tmp', join(this.folder, host)));
    const told = await run(this.nats, args, { deadlineMs: patientMs(SHORT_MS) });
    if (told.code !== 0) throw new Error(`${preStop.join(' ')}: ${told.output}`);
    const killed = setTimeout(() => void server.kill(), patientMs(graceMs));
    await server.kill('SIGTERM');
    clearTimeout(killed);
    await server.start(() => answers(`${this.local(`http://${host}:8222`)}/healthz`), `${host} does not start again`);
  }

  /** Runs the command of a container to its end, with the container's environment. */
  async runOnce(part: Part): Promise<RunResult> {
    const { command, environment } = this.laid(part);
    const [program = '', ...args] = command;
    const [PGHOST, PGPORT] = this.local(`${environment.PGHOST}:5432`).split(':');
    const where = environment.PGHOST === undefined ? {} : { PGHOST, PGPORT };
    const env = { ...environment, ...where, PATH: pathTo(this.postgres) };
    return run(program === 'node' ? process.execPath : program, args, { deadlineMs: patientMs(SHORT_MS), env });
  }

  async strike(): Promise<void> {
    for (const node of [...this.others, ...this.nodes]) await node.demolish();
    // Postgres ends its sessions on SIGQUIT, and waits for nobody.
    for (const [name, server] of this.servers) await server.kill(name === 'postgres' ? 'SIGQUIT' : 'SIGKILL');
    this.raze();
  }

  /** Its files, at the end of the test's own process. */
  raze(): void {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    staged.delete(this);
  }

  get words(): string {
    const servers = [...this.servers].map(([name, { said }]) => `${name}:\n${said.split('\n').slice(-5).join('\n')}`);
    return [
      ...[...this.nodes, ...this.others].map((node) => `${node.env.NODE_NAME}:\n${node.lastWords(8)}`),
      ...servers,
    ].join('\n');
  }

  // -------------------------------------------------------------- machinery

  /** @param port where its health is asked for; without it the first of a node */
  private async startOurs(part: Part, kept: RealSystem[], more: Environment = {}, port?: number): Promise<RealSystem> {
    const { environment } = this.laid(part);
    // Its own ports and folder, on loopback.
    const { PORT: _, INVENTORY_PORT: inventory, DATA_DIR: ___, HOST: ____, ...given } = environment;
    const none = inventory === 'none' ? { INVENTORY_PORT: 'none' } : {};
    for (let starts = 1; ; starts++) {
      // RealSystem has roles of its own for other tests: empty is what no variable is.
      const system = await RealSystem.build({ ROLES: '', ...given, ...none, ...more });
      if ('skipped' in system) throw new Error(system.skipped);
      kept.push(system);
      system.open({ PATH: pathTo(this.postgres) }, process.execPath, part.command.slice(1));
      try {
        await system.ready(START_MS, port);
        return system;
      } catch (error) {
        if (starts === STARTS || markOf(system.pid) !== undefined) throw error;
        console.log(`  ${system.env.NODE_NAME} ended and is started again: ${system.lastWords(1)}`);
        kept.splice(kept.indexOf(system), 1);
        system.raze();
      }
    }
  }

  /** No two parts get the same, also where the first does not listen yet. */
  private async port(): Promise<number> {
    const port = await freePort();
    if (this.ports.has(port)) return this.port();
    this.ports.add(port);
    return port;
  }

  /** The text with the addresses of this machine. */
  private local(text: string): string {
    return this.replaced.reduce((done, [from, to]) => done.replaceAll(from, to), text);
  }

  /** Lays the mounted files below a folder of the part. @returns its words and environment, with this machine's addresses and paths */
  private laid(
    { host, command, environment, files }: Part,
    more: readonly [string, string][] = [],
  ): Pick<Part, 'command' | 'environment'> {
    const root = join(this.folder, `${host}-files`);
    const user = unprivilegedUser();
    const paths: [string, string][] = [];
    for (const [path, text] of Object.entries(files)) {
      const file = join(root, path);
      mkdirSync(dirname(file), { recursive: true });
      const local = more.reduce((done, [from, to]) => done.replaceAll(from, to), this.local(text));
      writeFileSync(file, local, { mode: 0o600 }); // As Postgres wants a key.
      if (user !== undefined) chownSync(file, user.uid, user.gid);
      paths.push([path, file]);
    }
    const here = (text: string) => paths.reduce((done, [from, to]) => done.replaceAll(from, to), this.local(text));
    const env = Object.entries(environment).map(([name, value]) => [name, here(value)]);
    return { command: command.map(here), environment: Object.fromEntries(env) };
  }

  private async startBrokers(): Promise<void> {
    const { brokers } = this.scene;
    const ports = new Map<string, string>();
    for (const { host } of brokers) {
      for (const port of BROKER_PORTS) {
        const free = await this.port();
        ports.set(`${host}:${port}`, `127.0.0.1:${free}`);
        this.replaced.push([`${host}:${port}`, `${this.here}:${free}`]);
        // The name that all brokers of compose.yaml have: here it is the first one's.
        if (host === brokers[0]?.host) this.replaced.push([`brokers:${port}`, `${this.here}:${free}`]);
      }
    }
    for (const part of brokers) {
      const { host } = part;
      const data = join(this.folder, host);
      mkdirSync(data);
      const own: [string, string][] = [
        ...BROKER_PORTS.map((port): [string, string] => [`0.0.0.0:${port}`, ports.get(`${host}:${port}`) ?? '']),
        ['"/data"', JSON.stringify(data)],
        ['/tmp/nats.pid', join(data, 'nats.pid')],
      ];
      const { command, environment } = this.laid(part, own);
      const env = { PATH: process.env.PATH, GOMAXPROCS: '1', ...environment };
      this.servers.set(host, new SpawnedServer(this.nats, command.slice(1), env));
    }
    // With JetStream in order, as the readiness probes ask: no broker is before all are there.
    await Promise.all(
      brokers.map(({ host }) => {
        const isThere = () => answers(`http://${ports.get(`${host}:8222`)}/healthz`);
        return this.servers.get(host)?.start(isThere, `${host} does not start`);
      }),
    );
  }

  private async startPostgres(): Promise<void> {
    const { environment, files } = this.scene.postgres;
    const { POSTGRES_PASSWORD = '', POSTGRES_DB = '', POSTGRES_INITDB_ARGS = '' } = environment;
    const [data, secret, socket] = ['postgres', 'password', 'socket'].map((name) => join(this.folder, name)) as [
      string,
      string,
      string,
    ];
    const port = await this.port();
    this.replaced.push(['postgres:5432', `${this.here}:${port}`]);
    const { command } = this.laid(this.scene.postgres);
    for (const folder of [data, socket]) mkdirSync(folder, { mode: 0o700 });
    writeFileSync(secret, POSTGRES_PASSWORD, { mode: 0o600 });
    const user = unprivilegedUser();
    if (user !== undefined) for (const path of [data, secret, socket]) chownSync(path, user.uid, user.gid);
    const as = { user, cwd: '/', env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' } };
    const made = async (program: string, args: readonly string[], input = '') => {
      const done = await run(join(this.postgres, program), args, { ...as, input, deadlineMs: patientMs(SHORT_MS) });
      if (done.code !== 0 || /ERROR|FATAL/.test(done.output)) throw new Error(`${program}: ${done.output}`);
    };
    const first = ['-D', data, '-U', 'postgres', `--pwfile=${secret}`, '-A', 'scram-sha-256', '-N'];
    await made('initdb', [...first, ...POSTGRES_INITDB_ARGS.split(' ').filter(Boolean)]);
    const own = ['-c', 'dynamic_shared_memory_type=mmap'];
    await made('postgres', ['--single', '-D', data, ...own, 'postgres'], `CREATE DATABASE ${POSTGRES_DB}\n`);
    const where = ['-c', 'listen_addresses=127.0.0.1', '-c', `port=${port}`, '-c', `unix_socket_directories=${socket}`];
    const args = ['-D', data, ...own, ...where, ...command.slice(1)];
    const server = new SpawnedServer(join(this.postgres, 'postgres'), args, as.env, user);
    this.servers.set('postgres', server);
    const isThere = async () => /ready to accept connections/.test(server.said);
    await server.start(isThere, 'postgres does not start');
    // By the socket, as the image does.
    const superuser = { PGHOST: socket, PGPORT: String(port), PGUSER: 'postgres', PGPASSWORD: POSTGRES_PASSWORD };
    for (const file of Object.keys(files)
      .filter((path) => path.startsWith(FIRST_START))
      .sort()) {
      const words = [
        '-v',
        'ON_ERROR_STOP=1',
        '--no-psqlrc',
        '-d',
        POSTGRES_DB,
        '-f',
        join(this.folder, 'postgres-files', file),
      ];
      const env = { ...environment, ...superuser, PATH: pathTo(this.postgres) };
      const ran = await run('psql', words, { deadlineMs: patientMs(SHORT_MS), env });
      if (ran.code !== 0) throw new Error(`${file}: ${ran.output}`);
    }
  }

  private async startRedis(): Promise<void> {
    const [data, port] = [join(this.folder, 'redis'), await this.port()];
    mkdirSync(data);
    this.replaced.push(['redis:6379', `${this.here}:${port}`]);
    const { command, environment } = this.laid(this.scene.redis, [['/data', data]]);
    const [program = '', ...args] = command.map((word) => (word === '6379' ? String(port) : word));
    const own = [
      ...(args.includes('--tls-port') ? [] : ['--port', String(port)]),
      '--bind',
      '127.0.0.1',
      '--dir',
      data,
    ];
    const { command: server, env } = this.redis;
    const path = server.includes('/') ? `${dirname(server)}:${env.PATH}` : env.PATH;
    const redis = new SpawnedServer(program, [...args, ...own], { ...env, ...environment, PATH: path });
    this.servers.set('redis', redis);
    await redis.start(async () => /Ready to accept connections/.test(redis.said), 'redis does not start');
  }
}

const pathTo = (folder: string): string => `${folder}:${process.env.PATH}`;

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(patientMs(1_000)) })).ok;
  } catch {
    return false;
  }
}
