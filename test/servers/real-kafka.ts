// A real Kafka for a test, of one broker (KRaft): its jars come once from Maven Central into the checkout's caches, and Java and
// Maven must be on PATH. It runs on free ports. Law: a Kafka that cannot be had is reported (`skipped`).

import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../deploy/servers/free-ports.js';
import { lastLine, run } from '../../deploy/servers/processes.js';
import { patientMs } from '../deadlines.js';
import { CACHE, type Skipped } from './real-servers.js';
import { SpawnedServer } from './spawned-server.js';

/** A way in beside the plain one. */
export interface Listener {
  readonly name: string;
  readonly protocol: 'SSL' | 'SASL_SSL';
  /** Lines of server.properties without their `listener.name.<name>.`. */
  readonly settings: readonly string[];
}

interface Ways {
  readonly listeners?: readonly Listener[];
  /** More lines of server.properties. */
  readonly settings?: readonly string[];
  /** As kafka-storage takes them: `SCRAM-SHA-256=[name=…,password=…]`. */
  readonly scram?: readonly string[];
}

export interface RealKafka {
  /** host:port of the plain listener: no TLS, no user. */
  readonly broker: string;
  /** host:port of another one. */
  readonly at: (listener: string) => string;
  /** The jars, for a program in Java that asks it. */
  readonly classpath: string;
  readonly pid: () => number;
  /** Kills it; its files stay. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

const VERSION = '4.1.1';
const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>holdfast</groupId><artifactId>kafka-for-tests</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${VERSION}</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
</dependencies></project>`;
const MEMORY = ['-Xmx256m', '-Xms64m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
const FETCH_MS = 120_000;
const FORMAT_MS = 20_000;
const VERSION_MS = 10_000;

export async function realKafka({
  listeners = [],
  settings = [],
  scram = [],
}: Ways = {}): Promise<RealKafka | Skipped> {
  const jars = await kafkaJars();
  if ('missing' in jars) return { skipped: `no Kafka: ${jars.missing}` };
  const classpath = join(jars.folder, '*');
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-kafka-'));
  const [port, controller] = [await freePort(), await freePort()];
  const properties = join(folder, 'server.properties');
  const ports = new Map<string, number>();
  for (const { name } of listeners) ports.set(name, await freePort());
  const lines = [...propertiesOf(folder, controller), ...listenerLines(port, controller, listeners, ports)];
  await writeFile(properties, [...lines, ...settings].join('\n'));
  const id = Buffer.from('holdfast-kafka-1').toString('base64url');
  const format = ['-cp', classpath, 'kafka.tools.StorageTool', 'format', '-t', id, '-c', properties];
  for (const user of scram) format.push('--add-scram', user);
  // What a killed JVM has unpacked for itself, such as lz4, goes with the folder.
  const java = [...MEMORY, `-Djava.io.tmpdir=${folder}`];
  const formatted = await run('java', [...java, ...format], { deadlineMs: patientMs(FORMAT_MS) });
  if (formatted.code !== 0) throw new Error(`Kafka's folder could not be formatted: ${lastLine(formatted.output)}`);

  const logs = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn';
  const server = new SpawnedServer('java', [...java, logs, '-cp', classpath, 'kafka.Kafka', properties]);
  const start = () => server.start(() => listens(port), `Kafka does not listen on port ${port}`);
  const kill = () => server.kill();
  await start();
  return {
    broker: `127.0.0.1:${port}`,
    at: (listener) => `127.0.0.1:${ports.get(listener)}`,
    classpath,
    pid: () => server.pid,
    kill,
    start,
    async stop() {
      await kill();
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

// ---------------------------------------------------------------- machinery

function listenerLines(
  port: number,
  controller: number,
  listeners: readonly Listener[],
  ports: ReadonlyMap<string, number>,
): readonly string[] {
  const all = [
    `PLAINTEXT://127.0.0.1:${port}`,
    ...listeners.map(({ name }) => `${name}://127.0.0.1:${ports.get(name)}`),
  ];
  const protocols = ['PLAINTEXT:PLAINTEXT', ...listeners.map(({ name, protocol }) => `${name}:${protocol}`)];
  return [
    `listeners=${[...all, `CONTROLLER://127.0.0.1:${controller}`].join(',')}`,
    `advertised.listeners=${all.join(',')}`,
    `listener.security.protocol.map=${[...protocols, 'CONTROLLER:PLAINTEXT'].join(',')}`,
    ...listeners.flatMap(({ name, settings }) => settings.map((line) => `listener.name.${name.toLowerCase()}.${line}`)),
  ];
}

const propertiesOf = (folder: string, controller: number): readonly string[] => [
  'process.roles=broker,controller',
  'node.id=1',
  `controller.quorum.voters=1@127.0.0.1:${controller}`,
  'controller.listener.names=CONTROLLER',
  `log.dirs=${join(folder, 'logs')}`,
  'offsets.topic.replication.factor=1',
  'offsets.topic.num.partitions=1',
  'transaction.state.log.replication.factor=1',
  'transaction.state.log.min.isr=1',
  'transaction.state.log.num.partitions=1',
  'group.initial.rebalance.delay.ms=0',
  'auto.create.topics.enable=false',
];

/** Fetched once; another process may have been quicker: its folder is as good. */
async function kafkaJars(): Promise<{ readonly folder: string } | { readonly missing: string }> {
  const folder = join(CACHE, `kafka-${VERSION}`);
  for (const [tool, flag] of [
    ['java', '-version'],
    ['mvn', '--version'],
  ] as const) {
    if (tool === 'mvn' && existsSync(folder)) continue;
    const there = await run(tool, [flag], { deadlineMs: patientMs(VERSION_MS) });
    if (there.code !== 0) return { missing: `there is no ${tool} on PATH` };
  }
  if (existsSync(folder)) return { folder };
  const work = `${folder}.${process.pid}`;
  await mkdir(work, { recursive: true });
  try {
    await writeFile(join(work, 'pom.xml'), POM);
    const args = ['-q', '-B', '-f', join(work, 'pom.xml'), 'dependency:copy-dependencies', '-DoutputDirectory=jars'];
    const fetched = await run('mvn', args, { deadlineMs: patientMs(FETCH_MS) });
    if (fetched.code !== 0) return { missing: `Maven could not fetch its jars: ${lastLine(fetched.output)}` };
    await rename(join(work, 'jars'), folder).catch(() => {});
    return existsSync(folder) ? { folder } : { missing: `${folder} could not be made` };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => socket.destroy());
    socket.once('connect', () => socket.destroy());
  });
