/** Topics in memory: the twin of kafka-topics.ts. All that share one cluster see the same. */
import { Superseded, type TopicRecord, type TopicShape, type Topics, type TopicWriter } from './topics.js';

export class MemoryCluster {
  /** Committed records in their order. A topic that is not there was never made, or was deleted. */
  readonly topics = new Map<string, TopicRecord[]>();
  private readonly writers = new Map<string, number>();

  /** @returns the number of the writer, which is the latest one under its name */
  opened(name: string): number {
    const number = (this.writers.get(name) ?? 0) + 1;
    this.writers.set(name, number);
    return number;
  }

  isLatest(name: string, number: number): boolean {
    return this.writers.get(name) === number;
  }
}

/** What happens to a write: nothing is answered, and the write has happened or not. */
export type WriteFault = 'lost' | 'unanswered' | undefined;

/** @param fault asked once for each write */
export function memoryTopics(cluster: MemoryCluster, fault: () => WriteFault = () => undefined): Topics {
  const { topics } = cluster;
  return {
    async ensure(shapes: readonly TopicShape[]) {
      const made = shapes.map(({ name }) => name).filter((name) => !topics.has(name));
      for (const name of made) topics.set(name, []);
      return made;
    },
    filled: async (names) => new Set(names.filter((name) => (topics.get(name) ?? []).length > 0)),
    last: async (topic, key) => topics.get(topic)?.findLast((record) => record.key === key)?.value,
    open: async (name) => memoryWriter(cluster, name, fault),
    ping: async () => {},
    close: async () => {},
  };
}

function memoryWriter(cluster: MemoryCluster, name: string, fault: () => WriteFault): TopicWriter {
  const number = cluster.opened(name);
  let isDead = false;
  return {
    async write(records) {
      if (isDead) throw new Error(`the writer ${name} met an error before, and writes nothing any more`);
      isDead = true;
      await Promise.resolve();
      const happens = fault();
      if (!cluster.isLatest(name, number))
        throw new Superseded('another feed of this system writes: this one steps down');
      if (happens !== 'lost') {
        const missing = records.find(({ topic }) => !cluster.topics.has(topic));
        if (missing !== undefined) throw new Error(`there is no topic ${missing.topic}`);
        for (const record of records) cluster.topics.get(record.topic)?.push(record);
      }
      if (happens !== undefined) throw new Error('no answer');
      isDead = false;
    },
    async close() {
      isDead = true;
    },
  };
}
