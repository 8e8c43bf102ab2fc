import { MemoryCluster, memoryTopics } from '../../bus/kafka/memory-topics.js';
import { TOPICS, topicsContract } from './topics.suite.js';

const cluster = new MemoryCluster();
topicsContract(
  'memory',
  () => memoryTopics(cluster),
  async () => cluster.topics.get(TOPICS.many) ?? [],
  async () => {},
);
