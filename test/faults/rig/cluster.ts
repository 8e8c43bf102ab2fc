// Several nodes on one Postgres and one broker of their own. The servers belong to no node: they outlive each.

import { patientMs, until } from '../../deadlines.js';
import { type RealNats, type RealPostgres, realNats, realPostgres } from '../../servers/real-servers.js';
import { type Environment, RealSystem } from './real-system.js';

export const PARTITIONS = 16;
const SHARED_MS = 30_000;
const READY_MS = 60_000;
/** Longer than the clients need to notice, as OPERATING asks for. */
const STOP_DELAY_MS = '1000';

interface Place {
  readonly partition: number;
  readonly name: string | null;
  readonly epoch: number;
  readonly since: string | null;
  readonly state: string;
}

export class Cluster {
  readonly nodes: RealSystem[] = [];
  /** The addresses of the nodes that are ready, as a load balancer has them. */
  readonly edges: string[] = [];

  private constructor(
    readonly postgres: RealPostgres,
    readonly nats: RealNats,
    private readonly env: Environment,
    private readonly main?: string,
  ) {}

  /**
   * @param main what a node runs; without it the product
   * @returns the reason if there is no server; the caller then prints SKIP.
   */
  static async build(env: Environment = {}, main?: string): Promise<Cluster | { readonly skipped: string }> {
    const postgres = await realPostgres();
    if ('skipped' in postgres) return postgres;
    const nats = await realNats('2.15', 'node');
    if (!('skipped' in nats)) return new Cluster(postgres, nats, env, main);
    await postgres.stop();
    return nats;
  }

  /** Adds a node without starting it. */
  async add(name: string, own: Environment = {}): Promise<RealSystem> {
    const { postgres, nats, env } = this;
    const system = await RealSystem.build({
      NODE_NAME: name,
      DATABASE_URL: postgres.nodeUrl,
      MIGRATIONS_DATABASE_URL: postgres.ownerUrl,
      NATS_URL: nats.url,
      NATS_TRIM_URL: await nats.as('trim'),
      NATS_MONITOR_URL: nats.monitorUrl,
      JOURNAL: 'jetstream',
      PARTITIONS: String(PARTITIONS),
      STOP_DELAY_MS,
      ...env,
      ...own,
    });
    if ('skipped' in system) throw new Error(system.skipped);
    this.nodes.push(system);
    return system;
  }

  /** Adds nodes, starts them, and waits until they share the partitions. */
  async start(...names: readonly string[]): Promise<void> {
    for (const name of names) await this.begin(await this.add(name));
    await this.shared();
  }

  /** Starts a node; clients know it once it is ready. */
  async begin(node: RealSystem): Promise<void> {
    node.open({}, process.execPath, this.main === undefined ? undefined : [this.main]);
    await node.ready(READY_MS);
    this.edges.push(node.url);
  }

  /** Ends a node. Clients know it until it says that it is not ready, or else until it is dead. */
  async end(node: RealSystem, signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const ended = node.end(signal);
    const isReady = async () => (await node.ask('/readyz'))?.status === 200;
    if (signal === 'SIGTERM') await until(async () => !(await isReady()), READY_MS, 20);
    else await ended;
    this.edges.splice(this.edges.indexOf(node.url), 1);
    const { code } = await ended;
    if (signal === 'SIGTERM' && code !== 0) throw new Error(`exit ${code}\n${node.lastWords()}`);
  }

  /** The map as a node shows it; empty if it does not answer. */
  async places(at: RealSystem): Promise<readonly Place[]> {
    return (JSON.parse((await at.ask('/internal/placement'))?.text ?? '{}') as { data?: Place[] }).data ?? [];
  }

  /** How many partitions each of these nodes owns, as the first of them tells; empty while one is not theirs. */
  async sharesOf(...nodes: readonly RealSystem[]): Promise<readonly number[]> {
    const all = await this.places(nodes[0] as RealSystem);
    if (all.length !== PARTITIONS || all.some(({ state }) => state !== 'running')) return [];
    const shares = nodes.map(({ env }) => all.filter(({ name }) => name === env.NODE_NAME).length);
    return shares.reduce((sum, share) => sum + share, 0) === PARTITIONS ? shares : [];
  }

  /** Waits until these nodes, or all, own equal shares. @throws Error with the last words of all */
  async shared(nodes: readonly RealSystem[] = this.nodes, withinMs = SHARED_MS): Promise<void> {
    const areEqual = async () => {
      const shares = await this.sharesOf(...nodes);
      return shares.length > 0 && Math.max(...shares) - Math.min(...shares) <= 1;
    };
    if (!(await until(areEqual, withinMs, 100)))
      throw new Error(`no equal shares within ${withinMs} ms\n${this.words}`);
  }

  /** Waits until these nodes own everything, each of them whatever share. @returns the milliseconds that it took. */
  async owned(nodes: readonly RealSystem[], withinMs: number): Promise<number> {
    const since = performance.now();
    if (!(await until(async () => (await this.sharesOf(...nodes)).length > 0, withinMs, 50))) {
      throw new Error(`not everything is owned within ${patientMs(withinMs)} ms\n${this.words}`);
    }
    return performance.now() - since;
  }

  get words(): string {
    return this.nodes.map((system) => `${system.env.NODE_NAME}:\n${system.lastWords(8)}`).join('\n');
  }

  async demolish(): Promise<void> {
    const awake = setInterval(() => {}, 1_000); // A child server does not keep this process alive.
    for (const system of this.nodes) await system.demolish();
    await this.nats.stop();
    await this.postgres.stop();
    clearInterval(awake);
  }
}
