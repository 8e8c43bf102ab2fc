// A real Prometheus and its promtool for a test: those on PATH, else Debian's packages, unpacked once into the
// checkout's caches. Law: a missing part is reported (`missing`).

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { freePort } from '../../deploy/servers/free-ports.js';
import { run } from '../../deploy/servers/processes.js';
import { patientMs } from '../deadlines.js';
import { SpawnedServer } from './spawned-server.js';
import { unpackedOnce } from './unpacked-packages.js';

interface PrometheusBinaries {
  readonly prometheus: string;
  readonly promtool: string;
}

const SHORT_MS = 20_000;
const CONFIG = 'deploy/observe/prometheus.yml';

export async function prometheusBinaries(): Promise<PrometheusBinaries | { readonly missing: string }> {
  const onPath = { prometheus: 'prometheus', promtool: 'promtool' };
  if (await runs(onPath)) return onPath;
  const fetched = await unpackedOnce('prometheus-debian', ['prometheus']);
  if ('missing' in fetched) return fetched;
  const bin = join(fetched.folder, 'usr', 'bin');
  const own = { prometheus: join(bin, 'prometheus'), promtool: join(bin, 'promtool') };
  return (await runs(own)) ? own : { missing: `the one in ${fetched.folder} does not run here` };
}

interface Scraped {
  /** As `host:port`. */
  readonly targets: readonly string[];
  /** Its key, where authentication is on. */
  readonly key?: string;
  /** The text of rules. */
  readonly rules?: string;
}

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Alert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: 'pending' | 'firing';
}

/** The file of deploy/observe, with other targets, and two seconds from scrape to scrape. */
export class RealPrometheus {
  private constructor(
    private readonly server: SpawnedServer,
    private readonly url: string,
    private readonly folder: string,
  ) {}

  static async start({ prometheus }: PrometheusBinaries, { targets, key, rules }: Scraped): Promise<RealPrometheus> {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-prometheus-'));
    const file = join(folder, 'prometheus.yml');
    const { dns_sd_configs: _, ...job } = parse(await readFile(CONFIG, 'utf8')).scrape_configs[0];
    const authorization = key === undefined ? {} : { authorization: { credentials: key } };
    const config = {
      global: { scrape_interval: '2s', scrape_timeout: '2s', evaluation_interval: '1s' },
      rule_files: rules === undefined ? [] : ['rules.yml'],
      scrape_configs: [{ ...job, ...authorization, static_configs: [{ targets }] }],
    };
    await writeFile(file, JSON.stringify(config));
    if (rules !== undefined) await writeFile(join(folder, 'rules.yml'), rules);
    const address = `127.0.0.1:${await freePort()}`;
    const storage = `--storage.tsdb.path=${join(folder, 'data')}`;
    const server = new SpawnedServer(prometheus, [`--config.file=${file}`, storage, `--web.listen-address=${address}`]);
    const url = `http://${address}`;
    const isThere = () =>
      fetch(`${url}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    await server.start(isThere, 'Prometheus does not start');
    return new RealPrometheus(server, url, folder);
  }

  /** What a query has now. @throws Error with what Prometheus says of the query */
  async query(expression: string): Promise<readonly Sample[]> {
    type Found = { readonly metric: Sample['metric']; readonly value: readonly [at: number, value: string] };
    const path = `query?query=${encodeURIComponent(expression)}`;
    const { result } = await this.get<{ readonly result: readonly Found[] }>(path);
    return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }

  async alerts(): Promise<readonly Alert[]> {
    return (await this.get<{ readonly alerts: readonly Alert[] }>('alerts')).alerts;
  }

  async stop(): Promise<void> {
    await this.server.kill();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  private async get<T>(path: string): Promise<T> {
    const reply = await fetch(`${this.url}/api/v1/${path}`, { signal: AbortSignal.timeout(patientMs(SHORT_MS)) });
    const answer = (await reply.json()) as { readonly data?: T; readonly error?: string };
    if (answer.data === undefined) throw new Error(`${decodeURIComponent(path)}: ${answer.error}`);
    return answer.data;
  }
}

const runs = async ({ prometheus, promtool }: PrometheusBinaries): Promise<boolean> => {
  for (const command of [prometheus, promtool]) {
    if ((await run(command, ['--version'], { deadlineMs: patientMs(SHORT_MS) })).code !== 0) return false;
  }
  return true;
};
