// Reads Kafka's topics as any consumer with isolation.level=read_committed does, with Kafka's own client in Java: another
// library than the one that wrote. It follows the topics from their first record on until it is stopped.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { until } from '../deadlines.js';
import type { RealKafka } from './real-kafka.js';

interface CommittedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
}

const READER = `
import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public class Reader {
  public static void main(String[] args) throws Exception {
    Properties p = new Properties();
    p.put("bootstrap.servers", args[0]);
    p.put("isolation.level", "read_committed");
    p.put("key.deserializer", ByteArrayDeserializer.class.getName());
    p.put("value.deserializer", ByteArrayDeserializer.class.getName());
    p.put("reconnect.backoff.max.ms", "200");
    Base64.Encoder b = Base64.getEncoder();
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(p)) {
      List<TopicPartition> all = new ArrayList<>();
      for (int i = 1; i < args.length; i++) {
        List<PartitionInfo> found = null;
        while (found == null || found.isEmpty()) {
          try { found = consumer.partitionsFor(args[i], Duration.ofSeconds(2)); } catch (Exception e) { }
          if (found == null || found.isEmpty()) Thread.sleep(100);
        }
        for (PartitionInfo one : found) all.add(new TopicPartition(one.topic(), one.partition()));
      }
      consumer.assign(all);
      consumer.seekToBeginning(all);
      while (true) {
        StringBuilder out = new StringBuilder();
        for (ConsumerRecord<byte[], byte[]> r : consumer.poll(Duration.ofMillis(200))) {
          out.append(r.topic()).append('\\t').append(r.partition()).append('\\t').append(r.offset()).append('\\t');
          out.append(b.encodeToString(r.key())).append('\\t').append(b.encodeToString(r.value()));
          for (var h : r.headers()) out.append('\\t').append(h.key()).append('\\t').append(b.encodeToString(h.value()));
          out.append('\\n');
        }
        System.out.print(out);
        System.out.flush();
        if (System.out.checkError()) System.exit(0);
      }
    }
  }
}
`;

const started = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of started) child.kill('SIGKILL');
});

export class CommittedRecords {
  readonly records: CommittedRecord[] = [];

  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
  ) {
    createInterface({ input: child.stdout ?? process.stdin }).on('line', (line) => this.records.push(recordOf(line)));
  }

  /** Topics that are not there yet are waited for. */
  static async of(kafka: RealKafka, topics: readonly string[]): Promise<CommittedRecords> {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-reader-'));
    await writeFile(join(folder, 'Reader.java'), READER);
    const memory = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', `-Djava.io.tmpdir=${folder}`];
    const args = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=off', '-cp', kafka.classpath, join(folder, 'Reader.java')];
    const child = spawn('java', [...memory, ...args, kafka.broker, ...topics], { stdio: ['ignore', 'pipe', 'ignore'] });
    started.add(child);
    return new CommittedRecords(child, folder);
  }

  /** @returns whether as many records came in time */
  atLeast(count: number, withinMs: number): Promise<boolean> {
    return until(() => this.records.length >= count, withinMs, 50);
  }

  async stop(): Promise<void> {
    this.child.kill('SIGKILL');
    started.delete(this.child);
    await rm(this.folder, { recursive: true, force: true });
  }
}

// ---------------------------------------------------------------- machinery

const text = (base64 = ''): string => Buffer.from(base64, 'base64').toString();

function recordOf(line: string): CommittedRecord {
  const [topic = '', partition, offset, key, value, ...rest] = line.split('\t');
  const headers: Record<string, string> = {};
  for (let i = 0; i + 1 < rest.length; i += 2) headers[rest[i] ?? ''] = text(rest[i + 1]);
  return {
    ...{ topic, partition: Number(partition), offset: Number(offset) },
    ...{ key: text(key), value: text(value), headers },
  };
}
